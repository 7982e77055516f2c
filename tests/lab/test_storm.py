"""A storm of other people's interfaces: how much work it makes, and how long what is ours waits."""

from __future__ import annotations

from bench import storms
from netfail_hooks.hook import CHANGED
from netfail_hooks.lab import Lab
from tests.lab.suite import events, install, used, wait

PAIRS = 40
NEWS = 10  # networkd may write of an uplink again and again while it sets it up


def test_python_is_started_for_none_of_them(lab: Lab) -> None:
    install(lab)
    storms.count_starts(lab)
    storms.make(lab, PAIRS)
    wait(lambda: len(set(storms.invoked(lab))) > PAIRS, "half of the storm", seconds=60)
    storms.unmake(lab, PAIRS)  # from here on the dispatcher tells of what is not there
    storms.settle(lab)
    assert len(storms.started(lab)) <= NEWS, storms.started(lab)


def test_a_pulled_cable_need_not_wait_for_its_turn(lab: Lab) -> None:
    install(lab)
    storms.count_starts(lab)
    outcome = storms.cable_out_in_a_storm(lab, PAIRS)
    assert outcome.hooks_before < outcome.hooks / 5, outcome
    assert outcome.pythons <= NEWS, outcome
    assert used(lab) == "wlan0"
    assert any(one["trigger"] == CHANGED for one in events(lab)), events(lab)
