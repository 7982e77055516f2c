"""Beside the tests: make images ahead of time, try README by hand, read the rows that were kept.

python -m tests.vm prepare bookworm
python -m tests.vm try --suite bookworm --managed
python -m tests.vm show rows.json --markdown docs/dev/measurements-vm.md
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.vm import report, trying
from tests.vm.handover import MANAGERS
from tests.vm.image import SUITES
from tests.vm.journey import prepare, refusal


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.vm")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("prepare", help="make the images of suites")
    making.add_argument("suites", nargs="+", choices=list(SUITES))
    by_hand = commands.add_parser("try", help="boot a machine to try README on, and stay")
    by_hand.add_argument("--suite", choices=list(SUITES), default="bookworm")
    by_hand.add_argument(
        "--managed", action="store_true", help="NetworkManager runs it, as Raspberry Pi OS comes"
    )
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
    if args.command == "try":
        if args.managed and args.suite not in MANAGERS:
            parser.error(f"--managed is of {' and '.join(MANAGERS)}")
        trying.run(args.suite, managed=args.managed)
        return 0
    for suite in args.suites:
        prepare(suite)
    return 0


if __name__ == "__main__":
    sys.exit(main())
