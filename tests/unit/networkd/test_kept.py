"""Whatever the user's file says but for metrics is in ours, addresses in their order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.networkd.file import Section, parse
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.networkd.takeover import take_over

_METRICS = ("Metric", "RouteMetric")
_KEYS = {
    "Link": ("MTUBytes=1400", "RequiredForOnline=no", "ActivationPolicy=up", "Multicast=yes"),
    "Network": (
        *(f"Address=192.0.2.{number}/24" for number in range(2, 6)),
        "Address=2001:db8::2/64",
        "Gateway=192.0.2.1",
        "Gateway=fe80::1",
        "DNS=192.0.2.1",
        "Domains=example.com",
        "DHCP=yes",
        "IPv6AcceptRA=no",
        "KeepConfiguration=yes",
        "LLDP=yes",
    ),
    "Address": (
        *(f"Address=192.0.2.{number}/24" for number in range(6, 9)),
        "Label=x",
        "Scope=link",
        "AddPrefixRoute=no",
        "RouteMetric=7",
    ),
    "Route": (
        "Gateway=192.0.2.1",
        "Gateway=fe80::1",
        "Destination=0.0.0.0/0",
        "Destination=198.51.100.0/24",
        "Type=unreachable",
        "Table=7",
        "Metric=5",
        "MTUBytes=1300",
        "PreferredSource=192.0.2.2",
        "MultiPathRoute=192.0.2.1 2",
    ),
    "NextHop": ("Id=1", "Gateway=192.0.2.1"),
    "RoutingPolicyRule": ("From=192.0.2.2", "Table=7", "Priority=9"),
    "DHCPv4": ("UseDNS=no", "UseMTU=yes", "RouteMetric=7", "ClientIdentifier=mac"),
    "IPv6AcceptRA": ("UseDNS=no", "RouteMetric=7"),
}
# Of what we say nothing: any key, with any words, continued or not, remarks between.
_OTHERS = ("Link", "Network", "DHCPv4", "DHCPv6", "IPv6SendRA", "Neighbor", "CAKE", "X-Odd one")
_any_key = st.from_regex(r"X[A-Za-z0-9-]{0,12}", fullmatch=True)
_any_words = st.lists(st.from_regex(r"[!-~é ]{0,12}", fullmatch=True), min_size=1, max_size=3)
_any_line = st.tuples(_any_key, st.sampled_from(("=", " = ", "=\t")), _any_words).map(
    lambda parts: f"{parts[0]}{parts[1]}{(chr(92) + chr(10)).join(parts[2])}"
)
_remarks = st.sampled_from(("# Gateway=192.0.2.9", "; [Route]", "", "no equals sign"))


def _section(lines: st.SearchStrategy[str], name: str) -> st.SearchStrategy[str]:
    return st.lists(lines, max_size=4, unique=True).map(
        lambda found: "\n".join([f"[{name}]", *found, ""])
    )


_sections = st.one_of(
    st.sampled_from(sorted(_KEYS)).flatmap(
        lambda name: _section(st.sampled_from(_KEYS[name]), name)
    ),
    st.sampled_from(_OTHERS).flatmap(lambda name: _section(st.one_of(_any_line, _remarks), name)),
)


def _assigned(sections: Iterable[Section]) -> list[tuple[str, str, str]]:
    """Return what is said, [Network]'s addresses and gateways as the sections they stand for."""
    moved = {"Address": "Address", "Gateway": "Route"}
    return [
        (
            moved.get(item.key, one.name) if one.name == "Network" else one.name,
            item.key,
            item.setting,
        )
        for one in sections
        for item in one.items
        if item.key and item.key not in _METRICS and one.name not in ("Match", "")
    ]


@given(st.lists(_sections, max_size=8))
def test_every_option_that_is_no_metric_is_kept(texts: list[str]) -> None:
    text = "".join(texts)
    try:
        ours = _assigned(parse(take_over(Nic("eth0"), Source("/x", text), 100)))
    except Misuse:
        return
    said = _assigned(parse(text))
    assert not Counter(said) - Counter(ours)
    addresses = [one for one in said if one[:2] == ("Address", "Address")]
    assert [one for one in ours if one[:2] == ("Address", "Address")] == addresses
    added = Counter(ours) - Counter(said)
    assert {name for name, _, _ in added} <= {"Network"}
