"""Who dhclient and dhcpcd say that they are, and what they take, in networkd's words."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import dhclient, dhcp_identity, dhcpcd
from netfail_hooks.networkd.file import render
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine

_BY_HAND = (
    "interface eth0\nstatic ip_address=192.0.2.4/25\nstatic routers=192.0.2.1\n"
    "static domain_name_servers=192.0.2.1 2001:db8::1\nstatic domain_name=a.example\n"
)
_DUID = "00:01:00:01:2d:22:5c:0a:02:00:00:00:00:01"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.write("/usr/sbin/dhcpcd", "")
    return machine


def _leased(machine: Machine, text: str, client: str = "") -> list[str]:
    machine.write(dhclient.CONFIG, text)
    sections, told = dhclient.leased(machine.paths, read_nic("wlan0", machine.paths), client=client)
    return [*render(sections).splitlines(), *told]


def _dhcpcd(machine: Machine, text: str, nic: str = "eth0") -> list[str]:
    machine.write(dhcpcd.CONFIG, text)
    found = dhcpcd.profile(machine.paths, read_nic(nic, machine.paths))
    assert found
    return [*render(found.sections).splitlines(), *found.messages]


@given(st.binary(min_size=3, max_size=130))
def test_any_duid_of_a_lease_file_is_read_as_dhclient_writes_it(octets: bytes) -> None:
    quoted = "".join(
        f"\\{one:03o}" if one < 32 or one > 126 else f"\\{chr(one)}" if one in b'"\\' else chr(one)
        for one in octets
    )
    for text in (f'default-duid "{quoted}";\n', f"default-duid {octets.hex(':')};\n"):
        assert dhcp_identity.duid_of_leases(f"lease {{\n}}\n{text}") == dhcp_identity.Duid(octets)


def test_the_duid_of_its_leases_and_the_end_of_the_hardware_address(machine: Machine) -> None:
    machine.write("/var/lib/dhcp/dhclient.wlan0.leases", f"default-duid {_DUID};\n")
    said = _leased(machine, "send host-name = gethostname();\nrequest routers, interface-mtu;\n")
    assert said[4:] == [
        "[DHCPv4]",
        "ClientIdentifier=duid",
        "IAID=1",
        "DUIDType=link-layer-time",
        "DUIDRawData=00:01:2d:22:5c:0a:02:00:00:00:00:01",
        "SendHostname=yes",
        "UseDomains=no",
        "UseMTU=yes",
        "UseDNS=no",
    ]
    assert "ClientIdentifier=mac" in _leased(machine, "", client="no")


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["SendHostname=no", "UseDomains=yes", "UseMTU=yes"]),
        ('send host-name "told";', ["SendHostname=yes", "Hostname=told"]),
        ('# send host-name "told";\n', ["SendHostname=no"]),
        ("send dhcp-client-identifier = hardware;", ["ClientIdentifier=mac"]),
        ("send dhcp-client-identifier 1:2:0:0:0:0:1;", ["ClientIdentifier=mac"]),
        (f"send dhcp-client-identifier ff:0:0:0:9:{_DUID};", ["IAID=9", "ClientIdentifier=duid"]),
        ("supersede domain-name-servers 192.0.2.1, 192.0.2.2;", ["DNS=192.0.2.2", "UseDNS=no"]),
        ("prepend domain-name-servers 192.0.2.1;", ["DNS=192.0.2.1"]),
        ('supersede domain-name "a.example b.example";', ["Domains=a.example b.example"]),
        ('interface "eth0" { supersede routers 192.0.2.1; }', ["UseMTU=yes"]),
        ('interface "wlan0" { send host-name "mine"; }\n', ["Hostname=mine"]),
        ("reject 192.0.2.66;", ["DenyList=192.0.2.66"]),
        ("also request domain-name;\ntimeout 60;\nretry 5;\n", ["UseDomains=yes"]),
    ],
)
def test_what_dhclient_is_told(machine: Machine, text: str, lines: list[str]) -> None:
    said = _leased(machine, text)
    assert [line for line in lines if line not in said] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('send dhcp-client-identifier "mine";', "dhcp-client-identifier"),
        ("supersede routers 192.0.2.1;", "routers"),
        ("lease { fixed-address 192.0.2.4; }", "lease"),
        ('interface "wlan0" { media "x"; }', "media"),
    ],
)
def test_what_dhclient_alone_can_do_is_refused(machine: Machine, text: str, why: str) -> None:
    with pytest.raises(Misuse, match=why):
        _leased(machine, text)


@given(st.text("send \"';{}#=hostname interface wlan0,\n", max_size=60))
def test_any_dhclient_conf_is_read_or_refused(text: str) -> None:
    list(dhclient._statements(text, "wlan0"))


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["DHCP=ipv4", "ClientIdentifier=mac", "SendHostname=no", "UseDNS=no", "UseMTU=no"]),
        ("hostname\nclientid\n", ["SendHostname=yes", "ClientIdentifier=mac"]),
        ("hostname told\n", ["Hostname=told"]),
        ("duid\n", ["ClientIdentifier=duid", "DUIDRawData=00:02", "DUIDType=vendor"]),
        (f"duid {_DUID}\n", ["ClientIdentifier=duid", "DUIDType=link-layer-time"]),
        ("clientid\nduid\n", ["ClientIdentifier=duid"]),
        ("duid\nclientid\n", ["ClientIdentifier=mac"]),
        ("duid\ninterface eth0\niaid 7\n", ["IAID=7"]),
        ("option domain_name_servers, interface_mtu\n", ["UseDNS=yes", "UseMTU=yes"]),
        ("option domain_name_servers\nnohook resolv.conf\n", ["UseDNS=no"]),
        ("option routers\nnooption routers\n", ["UseGateway=no"]),
        (
            _BY_HAND,
            [
                "Address=192.0.2.4/25",
                "Gateway=192.0.2.1",
                "DNS=192.0.2.1",
                "DNS=2001:db8::1",
                "Domains=a.example",
            ],
        ),
        ("interface eth0\nstatic ip_address=10.0.0.4\n", ["Address=10.0.0.4/8"]),
        ("interface eth0\nstatic domain_name_servers=192.0.2.1\n", ["UseDNS=no", "DNS=192.0.2.1"]),
        ("interface eth0\ninform 192.0.2.4/24\n", ["Address=192.0.2.4/24"]),
        ("interface eth0\nnogateway\n", ["UseGateway=no"]),
        ("option domain_name_servers\nnoipv6\nslaac private\n", ["UseDNS=no", "DHCPv6Client=no"]),
        ("interface eth0\nstatic interface_mtu=1400\n", ["MTUBytes=1400"]),
        ("interface eth0\nstatic routes= # odd\n", ["DHCP=ipv4"]),
        ("slaac private temporary\n", ["Token=prefixstable", "IPv6PrivacyExtensions=yes"]),
        ("slaac hwaddr\n", ["Token=eui64"]),
        ("interface eth1\nfallback x\nprofile x\nbootp\nssid home\nbootp\n", ["DHCP=ipv4"]),
        ('hostname "a # b" # c\n', ["Hostname=a # b"]),
    ],
)
def test_what_dhcpcd_is_told(machine: Machine, text: str, lines: list[str]) -> None:
    machine.write("/var/lib/dhcpcd/duid", "00:02:00:02\n")
    said = _dhcpcd(machine, text)
    assert [line for line in lines if line not in said] == [], said
    if "Address=192.0.2.4/25" in lines:
        assert "DHCP=ipv4" not in said


def test_ipv6_that_dhcpcd_leaves_alone_is_the_kernels_as_it_was(machine: Machine) -> None:
    said = _dhcpcd(machine, "slaac private\ninterface eth0\nnogateway\nnoipv6\nnoipv6rs\n")
    (message,) = [line for line in said if "noipv6" in line]
    assert "kernel" in message
    assert said.count("UseGateway=no") == 1
    assert not any(line.startswith(("Token", "IPv6")) for line in said)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("interface eth0\nfallback static_eth0\n", "fallback"),
        ("interface eth0\narping 192.0.2.1\n", "arping"),
        ("ia_pd 1\n", "ia_pd"),
        ("clientid mine\n", "clientid"),
        ("static ip_address=here\n", "ip_address"),
        ("nonsense\n", "nonsense"),
    ],
)
def test_what_dhcpcd_alone_can_do_is_refused(machine: Machine, text: str, why: str) -> None:
    with pytest.raises(Misuse, match=why) as told:
        _dhcpcd(machine, text)
    assert told.value.hint or "ip_address" in why


def test_settings_by_wifi_network_are_refused_on_a_radio_alone(machine: Machine) -> None:
    text = "ssid home\nstatic ip_address=192.0.2.4/24\n"
    assert "DHCP=ipv4" in _dhcpcd(machine, text)
    with pytest.raises(Misuse, match="ssid home"):
        _dhcpcd(machine, text, "wlan0")


def test_the_networks_that_its_hook_joins(machine: Machine) -> None:
    machine.write(
        "/etc/wpa_supplicant/wpa_supplicant.conf", 'network={\nssid="a"\npsk="12345678"\n}'
    )
    nic = read_nic("wlan0", machine.paths)

    def joined(text: str) -> list[bytes]:
        machine.write(dhcpcd.CONFIG, text)
        found = dhcpcd.profile(machine.paths, nic)
        return [one.ssid for one in found.wireless] if found else []

    assert joined("") == []
    machine.write("/lib/dhcpcd/dhcpcd-hooks/10-wpa_supplicant", "")
    assert joined("") == [b"a"]
    assert joined("interface wlan0\nnohook wpa_supplicant\n") == []
    assert joined("denyinterfaces eth*,wlan*\n") == []
    found = dhcpcd.profile(machine.paths, read_nic("eth0", machine.paths))
    assert found is None


@pytest.mark.parametrize("when", ["enter", "exit"])
def test_hooks_of_dhclient_that_no_longer_run_are_told(machine: Machine, when: str) -> None:
    place = f"/etc/dhcp/dhclient-{when}-hooks.d"
    for name in ("debug", "rfc3442-classless-routes", "timesyncd", "resolvconf"):
        machine.write(f"{place}/{name}", "")
    assert dhclient.scripts(machine.paths, "eth0") == []
    machine.write(f"{place}/ddns", "")
    assert dhclient.scripts(machine.paths, "eth0") == [f"no longer run for eth0: {place}/ddns"]
