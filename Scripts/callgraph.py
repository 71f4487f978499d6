#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws which C file calls which, from the object files, and fails on what the house forbids.

    Scripts/callgraph.py BUILD [--dot]

BUILD is SwiftPM's folder of a configuration, such as .build/debug. Forbidden are a circle, and an arrow from
CNamespace, which runs between clone and exec, to CHost, which does not. --dot prints the graph for Graphviz.
"""
import collections
import pathlib
import subprocess
import sys

SOURCES = pathlib.Path(__file__).parent.parent / "Sources"
ROOMS = ("CNamespace", "CHost")


def symbols(build):
    """Of each file, as ROOM/FILE, what it defines and what it asks for."""
    defined, wanted = {}, {}
    for room in ROOMS:
        objects = sorted((build / f"{room}.build").rglob("*.o"))
        if not objects:
            sys.exit(f"callgraph: no object files in {build / f'{room}.build'}")
        for path in objects:
            # Files that are gone leave their objects behind.
            name = path.name.removesuffix(".o")
            if not (SOURCES / room / name).exists():
                continue
            file = f"{room}/{name}"
            wanted[file] = set()
            text = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
            for line in text.splitlines():
                kind, symbol = line.split()[-2:]
                if kind == "U":
                    wanted[file].add(symbol)
                elif kind in "TDBRCV":
                    defined[symbol] = file
    return defined, wanted


def arrows(defined, wanted):
    graph = collections.defaultdict(lambda: collections.defaultdict(set))
    for file, names in wanted.items():
        for name in names:
            if defined.get(name, file) != file:
                graph[file][defined[name]].add(name)
    return graph


def circles(graph):
    """The strongly connected parts of more than one file (Tarjan)."""
    number, lowest, stack, found = {}, {}, [], []

    def visit(file):
        number[file] = lowest[file] = len(number)
        stack.append(file)
        for other in list(graph[file]):
            if other not in number:
                visit(other)
                lowest[file] = min(lowest[file], lowest[other])
            elif other in stack:
                lowest[file] = min(lowest[file], number[other])
        if lowest[file] == number[file]:
            part = []
            while not part or part[-1] != file:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(part)

    for file in list(graph):
        if file not in number:
            visit(file)
    return found


def main():
    build = pathlib.Path(sys.argv[1])
    graph = arrows(*symbols(build))
    if "--dot" in sys.argv:
        print("digraph calls {")
        for file in sorted(graph):
            for other in sorted(graph[file]):
                print(f'  "{file}" -> "{other}";')
        print("}")
    wrong = []
    for part in circles(graph):
        for file in sorted(part):
            for other in sorted(set(graph[file]) & set(part)):
                wrong.append(f"circle: {file} calls {', '.join(sorted(graph[file][other]))} of {other}")
    for file in sorted(graph):
        for other in sorted(graph[file]):
            if file.startswith("CNamespace/") and other.startswith("CHost/"):
                wrong.append(f"upwards: {file} calls {', '.join(sorted(graph[file][other]))} of {other}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main())
