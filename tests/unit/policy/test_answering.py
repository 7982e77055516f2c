"""Who answers ARP, and what a LAN is told again that it was told before (policy/answering.py)."""

from __future__ import annotations

import pytest

from netfail_hooks.policy.changes import Announce, Change, SetSysctl
from netfail_hooks.policy.facts import Address, Observation, Sysctl
from netfail_hooks.policy.sysctls import ANSWERS, SILENT, arp_ignore
from netfail_hooks.values import replace
from tests.support.world import World, config_of

SECOND = 1000
NEW_MAC = "02:00:00:00:99:99"


def _world(*names: str, apart: tuple[str, ...] = ()) -> World:
    """Return a machine whose kernel tells who answers, all of them at first."""
    names = names or ("eth0", "wlan0")
    world = World(config_of(*names), apart=apart, families=(4,), shares=True)
    world.sysctls |= dict.fromkeys(map(arp_ignore, names), ANSWERS)
    return world


def _silent(world: World) -> list[str]:
    return [name for name in world.config.names() if world.sysctls[arp_ignore(name)] == SILENT]


def _set(name: str, setting: str) -> SetSysctl:
    return SetSysctl(Sysctl(arp_ignore(name), setting))


def _told(changes: tuple[Change, ...]) -> dict[str, str]:
    return {one.address: one.interface for one in changes if isinstance(one, Announce)}


def _all_by(world: World, name: str) -> dict[str, str]:
    return {world.address(one, 4): name for one in world.config.names()}


@pytest.fixture
def world() -> World:
    world = _world()
    world.reconcile()
    return world


def test_the_carrier_alone_answers_and_says_so(world: World) -> None:
    assert _silent(world) == ["wlan0"]
    assert _told(world.done) == _all_by(world, "eth0")
    assert world.reconcile() == ()


def test_the_new_carrier_answers_before_the_old_one_falls_silent(world: World) -> None:
    for event, wanted in (("no-carrier", ["wlan0", "eth0"]), ("routable", ["eth0", "wlan0"])):
        world.event("eth0", event)
        world.reconcile()
        world.now += 100 * SECOND
        world.trail.clear()
        if event == "routable":
            world.reconcile()
            world.reconcile()
        changes = [one for one in world.trail or world.done if isinstance(one, SetSysctl)]
        assert [one.sysctl.key for one in changes] == [arp_ignore(name) for name in wanted]
        assert [one.sysctl.setting for one in changes] == [ANSWERS, SILENT]


def test_silence_comes_before_the_word_that_another_answers(world: World) -> None:
    world.event("eth0", "no-carrier")
    kinds = [type(one).__name__ for one in world.reconcile()]
    assert kinds.index("SetRoute") < len(kinds) - kinds[::-1].index("SetSysctl") - 1
    assert len(kinds) - kinds[::-1].index("SetSysctl") - 1 < kinds.index("Announce")


@pytest.mark.parametrize("setting", ["1", "2", SILENT])
def test_a_carrier_that_somebody_made_answer_little_answers_again(
    world: World, setting: str
) -> None:
    world.sysctls[arp_ignore("eth0")] = setting
    assert world.reconcile() == (_set("eth0", ANSWERS),)


def test_a_standby_that_somebody_let_answer_falls_silent_and_all_is_said_again(
    world: World,
) -> None:
    world.sysctls[arp_ignore("wlan0")] = ANSWERS
    changes = world.reconcile()
    assert changes[0] == _set("wlan0", SILENT)
    # It may be sought where it is: wlan0 works.
    assert _told(changes) == {world.address("eth0", 4): "eth0"}


def test_on_lans_of_their_own_all_answer_as_somebody_set_it() -> None:
    world = _world(apart=("eth0", "wlan0"))
    world.sysctls[arp_ignore("wlan0")] = "2"
    world.reconcile()
    assert world.sysctls[arp_ignore("wlan0")] == "2"
    world.sysctls[arp_ignore("wlan0")] = SILENT  # it was a standby once
    world.reconcile()
    assert _silent(world) == []


def test_on_a_lan_without_the_carrier_the_best_one_answers() -> None:
    world = _world("eth0", "wlan0", "usb0")
    world.subnet = lambda name, family: (  # type: ignore[method-assign]
        f"192.168.{1 + (name == 'eth0')}." if family == 4 else ""
    )
    world.reconcile()
    assert _silent(world) == ["usb0"]
    assert _told(world.done)[world.address("usb0", 4)] == "wlan0"
    world.event("wlan0", "no-carrier")
    world.reconcile()
    assert _silent(world) == ["wlan0"]
    assert _told(world.done) == {world.address(one, 4): "usb0" for one in ("wlan0", "usb0")}


@pytest.mark.parametrize(("event", "who"), [("no-carrier", "wlan0"), ("missing", "")])
def test_what_is_left_of_a_lost_uplink_is_answered_for(event: str, who: str) -> None:
    """On a LAN without the carrier, where nothing is shared: while the address is there."""
    world = _world("eth0", "wlan0", "usb0")
    world.shares = False
    world.subnet = lambda name, family: (  # type: ignore[method-assign]
        f"192.168.{1 + (name == 'eth0')}." if family == 4 else ""
    )
    world.reconcile()
    world.event("usb0", event)
    world.reconcile()
    answers = {one.address: one.interface for one in world.state.owners}
    assert answers[world.address("usb0", 4)] == who


def test_nobody_is_silenced_while_nobody_carries(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.event("wlan0", "no-carrier")
    world.reconcile()
    assert _silent(world) == []


def test_each_further_loss_is_announced(world: World) -> None:
    world.event("eth0", "no-carrier")
    world.reconcile()
    for _ in range(3):
        world.event("eth0", "routable")
        world.reconcile()
        assert _told(world.done) == {}
        world.event("eth0", "no-carrier")
        world.reconcile()
        assert _told(world.done) == _all_by(world, "wlan0")
    assert world.reconcile() == ()


@pytest.mark.parametrize("probe", [True, False])
def test_a_loss_that_nobody_saw_is_announced(world: World, probe: bool) -> None:  # noqa: FBT001
    world.event("eth0", "no-carrier")
    world.reconcile()
    world.event("eth0", "routable")
    world.reconcile()
    world.event("eth0", "no-carrier")
    world.event("eth0", "routable")
    assert _told(world.reconcile(probe=probe)) == _all_by(world, "wlan0")


def test_the_loss_of_a_standby_is_announced_too(world: World) -> None:
    world.event("wlan0", "no-carrier")
    assert _told(world.reconcile()) == _all_by(world, "eth0")


def test_what_a_standby_has_asked_is_put_right_but_for_its_own_address(world: World) -> None:
    world.resolved = {"wlan0"}
    assert _told(world.reconcile()) == {world.address("eth0", 4): "eth0"}


def test_what_a_lost_uplink_has_asked_is_put_right_altogether(world: World) -> None:
    world.sick = {"eth0"}
    world.reconcile()
    world.resolved = {"eth0"}
    assert _told(world.reconcile()) == _all_by(world, "wlan0")


def test_a_carrier_that_was_mute_says_again_where_it_is(world: World) -> None:
    world.event("wlan0", "no-carrier")
    world.sick = {"eth0"}
    world.reconcile()
    assert world.way() == "eth0"
    world.sick = set()
    assert _told(world.reconcile()) == _all_by(world, "eth0")
    assert world.reconcile() == ()


def test_what_could_not_be_announced_is_the_next_time(world: World) -> None:
    known = world.state
    own = world.address("eth0", 4)
    assert known.without_answers([]) is known
    world.state = known.without_answers([own])
    assert _told(world.reconcile()) == {own: "eth0"}
    assert world.state.owners == known.owners


@pytest.mark.parametrize("first", [True, False])
def test_one_of_several_addresses_on_the_lan_is_enough(
    monkeypatch: pytest.MonkeyPatch,
    world: World,
    first: bool,  # noqa: FBT001 - a column
) -> None:
    look, far = world.look, Address("wlan0", 4, "10.9.9.9", 24)

    def with_another() -> Observation:
        observed = look()
        every = (far, *observed.addresses) if first else (*observed.addresses, far)
        return replace(observed, addresses=every)

    monkeypatch.setattr(world, "look", with_another)
    world.reconcile()
    assert _silent(world) == [], "nobody else answers for all that it has"
    world.event("wlan0", "no-carrier")
    assert _told(world.reconcile()) == _all_by(world, "eth0")


def test_another_lan_hears_nothing_of_a_loss() -> None:
    world = _world(apart=("eth0", "wlan0"))
    world.reconcile()
    world.event("wlan0", "no-carrier")
    assert _told(world.reconcile()) == {}


def test_another_nic_under_the_name_of_the_carrier_says_where_it_is(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    """As a USB adapter that is exchanged between two looks; no other uplink could carry."""
    world.event("wlan0", "no-carrier")
    world.reconcile()
    look = world.look

    def exchanged() -> Observation:
        observed = look()
        links = (replace(one, index=one.index + 7, mac=NEW_MAC) for one in observed.links)
        return replace(observed, links=tuple(links))

    monkeypatch.setattr(world, "look", exchanged)
    changes = world.reconcile()
    assert _told(changes) == _all_by(world, "eth0")
    assert {one.mac for one in changes if isinstance(one, Announce)} == {NEW_MAC}
    assert _told(world.reconcile()) == {}


def test_where_addresses_stay_nobody_is_silent() -> None:
    world = _world()
    world.reconcile()
    assert _silent(world) == ["wlan0"]
    world.config = replace(world.config, follow_addresses=False)
    world.reconcile()
    assert _silent(world) == []


def test_what_a_killed_run_told_the_lan_is_told_anew() -> None:
    """It gave IPv6 addresses back to the standby, and was killed before it could note that."""
    world = World(config_of("eth0", "wlan0"))
    world.event("wlan0", "degraded")
    world.reconcile()
    world.event("wlan0", "routable")
    own = world.address("wlan0", 6)
    world.state = replace(
        world.state,
        owners=tuple(
            replace(owner, interface="eth0") if owner.address == own else owner
            for owner in world.state.owners
        ),
    )
    world.sick = {"wlan0"}
    world.reconcile()
    before = world.state
    world.sick = set()
    for _ in range(4):
        world.now += 100 * SECOND
        world.reconcile()
    assert own not in {address.address for address in world.addresses}
    world.state = before
    world.sick = {"wlan0"}
    assert _told(world.reconcile())[own] == "eth0"


def test_an_uplink_with_nothing_but_somebody_elses_address_is_silent_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As one whose DHCP server is away, with a virtual address of keepalived's on it."""
    world = _world()
    world.shares = False
    world.event("eth0", "degraded")
    world.addresses = [Address("eth0", 4, "192.168.1.200", 32, foreign=True)]
    look = world.look

    def without_lease() -> Observation:
        observed = look()
        routes = (route for route in observed.routes if route.interface != "eth0")
        return replace(observed, routes=tuple(routes))

    monkeypatch.setattr(world, "look", without_lease)
    world.reconcile()
    assert _silent(world) == ["eth0"]


def test_one_that_was_never_up_may_have_spoken_before_it_failed_otherwise() -> None:
    """Of IPv6 nothing silences it: it has its cable again, and tells of its address itself."""
    world = World(config_of("eth0", "wlan0"))
    world.event("wlan0", "no-carrier")
    world.reconcile()
    own = world.address("wlan0", 6)
    assert world.state.uplink_state("wlan0", 6).state == "absent"  # type: ignore[union-attr]
    world.event("wlan0", "routable")
    world.sick = {"wlan0"}
    assert _told(world.reconcile())[own] == "eth0"
    assert own not in _told(world.reconcile())
