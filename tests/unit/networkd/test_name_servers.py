"""Which uplink is lent whose name servers, and which is left alone."""

from __future__ import annotations

import pytest

from netfail_hooks.networkd.file import parse, settings
from netfail_hooks.networkd.name_servers import is_lent, lend
from netfail_hooks.networkd.takeover import address_config


def _file(*lines: str, address: str = "192.168.1.25/24") -> str:
    return "\n".join(("[Match]", "Name=any", "", "[Network]", f"Address={address}", *lines, ""))


def _servers(text: str) -> list[str]:
    return settings(parse(text), "Network", "DNS")


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


def test_a_server_of_another_interface_is_not_lent() -> None:
    files = {"eth0": _file("DNS=9.9.9.9%tun0"), "wlan0": _file()}
    assert lend(files) == files


def test_what_is_lent_is_not_taken_for_what_was_asked() -> None:
    lent = lend({"eth0": _file("DNS=192.168.1.1"), "wlan0": _file()})["wlan0"]
    assert _servers(lent) == ["192.168.1.1"]
    assert address_config(lent).dns == ()
    assert [is_lent(one) for one in parse(lent)].count(True) == 1
