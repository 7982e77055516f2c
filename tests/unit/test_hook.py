"""A hook refuses what is not for it, and never shows a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.journal import printable
from netfail_hooks.names import is_interface_name
from tests.support import ROOT

START = "import sys; sys.path.append({!r}); from netfail_hooks.hook import main; sys.exit(main())"
PROJECT = str(ROOT)


def _run(environment: dict[bytes, bytes]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-IS", "-c", START.format(PROJECT)]
    return subprocess.run(command, env=environment, capture_output=True, check=False)


HOSTILE = [
    {},
    {b"IFACE": b""},
    {b"IFACE": b"", b"STATE": b"\n" * 50},
]


@pytest.mark.parametrize("environment", HOSTILE)
def test_a_hostile_environment_is_refused_in_one_line(environment: dict[bytes, bytes]) -> None:
    done = _run(environment | {b"ESSID": b"\xff\xfe\n; rm -rf /", b"json": b"{" * 1000})
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
