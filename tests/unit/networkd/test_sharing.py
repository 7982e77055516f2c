"""Which addresses uplinks on one LAN share, and from which address a default route talks."""

from __future__ import annotations

import pytest

from netfail_hooks.errors import Misuse
from netfail_hooks.networkd.file import Section, parse
from netfail_hooks.networkd.sharing import share


def _file(address: str, gateway: str = "192.168.1.1", *more: str) -> str:
    route = f"[Route]\nGateway={gateway}\nMetric=100\n" + "".join(f"{line}\n" for line in more)
    return f"[Match]\nName=x\n\n[Address]\nAddress={address}\nRouteMetric=100\n\n{route}"


def _named(text: str, name: str) -> list[Section]:
    return [one for one in parse(text) if one.name == name]


def _added(text: str) -> list[tuple[str, str]]:
    return [(one.get("Address"), one.get("Label")) for one in _named(text, "Address")[1:]]


def _sources(text: str) -> list[str]:
    return [one.get("PreferredSource") for one in _named(text, "Route") if one.get("Gateway")]


def _connected(text: str) -> list[tuple[str, ...]]:
    return [
        tuple(one.get(key) for key in ("Destination", "PreferredSource", "Scope", "Metric"))
        for one in _named(text, "Route")
        if not one.get("Gateway")
    ]


def test_each_uplink_of_a_lan_gets_the_others_addresses() -> None:
    files = share(
        {
            name: _file(f"192.168.1.{host}/24")
            for name, host in (("eth0", 252), ("wlan0", 25), ("usb0", 26))
        }
    )
    assert _added(files["eth0"]) == [("192.168.1.25/32", "netfail"), ("192.168.1.26/32", "netfail")]
    assert _added(files["wlan0"])[0] == ("192.168.1.252/32", "netfail")
    assert [_sources(files[name]) for name in files] == [["192.168.1.252"]] * 3


def test_a_standby_talks_to_the_lan_from_the_shared_address_too() -> None:
    files = share(
        {name: _file(f"192.168.1.{host}/24") for name, host in (("eth0", 252), ("wlan0", 25))}
    )
    assert _connected(files["eth0"]) == []
    assert _connected(files["wlan0"]) == [("192.168.1.0/24", "192.168.1.252", "link", "100")]
    assert [_named(files[name], "Route")[0].get("GatewayOnLink") for name in files] == ["", "yes"]
    assert [one.get("AddPrefixRoute") for one in _named(files["wlan0"], "Address")] == ["no", ""]


@pytest.mark.parametrize("more", ["AddPrefixRoute=no", "AddPrefixRoute=yes"])
def test_a_user_who_says_how_has_his_way(more: str) -> None:
    said = _file("192.168.1.25/24").replace("RouteMetric=100", f"{more}\nRouteMetric=100")
    files = share({"eth0": _file("192.168.1.252/24"), "wlan0": said})
    assert _connected(files["wlan0"]) == []


def test_two_addresses_of_a_standby_need_one_route() -> None:
    more = "\n[Address]\nAddress=192.168.1.26/24\nRouteMetric=100\n"
    files = share({"eth0": _file("192.168.1.252/24"), "wlan0": _file("192.168.1.25/24") + more})
    assert len(_connected(files["wlan0"])) == 1


def test_another_lan_shares_nothing() -> None:
    files = {"eth0": _file("192.168.1.252/24"), "usb0": _file("10.0.0.2/24", "10.0.0.1")}
    assert share(files) == files


def test_another_lan_beside_a_shared_one_stays_out_of_it() -> None:
    more = "\n[Address]\nAddress=10.0.0.2/24\n\n[Route]\nGateway=10.0.0.1\n"
    files = share({"eth0": _file("192.168.1.252/24") + more, "wlan0": _file("192.168.1.25/24")})
    assert _added(files["wlan0"]) == [("192.168.1.252/32", "netfail")]
    assert _sources(files["eth0"]) == ["192.168.1.252", "10.0.0.2"]


@pytest.mark.parametrize(
    ("gateway", "more", "source"),
    [
        ("192.168.1.1", (), "192.168.1.252"),
        ("192.168.1.1", ("Destination=10.9.0.0/16",), ""),
        ("192.168.1.1", ("PreferredSource=192.168.1.25",), "192.168.1.25"),
        ("172.16.0.1", (), ""),
        ("fd00:1::1", (), ""),
        ("_dhcp4", (), ""),
    ],
    ids=["default", "elsewhere", "the user's own", "of no LAN here", "IPv6", "a word"],
)
def test_only_a_default_route_of_the_lan_gets_a_source(
    gateway: str, more: tuple[str, ...], source: str
) -> None:
    files = share(
        {"eth0": _file("192.168.1.252/24"), "wlan0": _file("192.168.1.25/24", gateway, *more)}
    )
    assert _sources(files["wlan0"]) == [source]


def test_no_other_section_is_given_a_source() -> None:
    odd = "\n[RoutingPolicyRule]\nGateway=192.168.1.1\n"
    files = share({"eth0": _file("192.168.1.252/24") + odd, "wlan0": _file("192.168.1.25/24")})
    assert _named(files["eth0"], "RoutingPolicyRule")[0].get("PreferredSource") == ""


@pytest.mark.parametrize(
    "odd",
    [
        "[Address]\nAddress=192.168.1.7/24\nPeer=192.168.1.8/32\n",
        "[Address]\nAddress=fd00:1::7/64\n",
        "[Address]\nAddress=192.168.1.7/40\n",
        "[Network]\nAddress=192.168.1.7/24\n",
    ],
    ids=["a peer's", "IPv6", "no address", "elsewhere"],
)
def test_what_is_no_plain_ipv4_address_is_not_shared(odd: str) -> None:
    eth0 = _file("192.168.1.252/24") + f"\n{odd}"
    files = share({"eth0": eth0, "wlan0": _file("192.168.1.25/24")})
    assert _added(files["wlan0"]) == [("192.168.1.252/32", "netfail")]


def test_one_address_on_two_uplinks_is_refused() -> None:
    with pytest.raises(Misuse, match=r"eth0 and wlan0 both have 192\.168\.1\.252"):
        share({"eth0": _file("192.168.1.252/24"), "wlan0": _file("192.168.1.252/24")})
    twice = _file("192.168.1.252/24") + "\n[Address]\nAddress=192.168.1.252/24\n"
    share({"eth0": twice, "wlan0": _file("192.168.1.25/24")})  # on one uplink it is none


def test_an_address_out_of_a_pool_is_no_address_yet() -> None:
    """Address=0.0.0.0/28, of which networkd makes one that is free (systemd.network(5))."""
    files = {name: _file("0.0.0.0/28") for name in ("eth0", "wlan0")}
    assert share(files) == files
