"""Every number of config.toml at its edges: what is still taken, and what no more."""

from __future__ import annotations

from typing import Any

import pytest

from netfail_hooks.config import Config, Uplink, default_metrics
from netfail_hooks.config.cache import compile_config, parse_compiled
from netfail_hooks.config.file import parse
from netfail_hooks.config.kinds import Choice, parse_target
from netfail_hooks.values import replace

HIGHEST = 2**32 - 1  # of a metric, rtnetlink(7)
FAR = {"interface": "eth0", "metric": HIGHEST}


def _wrong(tree: dict[str, Any], *uplinks: dict[str, Any]) -> list[str]:
    return parse({**tree, "uplink": list(uplinks or (FAR,))})[1]


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("hold_down.max", 10, 86400),  # not below hold_down.seconds
        ("hold_down.quiet", 0, 604800),
        ("check.successes", 1, 100),
        ("check.interval", 0, 3600),
        ("log.max_bytes", 10_000, 2**31),
        ("idle.bytes", 1, 2**40),
        ("idle.seconds", 1, 86400),
    ],
)
def test_settings(key: str, low: int, high: int) -> None:
    table, _, name = key.partition(".")
    for number in (low, high):
        assert _wrong({table: {name: number}}) == []
    for number in (low - 1, high + 1):
        (told,) = _wrong({table: {name: number}})
        assert told.startswith(f"{key}: must ")


def test_hold_down_may_be_as_long_as_its_limit() -> None:
    assert _wrong({"hold_down": {"seconds": 86400, "max": 86400}}) == []
    assert _wrong({"hold_down": {"seconds": 0, "max": 0}}) == []
    assert _wrong({"hold_down": {"seconds": 86401, "max": 86400}})
    assert _wrong({"hold_down": {"seconds": 9, "max": 8}})


@pytest.mark.parametrize(
    ("metric", "fine"), [(0, False), (1, True), (HIGHEST - 1, True), (HIGHEST, False)]
)
def test_the_override_comes_before_every_uplink(metric: int, *, fine: bool) -> None:
    assert (_wrong({"override_metric": metric}) == []) is fine


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("metric", 51, HIGHEST),
        ("failures", 1, 20),
        ("timeout", 50, 5000),
        ("metered_interval", 1, 86400),
    ],
)
def test_uplinks(key: str, low: int, high: int) -> None:
    for number in (low, high):
        assert _wrong({}, {"interface": "eth0", key: number}) == []
    for number in (low - 1, high + 1):
        assert len(_wrong({}, {"interface": "eth0", key: number})) == 1


@pytest.mark.parametrize("hours", ["", "02:00-05:00", "22:59-06:30", "00:00-23:59", "19:05-09:10"])
def test_hours(hours: str) -> None:
    config, wrong = parse({"failback_between": hours, "uplink": [FAR]})
    assert not wrong
    assert config
    assert config.failback_between == hours
    assert config.waits is bool(hours)


@pytest.mark.parametrize(
    "wrong", ["2:00-05:00", "02:00", "24:00-05:00", "02:60-05:00", "02:00-02:00", 2, None, "a" * 11]
)
def test_what_is_no_span_of_hours(wrong: object) -> None:
    (told,) = _wrong({"failback_between": wrong})
    assert told.startswith("failback_between: must be two times of a day")


@pytest.mark.parametrize(
    ("more", "ranked"),
    [
        ({}, ["m", "a", "b"]),
        ({"metered": False}, ["m", "a", "b"]),
        ({"metered": True}, ["a", "b", "m"]),
        ({"metered": True, "metric": 60}, ["m", "a", "b"]),
    ],
)
def test_a_metered_uplink_without_a_metric_comes_last(
    more: dict[str, object], ranked: list[str]
) -> None:
    tree = {"uplink": [{"interface": "m", **more}, {"interface": "a"}, {"interface": "b"}]}
    config, wrong = parse(tree)
    assert not wrong
    assert config
    assert list(config.names()) == ranked
    assert config.metered is config.counts is bool(more.get("metered"))
    assert not replace(config, mode="bond").counts


def test_what_is_wrong_is_told_of_the_uplink_by_its_place_in_the_file() -> None:
    (told,) = _wrong({}, {"interface": "m", "metered": True, "x": 1}, {"interface": "a"})
    assert told.startswith("uplink 1: x")
    assert _wrong({}, {"interface": "m", "metered": 1}) == [
        "uplink 1: metered: must be true or false, not 1"
    ]


def test_metrics_rise_by_rank() -> None:
    assert [one.metric for one in default_metrics(("a", "b", "c"))] == [100, 600, 1100]
    config, wrong = parse({"uplink": [{"interface": name} for name in "abc"]})
    assert wrong == []
    assert config
    assert [one.metric for one in config.uplinks] == [100, 600, 1100]
    for second, fine in ((99, False), (100, False), (101, True)):
        uplinks = ({"interface": "a", "metric": 100}, {"interface": "b", "metric": second})
        assert (_wrong({}, *uplinks) == []) is fine


def test_the_defaults_are_those_of_the_documents() -> None:
    config = Config((Uplink("eth0", 100),))
    assert (config.override_metric, config.successes) == (50, 2)
    assert (config.watch, config.interval, config.quick) == ("on", 60, 5)
    assert (config.hold_down, config.hold_down_max, config.quiet) == (10, 300, 600)
    assert (config.log_bytes, config.follow_addresses, config.close_connections) == (
        1_000_000,
        True,
        True,
    )
    assert (config.failback, config.failback_between, config.drill_every) == ("auto", "", "never")
    assert (config.idle_bytes, config.idle_seconds) == (2000, 60)
    (uplink,) = config.uplinks
    assert (uplink.metered, uplink.metered_interval) == (False, 600)
    assert (uplink.gateway, uplink.failures, uplink.timeout) == (True, 2, 500)
    assert (config.bond.name, config.bond.arp_interval) == ("bond0", 100)


@pytest.mark.parametrize(
    ("number", "fine"),
    [(49, False), (50, True), (5000, True), (5001, False), (True, False), ("100", False)],
)
def test_the_bonds_interval(number: object, *, fine: bool) -> None:
    assert (_wrong({"bond": {"arp_interval": number}}) == []) is fine


@pytest.mark.parametrize(("many", "fine"), [(0, True), (16, True), (17, False)])
def test_the_bonds_targets(many: int, *, fine: bool) -> None:
    tree = {"bond": {"targets": ["192.0.2.1"] * many}, "uplink": [FAR]}
    config, wrong = parse(tree)
    assert (wrong == []) is fine
    if config:
        assert len(config.bond.targets) == many


@pytest.mark.parametrize("name", [5, "a b", "", None, "x" * 16])
def test_the_bonds_name(name: object) -> None:
    (told,) = _wrong({"bond": {"name": name}})
    assert told.startswith("bond.name: not an interface name")
    assert told.endswith(f": {name!r}")


@pytest.mark.parametrize("targets", ["192.0.2.1", {"a": 1}, 5])
def test_targets_of_the_bond_are_a_list(targets: object) -> None:
    told = f"bond.targets: must be a list, not {targets!r}"
    assert _wrong({"bond": {"targets": targets}}) == [told]


@pytest.mark.parametrize("words", [("any", "all", "none"), ("any",)])
def test_a_choice_names_its_words(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=f'"{words[-1]}", not'):
        Choice(words).parse("few")


@pytest.mark.parametrize(
    ("port", "fine"), [("1", True), ("65535", True), ("0", False), ("65536", False), ("²", False)]
)
def test_ports(port: str, *, fine: bool) -> None:
    if fine:
        assert parse_target(f"tcp:192.0.2.1:{port}").port == int(port)
        return
    with pytest.raises(ValueError, match="neither"):
        parse_target(f"tcp:192.0.2.1:{port}")


@pytest.mark.parametrize(
    "address",
    [
        "224.0.0.1",
        "0.0.0.0",  # noqa: S104
        "127.0.0.1",
        "fe80::1%eth0",
        "ff02::1",
        "::",
        "::1",
    ],
)
def test_no_target_is_nobody_or_everybody(address: str) -> None:
    with pytest.raises(ValueError, match="not the address of a host"):
        parse_target(f"icmp:{address}")


def test_an_uplink_is_probed_where_there_is_anything_to_ask() -> None:
    target = parse_target("icmp:192.0.2.1")
    asked = [
        Uplink("a", 1, gateway=gateway, targets=targets).probed
        for gateway in (True, False)
        for targets in ((target,), ())
    ]
    assert asked == [True, True, True, False]


COMPILED = compile_config(Config((Uplink("eth0", 100),)), "stamp")
LINES = COMPILED.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("stamp", "other"),
        ("end\n", ""),
        ("end\n", "end"),
        ("mode routes", "mode circles"),
        ("mode routes\n", ""),
        ("close_connections 1", "close_connections 2"),
        ("follow_addresses 1", "follow_addresses yes"),
        ("hold_down 10\n", ""),
        ("hold_down 10\n", "hold_down 10\nhold_up 10\n"),
        ("hold_down 10", "hold_down ten"),
        ("uplinks eth0", "uplinks a/b"),
        ("bond bond0", "bond a/b"),
        ("bond bond0", "bond"),
        ("hold_down 10\n", "hold_down 10\n 10\n"),
        ("bond bond0 100 always \n", ""),
        ("bond bond0 100 always \n", "bond bond0 100 always\n"),
        ("".join(line for line in LINES if line.startswith("uplinks ")), ""),
        (" any 2 500", " any 2"),
        (" any 2 500", " any 2 500 1"),
        (" 1  any", " 2  any"),
        (" 1  any", " 1 4/nowhere/0 any"),
        (" 1  any", " 1 5/192.0.2.1/0 any"),
        (" 1  any", " 1 4/192.0.2.1 any"),
    ],
)
def test_a_compiled_form_that_is_not_whole_is_refused(old: str, new: str) -> None:
    assert parse_compiled(COMPILED, "stamp") == Config((Uplink("eth0", 100),))
    assert old in COMPILED
    with pytest.raises(ValueError):  # noqa: PT011 - int() words some in its own way
        parse_compiled(COMPILED.replace(old, new), "stamp")


@pytest.mark.parametrize("gateway", [True, False])
@pytest.mark.parametrize("flags", [(True, False), (False, True)])
def test_flags_survive_being_compiled(*, gateway: bool, flags: tuple[bool, bool]) -> None:
    follow, end = flags
    config = Config(
        (Uplink("eth0", 100, gateway=gateway),), follow_addresses=follow, close_connections=end
    )
    assert parse_compiled(compile_config(config, "s"), "s") == config
