"""What a keyfile says, in the words of networkd and wpa_supplicant."""

from __future__ import annotations

import hashlib
import os
import subprocess
import traceback
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.packages import program
from netfail_hooks.errors import Misuse
from netfail_hooks.managers import WirelessNetwork
from netfail_hooks.managers.keyfile import Defaults, Translation, translate
from netfail_hooks.networkd.file import parse, render
from netfail_hooks.networkd.nic import Nic
from tests.unit.managers.profiles import (
    CLOUD_INIT,
    ENTERPRISE,
    IMAGER,
    NETPLAN,
    NMCLI,
    RADIO,
    STATIC,
    WIRED,
)

_MACHINE = "0123456789abcdef0123456789abcdef"
_CORPUS = {
    "imager": (IMAGER, RADIO),
    "nmcli": (NMCLI, RADIO),
    "static": (STATIC, WIRED),
    "netplan": (NETPLAN, WIRED),
    "cloud-init": (CLOUD_INIT, WIRED),
    "enterprise": (ENTERPRISE, RADIO),
}
_HEAD = "[connection]\nid=x\ntype=ethernet\n"
_WIFI = "[connection]\nid=x\ntype=wifi\n[wifi]\nssid=x\n"


def _translate(text: str, nic: Nic = WIRED, settings: dict[str, str] | None = None) -> Translation:
    known = Defaults(tuple((settings or {}).items()), _MACHINE)
    return translate("/etc/x.nmconnection", text, nic, known)


def _of(said: Translation, name: str) -> list[dict[str, str]]:
    """Return the sections of a name; of a key that comes twice all of it, a comma between."""
    found = []
    for one in said.sections:
        pairs: dict[str, str] = {}
        for item in one.items:
            known = pairs.get(item.key)
            pairs[item.key] = item.setting if known is None else f"{known},{item.setting}"
        if one.name == name:
            found.append(pairs)
    return found


def _wireless(text: str) -> WirelessNetwork:
    found = _translate(text, RADIO).wireless
    assert found is not None
    return found


def test_a_static_profile() -> None:
    said = _translate(STATIC)
    network = _of(said, "Network")[0]
    assert network["Address"] == "192.168.1.252/24,10.0.0.7/8,fd00::252/64"
    assert network["Gateway"] == "192.168.1.1,fd00::1"
    assert network["DNS"] == "192.168.1.1,1.1.1.1#one.example"
    assert network["Domains"] == "lan.example"
    assert (network["DHCP"], network["IPv6AcceptRA"]) == ("no", "yes")
    assert network["IPv6PrivacyExtensions"] == "yes"
    assert _of(said, "Link") == [{"MACAddress": "02:aa:00:00:00:01", "MTUBytes": "1400"}]
    assert _of(said, "Route") == [
        {
            "Destination": "10.9.0.0/16",
            "Gateway": "192.168.1.2",
            "Metric": "5",
            "MTUBytes": "1300",
            "PreferredSource": "192.168.1.252",
        }
    ]
    assert _of(said, "IPv6AcceptRA")[0]["Token"] == "static:::99"  # noqa: S105 - no secret
    assert _of(said, "DHCPv4") == []
    assert said.link == (("WakeOnLan", "magic"),)
    assert said.messages == ()


def test_netplans_and_cloud_inits() -> None:
    said = _translate(NETPLAN)
    lease = _of(said, "DHCPv4")[0]
    assert (lease["UseGateway"], lease["UseDNS"], lease["UseDomains"]) == ("no", "no", "no")
    assert "UseRoutes" not in lease
    assert lease["UseMTU"] == "yes"
    assert _of(said, "Network")[0]["LinkLocalAddressing"] == "no"
    assert _of(said, "Network")[0]["DNS"] == "9.9.9.9"
    assert said.link == (("WakeOnLan", "off"),)
    said = _translate(CLOUD_INIT)
    assert _of(said, "Route") == [{"Destination": "0.0.0.0/0", "Gateway": "10.0.0.1"}]
    assert _of(said, "IPv6AcceptRA") == [{"UseDNS": "no", "UseDomains": "no", "DHCPv6Client": "no"}]
    assert said.messages == ()


def test_wifi() -> None:
    assert _wireless(IMAGER) == WirelessNetwork(
        b"Home Net", "WPA-PSK", psk="0123456789abcdef" * 4, hidden=True, roams=True
    )
    one = _wireless(NMCLI)
    assert (one.psk, one.key_mgmt) == ("a pass;phrase\\x", "WPA-PSK SAE")
    assert one.radio == (("auth_alg", "OPEN"),)
    one = _wireless(ENTERPRISE)
    assert (one.ssid, one.bssid, one.key_mgmt) == (b"Cor\xff", "02:00:00:00:01:00", "WPA-EAP")
    assert dict(one.eap) == {
        "eap": "PEAP",
        "identity": "joe",
        "anonymous_identity": "anonymous",
        "password": "s3cret",
        "ca_cert": "/etc/ssl/corp.pem",
        "client_cert": "/c.pem",
        "domain_suffix_match": "radius.example",
        "phase1": "peapver=1",
        "phase2": "auth=MSCHAPV2",
    }
    assert "5180" in dict(one.radio)["freq_list"]


@pytest.mark.parametrize(
    ("asked", "managed", "protected"),
    [
        ("key-mgmt=sae\npsk=x", "SAE", ""),
        ("key-mgmt=owe", "OWE", ""),
        ("key-mgmt=wpa-psk\npsk=xxxxxxxx\npmf=1", "WPA-PSK", "0"),
        ("key-mgmt=wpa-psk\npsk=xxxxxxxx\npmf=3", "WPA-PSK SAE", "2"),
    ],
)
def test_kinds_of_wpa(asked: str, managed: str, protected: str) -> None:
    one = _wireless(f"{_WIFI}[wifi-security]\n{asked}\n")
    assert (one.key_mgmt, one.pmf) == (managed, protected)


def test_an_open_network_and_the_long_names() -> None:
    assert _wireless(_WIFI).key_mgmt == "NONE"
    long = _WIFI.replace("[wifi]", "[802-11-wireless]").replace("=wifi", "=802-11-wireless")
    assert _wireless(long) == _wireless(_WIFI)


_LEASE = "[ipv4]\nmethod=auto\n"
_EAP = f"{_WIFI}[wifi-security]\nkey-mgmt=wpa-eap\n[802-1x]\n"


@pytest.mark.parametrize(
    ("driver", "fast"),
    [
        *(("iwlwifi", True), ("ath9k", True), ("rtl8192ce", True), ("brcmfmac", False)),
        *(("", False), ("mwifiex_pcie", False), ("88x2bu", False), ("rtl8812au", False)),
    ],
)
def test_a_nearer_access_point_is_looked_for_and_changed_over_to(
    driver: str,
    fast: bool,  # noqa: FBT001 - drawn
) -> None:
    found = _translate(_WIFI, replace(RADIO, driver=driver)).wireless
    assert found
    assert (found.roams, found.fast) == (True, fast)


@pytest.mark.parametrize(
    ("said", "known", "saves"),
    [
        ("", {}, ""),
        ("powersave=2\n", {}, "off"),
        ("powersave=3\n", {}, "on"),
        ("powersave=1\n", {"wifi.powersave": "2"}, ""),
        ("", {"wifi.powersave": "2"}, "off"),
        ("powersave=0\n", {"wifi.powersave": "2"}, "off"),
        ("powersave=default\n", {"wifi.powersave": "3"}, "on"),
    ],
)
def test_power_saving_is_the_profiles_or_everybodys(
    said: str, known: dict[str, str], saves: str
) -> None:
    found = _translate(_WIFI + said, RADIO, known)
    assert found.power_save == saves
    assert not any("powersave" in one for one in found.messages)


@pytest.mark.parametrize(
    "security", ["key-mgmt=none", "key-mgmt=none\nwep-key-type=1", "key-mgmt=none\nwep-key0="]
)
def test_wep_without_a_key_is_an_open_network(security: str) -> None:
    assert _wireless(f"{_WIFI}[wifi-security]\n{security}\n").key_mgmt == "NONE"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            (
                "eap=ttls;\nidentity=joe\nanonymous-identity=anon\npassword=pw\nphase2-auth=pap\n"
                "system-ca-certs=true\n"
            ),
            {"eap": "TTLS", "phase2": "auth=PAP", "ca_path": "/etc/ssl/certs"},
        ),
        ("eap=ttls;\nphase2-autheap=mschapv2\n", {"phase2": "autheap=MSCHAPV2"}),
        (
            (
                "eap=tls;\nidentity=joe\nca-cert=ca.pem\nclient-cert=file:///etc/c.pem\n"
                "private-key=/etc/k.pem\nprivate-key-password=pw\n"
            ),
            {
                "ca_cert": "/etc/ca.pem",
                "client_cert": "/etc/c.pem",
                "private_key": "/etc/k.pem",
                "private_key_passwd": "pw",
            },
        ),
        (
            "eap=tls;\nclient-cert=/etc/c.p12\nprivate-key=/etc/c.p12\nprivate-key-password=pw\n",
            {"client_cert": None, "private_key": "/etc/c.p12"},
        ),
        ("eap=peap;\npassword-raw=104;105;\n", {"password": "hi"}),
        ("eap=peap;\npassword=hash:00\n", {"password": "hash:00"}),
        (
            "eap=peap;\naltsubject-matches=DNS:a.b;DNS:c.d;\nphase2-altsubject-matches=DNS:e.f;\n",
            {"altsubject_match": "DNS:a.b;DNS:c.d", "altsubject_match2": "DNS:e.f"},
        ),
        ("eap=peap;\nca-cert=47;99;97;46;112;101;109;0;\n", {"ca_cert": "/ca.pem"}),
    ],
)
def test_what_a_login_needs(said: str, words: dict[str, str | None]) -> None:
    found = dict(_wireless(_EAP + said).eap)
    assert {key: found.get(key) for key in words} == words


@given(
    st.sampled_from(["ca-cert", "client-cert", "private-key", "phase2-ca-cert"]),
    st.binary(min_size=1, max_size=40).filter(lambda data: not data.startswith(b"/")),
)
def test_a_certificate_itself_is_no_path(key: str, data: bytes) -> None:
    """As old versions wrote it: its bytes as numbers (DER begins with 48)."""
    numbers = ";".join(map(str, (48, 130, 1, 0, *data)))
    with pytest.raises(Misuse, match=f"802-1x.{key}: its bytes is in the profile") as told:
        _wireless(f"{_EAP}eap=tls;\n{key}={numbers};\n")
    assert key in told.value.hint


@pytest.mark.parametrize(
    ("said", "section", "pairs"),
    [
        ("ignore-auto-routes=true\n", "DHCPv4", {"UseRoutes": "no", "UseGateway": "no"}),
        ("never-default=true\n", "DHCPv4", {"UseRoutes": None, "UseGateway": "no"}),
        (
            "dhcp-vendor-class-identifier=box\n",
            "DHCPv4",
            {"VendorClassIdentifier": "box", "UseGateway": None},
        ),
        (
            "dhcp-reject-servers=192.0.2.1;198.51.100.0/24;\n",
            "DHCPv4",
            {"DenyList": "192.0.2.1 198.51.100.0/24"},
        ),
        ("link-local=3\n", "Network", {"LinkLocalAddressing": "yes", "DHCP": "ipv4"}),
        ("link-local=enabled\n", "Network", {"LinkLocalAddressing": "yes"}),
        ("link-local=2\n", "Network", {"LinkLocalAddressing": "ipv6"}),
        (
            "[ipv6]\nmethod=dhcp\n",
            "Network",
            {"DHCP": "yes", "IPv6AcceptRA": "no", "LinkLocalAddressing": "ipv6"},
        ),
        ("[ipv6]\nmethod=dhcp\n", "DHCPv6", {"WithoutRA": "solicit"}),
        ("[ipv6]\nmethod=auto\nnever-default=true\n", "IPv6AcceptRA", {"UseGateway": "no"}),
        (
            "[ipv6]\nmethod=auto\nignore-auto-routes=true\n",
            "IPv6AcceptRA",
            {"UseGateway": "no", "UseRoutePrefix": "no"},
        ),
    ],
)
def test_what_is_taken_of_others_word(
    said: str, section: str, pairs: dict[str, str | None]
) -> None:
    (found,) = _of(_translate(f"{_HEAD}{_LEASE}{said}"), section)
    assert {key: found.get(key) for key in pairs} == pairs


@pytest.mark.parametrize(
    ("family", "said"),
    [
        ("ipv4", "address1=192.0.2.5/24,192.0.2.1\n"),
        ("ipv4", "address1=192.0.2.5/24\ngateway=192.0.2.1\n"),
        ("ipv4", "address1=192.0.2.5/24\nroute1=0.0.0.0/0,192.0.2.1,5\n"),
        ("ipv6", "address1=2001:db8::5/64,2001:db8::1\n"),
        ("ipv6", "address1=2001:db8::5/64\nroute1=::/0,2001:db8::1\n"),
    ],
)
@pytest.mark.parametrize("never", [True, False])
def test_no_way_out_where_there_is_never_one(family: str, said: str, *, never: bool) -> None:
    more = "never-default=true\n" if never else ""
    route = {"ipv4": "route9=198.51.100.0/24,192.0.2.9\n", "ipv6": "route9=fd00::/8,2001:db8::9\n"}
    found = _translate(f"{_HEAD}[{family}]\nmethod=manual\n{said}{more}{route[family]}")
    ways = _of(found, "Network")[0].get("Gateway", "")
    ways += "".join(
        one["Gateway"] for one in _of(found, "Route") if "/0" in one["Destination"][-2:]
    )
    assert bool(ways) != never
    assert any(one["Destination"] in ("198.51.100.0/24", "fd00::/8") for one in _of(found, "Route"))


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("", [("ClientIdentifier", "mac")]),
        ("dhcp-client-id=mac", [("ClientIdentifier", "mac")]),
        ("dhcp-client-id=01:02:00:00:00:00:10", [("ClientIdentifier", "mac")]),
        ("dhcp-client-id=perm-mac", [("ClientIdentifier", "mac")]),
        (
            "dhcp-client-id=ff:00:00:00:07:00:03:00:01:02:03:04:05:06:07",
            [
                ("ClientIdentifier", "duid"),
                ("DUIDType", "link-layer"),
                ("DUIDRawData", "00:01:02:03:04:05:06:07"),
                ("IAID", "7"),
            ],
        ),
        (
            "dhcp-client-id=ipv6-duid\ndhcp-iaid=mac",
            [
                ("ClientIdentifier", "duid"),
                ("DUIDType", "uuid"),
                ("DUIDRawData", hashlib.sha256(bytes.fromhex(_MACHINE)).digest()[:16].hex(":")),
                ("IAID", "16"),
            ],
        ),
    ],
)
def test_the_same_identity(asked: str, sent: list[tuple[str, str]]) -> None:
    lease = _of(_translate(f"{_HEAD}{_LEASE}{asked}\n"), "DHCPv4")[0]
    keys = ("ClientIdentifier", "DUIDType", "DUIDRawData", "IAID")
    assert [(key, lease[key]) for key in keys if key in lease] == sent


def test_defaults_of_networkmanager_conf_count() -> None:
    text = f"{_HEAD}{_LEASE}[ipv6]\nmethod=auto\n"
    known = {"ipv6.ip6-privacy": "1", "ethernet.mtu": "1450", "ipv4.dhcp-client-id": "duid"}
    said = _translate(text, settings=known)
    assert _of(said, "DHCPv4")[0]["ClientIdentifier"] == "duid"
    assert _of(said, "Network")[0]["IPv6PrivacyExtensions"] == "prefer-public"
    assert _of(said, "Link") == [{"MTUBytes": "1450"}]
    assert "UseMTU" not in _of(said, "DHCPv4")[0]
    assert _of(_translate(text), "Network")[0]["IPv6PrivacyExtensions"] == "kernel"


@pytest.mark.parametrize(
    ("section", "default", "made"),
    [
        ("", "", "stable-privacy"),  # a new profile
        ("[ipv6]\nmethod=auto\n", "", "eui64"),  # one of an old version
        ("[ipv6]\nmethod=auto\naddr-gen-mode=default\n", "", "stable-privacy"),
        ("[ipv6]\nmethod=auto\naddr-gen-mode=default\n", "eui64", "eui64"),
        ("[ipv6]\nmethod=auto\naddr-gen-mode=1\n", "eui64", "stable-privacy"),
        ("[ipv6]\nmethod=auto\naddr-gen-mode=eui64\n", "stable-privacy", "eui64"),
    ],
)
def test_how_addresses_are_made(section: str, default: str, made: str) -> None:
    known = {"ipv6.addr-gen-mode": default} if default else {}
    said = _translate(f"{_HEAD}{section}", settings=known)
    assert _of(said, "Network")[0]["IPv6LinkLocalAddressGenerationMode"] == made


@pytest.mark.parametrize(
    ("said", "has", "mac"),
    [
        ("02:bb:00:00:00:01", "02:00:00:00:00:10", "02:bb:00:00:00:01"),
        ("preserve", "02:cc:00:00:00:01", ""),
        ("permanent", "02:cc:00:00:00:01", "02:00:00:00:00:10"),
        ("permanent", "02:00:00:00:00:10", ""),
        ("stable", "02:cc:00:00:00:01", "02:cc:00:00:00:01"),
        ("random", "02:00:00:00:00:10", ""),
    ],
)
def test_a_cloned_mac(said: str, has: str, mac: str) -> None:
    nic = Nic("eth0", mac=has, permanent_mac="02:00:00:00:00:10", present=True)
    found = _translate(f"{_HEAD}[ethernet]\ncloned-mac-address={said}\n", nic)
    assert _of(found, "Link") == ([{"MACAddress": mac}] if mac else [])
    told = any("cloned-mac-address" in one for one in found.messages)
    assert told == (said in ("stable", "random"))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[connection]\ntype=vlan\n", "type=vlan"),
        ("[connection]\ntype=wireguard\n", "type=wireguard"),
        (f"{_HEAD}controller=br0\n", "connection.controller"),
        (f"{_HEAD}master=br0\n", "connection.master"),
        (f"{_HEAD}[802-1x]\neap=tls\n", "802-1x"),
        (f"{_HEAD}[bridge-port]\n", "bridge-port"),
        (f"{_HEAD}[ipv4]\nmethod=shared\n", "ipv4.method=shared"),
        (f"{_HEAD}[ipv4]\ndns=1.1.1.1\n", "ipv4.method="),
        (f"{_HEAD}[ipv6]\nmethod=odd\n", "ipv6.method=odd"),
        (f"{_HEAD}{_LEASE}route-table=5\n", "ipv4.route-table=5"),
        (f"{_HEAD}{_LEASE}dhcp-client-id=mine\n", "dhcp-client-id=mine"),
        (f"{_HEAD}{_LEASE}dhcp-client-id=ff:1:2:3:4:0:4:1\n", "DUID that networkd can't send"),
        (f"{_HEAD}[ipv6]\nmethod=auto\ndhcp-duid=stable-uuid\n", "dhcp-duid=stable-uuid"),
        (f"{_HEAD}[ipv6]\nmethod=auto\ndhcp-iaid=stable\n", "dhcp-iaid=stable"),
        (f"{_HEAD}{_LEASE}routing-rule1=priority 5 from all l3mdev\n", "no l3mdev"),
        (f"{_HEAD}{_LEASE}route1=1.0.0.0/8\nroute1_options=tos=8\n", "no tos"),
        (f"{_HEAD}{_LEASE}route1=1.0.0.0/8\nroute1_options=table=isp2\n", "table isp2 is nothing"),
        (f"{_HEAD}{_LEASE}route1=1.0.0.0/8\nroute1_options=scope=odd\n", "scope odd is nothing"),
        (f"{_HEAD}{_LEASE}route1=1.0.0.0/8\nroute1_options=src=me\n", "src me is nothing"),
        (f"{_HEAD}{_LEASE}routing-rule1=priority 5 from 10.0.0.1 table isp2\n", "table isp2"),
        (f"{_HEAD}{_LEASE}routing-rule1=priority 5 from me table 5\n", "from me"),
        (f"{_HEAD}{_LEASE}dhcp-hostname=a\\nb\n", "Hostname="),
        (f"{_HEAD}{_LEASE}dhcp-hostname=a\\\\\n", "Hostname="),
        (f"{_WIFI}mode=ap\n", "wifi.mode=ap"),
        (_WIFI.replace("ssid=x", "ssid="), "wifi.ssid"),
        (f"{_WIFI}[wifi-security]\nkey-mgmt=none\nwep-key0=12345\n", "network 'x': wifi-sec"),
        (f"{_WIFI}[wifi-security]\nkey-mgmt=none\nwep-key-flags=1\n", "WEP"),
        (f"{_WIFI}[wifi-security]\nkey-mgmt=none\nauth-alg=shared\n", "WEP"),
        (f"{_WIFI}[wifi-security]\nkey-mgmt=wpa-psk\npsk-flags=1\n", "keyring"),
        (f"{_WIFI}[wifi-security]\nkey-mgmt=sae\npsk=xxxxxxxx\npsk-flags=2\n", "keyring"),
        (f"{_WIFI}[wifi-security]\nkey-mgmt=wpa-psk\n", "no key is saved"),
        (
            f"{_WIFI}[wifi-security]\nkey-mgmt=wpa-eap\n[802-1x]\neap=peap\npassword-flags=2\n",
            "keyring",
        ),
        (
            f"{_WIFI}[wifi-security]\nkey-mgmt=wpa-eap\n[802-1x]\neap=tls\nca-cert=data:;base64,eA\n",
            "ca-cert: data:",
        ),
    ],
)
def test_what_cannot_be_carried_over_is_refused_by_name(text: str, named: str) -> None:
    nic = RADIO if "wifi" in text else WIRED
    with pytest.raises(Misuse) as refused:
        _translate(text, nic)
    assert named in str(refused.value)
    assert str(refused.value).startswith("/etc/x.nmconnection: ")
    assert refused.value.hint


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("zone=home\n", "firewall-cmd"),
        ("metered=1\n", "metered"),
        ("odd-key=1\n", "connection.odd-key: not carried over"),
        ("[odd]\nkey=1\n", "[odd] is not carried over"),
        (f"{_LEASE}address1=nonsense\n", "ipv4.address1: can't be read"),
        (f"{_LEASE}route1=10.0.0.0/8\nroute1_options=cwnd=4\n", "ipv4.route1: without cwnd"),
        (f"{_LEASE}dns=dns+tls://1.1.1.1\n", "ipv4.dns: not all"),
        (f"{_LEASE}dns-priority=-5\n", "ipv4.dns-priority"),
    ],
)
def test_what_is_left_out_is_told(more: str, told: str) -> None:
    assert any(told in one for one in _translate(_HEAD + more).messages)


def test_what_makes_no_difference_is_not_told() -> None:
    text = f"{_HEAD}metered=0\nautoconnect-retries=3\n{_LEASE}dhcp-timeout=90\nroute-metric=50\n"
    assert _translate(f"{text}[ipv6]\nmethod=ignore\nra-timeout=3\n").messages == ()


def test_policy_rules() -> None:
    rule = "routing-rule1=priority 5 not from 192.0.2.0/24 fwmark 0x1/0x3 iif eth0 table 254\n"
    said = _translate(f"{_HEAD}{_LEASE}{rule}")
    assert _of(said, "RoutingPolicyRule") == [
        {
            "Family": "ipv4",
            "Priority": "5",
            "InvertRule": "yes",
            "From": "192.0.2.0/24",
            "FirewallMark": "0x1/0x3",
            "IncomingInterface": "eth0",
            "Table": "254",
        }
    ]


@pytest.mark.parametrize("name", sorted(_CORPUS))
def test_networkmanager_itself_reads_the_same(name: str) -> None:
    """It writes each anew in its own words (nmcli(1), --offline), which says the same."""
    text, nic = _CORPUS[name]
    assert _translate(_as_written_by_networkmanager(text), nic) == _translate(text, nic)


def _as_written_by_networkmanager(text: str) -> str:
    nmcli = program("nmcli", "network-manager")
    argv = [nmcli.path, "--offline", "connection", "modify", "connection.autoconnect-retries", "7"]
    if "\nuuid=" not in text:  # it would be made of the file's name
        text = text.replace("\n", "\nuuid=0b7f2b0e-1f6e-4c89-8f55-8c0f8c8c1a12\n", 1)
    done = subprocess.run(
        argv,
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **nmcli.environment, "LC_ALL": "C.UTF-8"},
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.replace("autoconnect-retries=7\n", "")


_WORDS = """
method address1 address2 gateway route1 route1_options dns dns-search never-default dhcp-client-id
dhcp-iaid dhcp-duid dhcp-hostname addr-gen-mode token ip6-privacy mtu ssid psk key-mgmt band proto
cloned-mac-address wake-on-lan routing-rule1 channel eap
"""
_KEYS = st.sampled_from(_WORDS.split())
_VALUES = st.one_of(
    st.sampled_from(["auto", "manual", "true", "1", "10.0.0.1/8,10.0.0.2", "fd00::1/64", "mac"]),
    st.text(max_size=30).map(lambda text: text.replace("\n", " ")),
)
_SECTIONS = "connection ethernet wifi wifi-security ipv4 ipv6 802-1x match"
_GROUPS = st.sampled_from(_SECTIONS.split())
_MARKER = "Xyzzy17Secret"


@given(
    st.sampled_from(sorted(_CORPUS)),
    st.lists(st.tuples(_GROUPS, _KEYS, _VALUES), max_size=4),
)
@settings(max_examples=150)
def test_anything_is_translated_or_refused(name: str, more: list[tuple[str, str, str]]) -> None:
    """What comes of it is what networkd reads: no value ends its line or begins another."""
    text, nic = _CORPUS[name]
    text += "".join(f"[{group}]\n{key}={said}\n" for group, key, said in more)
    try:
        said = _translate(text, nic)
    except Misuse:
        return
    again = parse(render(said.sections))
    pairs = [(one.name, item.key, item.setting) for one in again for item in one.items if item.key]
    asked = [(one.name, item.key, item.setting) for one in said.sections for item in one.items]
    assert pairs == asked


@given(
    st.sampled_from(
        ["psk", "wep-key0", "leap-password", "password", "pin", "private-key-password"]
    ),
    st.sampled_from(["wpa-psk", "sae", "wpa-eap", "none", "ieee8021x", "odd"]),
    st.sampled_from(["", "0", "1", "2", "4"]),
    st.lists(st.tuples(_GROUPS, _KEYS, _VALUES), max_size=2),
)
@settings(max_examples=150)
def test_no_secret_is_in_anything_that_is_told(
    key: str, managed: str, flags: str, more: list[tuple[str, str, str]]
) -> None:
    group = "wifi-security" if key in ("psk", "wep-key0", "leap-password") else "802-1x"
    text = f"{_WIFI}[wifi-security]\nkey-mgmt={managed}\n[802-1x]\neap=peap;\n"
    text += "".join(f"[{where}]\n{name}={said}\n" for where, name, said in more)
    text += f"[{group}]\n{key}={_MARKER}\n" + (f"{key}-flags={flags}\n" if flags else "")
    assert _MARKER not in _all_that_is_told(text)


def _all_that_is_told(text: str) -> str:
    try:
        said = _translate(text, RADIO)
    except Misuse as error:
        return "".join(traceback.format_exception(error))
    return repr(said) + "".join(said.messages) + render(said.sections)
