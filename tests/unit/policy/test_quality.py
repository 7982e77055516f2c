"""A line that loses packets or answers late is left before it dies, and never for a worse one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.policy.changes import CloseConnections
from netfail_hooks.policy.facts import Result
from netfail_hooks.policy.quality import line_of
from netfail_hooks.policy.state import POOR, parse, render
from netfail_hooks.values import replace
from tests.support.world import SECOND, World, config_of

Line = tuple[int, int]  # how many of ten answer, and in how many milliseconds each
GOOD: Line = (10, 20)
LOSSY, LATE, SILENT = (7, 20), (10, 900), (0, 0)


class Lines(World):
    """Two uplinks with limits, each with a line of some quality."""

    def __init__(
        self,
        *names: str,
        loss: int = 10,
        latency: int = 300,
        window: int = 20,
        apart: tuple[str, ...] = (),
        **more: int,
    ) -> None:
        config = config_of(*(names or ("eth0", "wlan0")), **more)
        uplinks = (
            replace(u, loss_max=loss, latency_max=latency, window=window) for u in config.uplinks
        )
        super().__init__(replace(config, uplinks=tuple(uplinks)), families=(4,), apart=apart)
        self.lines: dict[str, Line] = dict.fromkeys(config.names(), GOOD)
        self.rounds(6)

    def results(self) -> tuple[Result, ...]:
        self.sick = {name for name, line in self.lines.items() if not line[0]}
        return tuple(
            replace(one, asked=10, answered=answered, waited=answered * latency)
            for one in super().results()
            for answered, latency in [self.lines[one.interface]]
        )

    def rounds(self, many: int = 1) -> None:
        """Make so many checks, five seconds apart."""
        for _ in range(many):
            self.now += 5 * SECOND
            self.reconcile()

    def reason(self, name: str) -> str:
        judged = self.state.uplink_state(name, 4)
        assert judged
        return judged.reason

    def condition(self, name: str) -> str:
        judged = self.state.uplink_state(name, 4)
        assert judged
        return judged.state


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (LOSSY, "poor: 15 % of 20 lost (at most 10, back at 5)"),
        (LATE, "poor: answers take 460 ms (at most 300, back at 150)"),
        ((8, 900), "poor: answers take 411 ms (at most 300, back at 150)"),
        ((7, 900), "poor: 15 % of 20 lost (at most 10, back at 5)"),
    ],
)
def test_a_poor_line_is_left_for_a_better_one(line: Line, told: str) -> None:
    world = Lines()
    world.lines["eth0"] = line
    world.rounds()
    assert (world.reason("eth0"), world.condition("eth0"), world.way()) == (told, "down", "wlan0")


@pytest.mark.parametrize(("line", "lives"), [(LOSSY, True), (LATE, True), (SILENT, False)])
def test_what_goes_by_a_poor_line_goes_on_and_by_a_silent_one_is_over(
    line: Line, *, lives: bool
) -> None:
    """On another subnet: new connections go by the better line, those on the poor one live on."""
    world = Lines(apart=("wlan0",), multipath_tcp=True)
    address = "192.168.1.50"
    world.lines["eth0"] = line
    for _ in range(3):
        world.trail.clear()
        world.rounds()
        assert world.way() == "wlan0"
        assert any(one.sender == f"{address}/32" for one in world.rules) is lives
        assert any(one.address == address and one.backup for one in world.endpoints) is lives
        owners = {one.address: one.interface for one in world.state.owners}
        assert owners[address] == ("eth0" if lives else "")
        assert not (lives and any(isinstance(one, CloseConnections) for one in world.trail))
    if not lives:
        world.lines["eth0"] = (5, 20)  # it answers again, badly
        world.rounds(2)
        assert any(one.sender == f"{address}/32" for one in world.rules)


def test_on_one_lan_a_poor_line_leaves_its_address_to_the_better_one() -> None:
    world = Lines()
    world.lines["eth0"] = LOSSY
    world.rounds()
    owners = {one.address: one.interface for one in world.state.owners}
    assert owners == {"192.168.1.50": "wlan0", "192.168.1.51": "wlan0"}


def test_the_lan_of_two_that_are_left_is_answered_by_the_better_one() -> None:
    """A poor one answers ARP before a silent one, and after one in its hold-down."""
    world = Lines("eth0", "wlan0", "usb0", apart=("usb0",))
    world.lines |= {"eth0": SILENT, "wlan0": LOSSY}
    world.rounds(2)
    owners = {one.address: one.interface for one in world.state.owners}
    assert (world.way(), owners["192.168.1.50"]) == ("usb0", "wlan0")
    world.lines["eth0"] = GOOD
    world.rounds()
    owners = {one.address: one.interface for one in world.state.owners}
    assert (world.condition("eth0"), owners["192.168.1.51"]) == ("recovering", "eth0")


def test_it_comes_back_at_half_of_the_limit_and_through_its_hold_down() -> None:
    world = Lines()
    world.lines["eth0"] = LOSSY
    world.rounds(2)
    assert world.reason("eth0").startswith("poor: 30 %")
    world.lines["eth0"] = (9, 20)
    world.rounds(3)
    assert world.reason("eth0") == "poor: 10 % of 20 lost (at most 10, back at 5)", "hysteresis"
    world.lines["eth0"] = GOOD
    world.rounds()
    assert (world.reason("eth0"), world.condition("eth0")) == ("", "recovering"), "one of 20: 5 %"
    assert world.way() == "wlan0"
    world.rounds(2)
    assert (world.condition("eth0"), world.way()) == ("up", "eth0")


def test_latency_comes_back_at_half_of_its_limit() -> None:
    world = Lines()
    world.lines["eth0"] = LATE
    world.rounds(2)
    world.lines["eth0"] = (10, 151)
    world.rounds(5)
    assert world.reason("eth0") == "poor: answers take 151 ms (at most 300, back at 150)"
    world.lines["eth0"] = (10, 150)
    world.rounds(2)
    assert world.reason("eth0") == ""


@pytest.mark.parametrize(
    ("line", "poor"), [((8, 20), False), ((7, 20), True), ((10, 580), False), ((10, 581), True)]
)
def test_at_a_limit_it_is_not_above(line: Line, *, poor: bool) -> None:
    world = Lines()
    world.lines["eth0"] = line
    world.rounds()
    assert world.reason("eth0").startswith(POOR) is poor


@pytest.mark.parametrize("line", [LOSSY, LATE])
def test_where_all_are_poor_traffic_stays_where_it_is(line: Line) -> None:
    world = Lines("eth0", "wlan0", "usb0")
    world.lines = dict.fromkeys(world.lines, line)
    world.rounds(3)
    assert world.way() == "eth0"
    world.lines["wlan0"] = GOOD
    world.rounds(6)
    assert world.way() == "wlan0"
    world.lines["wlan0"] = line
    world.rounds(6)
    assert world.way() == "wlan0", "no other is better"
    world.event("wlan0", "no-carrier")
    world.rounds()
    assert world.way() == "eth0", "the first that answers"


def test_a_poor_one_is_better_than_one_that_is_silent_and_worse_than_one_that_has_come_back() -> (
    None
):
    world = Lines("eth0", "wlan0", "usb0")
    world.event("wlan0", "no-carrier")
    world.lines |= {"eth0": SILENT, "usb0": LOSSY}
    world.rounds(3)
    assert world.way() == "usb0"
    world.event("wlan0", "routable")
    world.rounds()
    assert (world.condition("wlan0"), world.way()) == ("recovering", "usb0"), "one switch, later"
    world.rounds(3)
    assert world.way() == "wlan0"
    world.event("usb0", "missing")
    world.event("wlan0", "no-carrier")
    world.lines["eth0"] = LOSSY
    world.rounds(2)
    world.event("wlan0", "routable")
    world.rounds()
    assert world.way() == "eth0"


def test_silence_is_no_quality() -> None:
    """An outage is over with its hold-down, though it filled the window."""
    world = Lines()
    world.lines["eth0"] = SILENT
    world.rounds(5)
    assert world.reason("eth0") == "mute"
    world.lines["eth0"] = GOOD
    world.rounds(3)
    assert (world.condition("eth0"), world.way()) == ("up", "eth0")


@given(
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(1, 4),
    st.sampled_from((10, 20, 60)),
    st.integers(0, 12),
)
def test_the_rounds_at_the_edges_of_an_outage_are_none(
    first: int, last: int, silent: int, window: int, before: int
) -> None:
    """An outage begins and ends in the midst of a round, of which the rest is answered."""
    world = Lines(window=window, loss=10)
    world.rounds(before)
    world.lines["eth0"] = (first, 20)
    world.rounds()
    world.lines["eth0"] = SILENT
    world.rounds(silent)
    assert world.reason("eth0") == "mute"
    world.lines["eth0"] = (max(last, 1), 20)
    world.rounds()
    assert (world.reason("eth0"), world.condition("eth0")) == ("", "recovering")
    world.lines["eth0"] = GOOD
    for _ in range(12):
        world.rounds()
        assert world.reason("eth0") == ""
    assert world.way() == "eth0"


def test_a_line_that_is_poor_after_an_outage_is_left_again() -> None:
    world = Lines()
    world.lines["eth0"] = SILENT
    world.rounds(2)
    world.lines["eth0"] = LOSSY
    world.rounds()
    assert world.reason("eth0") == ""
    world.rounds(2)
    assert world.reason("eth0").startswith(POOR)
    assert world.way() == "wlan0"


def test_a_new_link_begins_a_new_window() -> None:
    world = Lines()
    world.lines["eth0"] = LOSSY
    world.rounds(2)
    world.event("eth0", "no-carrier")
    world.event("eth0", "routable")
    world.lines["eth0"] = (8, 20)
    world.rounds()
    assert world.reason("eth0") == "", "2 of 20 yet"
    quality = world.state.quality("eth0", 4)
    assert quality
    assert quality.rounds == "10:8:160"


def test_a_hook_between_two_checks_forgets_nothing() -> None:
    world = Lines()
    world.lines["eth0"] = LOSSY
    world.rounds()
    before = world.state
    world.reconcile(probe=False)
    assert world.state == before
    assert world.way() == "wlan0"


def test_who_has_no_limit_is_not_measured() -> None:
    world = Lines(loss=0, latency=0)
    world.lines["eth0"] = LOSSY
    world.rounds(3)
    assert world.state.qualities == ()
    assert world.way() == "eth0"


@pytest.mark.parametrize(("loss", "latency", "way"), [(0, 300, "eth0"), (10, 0, "wlan0")])
def test_a_limit_that_is_not_set_is_none(loss: int, latency: int, way: str) -> None:
    world = Lines(loss=loss, latency=latency)
    world.lines["eth0"] = LOSSY
    world.rounds(3)
    assert world.way() == way


def test_the_gateway_of_a_poor_line_in_use_is_watched_all_the_same() -> None:
    world = Lines()
    world.watches = 1
    world.lines = dict.fromkeys(world.lines, LOSSY)
    world.rounds(3)
    assert world.reason("eth0").startswith(POOR)
    assert [one.interface for one in world.neighbours] == ["eth0"]


def test_a_limit_that_is_lifted_is_forgotten() -> None:
    world = Lines()
    world.lines["eth0"] = LOSSY
    world.rounds(2)
    world.config = replace(
        world.config,
        uplinks=tuple(replace(u, loss_max=0, latency_max=0) for u in world.config.uplinks),
    )
    world.rounds(4)
    assert world.state.qualities == ()
    assert world.way() == "eth0"


_lines = st.tuples(st.integers(0, 10), st.integers(0, 2500))


@given(
    st.lists(st.tuples(_lines, _lines, _lines, st.booleans()), max_size=12),
    st.sampled_from((0, 1, 10, 50)),
    st.sampled_from((0, 100, 1000)),
    st.sampled_from((10, 25, 60)),
)
def test_whatever_lines_do(
    steps: list[tuple[Line, Line, Line, bool]], loss: int, latency: int, window: int
) -> None:
    """The window is bounded, kept as written, and no worse line is taken for a better one."""
    world = Lines("eth0", "wlan0", "usb0", loss=loss, latency=latency, window=window)
    for *lines, whole in steps:
        before = world.way()
        world.lines = dict(zip(world.lines, lines, strict=True))
        world.now += 5 * SECOND
        world.reconcile(probe=whole)
        assert parse(render(world.state)) == world.state
        for quality in world.state.qualities:
            assert line_of(quality).asked < window + 10
            assert quality.poor or not world.reason(quality.interface).startswith(POOR)
        judged = {name: world.state.uplink_state(name, 4) for name in world.lines}
        way = world.way()
        conditions = {name: one.state for name, one in judged.items() if one}
        if way != before and "up" not in conditions.values():
            old = judged[before]
            assert old
            assert not old.is_poor, "left for none that is well"
            assert old.state != "recovering", "left for none that is well"
        if "up" in conditions.values():
            assert conditions[way] == "up"
        elif any(one and (one.is_poor or one.state == "recovering") for one in judged.values()):
            chosen = judged[way]
            assert chosen
            assert chosen.is_poor or chosen.state == "recovering"
