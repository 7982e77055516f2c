"""How the answers of several targets count, and what a portal among them does."""

from __future__ import annotations

import errno
from typing import Any

import pytest

from netfail_hooks.config import Target
from netfail_hooks.config.kinds import parse_target
from netfail_hooks.errors import PortalError
from netfail_hooks.probe import SPACING, probe, program, web
from netfail_hooks.values import replace
from tests.unit.probe.test_probe import FOUR, NEVER, OTHER, Lan, _config, _round, _seen
from tests.unit.probe.test_probe import lan as lan  # noqa: PLC0414 - a fixture

GATEWAY = "192.168.1.1"
PAGE = parse_target("http://198.51.100.9/up 204")
THIRD = Target(4, "198.51.100.3")
PORTAL = PortalError(errno.EPROTO, "portal at http://login.example/")


@pytest.fixture(autouse=True)
def errands(lan: Lan, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let pages and programs be the LAN's, too; return how long each is waited for."""
    waits = []

    def made(target: Target, interface: str, seconds: float) -> Any:
        waits.append(seconds)
        return lan.wire(interface, target.address or target.path)

    monkeypatch.setattr(web, "page_wire", made)
    monkeypatch.setattr(program, "program_wire", made)
    return waits


@pytest.mark.parametrize(
    ("policy", "silent", "healthy"),
    [
        ("1", 2, True),
        ("2", 1, True),
        ("2", 2, False),
        ("3", 0, True),
        ("3", 1, False),
        ("9", 0, True),
        ("9", 1, False),
        ("any", 2, True),
        ("all", 1, False),
    ],
)
def test_so_many_targets_as_asked_for_must_answer(
    lan: Lan, policy: str, silent: int, *, healthy: bool
) -> None:
    targets = (FOUR, OTHER, THIRD)
    lan.manners = {f"eth0 {target.address}": {} for target in targets[:silent]}
    lan.manners[f"eth0 {GATEWAY}"] = {"answer": 0.0001}
    found = _round(_config(policy=policy, targets=targets), _seen(), "eth0")
    assert found["eth0 4"][0] is healthy


def test_of_a_family_with_fewer_all_of_them_must(lan: Lan) -> None:
    targets = (FOUR, OTHER, Target(6, "2001:db8::1"))
    lan.manners = {f"eth0 {GATEWAY}": {"answer": 0.0001}}
    observed, config = _seen(4, 6), _config(policy="2", targets=targets)
    assert [one.healthy for one in probe(config, observed, "eth0")] == [True, True]
    lan.wires.clear()
    lan.coming.clear()
    lan.manners["eth0 2001:db8::1"] = {}
    assert [one.healthy for one in probe(config, observed, "eth0")] == [True, False]


@pytest.mark.parametrize("policy", ["any", "1", "all"])
@pytest.mark.parametrize("late", [0.0001, 0.3])
def test_a_portal_outweighs_whatever_else_answers(lan: Lan, policy: str, late: float) -> None:
    lan.manners = {f"eth0 {PAGE.address}": {"answer": late, "fails": PORTAL}}
    found = _round(_config(policy=policy, targets=(FOUR, PAGE)), _seen(), "eth0")
    healthy, _, reason = found["eth0 4"]
    assert not healthy
    assert reason == f"{PAGE.address}: portal at http://login.example/"


def test_a_portal_is_told_before_what_else_is_wrong(lan: Lan) -> None:
    refused = OSError(errno.EHOSTUNREACH, "No route to host")
    lan.manners = {
        f"eth0 {PAGE.address}": {"answer": 0.01, "fails": PORTAL},
        f"eth0 {FOUR.address}": {"answer": 0.001, "fails": refused},
        f"eth0 {OTHER.address}": {"answer": 0.011, "fails": refused},
    }
    found = _round(_config(targets=(FOUR, PAGE, OTHER)), _seen(), "eth0")
    assert "portal" in found["eth0 4"][2]


def test_a_round_waits_for_the_word_of_a_page(lan: Lan) -> None:
    lan.manners = {f"eth0 {PAGE.address}": {"answer": 0.7}}
    began = lan.now
    found = _round(_config(targets=(FOUR, PAGE)), _seen(), "eth0")
    assert found["eth0 4"][0]
    assert lan.now - began == pytest.approx(0.7)


@pytest.mark.parametrize("wrong", [OSError(errno.ECONNREFUSED, "Connection refused")])
def test_a_page_that_is_not_there_takes_nothing_from_the_others(lan: Lan, wrong: OSError) -> None:
    lan.manners = {f"eth0 {PAGE.address}": {"answer": 0.01, "fails": wrong}}
    began = lan.now
    found = _round(_config(targets=(FOUR, PAGE)), _seen(), "eth0")
    assert found["eth0 4"] == (True, 1, "")
    assert lan.now - began < 0.02
    alone = _round(_config(targets=(PAGE,)), _seen(), "eth0")["eth0 4"]
    assert alone[::2] == (False, f"{PAGE.address}: Connection refused")


@pytest.mark.parametrize("text", ["http://198.51.100.9/", "https://198.51.100.9/", "exec:/a"])
def test_a_page_and_a_program_have_longer(lan: Lan, errands: list[float], text: str) -> None:
    target = parse_target(text)
    lan.manners = {f"eth0 {target.address or target.path}": {"answer": NEVER}}
    began = lan.now
    found = _round(_config(targets=(target,), timeout=300), _seen(), "eth0")
    assert not found["eth0 4"][0]
    assert lan.now - began == pytest.approx(SPACING + 1.2)
    assert errands == [pytest.approx(SPACING + 1.2)]


@pytest.mark.usefixtures("lan")
def test_a_hook_asks_nothing_that_takes_long() -> None:
    six = replace(_config().uplinks[0], targets=(parse_target("exec6:/a"), FOUR))
    config = replace(_config(), uplinks=(six, _config().uplinks[1]))
    hurried = probe(config, _seen(4, 6), patient=False)
    asked = [(one.interface, one.family) for one in hurried]
    assert asked == [("eth0", 4), ("wlan0", 4), ("wlan0", 6)]
    assert len(probe(config, _seen(4, 6))) == 4


def test_the_standby_of_a_shared_gateway_shares_the_portal(lan: Lan) -> None:
    lan.manners = {f"eth0 {PAGE.address}": {"answer": 0.01, "fails": PORTAL}}
    found = _round(_config(targets=(FOUR, PAGE)), _seen())
    assert [healthy for healthy, _, _ in found.values()] == [False, False]
    assert "portal" in found["wlan0 4"][2]
