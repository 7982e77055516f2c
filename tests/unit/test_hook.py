"""A hook refuses what is not for it, and never shows a traceback."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from netfail_hooks import hook
from netfail_hooks.config.file import render
from netfail_hooks.errors import Misuse
from netfail_hooks.journal import printable
from netfail_hooks.names import is_interface_name
from netfail_hooks.paths import Paths
from tests.conftest import Tried
from tests.support import ROOT
from tests.support.world import config_of

START = "import sys; sys.path.append({!r}); from netfail_hooks.hook import main; sys.exit(main())"
PROJECT = str(ROOT)


def _run(environment: dict[bytes, bytes]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-IS", "-c", START.format(PROJECT)]
    return subprocess.run(command, env=environment, capture_output=True, check=False)


HOSTILE = [
    {b"IFACE": b"eth0\nMESSAGE=forged"},
    {b"IFACE": b"../../etc/shadow"},
    {b"IFACE": b"x" * 300},
    {b"IFACE": b"eth0;reboot"[:15] + b" "},
    {b"IFACE": b"\xff\xfe\x00"[:2]},
    {b"IFACE": b"..", b"STATE": b"\n" * 50},
    {b"IFACE": b"\x1b[2J"},
    {b"IFACE": "eth0\u202e".encode()},
]
_MORE = {b"ESSID": b"\xff\xfe\n; rm -rf /", b"json": b"{" * 1000}


@pytest.mark.parametrize("environment", HOSTILE)
def test_what_is_no_uplink_is_refused_without_a_word(environment: dict[bytes, bytes]) -> None:
    """The kernel takes almost any name for somebody's interface, and its events are many."""
    done = _run(environment | _MORE)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


@pytest.mark.parametrize("environment", [{}, {b"IFACE": b""}])
def test_a_hook_by_hand_is_told_in_one_line(environment: dict[bytes, bytes]) -> None:
    done = _run(environment | _MORE)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"IFACE is no" in done.stderr
    assert b"Traceback" not in done.stderr


def test_no_config_yet_is_told_with_the_next_step() -> None:
    done = _run({b"IFACE": b"eth0", b"STATE": b"routable"})
    assert done.returncode == 2
    assert b"run 'netfail-hooks install'" in done.stderr


@pytest.mark.parametrize(
    ("name", "good"),
    [(good, True) for good in ("e", "eth0", "enx00e04c680001", "br-lan.10", "wlan0@if3")]
    + [(bad, False) for bad in ("", ".", "..", "a/b", "a b", "a:1", "a\nb", "x" * 16, "é", "%d")]
    + [(bad, False) for bad in ("eth*", "eth?", "e[th]", "!eth0", 'a"b', "a\\b")],
)
def test_names_are_the_kernels(name: str, good: bool) -> None:  # noqa: FBT001
    assert is_interface_name(name) is good


@given(st.text())
def test_what_goes_to_the_journal_is_one_printable_line(text: str) -> None:
    shown = printable(text)
    assert shown.isascii()
    assert all(" " <= character <= "~" for character in shown)


@pytest.mark.faults
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.sampled_from(["STATE", "ADDR", "ESSID", "json"]), st.text()),
    st.text(max_size=20) | st.sampled_from(["eth0", "lo", "*", "upl0 ", "upl0\n", "UPL0", "upl"]),
)
def test_no_environment_makes_a_hook_act_for_what_is_no_uplink(
    tmp_path: Path, tried: Tried, environment: dict[str, str], interface: str
) -> None:
    tried("fuzz inputs: hook environments", 1)
    paths = Paths(str(tmp_path))
    os.makedirs(os.path.dirname(paths.config), exist_ok=True)
    Path(paths.config).write_text(render(config_of("upl0", "upl1")), encoding="utf-8")
    assume(interface not in ("upl0", "upl1"))
    if is_interface_name(interface):
        os.makedirs(paths.at(f"/sys/class/net/{interface}"), exist_ok=True)
    with contextlib.suppress(Misuse):
        assert hook._look({**environment, "IFACE": interface}, paths) == 0  # type: ignore[arg-type]
    assert not os.path.exists(paths.run + "/lock")
