"""What is decided for a bond: tables over the pure functions."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks import recorder
from netfail_hooks.config import Config, Order, default_metrics
from netfail_hooks.policy.bond import choose, decide, next_state, unusable_reason
from netfail_hooks.policy.changes import Announce, Change, Enslave, SetActive, SetMonitor
from netfail_hooks.policy.facts import Address, Bonding, Link, Observation, Route, Slave
from netfail_hooks.policy.state import State
from netfail_hooks.replay.decisions import again
from netfail_hooks.values import replace

CONFIG = Config(uplinks=default_metrics(("eth0", "wlan0")), mode="bond")
BOND = Bonding(
    "bond0",
    "active-backup",
    "eth0",
    "eth0",
    "always",
    "active",
    0,
    100,
    ("192.168.1.1",),
    3,
    0,
    asks_ipv6=True,
)


def link(name: str, index: int, *, up: bool = True, carrier: bool = True) -> Link:
    return Link(name, index, up, carrier, 0, f"02:00:00:00:00:{index:02x}")


def slave(name: str, active: bool = False, state: str = "up") -> Slave:  # noqa: FBT001, FBT002
    return Slave(name, "bond0", active, state, 0, f"02:00:00:00:00:{10 if name == 'eth0' else 11}")


SEEN = Observation(
    now=100_000,
    links=(link("bond0", 2), link("eth0", 10), link("wlan0", 11)),
    addresses=(Address("bond0", 4, "192.168.1.252", 24),),
    routes=(Route("bond0", 4, "default", 100, "192.168.1.1", protocol=4),),
    bonds=(BOND,),
    slaves=(slave("eth0", active=True), slave("wlan0")),
)
CABLE_OUT = replace(SEEN, links=(*SEEN.links[:1], link("eth0", 10, carrier=False), SEEN.links[2]))
WELL = next_state(CONFIG, SEEN, State())


def decided(observed: Observation, before: State = WELL) -> tuple[Change, ...]:
    return decide(CONFIG, observed, before, next_state(CONFIG, observed, before))


def test_a_well_bond_is_left_alone() -> None:
    assert decided(SEEN) == ()


def test_a_pulled_cable_moves_the_traffic_and_the_lan_is_told_of_the_new_hardware_address() -> None:
    assert decided(CABLE_OUT) == (
        SetActive("bond0", "wlan0"),
        Announce("bond0", 4, "192.168.1.252", "02:00:00:00:00:11", "192.168.1.1"),
    )


@pytest.mark.parametrize(
    ("observed", "chosen"),
    [
        (SEEN, "eth0"),
        (CABLE_OUT, "wlan0"),
        (replace(CABLE_OUT, slaves=(SEEN.slaves[0], slave("wlan0", state="down"))), "eth0"),
        (replace(CABLE_OUT, slaves=SEEN.slaves[:1]), "eth0"),
        (replace(SEEN, bonds=(replace(BOND, active=""),)), ""),
        (replace(SEEN, bonds=(replace(BOND, active="wlan0"),)), "eth0"),
        (
            replace(
                SEEN,
                bonds=(replace(BOND, active="wlan0"),),
                slaves=(slave("eth0", state="down"), slave("wlan0", active=True)),
            ),
            "wlan0",
        ),
        (replace(SEEN, bonds=()), ""),
    ],
    ids=[
        "healthy",
        "cable out",
        "other one dead",
        "other one outside",
        "kernel searches",
        "back before it was missed",
        "dead gateway",
        "no bond",
    ],
)
def test_the_chosen_slave(observed: Observation, chosen: str) -> None:
    assert choose(CONFIG, observed) == chosen


_BY_WLAN0 = replace(
    SEEN,
    bonds=(replace(BOND, active="wlan0", primary="wlan0"),),
    slaves=(slave("eth0"), slave("wlan0", active=True)),
)
_WLAN0_LOST = replace(SEEN, links=(*SEEN.links[:2], link("wlan0", 11, carrier=False)))
_THREE = (("eth0", 10), ("wlan0", 11), ("usb0", 12))
_USE, _DISABLE = Order("use", "wlan0"), Order("disable", "eth0")


@pytest.mark.parametrize("reselect", ["always", "better", "failure"])
@pytest.mark.parametrize("order", [_USE, _DISABLE])
def test_an_order_by_hand_makes_another_slave_the_primary_and_stays(
    order: Order, reselect: str
) -> None:
    """The kernel goes back to its primary whenever it looks again: to make one active is no use."""
    config = replace(CONFIG, orders=(order,), bond=replace(CONFIG.bond, reselect=reselect))
    bond = replace(BOND, reselect=reselect)
    seen = replace(SEEN, bonds=(bond,))
    changes = decide(config, seen, WELL, next_state(config, seen, WELL))
    assert changes[0] == SetActive("bond0", "wlan0")
    assert [one.primary for one in changes if isinstance(one, SetMonitor)] == ["wlan0"]
    done = replace(_BY_WLAN0, bonds=(replace(_BY_WLAN0.bonds[0], reselect=reselect),))
    after = next_state(config, done, State())
    assert decide(config, done, after, after) == ()
    free = replace(config, orders=())
    back = decide(free, done, after, next_state(free, done, after))
    assert [one.primary for one in back if isinstance(one, SetMonitor)] == ["eth0"]


@pytest.mark.parametrize("order", [_USE, _DISABLE])
def test_where_what_was_ordered_can_carry_nothing_the_other_one_does(order: Order) -> None:
    config = replace(CONFIG, orders=(order,))
    assert choose(config, _WLAN0_LOST) == "eth0"
    ended = replace(config, orders=(replace(order, until=SEEN.now),))
    assert choose(ended, _BY_WLAN0) == "eth0"


@pytest.mark.parametrize("reselect", ["better", "failure"])
def test_the_end_of_an_order_goes_by_rank_and_is_told_whatever_reselect_says(reselect: str) -> None:
    """The kernel uses a new primary at once, so the move is ours, and announced."""
    config = replace(CONFIG, bond=replace(CONFIG.bond, reselect=reselect))
    used = replace(config, orders=(_USE,))
    seen = replace(_BY_WLAN0, bonds=(replace(_BY_WLAN0.bonds[0], reselect=reselect),))
    before = next_state(used, seen, State())
    changes = decide(config, seen, before, next_state(config, seen, before))
    assert changes[0] == SetActive("bond0", "eth0")
    assert isinstance(changes[1], Announce)
    without = replace(seen, routes=())  # nobody to ask, so the primary stays what it is
    assert choose(config, without) == "wlan0"


@pytest.mark.parametrize(
    ("orders", "out", "chosen"),
    [
        ((Order("use", "usb0"),), "usb0", "eth0"),
        ((Order("use", "usb0"), _USE), "usb0", "wlan0"),
        ((_DISABLE,), "wlan0", "usb0"),
        ((_DISABLE, Order("disable", "usb0")), "wlan0", "eth0"),
        ((_DISABLE, Order("disable", "wlan0")), "", "usb0"),
    ],
)
def test_of_three_the_rest_go_by_rank_and_a_disabled_one_is_better_than_none(
    orders: tuple[Order, ...], out: str, chosen: str
) -> None:
    config = replace(CONFIG, uplinks=default_metrics(("eth0", "wlan0", "usb0")), orders=orders)
    links = (link("bond0", 2), *(link(n, i, carrier=n != out) for n, i in _THREE))
    active = out or "usb0"
    seen = replace(
        SEEN,
        links=links,
        bonds=(replace(BOND, active=active, primary=active),),
        slaves=tuple(slave(name, active=name == active) for name, _ in _THREE),
    )
    assert choose(config, seen) == chosen


@given(
    orders=st.lists(
        st.builds(
            Order, st.sampled_from(["use", "disable"]), st.sampled_from(["eth0", "wlan0", "usb0"])
        ),
        max_size=3,
    ),
    lost=st.sets(st.sampled_from(["eth0", "wlan0", "usb0"])),
    active=st.sampled_from(["eth0", "wlan0", "usb0"]),
    primary=st.sampled_from(["", "eth0", "wlan0", "usb0"]),
    reselect=st.sampled_from(["always", "better", "failure"]),
)
def test_whatever_is_ordered_we_and_the_kernel_do_not_move_it_to_and_fro(
    orders: list[Order], lost: set[str], active: str, primary: str, reselect: str
) -> None:
    """What we do once stays, though the kernel looks again (``bond_choose_primary_or_current``)."""
    uplinks = default_metrics(("eth0", "wlan0", "usb0"))
    settings = replace(CONFIG.bond, reselect=reselect)
    config = replace(CONFIG, uplinks=uplinks, orders=tuple(orders), bond=settings)
    well = [name for name, _ in _THREE if name not in lost]

    def seen(bond: Bonding) -> Observation:
        states = [slave(n, n == bond.active, "up" if n in well else "down") for n, _ in _THREE]
        links = (link("bond0", 2), *(link(name, index) for name, index in _THREE))
        return replace(SEEN, links=links, bonds=(bond,), slaves=tuple(states))

    def looked(bond: Bonding) -> Bonding:
        goes = reselect == "always" or bond.active not in well
        found = bond.primary if bond.primary in well else next(iter(well), bond.active)
        stays = bond.active in well and found != bond.primary
        return replace(bond, active=found) if goes and not stays else bond

    bond = looked(replace(BOND, active=active, primary=primary, reselect=reselect))
    moves = []
    for _ in range(4):
        observed = seen(bond)
        after = next_state(config, observed, WELL)
        for change in decide(config, observed, WELL, after):
            if isinstance(change, SetActive):
                bond = replace(bond, active=change.interface)
            if isinstance(change, SetMonitor):
                uses = change.primary in well and change.primary != bond.primary
                bond = replace(bond, primary=change.primary)
                bond = replace(bond, active=bond.primary) if uses else bond
        bond = looked(bond)
        moves.append(bond.active)
    assert len(set(moves)) == 1, moves
    disabled = {order.interface for order in orders if order.kind == "disable"}
    assert moves[0] not in disabled or not set(well) - disabled


def test_a_slave_that_is_no_uplink_of_ours_may_be_active() -> None:
    seen = replace(SEEN, bonds=(replace(BOND, active="eth7", primary="eth7"),))
    assert choose(replace(CONFIG, orders=(_DISABLE,)), seen) == "wlan0"


def test_one_that_is_disabled_since_before_the_boot_is_down() -> None:
    config = replace(CONFIG, orders=(_DISABLE,))
    states = {one.interface: one.state for one in next_state(config, SEEN, State()).uplinks}
    assert states == {"eth0": "down", "wlan0": "up"}


def test_a_disabled_slave_is_told_as_such() -> None:
    config = replace(CONFIG, orders=(_DISABLE,))
    assert unusable_reason(config, SEEN, "eth0") == "disabled by hand"
    assert unusable_reason(config, CABLE_OUT, "eth0") == "no carrier"
    states = {one.interface: one.state for one in next_state(config, SEEN, WELL).uplinks}
    assert states == {"eth0": "down", "wlan0": "up"}


def test_without_always_the_kernel_fails_back_not_we() -> None:
    config = replace(CONFIG, bond=replace(CONFIG.bond, reselect="failure"))
    assert choose(config, replace(SEEN, bonds=(replace(BOND, active="wlan0"),))) == "wlan0"


@pytest.mark.parametrize(
    ("observed", "told"),
    [
        (SEEN, ""),
        (replace(SEEN, links=SEEN.links[:1]), "interface is gone"),
        (replace(SEEN, slaves=()), "not in bond0"),
        (replace(SEEN, links=(link("eth0", 10, up=False),)), "link is down"),
        (CABLE_OUT, "no carrier"),
        (replace(SEEN, slaves=(slave("eth0", state="down"),)), "no answer to the kernel's monitor"),
    ],
)
def test_what_ails_a_slave(observed: Observation, told: str) -> None:
    assert unusable_reason(CONFIG, observed, "eth0") == told


@pytest.mark.parametrize(
    "lacking",
    [
        {"arp_interval": 0, "miimon": 100},
        {"targets": ()},
        {"targets": ("192.168.1.9",)},
        {"validate": 0},
        {"primary": ""},
        {"reselect": "failure"},
        {"all_targets": 1},
    ],
)
def test_a_monitor_that_is_not_as_configured_is_set(lacking: dict[str, object]) -> None:
    observed = replace(SEEN, bonds=(replace(BOND, **lacking),))
    assert decided(observed) == (SetMonitor("bond0", 100, ("192.168.1.1",), "eth0", "always"),)


def test_ipv6_is_asked_where_the_kernel_can() -> None:
    six = Route("bond0", 6, "default", 100, "fd00:1::1", protocol=4)
    observed = replace(SEEN, routes=(*SEEN.routes, six))
    made = [one for one in decided(observed) if isinstance(one, SetMonitor)]
    assert made[0].targets == ("192.168.1.1", "fd00:1::1")
    old = replace(observed, bonds=(replace(BOND, asks_ipv6=False),))
    assert not [one for one in decided(old) if isinstance(one, SetMonitor)]
    near = replace(SEEN, routes=(*SEEN.routes, replace(six, gateway="fe80::1")))
    assert not [one for one in decided(near) if isinstance(one, SetMonitor)]


def test_a_slave_that_stays_out_is_put_back_but_networkd_first() -> None:
    out = replace(SEEN, slaves=SEEN.slaves[:1])
    at_once = next_state(CONFIG, out, WELL)
    assert decide(CONFIG, out, WELL, at_once) == ()
    later = replace(out, now=out.now + 2000)
    assert decided(later, at_once) == (Enslave("bond0", "wlan0"),)


def test_a_bond_of_another_mode_is_not_meddled_with() -> None:
    assert decided(replace(SEEN, bonds=(replace(BOND, mode="balance-rr", arp_interval=0),))) == ()


def test_a_run_is_recorded_told_and_made_again() -> None:
    after = next_state(CONFIG, CABLE_OUT, WELL)
    changes = decide(CONFIG, CABLE_OUT, WELL, after)
    run = recorder.Run("eth0 no-carrier", CONFIG, CABLE_OUT, WELL, after, changes, (), 30)
    assert recorder.summary(run) == "eth0 IPv4 down (no carrier); IPv4 now by wlan0"
    line = recorder.line(run)
    (made,) = again([line])
    assert made.same, made.text
    other = json.loads(line)
    other["changes"][0]["interface"] = "eth0"
    (made,) = again([json.dumps(other)])
    assert not made.same


def test_without_any_way_out_a_slave_is_judged_for_ipv4_alone() -> None:
    nowhere = next_state(CONFIG, replace(SEEN, routes=()), State())
    assert {one.family for one in nowhere.uplinks} == {4}
    six = Route("bond0", 6, "default", 100, "fe80::1", protocol=9)
    both = next_state(CONFIG, replace(SEEN, routes=(*SEEN.routes, six)), State())
    assert {one.family for one in both.uplinks} == {4, 6}
    assert [one.interface for one in both.active] == ["eth0", "eth0"]
    assert [one.interface for one in WELL.active] == ["eth0", ""]


def test_a_standing_is_as_old_as_what_it_says() -> None:
    old = next_state(CONFIG, SEEN, State()).uplinks[0]
    assert (old.state, old.since, old.down_count) == ("up", SEEN.now, 0)
    later = replace(SEEN, now=SEEN.now + 5000)
    assert next_state(CONFIG, later, WELL).uplinks[0] == old
    out = next_state(CONFIG, replace(CABLE_OUT, now=later.now), WELL).uplinks[0]
    assert (out.state, out.since, out.reason) == ("down", later.now, "no carrier")
    gone = next_state(CONFIG, replace(SEEN, slaves=SEEN.slaves[1:]), State()).uplinks[0]
    assert (gone.state, gone.down_count) == ("absent", 0)


@pytest.mark.parametrize(("wait", "enslaved"), [(1999, ()), (2000, (Enslave("bond0", "wlan0"),))])
def test_how_long_a_slave_stays_out_is_its_own_and_its_latest_time(
    wait: int, enslaved: tuple[Change, ...]
) -> None:
    other = replace(WELL.uplinks[0], reason="not in bond0", since=SEEN.now + wait)
    first = replace(WELL.uplinks[1], reason="not in bond0", since=1)
    last = replace(first, family=6, since=SEEN.now)
    before = replace(WELL, uplinks=(other, first, last))
    observed = replace(SEEN, slaves=SEEN.slaves[:1], now=SEEN.now + wait)
    assert tuple(one for one in decided(observed, before) if isinstance(one, Enslave)) == enslaved


def test_the_lan_is_told_only_of_a_move_that_was_seen() -> None:
    assert not [one for one in decided(CABLE_OUT, State()) if isinstance(one, Announce)]
    searching = replace(SEEN, bonds=(replace(BOND, active=""),))
    assert decided(searching) == ()
    away = replace(CABLE_OUT, links=CABLE_OUT.links[1:])
    assert not [one for one in decided(away) if isinstance(one, Announce)]


def test_a_primary_outside_the_bond_is_not_asked_for() -> None:
    observed = replace(
        SEEN,
        slaves=(replace(SEEN.slaves[0], bond="bond1"), SEEN.slaves[1]),
        bonds=(replace(BOND, primary="", arp_interval=0),),
    )
    made = [one for one in decided(observed) if isinstance(one, SetMonitor)]
    assert made[0].primary == ""
    gone = replace(observed, slaves=observed.slaves[1:])
    assert [one.primary for one in decided(gone) if isinstance(one, SetMonitor)] == [""]
