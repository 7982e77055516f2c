"""interfaces(5) in networkd's words, and what of it is refused before anything changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import Profile, ifupdown, ifupdown_commands, route_names
from netfail_hooks.managers.wifi import supplicant, supplicant_file
from netfail_hooks.networkd.file import render
from netfail_hooks.networkd.file import settings as values
from netfail_hooks.networkd.nic import read_nic
from tests.support.machine import Machine
from tests.support.stanzas import IFUPDOWN, own
from tests.support.supplicant import read_by_the_real_one

_STATIC = "auto eth0\niface eth0 inet static\n  address 192.0.2.10/24\n"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _profile(machine: Machine, text: str, name: str = "eth0") -> Profile | None:
    machine.write("/etc/network/interfaces", text)
    return ifupdown.profile(machine.paths, read_nic(name, machine.paths))


def _lines(machine: Machine, text: str, name: str = "eth0") -> list[str]:
    found = _profile(machine, text, name)
    assert found
    return render(found.sections).split()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (_STATIC, ["Address=192.0.2.10/24"]),
        (_STATIC + "  gateway 192.0.2.1\n", ["Gateway=192.0.2.1"]),
        (_STATIC + "  gateway 198.51.100.1\n", ["Gateway=198.51.100.1", "GatewayOnLink=yes"]),
        (_STATIC + "  netmask 255.255.0.0\n", ["Address=192.0.2.10/16"]),
        (_STATIC.replace("/24", ""), ["Address=192.0.2.10/24"]),
        (_STATIC.replace("192.0.2.10/24", "10.0.0.1"), ["Address=10.0.0.1/8"]),
        (_STATIC + "  mtu 1400\n", ["[Link]", "MTUBytes=1400"]),
        (_STATIC + "  hwaddress ether 02:00:00:00:00:99\n", ["MACAddress=02:00:00:00:00:99"]),
        (_STATIC + "  dns-nameservers 192.0.2.1 192.0.2.2\n", ["DNS=192.0.2.1", "DNS=192.0.2.2"]),
        (_STATIC + "  dns-search a.example\n", ["Domains=a.example"]),
        (_STATIC + "  broadcast 192.0.2.254\n", ["Broadcast=192.0.2.254"]),
        (
            _STATIC + "iface eth0 inet6 static\n address 2001:db8::1/64\n gateway 2001:db8::2\n",
            ["Address=2001:db8::1/64", "Gateway=2001:db8::2", "IPv6AcceptRA=no"],
        ),
        (
            _STATIC + "iface eth0 inet6 static\n address 2001:db8::1\n netmask 64\n autoconf 1\n",
            ["Address=2001:db8::1/64"],
        ),
        (
            _STATIC + "iface eth0 inet6 static\n address 2001:db8::1/64\n",
            ["UseAutonomousPrefix=no"],
        ),
        (
            _STATIC + "iface eth0 inet6 auto\n privext 2\n",
            ["IPv6PrivacyExtensions=yes", "IPv6AcceptRA=yes", "DHCPv6Client=no"],
        ),
        (_STATIC + "iface eth0 inet6 auto\n dhcp 1\n", ["DHCPv6Client=yes"]),
        (
            "auto eth0\niface eth0 inet6 dhcp\n",
            ["DHCP=ipv6", "WithoutRA=solicit", "IAID=0"],
        ),
        ("auto eth0\niface eth0 inet dhcp\niface eth0 inet6 dhcp\n", ["DHCP=yes"]),
        (
            "auto eth0=home\niface home inet static\n address 192.0.2.5/24\n",
            ["Address=192.0.2.5/24"],
        ),
        ("auto /eth*\niface eth0 inet static\n address 192.0.2.5/24\n", ["Address=192.0.2.5/24"]),
    ],
)
def test_what_a_stanza_says_networkd_is_told(machine: Machine, text: str, lines: list[str]) -> None:
    said = _lines(machine, text)
    assert [line for line in lines if line not in said] == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (_STATIC + "mapping eth*\n  script /bin/true\n", "mapping"),
        ("auto eth0\niface eth0 inet ppp\n", "inet ppp"),
        ("auto eth0\niface eth0 inet static\n address nonsense\n", "address"),
        (_STATIC + "  address 192.0.2.11/24\n", "twice"),
        (_STATIC + "  gateway nowhere\n", "gateway"),
        (_STATIC + "  hwaddress random\n", "random|each start"),
        (_STATIC + "  bridge_ports none\n", "bridge_ports"),
        (_STATIC + "  vlan-raw-device eth1\n", "vlan-raw-device"),
        (_STATIC + "iface br0 inet dhcp\n  bridge_ports eth0\n", "br0 sits on eth0"),
        (_STATIC + "iface bond0 inet dhcp\n  bond-slaves eth0 eth1\n", "bond0 sits on eth0"),
        (_STATIC + "iface eth0.7 inet dhcp\n", "eth0.7 sits on eth0"),
        (_STATIC + "  up iptables-restore /etc/iptables.rules\n", "iptables-restore"),
        (_STATIC + "  up ip route add 198.51.100.0/24 dev eth1\n", "ip route"),
        (_STATIC + "  pre-down /usr/local/bin/mine\n", "mine"),
        (_STATIC + "rename eth0=lan\n", "anew"),
        (_STATIC + "auto mac/02:*\n", "anew"),
        (_STATIC + "odd\n", "without a value"),
        ("auto wlan0\niface wlan0 inet manual\n wpa-roam /etc/mine.conf\n", "wpa-roam"),
        ("auto eth0\niface eth0 inet dhcp\n wpa-driver wired\n", "802.1X"),
        ("auto wlan0\niface wlan0 inet dhcp\n wireless-essid a\n wireless-key s:12345\n", "WEP"),
        ("auto eth0\niface eth0 inet6 dhcp\n request_prefix 1\n", "prefix"),
    ],
)
def test_what_cannot_be_carried_over_is_refused_by_name(
    machine: Machine, text: str, why: str
) -> None:
    with pytest.raises(Misuse, match=why) as told:
        _profile(machine, text, "wlan0" if "wlan0" in text else "eth0")
    assert told.value.hint
    assert "12345" not in str(told.value)


@pytest.mark.parametrize(
    "text", ["", "auto lo\niface lo inet loopback\n", "iface eth0 inet manual\n"]
)
def test_what_is_nobodys_is_none(machine: Machine, text: str) -> None:
    assert _profile(machine, text) is None


@pytest.mark.parametrize("one", IFUPDOWN, ids=lambda one: one.kind)
def test_the_corpus_names_its_file_and_shows_no_secret(machine: Machine, one: object) -> None:
    assert isinstance(one, type(IFUPDOWN[0]))
    machine.write("/etc/network/interfaces", "source interfaces.d/*\n")
    machine.write("/etc/network/interfaces.d/eth0.cfg", own(one.text, "eth0", 1))
    found = ifupdown.profile(machine.paths, read_nic("eth0", machine.paths))
    assert found
    assert found.path == "/etc/network/interfaces.d/eth0.cfg"
    assert (
        {"DHCP"} <= {item.key for s in found.sections for item in s.items}
        or values(found.sections, "Network", "Address")
        or any(s.name == "Address" for s in found.sections)
    )


def test_wifi_of_the_stanza_and_of_its_file(machine: Machine) -> None:
    machine.write(
        "/etc/mine.conf",
        "ctrl_interface=DIR=/run/wpa_supplicant GROUP=netdev\ncountry=id\npmf=2\n"
        'network={\n ssid="Cafe"\n key_mgmt=NONE\n priority=3\n}\n',
    )
    text = (
        "allow-hotplug wlan0\niface wlan0 inet dhcp\n wpa-ssid Home Net\n"
        ' wpa-psk "pass phrase"\n wpa-conf /etc/mine.conf\n wireless-power off\n'
    )
    found = _profile(machine, text, "wlan0")
    assert found
    cafe, home = found.wireless
    assert (cafe.ssid, cafe.key_mgmt, found.country) == (b"Cafe", "NONE", "ID")
    assert ("priority", "3") in cafe.block
    assert home.block == (("ssid", '"Home Net"'), ("psk", '"pass phrase"'))
    assert (found.joining, found.group) == (("pmf=2",), "netdev")
    assert "phrase" not in repr(found)
    assert found.power_save == "off"
    assert not any("wireless-power" in message for message in found.messages)


# All that wpasupplicant's script knows (conf_wpa_supplicant() in functions.sh), and one word more.
_WPA = (
    "ssid essid psk passphrase psk-file passphrase-file key-mgmt scan-ssid priority bssid "
    "proto pairwise group mode frequency scan-freq freq-list auth-alg identity "
    "anonymous-identity eap password ca-cert client-cert private-key private-key-passwd "
    "phase1 phase2 ca-cert2 eappsk nai pcsc pin engine engine-id key-id eapol-flags "
    "eap-methods wep-key0 wep-tx-keyidx pac-file peerkey proactive-key-caching fragment-size "
    "id-str ap-scan preauthenticate driver conf roam bridge iface debug-level logfile "
    "sae-password ieee80211w disabled private-key-passwd2 dh-file country odd "
)
_SECRET = "open sesame, 1"  # noqa: S105
_VALUES = [
    *("0", "1", "2", "RSN", "WPA-PSK", "SAE", "WPA-EAP", "NONE", "IEEE8021X", "PEAP", "managed"),
    *("02:00:00:00:00:01", "2412", "wired", "/etc/key", "/etc/nothing", "/etc/mine.conf"),
]


@given(
    st.dictionaries(
        st.sampled_from(_WPA.split()),
        st.sampled_from(_VALUES) | st.text("ab\"'#\\\\ é", min_size=1, max_size=40).map(str.strip),
        max_size=6,
    ),
    st.sampled_from(("psk", "passphrase", "password", "wep-key0", "eappsk", "pin")),
)
@settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_wifi_of_a_stanza_is_carried_over_or_refused_without_its_key(
    machine: Machine, options: dict[str, str], secret: str
) -> None:
    machine.write("/etc/key", _SECRET)
    machine.write("/etc/mine.conf", f'network={{\n ssid="Cafe"\n psk="{_SECRET}"\n}}\n')
    options = {"ssid": "Home", secret: _SECRET, **options}
    lines = [f" wpa-{key} {text}\n" for key, text in options.items() if text]
    try:
        found = _profile(machine, "auto wlan0\niface wlan0 inet dhcp\n" + "".join(lines), "wlan0")
        text = supplicant.config(found.wireless if found else ())
    except Misuse as refused:
        told, text = f"{refused} {refused.hint}", ""
    else:
        told = f"{found} {found.messages if found else ()}"
    assert _SECRET not in told
    if text:
        assert supplicant.config(supplicant_file.parse("/a.conf", text).networks) == text
        blocks = text[text.index("network={") :] if "network={" in text else ""
        _READABLE.append(blocks.replace("/etc/mine.conf", "x"))


_READABLE: list[str] = []  # what the test above has drawn, for the real one to read as a whole


def test_the_real_one_reads_all_that_stanzas_came_to(tmp_path: Path) -> None:
    """A line that it can't read would cost all networks; functions.sh tells one at a time."""
    assert any(_READABLE)
    text = "ctrl_interface=/run/wpa_supplicant\n" + "\n".join(_READABLE)
    with read_by_the_real_one(tmp_path, text) as ask:
        assert ask("PING") == "PONG\n"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (" wpa-psk-file /etc/nothing\n", "wpa-psk-file /etc/nothing can't be read"),
        (" wpa-iface wlan7\n", "wpa-iface joins by another interface"),
        (" wpa-bridge br0\n", "wpa-bridge joins for a bridge"),
        (" wpa-engine 1\n wpa-key-id 4\n", "engine is not carried over"),
        (" wpa-pin 1234\n", "pin is not carried over"),
        (" wpa-conf /etc/nothing\n", "wpa-conf /etc/nothing can't be read"),
        (" wpa_roam /etc/mine.conf\n", "wpa-roam runs other stanzas"),
        (" wpa-priority first\n", "wpa-priority is nothing that wpa_supplicant could read"),
        (" wpa-key-mgmt ODD\n", "wpa-key-mgmt is nothing that"),
        (" wpa-bssid here\n", "wpa-bssid is nothing that"),
        (" wpa-identity a\n wpa-identity b\n", "wpa-identity stands there twice"),
    ],
)
def test_wifi_that_cannot_be_joined_so_is_refused_by_name(
    machine: Machine, more: str, why: str
) -> None:
    text = f"auto wlan0\niface wlan0 inet dhcp\n wpa-ssid Home\n wpa-psk not so secret\n{more}"
    with pytest.raises(Misuse, match=why) as told:
        _profile(machine, text, "wlan0")
    assert told.value.hint
    assert "secret" not in str(told.value)


def test_what_the_script_would_not_tell_wpa_supplicant_is_told(machine: Machine) -> None:
    """The same network in both families is one; bands are of the network, too."""
    stanza = "iface wlan0 inet{} {}\n wpa_ssid Home\n wpa-psk not so secret\n"
    text = "auto wlan0\n" + stanza.format("", "dhcp") + " wpa-odd 1\n wpa-freq-list 2412 2437\n"
    found = _profile(machine, text + stanza.format("6", "auto"), "wlan0")
    assert found
    home, *_ = found.wireless
    assert "\tfreq_list=2412 2437\n" in supplicant.config([home])
    assert "/etc/network/interfaces: wpa-odd is not carried over" in found.messages
    again = _profile(
        machine, "auto wlan0\n" + stanza.format("", "dhcp") + stanza.format("6", "auto"), "wlan0"
    )
    assert again
    assert len(again.wireless) == 1


# ethtool(8), wol: a "d" takes back what stands ahead of it (parse_wolopts() in ethtool.c).
_LETTERS = {"g": "magic", "pgg": "phy magic", "d": "off", "gd": "off", "mds": "secureon"}


def test_wake_on_lan_is_for_a_link_file(machine: Machine) -> None:
    for line in ("up /sbin/ethtool -s eth0 wol {}", "ethernet-wol {}"):
        for letters, words in _LETTERS.items():
            found = _profile(machine, f"{_STATIC}  {line.format(letters)}\n")
            assert found
            assert found.link == (("WakeOnLan", words),)
    found = _profile(machine, _STATIC + "  ethernet-wol gs sopass ba:dc:0f:fe:e0:0d\n")
    assert found
    assert (found.link, found.messages) == (
        (),
        ("/etc/network/interfaces: ethernet-wol is not carried over",),
    )


_ADDRESS = st.ip_addresses(v=4).map(str)
_COMMAND = st.tuples(
    st.sampled_from(["ip route add", "/sbin/ip -4 route replace", "sudo ip ro append"]),
    st.sampled_from(["198.51.100.0/24", "default", "203.0.113.7"]),
    _ADDRESS,
    st.sampled_from(["", " dev eth0", " dev $IFACE", " metric 7", " table 5", " onlink"]),
    st.sampled_from(["", " || true", " 2>/dev/null", " 2> /dev/null || true"]),
)


@given(_COMMAND)
@settings(suppress_health_check=[HealthCheck.differing_executors])
def test_a_plain_route_is_carried(drawn: tuple[str, str, str, str, str]) -> None:
    verb, to, gateway, more, end = drawn
    (one,) = ifupdown_commands.translate(f"{verb} {to} via {gateway}{more}{end}", "up", "eth0")
    assert one.get("Destination") == {"default": "0.0.0.0/0"}.get(to, to)
    assert one.get("Gateway") == gateway
    assert one.get("Metric") == ("7" if "metric" in more else "")


@given(st.text(max_size=40), st.sampled_from(["up", "down", "pre-up", "post-down"]))
def test_any_command_is_known_or_unknown(command: str, phase: str) -> None:
    try:
        found = ifupdown_commands.translate(command, phase, "eth0")
    except ifupdown_commands.Unknown:
        return
    assert not found or phase in ("up", "pre-up")


@pytest.mark.parametrize(
    "command",
    [
        "ip route add 198.51.100.0/24 via 192.0.2.1; rm -r /x",
        "ip route add 198.51.100.0/24 via $(gateway)",
        "ip route add 198.51.100.0/24 via 192.0.2.1 | tee x",
        "ip link set eth1 up",
        "ip route add blackhole 198.51.100.0/24",
        "route add -net 198.51.100.0 gw 192.0.2.1",
        "ip rule",
        "ip '' add",
    ],
)
def test_what_does_more_is_unknown(command: str) -> None:
    with pytest.raises(ifupdown_commands.Unknown):
        ifupdown_commands.translate(command, "up", "eth0")


_SAID = {
    "/etc/iproute2/rt_tables": "# reserved\n255\tlocal\n100 isp1\n0x64 also\n",
    "/etc/iproute2/rt_tables.d/vpn.conf": "  5000   vpn # mine\n",
    "/etc/iproute2/rt_tables.d/left.bak": "9 left\n",
    "/usr/share/iproute2/rt_tables": "77 hidden\n",
    "/usr/share/iproute2/rt_tables.d/vpn.conf": "78 hidden\n",
    "/usr/share/iproute2/rt_protos": "99 mine\n",
}
_TABLES = {"isp1": "100", "also": "100", "vpn": "5000", "main": "254", "7": "7", "0x10": "16"}


@given(
    st.sampled_from(["table {}", "proto static table {}"]),
    st.sampled_from([*_TABLES, "left", "hidden", "isp2", "unspec", "4294967296", "-1", "1x"]),
    st.sampled_from(["route add default via 192.0.2.1", "rule add from 192.0.2.5", "rule add"]),
)
@settings(
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
    ],
    deadline=None,
)
def test_a_table_is_a_number_or_refused_by_name(
    machine: Machine, more: str, table: str, what: str
) -> None:
    """networkd passes over what it can't read, and the route lands in the main table."""
    for path, text in _SAID.items():
        machine.write(path, text)
    names = route_names.read(machine.paths)
    option = more.format(table) if "route" in what else f"table {table}"
    dev = " dev eth0" if "route" in what else ""
    command = f"ip {what}{dev} {option}"
    if table in _TABLES:
        (one,) = ifupdown_commands.translate(command, "up", "eth0", names)
        assert one.get("Table") == _TABLES[table]
        assert one.get("Protocol") in ("", "4")
    else:
        with pytest.raises(Misuse, match=f"'up .*: table {table} is not known by number") as told:
            _profile(machine, f"{_STATIC}  up {command}\n")
        assert told.value.hint


@pytest.mark.parametrize(
    ("command", "lines"),
    [
        ("route add 198.51.100.0/24 scope link dev eth0", ["Scope=link"]),
        ("route add 198.51.100.0/24 scope 253 dev eth0", ["Scope=link"]),
        ("route add 198.51.100.0/24 via 192.0.2.1 proto 77", ["Protocol=77"]),
        ("route add 198.51.100.0/24 via 192.0.2.1 proto mine", ["Protocol=99"]),
        ("rule add fwmark 0x5/0xff table vpn", ["FirewallMark=0x5/0xff", "Table=5000"]),
        ("route add 198.51.100.0/24 scope 7 dev eth0", []),
        ("route add 198.51.100.0/24 via 192.0.2.1 proto odd", []),
        ("route add 198.51.100.0/24 via 192.0.2.1 metric lots", []),
        ("route add 198.51.100.0/24 via 192.0.2.1 src here", []),
        ("rule add from my.host table 7", []),
        ("rule add fwmark odd table 7", []),
        ("rule add from 192.0.2.1 prio first table 7", []),
        ("addr add 192.0.2.7/24 dev eth0 scope odd", []),
    ],
)
def test_what_networkd_would_pass_over_is_refused(
    machine: Machine, command: str, lines: list[str]
) -> None:
    for path, text in _SAID.items():
        machine.write(path, text)
    names = route_names.read(machine.paths)
    if lines:
        found = ifupdown_commands.translate(f"ip {command}", "up", "eth0", names)
        assert set(lines) <= set(render(found).split())
    else:
        with pytest.raises(ifupdown_commands.Unknown, match=r"\w"):
            ifupdown_commands.translate(f"ip {command}", "up", "eth0", names)


def test_rules_addresses_and_routes_of_old() -> None:
    rule = ifupdown_commands.translate("ip rule add from 192.0.2.1 table 7", "up", "eth0")
    address = ifupdown_commands.translate("ip addr add 192.0.2.1/24 dev eth0", "up", "eth0")
    route = ifupdown_commands.translate(
        "route add -net 198.51.100.0 netmask 255.255.255.0 gw 192.0.2.1 eth0 || true".replace(
            " eth0", " dev eth0"
        ),
        "up",
        "eth0",
    )
    assert render([*rule, *address, *route]).split() == [
        "[RoutingPolicyRule]",
        "From=192.0.2.1",
        "Table=7",
        "[Address]",
        "Address=192.0.2.1/24",
        "[Route]",
        "Destination=198.51.100.0/24",
        "Gateway=192.0.2.1",
    ]
