"""Hostile bytes in what we read: no traceback, and no route but where the config allows."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from netfail_hooks.config.cache import compile_config, parse_compiled
from netfail_hooks.config.file import parse, read, render
from netfail_hooks.errors import Misuse
from netfail_hooks.install.layout import layout
from netfail_hooks.names import contains
from netfail_hooks.networkd import file as networkfile
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.networkd.takeover import take_over
from netfail_hooks.policy import state as state_file
from netfail_hooks.policy.changes import AddAddress, SetRoute
from netfail_hooks.policy.choose import next_state
from netfail_hooks.policy.routes import decide
from netfail_hooks.recorder import counters
from netfail_hooks.values import replace
from tests.conftest import Tried
from tests.support.world import STATES, World, config_of

pytestmark = pytest.mark.faults
# The fixture that counts is meant to live through all examples.
fuzz = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

# --- .network files ----------------------------------------------------------------------------

SECTIONS = ("Match", "Network", "Address", "Route", "Link", "DHCPv4", "IPv6AcceptRA", "")
KEYS = (
    "Name",
    "MACAddress",
    "Address",
    "Gateway",
    "DNS",
    "DHCP",
    "Metric",
    "RouteMetric",
    "Table",
    "Destination",
    "Scope",
    "Bond",
    "Unmanaged",
    "AddPrefixRoute",
    "KeepConfiguration",
    "X",
)
VALUES = (
    "eth0",
    "*",
    "!eth0",
    "192.168.1.252/24",
    "192.168.1.1",
    "fe80::1",
    "yes",
    "no",
    "100",
    "default",
    "0.0.0.0/0",
    "254",
    "ipv4",
    "",
    " ",
    "1.2.3.4/24 5.6.7.8/24",
    "=",
    "[x]",
)
junk = st.text(st.characters(codec="utf-8") | st.sampled_from("\0\r\n\\#;[]= \udcff"), max_size=12)
lines = st.one_of(
    st.builds("[{}]".format, st.sampled_from(SECTIONS)),
    st.builds("{}={}".format, st.sampled_from(KEYS) | junk, st.sampled_from(VALUES) | junk),
    st.builds("#{}".format, junk),
    junk,
)
texts = st.lists(
    st.tuples(lines, st.sampled_from(["\n", "\n", "\n", "\r\n", "\\\n", ""])), max_size=14
).map(lambda found: "".join(line + end for line, end in found))


def _gateways(sections: tuple[networkfile.Section, ...]) -> set[str]:
    keyed = (item for one in sections for item in one.items if item.key == "Gateway")
    return {item.setting for item in keyed}


@fuzz
@given(text=texts, dropin=texts)
def test_any_network_file_is_taken_over_or_refused(text: str, dropin: str, tried: Tried) -> None:
    tried("fuzz inputs: .network files", 1)
    assert networkfile.render(networkfile.parse(text)) == text
    source = Source("/etc/systemd/network/20-eth0.network", text, (("/etc/x.conf", dropin),))
    try:
        ours = take_over(Nic("eth0"), source, 600)
    except Misuse:
        return
    sections = networkfile.parse(ours)
    matches = [one for one in sections if one.name == "Match"]
    assert networkfile.settings(matches, "Match", "Name") == ["eth0"]
    assert {item.key for one in matches for item in one.items} <= {"", "Name"}
    assert _gateways(sections) <= _gateways(source.sections)
    for one in sections:
        if one.name == "Route" and one.get("Gateway") and not one.get("Destination"):
            table = one.get("Table").lower()
            assert one.get("Metric") == "600" or table not in ("", "main", "254")
    assert layout(config_of("eth0", "wlan0"), "", {"/etc/x": ours})["/etc/x"].data


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        ("[Network]\nDNS=192.168.1.1 \\", "\n[Network]\nIgnoreCarrierLoss=yes\n"),
        ("[Network]\n# caf\udce9\nDHCP=yes\n", "# caf\udce9\n"),
        ("Name=*\n[Network]\nDHCP=yes\n", "[Match]\nName=eth0\n[Network]\n"),
    ],
    ids=["an open end", "latin-1", "outside of a section"],
)
def test_odd_files_are_taken_over_as_networkd_reads_them(text: str, ours: str) -> None:
    found = take_over(Nic("eth0"), Source("/etc/systemd/network/20-x.network", text), 100)
    assert ours in found
    placed = layout(config_of("eth0", "wlan0"), "", {"/etc/x": found})["/etc/x"].data
    assert placed == found.encode("utf-8", "surrogateescape")


# --- config.toml -------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(["eth0", "any", "bond", "icmp:1.1.1.1", "tcp:[::1]:0", "icmp:fe80::1%eth0"]),
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


def _spoil(data: st.DataObject, tree: Any) -> None:
    """Put something else somewhere into a tree of dicts and lists."""
    at = tree
    while True:
        keys = list(range(len(at))) if isinstance(at, list) else sorted(at)
        key = data.draw(st.sampled_from(keys))
        if not isinstance(at[key], (dict, list)) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    if data.draw(st.booleans()):
        at[key] = data.draw(trees)
    elif isinstance(at, dict):
        key = data.draw(st.sampled_from(["metric", "interface", "targets", "x", ""]))
        at[key] = data.draw(trees)


@fuzz
@given(data=st.data())
def test_any_config_is_whole_or_told(data: st.DataObject, tried: Tried) -> None:
    tried("fuzz inputs: config", 1)
    tree = tomllib.loads(render(replace(config_of("eth0", "wlan0"), mode="bond")))
    for _ in range(data.draw(st.integers(1, 3))):
        _spoil(data, tree)
    config, wrong = parse(tree)
    assert (config is None) == bool(wrong)
    assert all(isinstance(one, str) for one in wrong)
    if config:
        assert parse_compiled(compile_config(config, "stamp"), "stamp") == config
        assert parse(tomllib.loads(render(config)))[0] == replace(
            config, bond=config.bond if config.mode == "bond" else type(config.bond)()
        )


@fuzz
@given(st.binary(max_size=200) | texts.map(lambda text: text.encode("utf-8", "surrogateescape")))
def test_any_bytes_of_a_config_are_one_line(tmp_path: Path, tried: Tried, found: bytes) -> None:
    tried("fuzz inputs: config", 1)
    path = tmp_path / "config.toml"
    path.write_bytes(found)
    with pytest.raises(Misuse) as told:
        read(str(path))
    assert "\n" not in str(told.value)


@fuzz
@given(data=st.data())
def test_a_spoilt_compiled_config_is_refused_or_names_real_things(
    data: st.DataObject, tried: Tried
) -> None:
    tried("fuzz inputs: config", 1)
    text = _spoilt(data, compile_config(config_of("eth0", "wlan0"), "stamp"))
    try:
        config = parse_compiled(text, "stamp")
    except ValueError:
        return
    assert all(name.isprintable() for name in config.names())


# --- what is remembered ------------------------------------------------------------------------


def _spoilt(data: st.DataObject, text: str) -> str:
    """Return a text with some words of it exchanged, doubled, cut or made up."""
    words = text.split(" ")
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(words) - 1))
        new = st.sampled_from(
            [
                *words,
                "",
                "-",
                "-1",
                "4",
                "6",
                "10.9.9.9",
                "::9",
                "evil0",
                "\n",
                "9" * 5000,
                "1e9",
                "٣",
                "nan",
                "up",
                "\0",
            ]
        )
        words[at : at + data.draw(st.integers(0, 2))] = data.draw(st.lists(new, max_size=2))
        assume(words)
    return " ".join(words)


@fuzz
@given(data=st.data(), events=st.lists(st.sampled_from(STATES), max_size=3), apart=st.booleans())
def test_a_spoilt_memory_leads_nowhere_but_out_by_an_uplink(
    data: st.DataObject,
    events: list[str],
    apart: bool,  # noqa: FBT001
    tried: Tried,
) -> None:
    tried("fuzz inputs: state", 1)
    world = World(config_of("eth0", "wlan0"), apart=("wlan0",) if apart else ())
    for state in ("routable", *events):
        world.event("eth0", state)
        world.reconcile()
        world.now += 1000
    try:
        before = state_file.parse(_spoilt(data, state_file.render(world.state)))
    except ValueError:
        return
    observed = world.look()
    after = next_state(world.config, observed, before)
    ways = {(r.interface, r.gateway) for r in observed.routes} | {("eth0", ""), ("wlan0", "")}
    for change in decide(world.config, observed, before, after):
        if isinstance(change, SetRoute):
            assert (change.route.interface, change.route.gateway) in ways
        if isinstance(change, AddAddress):
            near = observed.connected(change.address.interface, change.address.family)
            assert any(contains(one.destination, change.address.address) for one in near)
    assert state_file.parse(state_file.render(after)) == after


@fuzz
@given(data=st.data())
def test_a_spoilt_tally_is_refused_or_counts(data: st.DataObject, tried: Tried) -> None:
    tried("fuzz inputs: state", 1)
    text = counters.render((counters.Counter("eth0", 4, 3, 5), counters.Counter("", 6, 1, 7)), 9)
    with contextlib.suppress(ValueError):
        assert isinstance(counters.parse(_spoilt(data, text)), tuple)
