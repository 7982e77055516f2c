"""Which uplink is lent whose name servers, and which is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings as drawn
from hypothesis import strategies as st

from netfail_hooks.networkd.file import parse, settings
from netfail_hooks.networkd.name_servers import is_lent, lend
from netfail_hooks.networkd.takeover import address_config


def _file(*lines: str, address: str = "192.168.1.25/24") -> str:
    return "\n".join(("[Match]", "Name=any", "", "[Network]", f"Address={address}", *lines, ""))


def _servers(text: str) -> list[str]:
    return settings(parse(text), "Network", "DNS")


def _said(text: str, key: str) -> list[str]:
    return settings(parse(text), "Network", key)


def test_who_has_none_is_lent_those_of_all_others_in_rank_order() -> None:
    files = {
        "eth0": _file("DNS=192.168.1.1 9.9.9.9#dns.example", "Domains=home.example"),
        "usb0": _file("DNS=9.9.9.9#dns.example", "DNS=[2001:db8::53]:5353"),
        "wlan0": _file("# a comment without an end"),
    }
    lent = lend(files)
    assert (lent["eth0"], lent["usb0"]) == (files["eth0"], files["usb0"])
    assert lent["wlan0"].startswith(files["wlan0"])
    wanted = ["192.168.1.1", "9.9.9.9#dns.example", "[2001:db8::53]:5353"]
    assert _servers(lent["wlan0"]) == wanted
    assert settings(parse(lent["wlan0"]), "Network", "Domains") == ["home.example"]


@pytest.mark.parametrize(
    "line",
    ["DNS=10.0.0.1", "DHCP=yes", "DHCP=ipv6", "DHCP=ipv4", "DNSDefaultRoute=no"],
)
def test_who_has_some_or_may_be_given_some_or_wants_none_is_left_alone(line: str) -> None:
    files = {"eth0": _file("DNS=192.168.1.1"), "wlan0": _file(line)}
    assert lend(files) == files


def test_who_has_no_address_of_its_own_is_left_alone() -> None:
    files = {"eth0": _file("DNS=192.168.1.1"), "wlan0": "[Network]\nIPv6AcceptRA=yes\n"}
    assert lend(files) == files


@pytest.mark.parametrize(
    "server", ["192.168.1.1", "192.168.1.1:53", "[fd00:1::1]:53", "fd00:1::1", "fd00:1::1#a.b"]
)
def test_a_server_on_a_lan_that_an_uplink_is_not_on_is_of_no_use_to_it(server: str) -> None:
    own = ("DNS=" + server, "Address=fd00:1::252/64")
    files = {"eth0": _file(*own), "wlan0": _file(address="10.0.1.25/24")}
    assert lend(files) == files
    both = {"eth0": _file(*own), "wlan0": _file("Address=fd00:1::25/64")}
    assert _servers(lend(both)["wlan0"]) == [server]


@pytest.mark.parametrize(
    "line",
    [
        "DNSOverTLS=yes",
        "DNSOverTLS=opportunistic",
        "DNSSEC=yes",
        "DNSSECNegativeTrustAnchors=a.example b.example",
        "DNSDefaultRoute=no",
    ],
)
def test_a_server_is_asked_as_its_own_file_says(line: str) -> None:
    files = {"eth0": _file("DNS=9.9.9.9#dns.example", line), "wlan0": _file()}
    key, _, wanted = line.partition("=")
    assert _said(lend(files)["wlan0"], key) == [wanted]
    same = files | {"wlan0": _file(line.replace("=yes", "=true"))}
    assert _servers(lend(same)["wlan0"]) == (
        [] if key == "DNSDefaultRoute" else ["9.9.9.9#dns.example"]
    )
    assert _said(lend(same)["wlan0"], key) == [line.replace("=yes", "=true").partition("=")[2]]


@pytest.mark.parametrize(
    ("theirs", "own"), [("yes", "no"), ("yes", "opportunistic"), ("no", "yes")]
)
@pytest.mark.parametrize("key", ["DNSOverTLS", "DNSSEC"])
def test_a_server_that_an_uplink_would_ask_otherwise_is_not_lent(
    key: str, theirs: str, own: str
) -> None:
    files = {"eth0": _file("DNS=9.9.9.9", f"{key}={theirs}"), "wlan0": _file(f"{key}={own}")}
    assert lend(files) == files


def test_of_lenders_that_disagree_the_first_one_counts() -> None:
    files = {
        "eth0": _file("DNS=9.9.9.9#dns.example", "DNSOverTLS=yes", "Domains=one.example"),
        "usb0": _file("DNS=192.168.1.1", "Domains=two.example"),
        "usb1": _file("DNS=8.8.8.8#dns.example", "DNSOverTLS=true"),
        "wlan0": _file(),
    }
    lent = lend(files)["wlan0"]
    assert _servers(lent) == ["9.9.9.9#dns.example", "8.8.8.8#dns.example"]
    assert (_said(lent, "DNSOverTLS"), _said(lent, "Domains")) == (["yes"], ["one.example"])


def test_servers_for_all_names_are_lent_before_those_for_some() -> None:
    some = _file("DNS=192.168.1.53", "Domains=~corp.example", "DNSDefaultRoute=no")
    lent = lend({"eth0": some, "usb0": _file("DNS=9.9.9.9"), "wlan0": _file()})["wlan0"]
    assert (_servers(lent), _said(lent, "Domains")) == (["9.9.9.9"], [])


@pytest.mark.parametrize(
    ("server", "destination", "lent"),
    [
        ("10.8.0.1", "10.8.0.0/24", False),
        ("10.8.0.1", "10.8.0.1", False),
        ("fd00:8::1", "fd00:8::/64", False),
        ("10.9.0.1", "10.8.0.0/24", True),
        ("10.8.0.1", "0.0.0.0/0", True),
        ("10.8.0.1", "10.8.0.0/24\nType=unreachable", True),
    ],
)
def test_a_server_behind_a_router_of_an_uplinks_own_is_not_lent(
    server: str,
    destination: str,
    lent: bool,  # noqa: FBT001 - a column
) -> None:
    route = f"\n[Route]\nDestination={destination}\nGateway=192.168.1.9\n"
    files = {
        "eth0": _file(f"DNS={server}", "Domains=~corp.example") + route,
        "wlan0": _file(address="10.0.1.25/24"),
    }
    assert _servers(lend(files)["wlan0"]) == ([server] if lent else [])
    assert _said(lend(files)["wlan0"], "Domains") == (["~corp.example"] if lent else [])
    both = files | {"wlan0": files["wlan0"] + route}
    assert _servers(lend(both)["wlan0"]) == [server]


def test_a_server_of_another_interface_is_not_lent() -> None:
    files = {"eth0": _file("DNS=9.9.9.9%tun0"), "wlan0": _file()}
    assert lend(files) == files


def test_what_is_lent_is_not_taken_for_what_was_asked() -> None:
    lent = lend({"eth0": _file("DNS=192.168.1.1"), "wlan0": _file()})["wlan0"]
    assert _servers(lent) == ["192.168.1.1"]
    assert address_config(lent).dns == ()
    assert [is_lent(one) for one in parse(lent)].count(True) == 1


_SERVERS = ("192.168.1.1", "10.0.1.1:53", "9.9.9.9#dns.example", "fd00:1::1")
_ADDRESSES = ("192.168.1.25/24", "10.0.1.25/24", "fd00:1::25/64")
_MANNERS = tuple(
    ("DNSOverTLS=" + tls, "DNSSEC=" + sec) for tls in ("", "yes", "no") for sec in ("", "yes")
)
_MORE = ("", "", "", "DHCP=ipv4", "DNSDefaultRoute=no", "Domains=a.example")
_ROUTES = ("", "", "\n[Route]\nDestination=10.0.1.0/24\nGateway=192.168.1.9\n")


@st.composite
def _files(draw: st.DrawFn) -> dict[str, str]:
    """Return the files of some uplinks: addresses, servers, and how these are to be asked."""
    files = {}
    for name in ("eth0", "wlan0", "usb0")[: draw(st.integers(2, 3))]:
        lines = [f"DNS={one}" for one in draw(st.lists(st.sampled_from(_SERVERS), max_size=2))]
        lines += [*draw(st.sampled_from(_MANNERS)), draw(st.sampled_from(_MORE))]
        address = draw(st.sampled_from(_ADDRESSES))
        files[name] = _file(*lines, address=address) + draw(st.sampled_from(_ROUTES))
    return files


@drawn(max_examples=400)
@given(_files())
def test_whoever_lends_a_server_is_reached_and_asked_as_its_own_file_says(
    files: dict[str, str],
) -> None:
    lent = lend(files)
    assert lend(lent) == lent
    for name, text in lent.items():
        if text == files[name]:
            continue
        assert not _servers(files[name])
        assert text.startswith(files[name])
        for server in _servers(text):
            lenders = [
                one for other, one in files.items() if other != name and server in _servers(one)
            ]
            assert any(_agrees(one, text) and _reaches(one, text, server) for one in lenders)


def _agrees(lender: str, borrower: str) -> bool:
    """Tell whether a borrower asks as the lender's file says, where that says anything."""
    said = {key: _said(lender, key)[-1:] for key in ("DNSOverTLS", "DNSSEC", "DNSDefaultRoute")}
    return all(_said(borrower, key)[-1:] == how for key, how in said.items() if how)


def _reaches(lender: str, borrower: str, server: str) -> bool:
    """Tell whether a server is on no LAN of the lender's that the borrower is not on."""
    for lan in ("192.168.1.", "10.0.1.", "fd00:1:"):
        is_on = [
            f"Address={lan}" in text or f"Destination={lan}" in text for text in (lender, borrower)
        ]
        if server.startswith(lan) and is_on == [True, False]:
            return False
    return True
