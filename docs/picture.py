#!/usr/bin/env python3
"""Draw the picture that README begins with, from what a run of the demo measured.

``docs/picture.py`` draws docs/how/demo.svg from docs/how/demo.json; with ``--run``, as root, it
plays the demo first, which takes a minute, and keeps what that measured.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from bench.demo_picture import picture  # noqa: E402

FIGURES, PICTURE = HOME / "docs/how/demo.json", HOME / "docs/how/demo.svg"


def measured() -> str:
    """Return what the demo prints for programs, but for where this machine keeps its recording."""
    done = subprocess.run(
        [sys.executable, "-m", "netfail_hooks", "demo", "--json"],
        cwd=HOME,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    report = json.loads(done.stdout)
    del report["recording"]
    if not report["real"]:
        sys.exit("the demo had no systemd-networkd: run it as root")
    return json.dumps(report) + "\n"


def main() -> int:
    """Draw, after a run if asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", action="store_true", help="play the demo first")
    if parser.parse_args().run:
        FIGURES.write_text(measured(), encoding="utf-8")
    PICTURE.write_text(picture(json.loads(FIGURES.read_text("utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
