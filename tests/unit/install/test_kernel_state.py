"""What hooks keep of the kernel before us outlives that uplinks are judged anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.errors import Problem
from netfail_hooks.install import kernel_state
from netfail_hooks.paths import Paths
from netfail_hooks.policy.state import Active, Multipath, State, UplinkState
from netfail_hooks.reconcile import load_state, save_state
from netfail_hooks.values import replace


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
