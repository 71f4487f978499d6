# SPDX-License-Identifier: Apache-2.0
"""Turns samples (a line of names, then a line a round) into Markdown.

    report.py table SAMPLES UNIT [NAME]...          medians, and ratios to each NAME
    report.py target SAMPLES NAME OTHER LIMIT       one row: the ratio NAME / OTHER, and LIMIT
    report.py excess SAMPLES NAME OTHER UNIT LIMIT  one row: how much longer NAME takes, and LIMIT
    report.py limit SAMPLES NAME UNIT LIMIT         one row: the median of NAME, and LIMIT
    report.py medians SAMPLES UNIT                  NAME<tab>VALUE lines, for the chart

A ratio is taken within each round, and the median of those is reported.
"""

import statistics
import sys

UNITS = {
    "µs": lambda microseconds: f"{microseconds:,.0f}",
    "ns": lambda microseconds: f"{microseconds * 1000:,.0f}",
    "ms": lambda microseconds: f"{microseconds / 1000:,.1f}",
    "launches/s": lambda microseconds: f"{1e6 / microseconds:,.0f}",
    "KiB": lambda kibibytes: f"{kibibytes:,.0f}",
}


def read(path):
    with open(path, encoding="utf-8") as file:
        names = file.readline().rstrip("\n").split("\t")
        rounds = [[float(value) for value in line.split("\t")] for line in file]
    return {name: list(values) for name, values in zip(names, zip(*rounds))}


def ratio(samples, name, other):
    return statistics.median(a / b for a, b in zip(samples[name], samples[other]))


def row(*cells):
    print("|", " | ".join(cells), "|")


def table(path, unit, *others):
    samples = read(path)
    row("", unit, *(f"× {other}" for other in others))
    row("---", *["---:"] * (1 + len(others)))
    for name, values in samples.items():
        ratios = (f"{ratio(samples, name, other):.2f}" for other in others)
        row(name, UNITS[unit](statistics.median(values)), *ratios)


def verdict(value, limit):
    return "reached" if value <= limit else "**missed**"


def target(path, name, other, limit):
    value = ratio(read(path), name, other)
    row(f"{name} / {other}", f"{value:.3g}", f"≤ {limit}", verdict(value, float(limit)))


def excess(path, name, other, unit, bound):
    samples = read(path)
    value = statistics.median(a - b for a, b in zip(samples[name], samples[other]))
    shown = UNITS[unit](value)
    reached = verdict(float(shown.replace(",", "")), float(bound))
    row(f"{name}, beyond {other}, {unit}", shown, f"≤ {bound}", reached)


def limit(path, name, unit, bound):
    value = statistics.median(read(path)[name])
    row(f"{name}, {unit}", UNITS[unit](value), f"≤ {bound}", verdict(value, float(bound)))


def medians(path, unit):
    for name, values in read(path).items():
        print(name, UNITS[unit](statistics.median(values)).replace(",", ""), sep="\t")


if __name__ == "__main__":
    {"table": table, "target": target, "excess": excess, "limit": limit,
     "medians": medians}[sys.argv[1]](*sys.argv[2:])
