#!/usr/bin/env python3
"""Draw the picture that README begins with, from what a run of the demo measured.

``docs/picture.py`` draws docs/how/demo.svg from docs/how/demo.json; with ``--run``, as root, it
plays the demo first, which takes a minute, and keeps what that measured.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

HOME = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HOME))

from bench.contenders import ours  # noqa: E402
from bench.demo_picture import TOLD, picture  # noqa: E402
from bench.stage import Stage  # noqa: E402
from bench.suite import compiled, probing  # noqa: E402
from netfail_hooks.demo.pace import Pace  # noqa: E402
from netfail_hooks.demo.story import play  # noqa: E402

FIGURES, PICTURE = HOME / "docs/how/demo.json", HOME / "docs/how/demo.svg"
CONFIG = "[hold_down]\nseconds = 2\n"  # as in the demo, or the picture would be mostly waiting


def measured() -> str:
    """Return what the stories cost, as the demo prints it for programs. Raises Problem."""
    compiled()
    with probing(1000), Stage(booted=True) as stage, Pace() as pace:
        ours(CONFIG)(stage)
        chapters = [play(stage.lab, story, lambda _: None, pace) for story in TOLD]
    return json.dumps({"real": True, "chapters": [asdict(chapter) for chapter in chapters]}) + "\n"


def main() -> int:
    """Draw, after a run if asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", action="store_true", help="play the stories first")
    if parser.parse_args().run:
        FIGURES.write_text(measured(), encoding="utf-8")
    PICTURE.write_text(picture(json.loads(FIGURES.read_text("utf-8"))), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
