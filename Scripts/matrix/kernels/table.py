# SPDX-License-Identifier: Apache-2.0
"""The table of kernels.sh: LACKING OUT. What failed and is not among what a kernel lacks, and the other way round, is wrong."""
import sys
import xml.etree.ElementTree as XML
from fnmatch import fnmatchcase
from pathlib import Path


def read_lacking(path: str) -> list[list[str]]:
    lines = [line for line in Path(path).read_text().splitlines() if line and not line.startswith("#")]
    return [line.split(maxsplit=3) for line in lines]


def results(file: Path) -> "dict[str, bool] | None":
    """Which tests passed; none where the guest has not come to its end."""
    try:
        cases = XML.fromstring(file.read_text(errors="replace").replace("\r", "")).iter("testcase")
    except (FileNotFoundError, XML.ParseError):
        return None
    return {case.get("classname").removeprefix("LaunchTests.") + "." + case.get("name").split("(")[0]: len(case) == 0
            for case in cases}


def main() -> int:
    lacking, out, wrong = read_lacking(sys.argv[1]), Path(sys.argv[2]), []
    print("| kernel | boot | passed | lacking | failed |\n| --- | --- | ---: | ---: | ---: |")
    for log in sorted(out.glob("*.log")):
        package, boot = log.stem.rsplit(".", 1)
        version = package.removeprefix("linux-image-")
        seen = results(log.with_suffix(".xml"))
        if seen is None:
            wrong.append(f"{version} {boot}: the guest did not finish: {log.read_text(errors='replace')[-400:]}")
            continue
        rows = [row for row in lacking if fnmatchcase(version, row[0]) and fnmatchcase(boot, row[1])]
        failed = [test for test, passed in seen.items() if not passed]
        known = [test for test in failed if any(fnmatchcase(test, row[2]) for row in rows)]
        print(f"| {version} | {boot} | {len(seen) - len(failed)} | {len(known)} | {len(failed) - len(known)} |")
        wrong += [f"{version} {boot}: {test} fails" for test in failed if test not in known]
        wrong += [f"{version} {boot}: nothing fails that is {row[2]}: {row[3]}" for row in rows
                  if not any(fnmatchcase(test, row[2]) for test in failed)]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


sys.exit(main())
