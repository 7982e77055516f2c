"""Programs on the LAN's side of a lab, which work for as long as their input is open."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from netfail_hooks.lab import Lab

_PATIENCE = 60  # seconds for one to come to its end


@contextlib.contextmanager
def working(lab: Lab, text: str, *words: str) -> Iterator[list[bytes]]:
    """Have a Python program work meanwhile, from its first line on; yield what it said, at its end.

    The end of its input ends it: a kill reaches only nsenter.
    """
    agent = lab.namespaces.popen([sys.executable, "-IS", "-c", text, *words], netns="lan")
    assert agent.stdout is not None
    assert agent.stdout.readline() in (b"ready\n", b"begun\n")
    said: list[bytes] = []
    try:
        yield said
    finally:
        said += agent.communicate(b"", timeout=_PATIENCE)[0].split()
    assert agent.returncode == 0


def beside(name: str) -> str:
    """Return the text of a program in this directory."""
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
