"""What hooks keep of the kernel before us outlives that uplinks are judged anew."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.install import installer, kernel_state
from netfail_hooks.install.handover import Handover
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.paths import Paths
from netfail_hooks.policy.state import Active, Multipath, State, UplinkState
from netfail_hooks.reconcile import load_state, save_state
from netfail_hooks.values import replace

_DETECTS = "ipv6/conf/{}/dad_transmits"


def _work(mode: str, known: Manifest | None, *retired: str) -> Any:
    """Return what an install of eth0 and wlan0 knows that decides about the kernel's settings."""
    config = replace(Config(uplinks=default_metrics(("eth0", "wlan0"))), mode=mode)
    names = (*config.names(), *retired)
    return SimpleNamespace(
        config=config,
        known=known,
        handover=Handover(),
        program=(),
        running=False,
        paths=Paths("/nowhere"),
        all_uplinks=lambda: Config(uplinks=default_metrics(names)),
    )


@pytest.mark.parametrize("mode", ["routes", "bond"])
def test_networkd_says_who_looks_for_duplicates_of_addresses_until_uninstall(mode: str) -> None:
    """By our files; but of what is no uplink any more it is as it was before us."""
    names = ("eth0", "wlan0", "bond0", "usb0")
    known = Manifest(sysctls={_DETECTS.format(name): "1" for name in names})
    settings = installer._settings(_work(mode, known, "usb0"))
    detects = {key: one for key, one in settings.items() if key.endswith("dad_transmits")}
    assert detects == {_DETECTS.format("usb0"): "1"}


def test_what_our_files_may_have_set_is_not_noted_as_what_was_before_us() -> None:
    now = {_DETECTS.format("eth0"): "0", _DETECTS.format("wlan0"): "2", "ipv4/x": "0"}
    first = installer._originals(_work("routes", None), now)
    assert first.sysctls == now
    again = installer._originals(_work("routes", Manifest(sysctls={"ipv4/x": "7"})), now)
    assert again.sysctls == {_DETECTS.format("wlan0"): "2", "ipv4/x": "7"}
    later = installer._originals(
        _work("routes", Manifest(sysctls=first.sysctls)), dict.fromkeys(now, "0")
    )
    assert later.sysctls == now


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    os.makedirs(Paths(str(tmp_path)).run)
    return Paths(str(tmp_path))


JUDGED = State(uplinks=(UplinkState("eth0", 4, "down", 7),), active=(Active(4, "wlan0", 7),))


@pytest.mark.parametrize("limits", [(), (Multipath(4, 2),), (Multipath(4, 5, known=1),)])
def test_the_limit_from_before_us_is_remembered(
    paths: Paths, limits: tuple[Multipath, ...]
) -> None:
    save_state(paths.state, replace(JUDGED, multipath=limits))
    kernel_state.judge_anew(paths)
    assert load_state(paths.state) == State(multipath=limits)
    assert os.path.exists(paths.state) == bool(limits)


def test_where_nothing_was_judged_nothing_is_left(paths: Paths) -> None:
    kernel_state.judge_anew(paths)
    assert not os.path.exists(paths.state)


@pytest.mark.parametrize("fails", ["", "endpoints", "routes"])
def test_endpoints_go_first_and_one_that_fails_keeps_nothing_else(
    paths: Paths, mocker: MockerFixture, fails: str
) -> None:
    done: list[object] = []

    def endpoints(state: State) -> None:
        done.append(state)
        if fails == "endpoints":
            raise OSError(1, fails)

    def routes() -> None:
        done.append("routes")
        if fails == "routes":
            raise Problem(fails)

    mocker.patch.object(kernel_state, "remove_our_endpoints", endpoints)
    mocker.patch.object(kernel_state, "remove_our_routes", routes)
    save_state(paths.state, State(multipath=(Multipath(4, 2),)))
    messages = kernel_state.remove_ours(paths)
    assert done == [State(multipath=(Multipath(4, 2),)), "routes"]
    assert [fails in one for one in messages] == ([True] if fails else [])
