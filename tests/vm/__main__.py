"""Beside the tests: make the images ahead of time, and read the rows that were kept.

python -m tests.vm prepare bookworm
python -m tests.vm show rows.json --markdown docs/dev/measurements-vm.md
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.vm import report
from tests.vm.image import SUITES
from tests.vm.journey import prepare, refusal


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.vm")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("prepare", help="make the images of suites")
    making.add_argument("suites", nargs="+", choices=list(SUITES))
    showing = commands.add_parser("show", help="print rows that --rows kept")
    showing.add_argument("rows")
    showing.add_argument("--markdown", metavar="FILE", help="write them as a document, too")
    args = parser.parse_args()
    if args.command == "show":
        rows = report.merge(args.rows, [])
        if args.markdown:
            Path(args.markdown).write_text(report.markdown(rows), encoding="utf-8")
        print(report.table(rows))
        return 0
    if refusal():
        sys.exit(refusal())
    for suite in args.suites:
        prepare(suite)
    return 0


if __name__ == "__main__":
    sys.exit(main())
