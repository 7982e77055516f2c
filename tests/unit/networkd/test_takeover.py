"""What our ``.network`` file makes of the user's: metrics, and what failover needs, to the byte."""

from __future__ import annotations

import os

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.networkd import takeover
from netfail_hooks.networkd.file import parse
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.networkd.takeover import AddressConfig, take_over, write_new

_NIC = Nic("eth0")
_PATH = "/etc/systemd/network/20-eth0.network"
_HEAD = (
    f"# netfail-hooks: in place of {_PATH}; change that one and run 'sudo netfail-hooks install' "
    "again, this one is written anew\n# netfail-hooks: made of {}\n\n[Match]\nName=eth0\n"
)
_ASKED = (
    "# netfail-hooks: as 'netfail-hooks install' was asked; run it again for a change\n\n"
    "[Match]\nName=eth0\n"
)
_ALWAYS = "IgnoreCarrierLoss=yes\nIPv6DuplicateAddressDetection=0\n"
_STATIC = f"\n[Network]\n{_ALWAYS}ConfigureWithoutCarrier=yes\nKeepConfiguration=static\n"
_LEASE = f"\n[Network]\n{_ALWAYS}KeepConfiguration=dhcp-on-stop\n"
_DHCP4 = "\n[DHCPv4]\nRouteMetric=600\n"
_RA = "\n[IPv6AcceptRA]\nRouteMetric=600\n"


def _ours(text: str) -> str:
    """Return what is below [Match] of our file in place of a user's."""
    source = Source(_PATH, f"[Match]\nName=eth0\n{text}")
    found = take_over(_NIC, source, 600)
    head = _HEAD.format(source.fingerprint)
    assert found.startswith(head)
    return found.removeprefix(head)


@pytest.mark.parametrize(
    ("text", "ours"),
    [
        (
            "[Network]\nAddress=192.0.2.2/24\nGateway=192.0.2.1\nDNS=192.0.2.1\n",
            (
                "[Network]\nDNS=192.0.2.1\n\n[Address]\nAddress=192.0.2.2/24\nRouteMetric=600\n\n"
                f"[Route]\nGateway=192.0.2.1\nMetric=600\n{_STATIC}{_RA}"
            ),
        ),
        (
            "[Network]\nAddress=192.0.2.2/24\nAddress=2001:db8::2/64\nIPv6AcceptRA=no\n",
            (
                "[Network]\nIPv6AcceptRA=no\n\n[Address]\nAddress=192.0.2.2/24\nRouteMetric=600\n\n"
                f"[Address]\nAddress=2001:db8::2/64\nRouteMetric=600\n{_STATIC}"
            ),
        ),
        ("[Network]\nDHCP=y\n", f"[Network]\nDHCP=y\n{_LEASE}{_DHCP4}{_RA}"),
        ("[Network]\nDHCP=ipv6\n", f"[Network]\nDHCP=ipv6\n\n[Network]\n{_ALWAYS}{_RA}"),
        (
            "[Network]\nDHCP=ipv4\nKeepConfiguration=no\n",
            f"[Network]\nDHCP=ipv4\nKeepConfiguration=no\n\n[Network]\n{_ALWAYS}{_DHCP4}{_RA}",
        ),
        (
            "[Network]\nDHCP=yes\n[Address]\nAddress=192.0.2.2/24\n",
            (
                "[Network]\nDHCP=yes\n[Address]\nAddress=192.0.2.2/24\nRouteMetric=600\n"
                f"\n[Network]\n{_ALWAYS}ConfigureWithoutCarrier=yes\nKeepConfiguration=dhcp-on-stop\n"
                f"{_DHCP4}{_RA}"
            ),
        ),
        (
            "# mine\n[Address]\nAddress=192.0.2.2/24\nAddPrefixRoute=no\n",
            f"# mine\n[Address]\nAddress=192.0.2.2/24\nAddPrefixRoute=no\n{_STATIC}{_RA}",
        ),
    ],
)
def test_the_users_file_with_what_failover_needs(text: str, ours: str) -> None:
    assert _ours(text) == ours


@pytest.mark.parametrize(
    ("route", "metric"),
    [
        ("Gateway=192.0.2.1\n", "600"),
        ("Gateway=192.0.2.1\nMetric=5\n", "600"),
        ("Destination=default\nGateway=192.0.2.1\nMetric=5\n", "600"),
        ("Destination=0.0.0.0/0\nMetric=5\n", "600"),
        ("Destination=::/0\nMetric=5\n", "600"),
        ("Destination=10.0.0.0/8\nGateway=192.0.2.1\n", "600"),
        ("Destination=10.0.0.0/8\nGateway=192.0.2.1\nMetric=5\n", "5"),
        ("Destination=10.0.0.0/8\nScope=link\nMetric=5\n", "600"),
        ("Gateway=192.0.2.1\nTable=main\nMetric=5\n", "600"),
        ("Gateway=192.0.2.1\nTable=100\nMetric=5\n", "5"),
        ("Gateway=192.0.2.1\nTable=100\n", ""),
    ],
)
def test_routes_that_compete_have_the_uplinks_metric(route: str, metric: str) -> None:
    (found,) = (one for one in parse(_ours(f"[Route]\n{route}")) if one.name == "Route")
    assert found.get("Metric") == metric


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        (
            "[Route]\nGateway=192.0.2.1\nMetric=20\n[Route]\nGateway=192.0.2.3\nMetric=10\n",
            "601 600",
        ),
        ("[Route]\nGateway=192.0.2.1\nMetric=9\n[Route]\nGateway=192.0.2.3\nMetric=9\n", "600 600"),
        ("[Network]\nGateway=192.0.2.1\n[Route]\nGateway=192.0.2.3\nMetric=9\n", "600 601"),
        ("[Network]\nGateway=192.0.2.1\n[Route]\nGateway=fe80::1\nMetric=9\n", "600 600"),
        (
            "[Network]\nGateway=fe80::2\nGateway=192.0.2.1\n[Route]\nGateway=fe80::1\nMetric=9\n",
            "601 600 600",
        ),
        ("[Network]\nGateway=192.0.2.1\nDHCP=ipv4\n", "600"),
        ("[Route]\nGateway=_dhcp4\n[Route]\nGateway=192.0.2.1\n", "601 600"),
        ("[Network]\nDefaultRouteOnDevice=yes\n[Route]\nGateway=192.0.2.1\nMetric=9\n", "601 600"),
        ("[Network]\nDefaultRouteOnDevice=no\n", ""),
        (
            "[NextHop]\nId=1\nGateway=192.0.2.1\n[Route]\nDestination=0.0.0.0/0\nNextHop=1\nMetric=9\n",
            "600",
        ),
        (
            "[Route]\nDestination=0.0.0.0/0\nMultiPathRoute=192.0.2.1 2\n",
            "600",
        ),
        *(
            (
                f"[Network]\nGateway=192.0.2.1\n[Route]\nDestination=::/0\nType={kind}\nMetric=4278198272\n",
                "600 4278198272",
            )
            for kind in ("unreachable", "blackhole", "prohibit", "throw")
        ),
        (
            "[Network]\nGateway=192.0.2.1\n[Route]\nDestination=0.0.0.0/0\nType=blackhole\nMetric=300\n",
            "600 4278190080",
        ),
        (
            "[Route]\nDestination=0.0.0.0/0\nType=blackhole\nMetric=3\n[Route]\nGateway=192.0.2.1\nMetric=9\n",
            "3 600",
        ),
        ("[Route]\nDestination=10.0.0.0/8\nType=blackhole\n", ""),
        (
            "[Network]\nGateway=192.0.2.1\n[Route]\nDestination=0.0.0.0/0\nType=blackhole\n",
            "600 4278190080",
        ),
        ("[Route]\nDestination=0.0.0.0/0\nType=blackhole\nTable=7\nMetric=3\n", "3"),
    ],
)
def test_default_routes_keep_their_order(text: str, metrics: str) -> None:
    found = [one.get("Metric") for one in parse(_ours(text)) if one.name == "Route"]
    assert " ".join(filter(None, found)) == metrics


@pytest.mark.parametrize(
    ("text", "leased", "advertised"),
    [
        ("[Network]\nDHCP=yes\nGateway=192.0.2.1\nGateway=fe80::1\n", "601", "600"),
        (
            "[Network]\nDHCP=yes\n[Route]\nGateway=192.0.2.1\nMetric=2048\n[DHCPv4]\nRouteMetric=9\n",
            "600",
            "600",
        ),
        (
            "[Network]\nDHCP=yes\n[Route]\nGateway=192.0.2.1\nMetric=8\n[DHCP]\nRouteMetric=9\n",
            "601",
            "600",
        ),
        ("[Network]\nDHCP=yes\n[Route]\nGateway=fe80::1\nMetric=8\n", "600", "601"),
    ],
)
def test_what_comes_of_itself_keeps_its_place_beside_static_routes(
    text: str, leased: str, advertised: str
) -> None:
    sections = parse(_ours(text))
    metrics = {one.name: one.get("RouteMetric") for one in sections if one.get("RouteMetric")}
    assert (metrics["DHCPv4"], metrics["IPv6AcceptRA"]) == (leased, advertised)


def test_addresses_keep_their_order_whatever_section_they_are_in() -> None:
    text = (
        "[Address]\nAddress=192.0.2.2/24\n[Network]\nAddress=192.0.2.3/24\nAddress=192.0.2.4/24\n"
        "[Address]\nAddress=192.0.2.5/24\n[Network]\nAddress=192.0.2.6/24\n"
    )
    found = [one.get("Address") for one in parse(_ours(text)) if one.name == "Address"]
    assert found == [f"192.0.2.{number}/24" for number in range(2, 7)]


def test_what_resets_a_list_stands_where_it_stood() -> None:
    text = (
        "[Address]\nAddress=192.0.2.2/24\n[Network]\nGateway=192.0.2.9\nAddress=192.0.2.3/24\n"
        "Address=\nGateway=\nAddress=192.0.2.4/24\nGateway=192.0.2.1\n"
    )
    found = [
        (one.name, item.setting)
        for one in parse(_ours(text))
        for item in one.items
        if item.key in ("Address", "Gateway")
    ]
    assert found == [
        ("Address", "192.0.2.2/24"),
        ("Address", "192.0.2.3/24"),
        ("Network", ""),
        ("Address", "192.0.2.4/24"),
        ("Route", "192.0.2.9"),
        ("Network", ""),
        ("Route", "192.0.2.1"),
    ]


def test_a_metric_elsewhere_is_no_routes_metric() -> None:
    assert "[RoutingPolicyRule]\nTable=main\n\n" in _ours("[RoutingPolicyRule]\nTable=main\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *(
            (f"[Network]\n{key}=br0\n", f"{key}=br0 makes this NIC part of another one")
            for key in ("Bond", "Bridge", "VRF", "BatmanAdvanced")
        ),
        ("[Link]\nUnmanaged=yes\n", "Unmanaged=yes keeps networkd from it"),
        ("[Link]\nUnmanaged=no\n[Link]\nUnmanaged=yes\n", "Unmanaged=yes keeps networkd from it"),
        ("[Address]\nAddress=192.0.2.1/24\n[Address]\nAddress=x\n", "Address=x is no address"),
    ],
)
def test_a_file_that_ours_cannot_stand_in_for_is_refused(text: str, told: str) -> None:
    with pytest.raises(Misuse, match=f"^{_PATH}: {told}"):
        _ours(text)


@pytest.mark.parametrize(
    "text",
    [
        "[Link]\nUnmanaged=yes\n[Link]\nUnmanaged=no\n",
        "[Network]\nUnmanaged=yes\n",
        "[Address]\nPeer=192.0.2.1/32\n",
        "[Link]\nBond=bond0\n",
    ],
)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert text in _ours(text)


@pytest.mark.parametrize(
    ("wanted", "ours"),
    [
        (AddressConfig(dhcp=True), f"\n[Network]\nDHCP=yes\n{_LEASE}{_DHCP4}{_RA}"),
        (
            AddressConfig(dns=("192.0.2.1",), dhcp=True),
            f"\n[Network]\nDNS=192.0.2.1\nDHCP=yes\n{_LEASE}{_DHCP4}{_RA}",
        ),
        (
            AddressConfig(("192.0.2.2/24",), ("192.0.2.1",), ("192.0.2.53", "192.0.2.54")),
            (
                "\n[Network]\nDNS=192.0.2.53\nDNS=192.0.2.54\n\n[Address]\nAddress=192.0.2.2/24\n"
                f"RouteMetric=600\n\n[Route]\nGateway=192.0.2.1\nMetric=600\n{_STATIC}{_RA}"
            ),
        ),
        (
            AddressConfig(("2001:db8::2/64",), ("fe80::1",)),
            (
                "\n[Network]\n\n[Address]\nAddress=2001:db8::2/64\nRouteMetric=600\n\n"
                f"[Route]\nGateway=fe80::1\nMetric=600\n{_STATIC}{_RA}"
            ),
        ),
    ],
)
def test_a_new_file_is_as_asked_and_tells_what_was_asked(wanted: AddressConfig, ours: str) -> None:
    text = write_new(_NIC, wanted, 600)
    assert text == _ASKED + ours
    assert takeover.address_config(text) == wanted
    assert takeover.is_ours(text)
    assert takeover.was_asked(text)
    assert takeover.of_whom(text) == ""


def test_an_address_that_uplinks_share_was_not_asked_for() -> None:
    text = write_new(_NIC, AddressConfig(("192.0.2.2/24",)), 100)
    text += "\n[Address]\nAddress=192.0.2.3/32\nLabel=netfail\n"
    assert takeover.address_config(text) == AddressConfig(("192.0.2.2/24",))


def test_where_the_kernel_watches_a_router_sets_no_timers() -> None:
    timed = f"{_RA}UseReachableTime=no\nUseRetransmissionTime=no\n"
    dynamic, static = AddressConfig(dhcp=True), Source(_PATH, "[Match]\nName=eth0\n")
    assert write_new(_NIC, dynamic, 600, timed=True).endswith(timed)
    assert take_over(_NIC, static, 600, timed=True).endswith(timed)
    deaf = Source(_PATH, "[Match]\nName=eth0\n[Network]\nIPv6AcceptRA=no\n")
    assert "Use" not in take_over(_NIC, deaf, 600, timed=True)


def test_in_whose_place_a_file_stands() -> None:
    text = take_over(_NIC, Source(_PATH, "[Match]\nName=eth0\n"), 100)
    assert takeover.is_ours(text)
    assert not takeover.was_asked(text)
    assert takeover.of_whom(text) == _PATH
    assert not takeover.is_ours(f"[Match]\n{text}")
    assert takeover.of_whom("[Match]\n") == ""
    assert takeover.made_of(text) == Source(_PATH, "[Match]\nName=eth0\n").fingerprint
    assert takeover.made_of("[Match]\n") == ""


@pytest.mark.parametrize(
    ("addresses", "gateways", "dns", "told"),
    [
        (("x",), (), (), "eth0: 'x' does not appear"),
        (("192.0.2.2/24",), ("x",), (), "eth0: 'x' does not appear"),
        (("192.0.2.2/24",), (), ("x",), "eth0: 'x' does not appear"),
        (("192.0.2.2/24", "192.0.2.3"), (), (), "eth0: 192.0.2.3/32 has no LAN around it"),
        (("2001:db8::2/128",), (), (), "eth0: 2001:db8::2/128 has no LAN around it"),
        (
            ("192.0.2.2/24",),
            ("192.0.3.1",),
            (),
            "eth0: gateway 192.0.3.1 is no neighbour of 192.0.2.2/24",
        ),
        (
            ("192.0.2.2/24", "192.0.3.2/24"),
            ("192.0.2.1", "192.0.3.2"),
            (),
            "eth0: gateway 192.0.3.2 is no neighbour of 192.0.2.2/24, 192.0.3.2/24",
        ),
    ],
)
def test_what_cannot_work_is_refused(
    addresses: tuple[str, ...], gateways: tuple[str, ...], dns: tuple[str, ...], told: str
) -> None:
    with pytest.raises(Misuse, match=f"^{told}"):
        write_new(_NIC, AddressConfig(addresses, gateways, dns), 100)


def test_gateways_of_either_subnet_will_do() -> None:
    wanted = AddressConfig(("192.0.2.2/24", "192.0.3.2/31"), ("192.0.2.1", "192.0.3.3"))
    assert takeover.address_config(write_new(_NIC, wanted, 100)) == wanted


@pytest.mark.parametrize(
    ("ahead_of", "name"),
    [
        ("", "10-netfail-eth0.network"),
        ("20-eth0.network", "10-netfail-eth0.network"),
        ("10-netfail-eth0.network", "00-netfail-eth0.network"),
        ("05-eth0.network", "00-netfail-eth0.network"),
        ("00-eth0.network", "0-netfail-eth0.network"),
        ("00-netfail-eth0.network", "0-netfail-eth0.network"),
        ("00", "0-netfail-eth0.network"),
        ("0-eth0.network", "0--netfail-eth0.network"),
    ],
)
def test_our_file_sorts_before_the_users(ahead_of: str, name: str) -> None:
    assert takeover.file_name(_NIC, ahead_of) == name


@pytest.mark.parametrize(
    "ahead_of", ["+.network", "0--eth0.network", "0--netfail-eth0.network", "#1.network"]
)
def test_no_name_of_ours_sorts_before_some(ahead_of: str) -> None:
    with pytest.raises(Misuse, match="no name of ours sorts before") as told:
        takeover.file_name(_NIC, ahead_of)
    assert ahead_of in str(told.value)


@given(
    st.sampled_from(["", "0", "0-", "0--", "00", "00-", "10-"]),
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), max_size=12),
    st.sampled_from(["eth0", "0", "a-netfail-b", "enx00e04c680001"]),
)
def test_whatever_sorts_behind_a_zero_has_a_name_of_ours_before_it(
    start: str, rest: str, nic: str
) -> None:
    """As networkd sorts: by bytes, and by nothing else."""
    theirs = start + rest
    assume(os.fsencode(theirs) > f"0--netfail-{nic}.network".encode())
    name = takeover.file_name(Nic(nic), f"{theirs}.network")
    assert os.fsencode(name) < os.fsencode(f"{theirs}.network")
    assert takeover.uplink_of(f"/etc/systemd/network/{name}") == nic


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/etc/systemd/network/10-netfail-eth0.network", "eth0"),
        ("/etc/systemd/network/00-netfail-wl-a.network", "wl-a"),
        ("/etc/systemd/network/0-netfail-eth0.network", "eth0"),
        ("/etc/systemd/network/0--netfail-eth0.network", "eth0"),
        ("/etc/systemd/network/0---netfail-eth0.network", ""),
        ("/etc/systemd/network/10-netfail-bond0.netdev", ""),
        ("/etc/systemd/network/20-eth0.network", ""),
        ("/run/systemd/network/10-netfail-eth0.network", ""),
        ("/etc/systemd/network/10-netfail-eth0.network.d", ""),
    ],
)
def test_whose_file_it_is_is_told_by_its_name(path: str, name: str) -> None:
    assert takeover.uplink_of(path) == name
