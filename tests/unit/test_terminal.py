"""What is printed on a real terminal, and what into a pipe: colour, watching, and the end of it."""

from __future__ import annotations

import json
import os
import pty
import random
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netfail_hooks import recorder
from netfail_hooks.config.file import render as render_config
from netfail_hooks.paths import Paths
from tests.support.runs import look
from tests.support.world import World, config_of

_PROGRAM = """
import sys
from netfail_hooks.cli import log, status
from netfail_hooks.cli import entry
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
log.Paths = status.Paths = lambda: Paths(sys.argv[1])
networkctl.states = dict
sys.exit(entry(sys.argv[2:]))
"""
_LOG = re.compile(r"\S+ \S+  eth0 IPv4 and IPv6 down \(no carrier\); .*, acted in 7 ms\]\n")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a machine with an uplink that isn't there, and a failover in its log."""
    paths = Paths(str(tmp_path))
    Path(paths.config).parent.mkdir(parents=True)
    Path(paths.config).write_text(render_config(config_of("netfail-none")))
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    recorder.write(paths.log, recorder.line(look(world, "eth0", "no-carrier")), 10**6)
    return tmp_path


def _environment(**more: str) -> dict[str, str]:
    unwanted = ("NO_COLOR", "COLUMNS", "LINES")
    kept = {key: text for key, text in os.environ.items() if key not in unwanted}
    return kept | {"TERM": "xterm"} | more


def _command(root: Path, *words: str) -> list[str]:
    return [sys.executable, "-c", _PROGRAM, str(root), *words]


def _on_a_terminal(root: Path, *words: str, **environment: str) -> Iterator[bytes]:
    """Yield what a command writes to its terminal, in the pieces that come; interrupt it at last.

    ``STATUS=...`` is its exit status, at the end.
    """
    ours, its = pty.openpty()
    child = subprocess.Popen(
        _command(root, *words),
        stdout=its,
        stdin=its,
        stderr=its,
        env=_environment(**environment),
    )
    os.close(its)
    try:
        while select.select([ours], [], [], 20)[0]:
            try:
                yield os.read(ours, 65536)
            except OSError:
                return  # it has ended
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(10) in (0, 1, 130)
        os.close(ours)


def _whole(root: Path, *words: str, **environment: str) -> str:
    return b"".join(_on_a_terminal(root, *words, **environment)).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("words", [("status",), ("log",), ("log", "--timeline")])
def test_colour_on_a_terminal_only_and_not_where_it_is_not_wanted(
    root: Path, words: tuple[str, ...]
) -> None:
    colourful = _whole(root, *words)
    assert re.search(r"\033\[3[123]m", colourful)
    for unwanted in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
        assert "\033" not in _whole(root, *words, **unwanted)
    piped = subprocess.run(
        _command(root, *words), capture_output=True, text=True, check=False, env=_environment()
    )
    assert "\033" not in piped.stdout
    if words == ("log",):
        assert _LOG.match(piped.stdout), piped.stdout
        wide = re.sub(r"\033\[\d+m", "", _whole(root, *words, COLUMNS="400"))
        assert _LOG.match(wide), wide
        narrow = _whole(root, *words, COLUMNS="40", NO_COLOR="1")
        assert all(len(line) <= 40 for line in narrow.splitlines()), narrow
        assert narrow.split() == wide.split()


def test_a_watch_draws_over_itself(root: Path) -> None:
    observed = ""
    for piece in _on_a_terminal(root, "status", "--watch", "0.1"):
        observed += piece.decode()
        if observed.count("\033[H") >= 3:
            break
    _, first, second, *_ = observed.split("\033[H")
    assert first.rstrip("\r\n").endswith("\033[J")
    lines = first.split("\r\n")
    assert re.match(r"\d+-\d+-\d+ \d+:\d+:\d+, every 0\.1 s, Ctrl-C ends it\033\[K", lines[0])
    assert all(line.endswith("\033[K") for line in lines[:-2])
    assert "NOT WELL" in second


def test_a_watch_outlives_what_can_t_be_found_out_for_once(root: Path) -> None:
    config = Path(Paths(str(root)).config)
    observed, text = "", config.read_text()
    for piece in _on_a_terminal(root, "status", "--watch", "0.1"):
        observed += piece.decode()
        if "run 'sudo netfail-hooks install'" in observed:
            config.write_text(text)
            if "NOT WELL" in observed.rpartition("run 'sudo netfail-hooks install'")[2]:
                break
        elif "NOT WELL" in observed:
            config.unlink(missing_ok=True)
    else:
        pytest.fail(observed)


def test_a_watch_is_drawn_anew_for_another_size_at_once(root: Path) -> None:
    """On a phone that is turned, say; what has no place on the screen is hinted at."""
    ours, its = pty.openpty()
    child = subprocess.Popen(
        _command(root, "status", "--watch", "600"),
        stdout=its,
        stdin=its,
        stderr=its,
        env=_environment(NO_COLOR="1"),
    )
    try:
        drawn = random.randrange(5, 30), random.randrange(40, 133)  # noqa: S311 - no secret
        for rows, columns in ((50, 80), (50, 40), (4, 40), drawn):
            termios.tcsetwinsize(its, (rows, columns))
            child.send_signal(signal.SIGWINCH if (rows, columns) != (50, 80) else 0)
            written = b""
            while not written.endswith(b"\033[J"):
                assert select.select([ours], [], [], 20)[0], written
                written += os.read(ours, 65536)
            shown = written.decode().rpartition("\033[H")[2]
            lines = shown.removesuffix("\033[J").replace("\033[K", "").split("\r\n")
            assert len(lines) <= rows
            assert max(map(len, lines)) <= columns
            assert any("NOT WELL" in line for line in lines)
            missing = [line for line in lines if re.fullmatch(r"\(.*\bmore\b.*\)", line)]
            assert len(missing) == 1 or (rows > 4 and not missing), lines
            assert missing or any(line.startswith("last move") for line in lines), lines
            if (rows, columns) != drawn:
                assert bool(missing) is (rows == 4)
                assert ("traffic" in lines) is ((rows, columns) == (50, 40))
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(10) == 130
        os.close(ours)
        os.close(its)


def test_a_watch_in_a_pipe_is_one_report_after_the_other(root: Path) -> None:
    for words, wanted in (((), "NOT WELL"), (("--json",), '"schema"')):
        watch = subprocess.Popen(
            _command(root, "status", "--watch", "0.1", *words),
            stdout=subprocess.PIPE,
            text=True,
            env=_environment(),
        )
        assert watch.stdout is not None
        until = time.monotonic() + 20
        observed = ""
        while observed.count(wanted) < 3 and time.monotonic() < until:
            observed += watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        watch.communicate(timeout=10)
        assert watch.returncode == 130
        assert "\033" not in observed
        if words:
            assert len([json.loads(line) for line in observed.splitlines()]) == 3
