"""What takes long is told while it does, and leaves no trace in what is printed."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.terminal import progress
from netfail_hooks.terminal.progress import doing, shown

_PROGRAM = """
import sys, time
from netfail_hooks import terminal
from netfail_hooks.terminal import progress
from netfail_hooks.terminal.progress import doing, shown
progress.AFTER, progress._EACH = 0.2, 0.02
with terminal.screened():
    with shown("installing", quiet=sys.argv[1:] == ["quiet"]):
        with doing("waiting for networkd to take eth\\033[2J0's file", 20):
            time.sleep(0.5)
            print("write /etc/a", flush=True)
            time.sleep(0.2)
        with doing("quick"):
            pass
    print("installed", flush=True)
"""
_PRINTED = "write /etc/a\ninstalled\n"
_STEP = r"waiting for networkd to take eth\u001b[2J0's file"


def _environment(**more: str) -> dict[str, str]:
    kept = {key: text for key, text in os.environ.items() if key != "COLUMNS"}
    return kept | {"TERM": "xterm"} | more


def _on_a_terminal(*words: str, **environment: str) -> str:
    ours, its = pty.openpty()
    command = [sys.executable, "-c", _PROGRAM, *words]
    child = subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, env=_environment(**environment)
    )
    os.close(its)
    written = b"".join(_pieces(ours))
    assert child.wait(10) == 0
    os.close(ours)
    return written.decode().replace("\r\n", "\n")


def _pieces(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            yield os.read(terminal, 65536)
        except OSError:
            return  # whoever wrote has ended


def test_on_a_terminal_it_is_one_line_that_is_gone_before_more_is_printed() -> None:
    written = _on_a_terminal()
    drawn = f"\r\033[K{_STEP}: 0 s of at most 20"
    assert written == f"{drawn}\r\033[Kwrite /etc/a\n{drawn}\r\033[Kinstalled\n"


def test_a_narrow_terminal_shows_it_on_one_line_too() -> None:
    written = _on_a_terminal(COLUMNS="40")
    lines = re.split(r"\r\033\[K|\n", written)
    assert max(map(len, lines)) == 39
    assert any(re.fullmatch(r"networkd to take .*\.\.\.: 0 of 20 s", line) for line in lines)


@pytest.mark.parametrize("terminal", ["dumb", ""])
def test_where_a_line_cannot_be_written_over_each_step_is_told_once(terminal: str) -> None:
    assert _on_a_terminal(TERM=terminal) == f"{_STEP} (at most 20 s)\n{_PRINTED}"


def test_what_is_printed_stays_the_same_in_a_pipe() -> None:
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout == _PRINTED
    assert done.stderr == f"{_STEP} (at most 20 s)\n"


def test_quiet_it_tells_nothing() -> None:
    assert _on_a_terminal("quiet") == _PRINTED


def test_a_terminal_that_takes_nothing_holds_nobody_up() -> None:
    """As one whose SSH connection hangs, or that Ctrl-S has stopped."""
    ours, its = os.pipe()
    os.set_blocking(its, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(its, bytes(65536)):
            pass
    os.set_blocking(its, True)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        stdout=subprocess.PIPE,
        stderr=its,
        text=True,
        check=False,
        env=_environment(),
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (0, _PRINTED)
    assert time.monotonic() - began > 2 * progress._HELD
    os.close(ours)
    os.close(its)


def test_where_nobody_shows_it_nothing_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    with doing("thinking", 3):
        pass
    assert capfd.readouterr() == ("", "")


def test_what_is_raised_passes_through_and_the_line_is_gone() -> None:
    for _ in range(2):  # the second time as the first
        with pytest.raises(KeyError), shown("installing"), doing("waiting"):
            raise KeyError
        assert progress._shown == []


@given(
    text=st.text(st.characters(codec="ascii", categories=["L", "Zs", "Po"]), max_size=200),
    most=st.integers(0, 600),
    passed=st.integers(0, 600),
    width=st.integers(24, 200),
)
def test_no_line_is_longer_than_the_terminal_and_the_seconds_are_whole(
    text: str, most: int, passed: int, width: int
) -> None:
    line = progress._Step(text, most, 100.0, told=False).line(100.0 + passed, width)
    assert len(line) <= width
    wanted = rf"(?s).*: {passed}( s of at most| of) {most}( s)?" if most else rf"(?s).*: {passed} s"
    assert re.fullmatch(wanted, line), line
    # A command that is told in a pipe may be as long as it likes, and is no news in full.
    assert len(progress._Step(text, most, 100.0, told=False).words()) <= 72 + len(
        " (at most 600 s)"
    )
