"""``netfail-hooks demo``: failovers in a throw-away network, for somebody who meets us first."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict

from netfail_hooks import terminal
from netfail_hooks.demo import recording
from netfail_hooks.demo import story as demo_story
from netfail_hooks.demo import text as demo_text
from netfail_hooks.demo.pace import TOO_SLOW, Pace
from netfail_hooks.demo.story import Chapter, Lines
from netfail_hooks.errors import Problem
from netfail_hooks.lab import Lab, harmless, why_not_real
from netfail_hooks.process import failure
from netfail_hooks.terminal import typed
from netfail_hooks.terminal.progress import shown

_FIRST, _SECOND = "eth0", "wlan0"
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
    """Show the failovers. Returns 1 if one did not come or a connection died. Raises Problem.

    Raises NotNow where that may be so since this machine is too slow.
    """
    why = why_not_real()
    show = _silent if args.json else _show
    began = time.monotonic()
    show(demo_text.head(why, demo_story.INTERVAL))
    chapters: list[Chapter] = []
    shows = shown("at work on the throw-away network", quiet=args.json)
    with (
        shows,
        harmless(),
        _paced() as paced,
        Lab((_FIRST, _SECOND), unmanaged=bool(why)) as lab,
    ):
        _install(lab)
        show([f"ready after {time.monotonic() - began:.1f} s"])
        with lab.timer(demo_story.INTERVAL):
            for story in demo_story.STORIES:
                chapters.append(demo_story.play(lab, story, show, paced))
                if chapters[-1].too_slow:
                    break
        kept = _keep(lab)
    slow = [act.start_ms for chapter in chapters for act in chapter.acts if act.too_slow]
    show(demo_text.summary(chapters, typed.install()))
    if kept and not slow:
        show(recording.what_to_try(kept, typed.command()))
    if args.json:
        result = {"real": not why, "recording": kept, "chapters": [asdict(c) for c in chapters]}
        print(json.dumps(result))
    if slow:
        raise demo_text.too_slow(max(slow) / 1000)
    return 0 if all(act.healthy for chapter in chapters for act in chapter.acts) else 1


@contextlib.contextmanager
def _paced() -> Iterator[Pace]:
    """Watch this machine's pace; what fails inside is put down to that where it is too slow."""
    with Pace() as paced:
        try:
            yield paced
        except Problem as problem:
            seconds = paced.slowest()
            if problem.status != Problem.status or seconds < TOO_SLOW:
                raise
            why = demo_text.too_slow(seconds)
            why.add_note(str(problem))
            raise why from problem


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
            raise Problem(f"demo: install: {failure(done)}")
    lab.tick()


def _show(shown: Lines | Chapter) -> None:
    if isinstance(shown, Chapter):
        shown = demo_text.strips(shown, colour=terminal.colours(), utf8=terminal.utf8())
    print("\n".join(shown), flush=True)


def _silent(_: Lines | Chapter) -> None:
    """Leave standard output to the JSON."""
