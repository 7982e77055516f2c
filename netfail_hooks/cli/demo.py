"""``netfail-hooks demo``: failovers in a throw-away network, for somebody who meets us first."""

from __future__ import annotations

import argparse
import json
import locale
import os
import sys
import time
from dataclasses import asdict

from netfail_hooks import lab as sandbox
from netfail_hooks.demo import recording
from netfail_hooks.demo import story as demo_story
from netfail_hooks.demo import text as demo_show
from netfail_hooks.demo.story import Chapter, Told
from netfail_hooks.errors import Problem
from netfail_hooks.lab import Lab

_FIRST, _SECOND = "eth0", "wlan0"
# How to install, and to run any command, for a demo by install.sh.
_NEXT, _COMMAND = "NETFAIL_HOOKS_INSTALL", "NETFAIL_HOOKS_COMMAND"
# Shorter than the defaults (10 s and 5 s), or the demo would be mostly waiting.
_CONFIG = f"""\
[hold_down]
seconds = 2
[check]
interval = {demo_story.INTERVAL}
[[uplink]]
interface = "{_FIRST}"
[[uplink]]
interface = "{_SECOND}"
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--json", action="store_true", help="print what was measured as JSON, at the end"
    )


def run(args: argparse.Namespace) -> int:
    """Show the failovers. Returns 1 if one did not come or a connection died. Raises Problem."""
    why = sandbox.why_not_real()
    show = _silent if args.json else _show
    began = time.monotonic()
    show(demo_show.head(why, demo_story.INTERVAL))
    with Lab((_FIRST, _SECOND), unmanaged=bool(why)) as lab:
        _install(lab)
        show([f"ready after {time.monotonic() - began:.1f} s"])
        with lab.timer(demo_story.INTERVAL):
            chapters = [demo_story.play(lab, story, show) for story in demo_story.STORIES]
        kept = _keep(lab)
    show(demo_show.summary(chapters, os.environ.get(_NEXT, "netfail-hooks install")))
    if kept:
        show(recording.what_to_try(kept, os.environ.get(_COMMAND, "netfail-hooks")))
    if args.json:
        result = {"real": not why, "recording": kept, "chapters": [asdict(c) for c in chapters]}
        print(json.dumps(result))
    return 0 if all(act.healthy for chapter in chapters for act in chapter.acts) else 1


def _keep(lab: Lab) -> str:
    """Keep the recording; return its path, or "" where it can't be kept, which spoils no demo."""
    place = recording.path()
    try:
        recording.keep(lab.paths.log, place)
    except OSError as error:
        print(f"netfail-hooks: recording not kept: {place}: {error.strerror}", file=sys.stderr)
        return ""
    return place


def _install(lab: Lab) -> None:
    """Install on the lab's host: by our own command where networkd runs, else as it would."""
    lab.write("/etc/netfail-hooks/config.toml", _CONFIG)
    if lab.unmanaged is not None:
        from netfail_hooks.replay.lab import write_hooks

        write_hooks(lab)
        lab.start()
    else:
        lab.write_files(lab.howto_files())
        lab.start()
        done = lab.netfail("install", "--primary", _FIRST, "--backup", _SECOND, "--yes")
        if done.returncode:
            raise Problem(f"demo: install: {done.stderr.strip()}")
    lab.tick()


def _show(told: Told | Chapter) -> None:
    lines = demo_show.chapter(told, _look()) if isinstance(told, Chapter) else told
    print("\n".join(lines), flush=True)


def _silent(_: Told | Chapter) -> None:
    """Leave standard output to the JSON."""


def _look() -> demo_show.Look:
    """Return what the terminal can show, if it is one."""
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")  # https://no-color.org
    encoding = sys.stdout.encoding or locale.getpreferredencoding()
    return demo_show.Look(colour=colour, unicode=encoding.lower().replace("-", "") == "utf8")
