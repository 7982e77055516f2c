"""IPv6 addresses that an uplink has stay its own: drawn, against what networkd does by its manual.

Of each prefix it makes an address by every ``Token=`` that is static, by the hardware address where
one says so or none says anything, and of a secret of its own (systemd.network(5), Token=).
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.errors import Problem
from netfail_hooks.kernel.addresses import Address6
from netfail_hooks.managers import identifiers
from netfail_hooks.networkd.file import Section, parse, render, section

_MAC = "02:00:00:00:00:10"
_BY_MAC = "::ff:fe00:10"
_PREFIXES = ("2001:db8:5::/64", "fd00:1::/64", "fd00:2::/64")
_UNLIKE = "::5ec7:e700:0:1"  # what networkd makes of its own, as if it were one for all
_IDENTIFIERS = st.integers(1, (1 << 64) - 1).map(lambda number: str(IPv6Address(number)))
_TOKENS = st.lists(
    st.one_of(st.sampled_from(["eui64", "prefixstable"]), _IDENTIFIERS.map("static:{}".format)),
    max_size=2,
)


def _at(prefix: str, identifier: str) -> str:
    return str(IPv6Network(prefix)[int(IPv6Address(identifier))])


def _sections(*tokens: str, more: str = "") -> tuple[Section, ...]:
    said = "".join(f"Token={one}\n" for one in tokens)
    return parse(f"[Network]\nDHCP=ipv4\n{more}[IPv6AcceptRA]\nUseDNS=yes\n{said}")


def _networkds(sections: list[Section], prefixes: list[str]) -> set[str]:
    """Return the addresses that networkd makes."""
    said = [
        item.setting
        for one in parse(render(sections))
        if one.name == "IPv6AcceptRA"
        for item in one.items
        if item.key == "Token"
    ]
    each = {
        "eui64": _BY_MAC,
        "prefixstable": _UNLIKE,
    }
    parts = [each.get(one) or one.removeprefix("static:") for one in said or ["eui64"]]
    return {_at(prefix, part) for prefix in prefixes for part in parts}


@given(
    tokens=_TOKENS,
    made=st.dictionaries(
        st.sampled_from(_PREFIXES), st.one_of(st.just(_BY_MAC), _IDENTIFIERS), min_size=1
    ),
    others=st.lists(
        st.sampled_from(
            [
                Address6("fe80::5", 64, local=True),
                Address6("2001:db8:5::100", 128),
                Address6("fd00:1::7:7", 64, temporary=True),
                Address6("fd00:9::9", 64, preferred=False),
                Address6("fd00:1::3", 64, renewed=False),
                Address6("fd00:1::4", 128, ours=True),
            ]
        )
    ),
)
def test_every_address_of_a_prefix_stays(
    tokens: list[str], made: dict[str, str], others: list[Address6]
) -> None:
    before = {_at(prefix, part) for prefix, part in made.items()}
    found = [*(Address6(one, 64) for one in before), *others]
    sections = _sections(*tokens)
    kept = identifiers.to_keep(found, sections, _MAC)
    after = list(sections)
    if kept:
        after = identifiers.with_identifiers(sections, kept)
        assert identifiers.told(after) == kept
        assert before != _networkds(list(sections), list(made))
    assert before <= _networkds(after, list(made))
    for one in found:
        lasts = not one.temporary and one.renewed and not one.ours and one.preferred
        if one.local or one.length == 128 or lasts:
            assert identifiers.stays(one, after, _MAC), one
        elif one.temporary or not one.renewed:
            assert not identifiers.stays(one, after, _MAC), one


@pytest.mark.parametrize("more", ["IPv6AcceptRA=no\n", "[IPv6AcceptRA]\nUseAutonomousPrefix=no\n"])
def test_where_nothing_advertised_is_taken_there_is_nothing_to_keep(more: str) -> None:
    found = [Address6("fd00:1::7:7", 64)]
    sections = _sections("prefixstable", more=more)
    assert identifiers.to_keep(found, sections, _MAC) == ()
    assert not identifiers.stays(found[0], sections, _MAC)
    assert not identifiers.is_unknown(sections)


def test_an_address_of_the_profiles_own_is_none_that_is_made() -> None:
    """It may have the mark of one: NetworkManager gives it to all."""
    for more in ("Address=fd00:1::7:7/64\n", "[Address]\nAddress=fd00:1::7:7/64\n"):
        sections = _sections("prefixstable", more=more)
        assert identifiers.to_keep([Address6("fd00:1::7:7", 64)], sections, _MAC) == ()
        assert identifiers.stays(Address6("fd00:1::7:7", 64), sections, _MAC)


def test_what_is_told() -> None:
    both = [Address6("fd00:1::7", 64), Address6("fd00:1::8", 64, temporary=True)]
    assert [*identifiers.messages(both[:1], ("::7",), "dhcpcd", unknown=True)] == []
    several, temporary = identifiers.messages(both, ("::7", "::9"), "dhcpcd", unknown=True)
    assert several.startswith("each IPv6 prefix gets 2 addresses")
    assert temporary.endswith("replaced by new ones: fd00:1::8")
    (nothing,) = identifiers.messages([], (), "dhcpcd", unknown=True)
    assert "no IPv6 address is known that it could keep" in nothing


def test_who_came_in_by_what_goes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = (Address6("fd00:1::8", 64, temporary=True), Address6(_at(_PREFIXES[1], _BY_MAC), 64))
    monkeypatch.setattr(identifiers, "addresses_of", lambda _: found)
    monkeypatch.setattr(identifiers, "read_nic", lambda *_: type("Nic", (), {"mac": _MAC}))
    sections = [section("Network", ("DHCP", "ipv4")), section("IPv6AcceptRA", ("Token", "eui64"))]
    identifiers.refuse_lost("eth0", found[1].address, sections)
    identifiers.refuse_lost("eth0", "192.0.2.1", sections)  # whose lease is asked for
    with pytest.raises(Problem, match="you came in by fd00:1::8") as refused:
        identifiers.refuse_lost("eth0", "fd00:1::8", sections)
    assert found[1].address in refused.value.hint
