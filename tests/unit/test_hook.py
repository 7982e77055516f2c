"""A hook refuses what is not for it, and never shows a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks import hook, recorder
from netfail_hooks.config import Config
from netfail_hooks.journal import printable
from netfail_hooks.names import is_interface_name
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import Observation
from netfail_hooks.policy.state import State
from netfail_hooks.recorder import FILE
from tests.support import ROOT
from tests.support.world import config_of

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
    assert b"run 'sudo netfail-hooks install'" in done.stderr


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


@pytest.mark.parametrize(
    ("interface", "there", "told"),
    [
        ("eth0", (), "eth0 {state}"),
        ("wlan0", ("state",), "wlan0 {state}"),
        *(
            (other, ("state", "manifest", "log"), "uplinks changed")
            for other in ("lo", "v\u00e9th7;")
        ),
        ("lo", ("manifest",), "install"),
        ("docker0", ("log", "manifest"), "install"),
        ("lo", ("manifest", "log"), "boot"),
        ("lo", ("log",), "boot"),
        ("lo", (), "boot"),
    ],
)
def test_an_event_of_an_interface_that_is_none_of_ours_is_no_cause(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    interface: str,
    there: tuple[str, ...],
    told: str,
) -> None:
    """``there`` are the files that there are, the one that was written first standing first."""
    paths = Paths(str(tmp_path))
    places = {"state": paths.state, "manifest": paths.manifest, "log": f"{paths.log}{FILE}"}
    for age, name in enumerate(reversed(there)):
        Path(places[name]).parent.mkdir(parents=True, exist_ok=True)
        Path(places[name]).write_text("x")
        os.utime(places[name], (1e9 - age, 1e9 - age))
    triggers = []

    def run(config: Config, _: Paths, trigger: str, **__: object) -> object:
        triggers.append(trigger)
        return recorder.Run(trigger, config, Observation(now=0), State(), State(), (), (), 0)

    monkeypatch.setattr("netfail_hooks.reconcile.run", run)
    monkeypatch.setattr("netfail_hooks.config.cache.load", lambda _: config_of("eth0", "wlan0"))
    assert hook._look({"IFACE": interface}, paths) == 0  # type: ignore[arg-type]
    assert triggers == [told.format(state=Path(sys.argv[0]).parent.name.removesuffix(".d"))]
