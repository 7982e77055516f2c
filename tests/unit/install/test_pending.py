"""What a killed run was at is known to the next one, and set up anew by it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.install import diversion, reconfigure
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths

CONFIG = Config(uplinks=default_metrics(("eth0", "wlan0")))


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(str(tmp_path))
    os.makedirs(paths.run)
    for name in ("eth0", "wlan0", "usb0"):
        os.makedirs(paths.at(f"/sys/class/net/{name}"))
    return paths


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is done to the machine, as it is done; a detour is only told of."""
    found: list[str] = []

    @contextlib.contextmanager
    def around(config: Config, interface: str, paths: Paths, _: float) -> Iterator[None]:
        found.append(f"around {interface} of {' '.join(config.names())}")
        yield
        if interface == "usb0":
            raise Problem("it is broken")
        diversion.clear_pending(paths, interface)

    monkeypatch.setattr(reconfigure, "divert", around)
    monkeypatch.setattr(networkctl, "reload", lambda: found.append("reload"))
    monkeypatch.setattr(networkctl, "reconfigure", lambda name: found.append(f"reconfigure {name}"))
    monkeypatch.setattr(networkctl, "require_answer", lambda: None)
    monkeypatch.setattr(
        reconfigure, "drop_static_addresses", lambda _, name: found.append(f"forget {name}")
    )
    monkeypatch.setattr(reconfigure, "_BEGUN", 0)
    return found


def test_a_mark_lasts_until_it_is_cleared(paths: Paths) -> None:
    diversion.clear_pending(paths, "eth0")
    for name in ("wlan0", "eth0", "eth0"):
        diversion.mark_pending(paths, name)
    assert diversion.pending(paths) == ("eth0", "wlan0")
    diversion.clear_pending(paths, "eth0")
    assert diversion.pending(paths) == ("wlan0",)


def test_nothing_else_is_taken_for_a_mark(paths: Paths) -> None:
    for name in (
        "state",
        "lock",
        "config",
        "pending.",
        "pending...",
        "pending.a b",
        "pending." + "x" * 16,
    ):
        Path(paths.run, name).touch()
    assert diversion.pending(paths) == ()


def test_a_place_where_nothing_can_be_noted_keeps_nobody(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    diversion.mark_pending(paths, "eth0")
    assert diversion.pending(paths) == ()
    os.makedirs(paths.run)
    os.symlink("/etc/passwd", paths.run + "/pending.eth0")
    diversion.mark_pending(paths, "eth0")


def test_with_nothing_unfinished_the_network_is_not_touched(paths: Paths, done: list[str]) -> None:
    reconfigure.finish_pending(CONFIG, paths)
    assert done == []


def test_what_is_unfinished_is_set_up_as_the_files_say_now(paths: Paths, done: list[str]) -> None:
    diversion.mark_pending(paths, "wlan0")
    reconfigure.finish_pending(CONFIG, paths)
    assert done == [
        "around wlan0 of eth0 wlan0",
        "forget wlan0",
        "reload",
        "forget wlan0",
        "reconfigure wlan0",
    ]
    assert diversion.pending(paths) == ()


def test_one_that_is_gone_is_finished(paths: Paths, done: list[str]) -> None:
    diversion.mark_pending(paths, "wwan0")
    reconfigure.finish_pending(CONFIG, paths)
    assert done == []
    assert diversion.pending(paths) == ()


def test_one_that_is_no_uplink_any_more_is_finished_too_and_a_failure_is_told(
    paths: Paths, done: list[str]
) -> None:
    diversion.mark_pending(paths, "usb0")
    told: list[str] = []
    reconfigure.finish_pending(CONFIG, paths, told)
    assert done[0] == "around usb0 of eth0 wlan0 usb0"
    assert told == ["it is broken"]
    with pytest.raises(Problem, match="broken"):
        reconfigure.finish_pending(CONFIG, paths)
    assert diversion.pending(paths) == ("usb0",)


def test_one_that_networkd_leaves_alone_and_that_is_no_uplink_is_somebody_elses(
    paths: Paths, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networkctl, "leaves_alone", lambda name: name == "usb0")
    diversion.mark_pending(paths, "usb0")
    reconfigure.finish_pending(CONFIG, paths)
    assert done == []
    assert diversion.pending(paths) == ()
