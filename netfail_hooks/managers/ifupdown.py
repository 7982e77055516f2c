"""How ifupdown sets an uplink up, in networkd's words: interfaces(5), and its own inet.defn."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from netfail_hooks.errors import Misuse
from netfail_hooks.files import entries, read_text
from netfail_hooks.managers import (
    Profile,
    Unfit,
    WirelessNetwork,
    dhclient,
    dhcp_identity,
    dhcpcd,
    ifupdown_commands,
    route_names,
    stacked,
)
from netfail_hooks.managers.interfaces import COMMANDS, Interfaces, Stanza, asks_sysfs, read
from netfail_hooks.managers.wifi import power_save, wpa_stanza
from netfail_hooks.managers.wifi import supplicant_file as supplicant
from netfail_hooks.networkd.file import Section, section
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

MANAGER = "ifupdown"
_PHASES = ("pre-up", "up", "down", "post-down")
# Scripts in if-*.d whose work networkd, wpa_supplicant@IF or systemd-resolved does, or that have
# none for an uplink.
_EQUALLED = re.compile(
    "wpasupplicant|wireless-tools|resolved|(000)?resolvconf|ethtool|bridge|vlan|ifenslave|hostapd"
    "|avahi-(autoipd|daemon)"
)
_SBIN = ("/sbin", "/usr/sbin", "/bin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin")
_CLIENTS = ("dhclient", "udhcpc", "dhcpcd")  # ifupdown's order (inet.defn)
_YES = ("1", "yes", "on", "true")
_NAMES = {
    "dns-nameservers": "DNS",
    "dns-nameserver": "DNS",
    "dns-search": "Domains",
    "dns-domain": "Domains",
}
# Of a method's options, those that say how long to wait, what is told by the rest, or nothing.
_BESIDE = re.compile(
    "network|netmask|broadcast|metric|scope|leasetime|vendor|client|hostname|(dad|ll)-interval"
    "|(dad|ll)-attempts|request_prefix|description|media|accept_ra|autoconf|privext|dhcp"
    "|preferred-lifetime|address|gateway|pointopoint|mtu|hwaddress|ethernet-wol"
)
# Of wireless-tools and wpasupplicant: what tunes a radio or tells how to talk to its driver.
_TUNES = ("wireless-power", "wireless-rate", "wireless-txpower", "wireless-sens", "wireless-nick")
_DRIVES = ("wpa-driver", "wpa-debug-level", "wpa-logfile", "wpa-verbosity", "wpa-maint-debug")
_FILES = ("wpa-conf", "wpa-roam")
_ELSEWISE = {
    "wpa-bridge": "joins for a bridge: not carried over",
    "wpa-iface": "joins by another interface than this: not carried over",
    "wpa-roam": "runs other stanzas by where the machine is",
}
_WOL = re.compile(r"(?:\S*/)?ethtool\s+(?:-s|--change)\s+\S+\s+wol\s+([pumbagsd]+)")
# systemd.link(5), WakeOnLan=, by ethtool(8)'s letters.
_WAKES = {"p": "phy", "u": "unicast", "m": "multicast", "b": "broadcast", "a": "arp"}
_WAKES |= {"g": "magic", "s": "secureon"}
_LETTERS = re.compile("[pumbagsd]+")


def profile(paths: Paths, nic: Nic) -> Profile | None:
    """Return how ifupdown sets a NIC up, None where nothing of it does.

    Raises Misuse for what can't be carried over, before anything is changed.
    """
    known = read(paths)
    name = known.logical(nic.name) or nic.name
    stanzas = [*known.of(name), *_aliases(known, nic.name)]
    stanzas = [one for one in stanzas if one.family in ("inet", "inet6", "meta")]
    if not stanzas:
        return None
    _refuse_above(known, nic)
    if all(_is_idle(one) for one in stanzas):
        return None
    _refuse(known, nic, stanzas)
    found = _Translation(paths, nic, stanzas)
    found.messages += _scripts(paths, nic.name)
    found.messages += power_save.messages(paths, nic.name, found.power_save)
    path = stanzas[0].path
    return Profile(
        MANAGER,
        path,
        read_text(paths.through(path), limit=-1),
        found.sections(),
        wireless=tuple(found.networks),
        country=found.country,
        joining=found.joining,
        group=found.group,
        power_save=found.power_save,
        name=name,
        link=tuple(found.link.items()),
        messages=tuple(dict.fromkeys(found.messages)),
    )


def _scripts(paths: Paths, name: str) -> list[str]:
    """Return which scripts of other packages, or the user's own, no longer run for an interface."""
    found = {
        script
        for phase in _PHASES
        for script in entries(paths.at(f"/etc/network/if-{phase}.d"))
        if not _EQUALLED.fullmatch(script)
    }
    said = ", ".join(sorted(found))
    return [f"/etc/network/if-*.d: no longer run for {name}: {said}"] if found else []


def _aliases(known: Interfaces, name: str) -> list[Stanza]:
    """Return the stanzas of names such as eth0:1 that a boot raises: more addresses of a NIC."""
    return [
        replace(one, name=alias)  # by which its addresses are labelled
        for alias in known.aliases(name)
        for one in known.of(known.logical(alias, "auto", "hotplug"))
    ]


def _is_idle(one: Stanza) -> bool:
    return one.method in ("manual", "loopback", "none") and not one.options


def _refuse_above(known: Interfaces, nic: Nic) -> None:
    """Refuse what the uplink is a part of, or carries: ifdown puts the link down."""
    for told, one in (*stacked.held_by(known, nic.name), *stacked.carried_by(known, nic.name)):
        raise Unfit(
            f"{one.path}: {told}, which ifupdown puts down as it lets go of it",
            hint="have systemd-networkd set that up first (systemd.netdev(5)), or take it out",
        )


def _refuse(known: Interfaces, nic: Nic, stanzas: Sequence[Stanza]) -> None:
    """Refuse what only ifupdown's own logic tells."""
    path = stanzas[0].path
    if known.wrong:
        raise Misuse(known.wrong, hint="ifupdown reads none of it; mend that line")
    if known.mappings:
        raise Misuse(
            f"{path}: a mapping script decides what is set up (interfaces(5))",
            hint="take 'mapping' out, or write a .network file of your own",
        )
    odd = [word for _, word in known.raised if asks_sysfs(word)]
    odd += [word for word in known.renames if nic.name in word.split("=")]
    if odd:
        raise Misuse(f"{path}: '{odd[0]}' chooses interfaces anew at each boot", hint="name them")


class _Translation:
    """All the stanzas of one NIC, in networkd's words."""

    def __init__(self, paths: Paths, nic: Nic, stanzas: Sequence[Stanza]) -> None:
        self._paths = paths
        self._nic = nic
        self.networks: list[WirelessNetwork] = []
        self.country = ""
        self.joining: tuple[str, ...] = ()
        self.group = ""
        self.power_save = ""
        self.messages: list[str] = []
        self.link: dict[str, str] = {}
        self._link: dict[str, str] = {}
        self._network: list[tuple[str, str]] = []
        self._advertised: dict[str, str] = {}
        self._others: list[Section] = []
        self._leased: list[Section] = []
        self._methods = {(one.family, one.method) for one in stanzas}
        for one in stanzas:
            self._stanza(spelt(one))

    def sections(self) -> tuple[Section, ...]:
        """Return it all; what the kernel did of itself, networkd does as well."""
        network = [*self._network]
        known = {key for key, _ in network}
        known |= {item.key for one in self._leased if one.name == "Network" for item in one.items}
        for key, setting in (("IPv6PrivacyExtensions", "kernel"), ("LinkLocalAddressing", "ipv6")):
            if key not in known:
                network.append((key, setting))
        if not self._asks_dhcp6() and "DHCPv6Client" not in self._advertised:
            self._advertised["DHCPv6Client"] = "no"  # only ifupdown's clients ask, never the kernel
        link = [section("Link", *self._link.items())] if self._link else []
        advertised = [section("IPv6AcceptRA", *self._advertised.items())]
        return (*link, section("Network", *network), *self._leased, *advertised, *self._others)

    def _asks_dhcp6(self) -> bool:
        return any(
            one.name == "DHCPv6" or (one.name == "Network" and one.get("DHCP") in ("yes", "ipv6"))
            for one in self._leased
        )

    def _stanza(self, one: Stanza) -> None:
        method = _METHODS.get((one.family, one.method))
        if method is None:
            raise Misuse(
                f"{one.path}: {one.name} is set up by '{one.family} {one.method}', which is not "
                "carried over",
                hint="name an uplink that is static or asks DHCP",
            )
        for key in ("address", "netmask", "gateway", "mtu", "hwaddress", "metric"):
            if "\n" in one.get(key):
                raise _bad(one, key, "stands there twice")
        method(self, one)
        self._names(one)
        self._hardware(one)
        self._radio(one)
        self._commands(one)
        self._rest(one)

    def static4(self, one: Stanza) -> None:
        """Take an address of IPv4."""
        own = _address4(one)
        alias = [("Label", one.name)] if ":" in one.name else []
        if one.get("pointopoint"):
            alias.append(("Peer", one.get("pointopoint")))
        if one.get("scope"):
            alias.append(("Scope", one.get("scope")))
        if one.get("broadcast") not in ("", "+", "-", str(own.network.broadcast_address)):
            alias.append(("Broadcast", one.get("broadcast")))
        self._address(own, alias)
        self._gateway(one, own)

    def static6(self, one: Stanza) -> None:
        """Take an address of IPv6."""
        address, _, length = one.get("address").partition("/")
        own = _interface(one, f"{address}/{one.get('netmask') or length or '128'}")
        pairs = []
        if one.get("dad-attempts") == "0":
            pairs.append(("DuplicateAddressDetection", "none"))
        if one.get("preferred-lifetime") not in ("", "forever"):
            pairs.append(("PreferredLifetime", one.get("preferred-lifetime")))
        if one.get("scope"):
            pairs.append(("Scope", one.get("scope")))
        self._address(own, pairs)
        self._gateway(one, own)
        # A gateway switches advertisements off, and none of them is an address, by default.
        self._routers(one, "0" if one.get("gateway") else "", "0")

    def _address(
        self, own: ipaddress.IPv4Interface | ipaddress.IPv6Interface, more: _Pairs
    ) -> None:
        if more:
            self._others.append(section("Address", ("Address", str(own)), *more))
        else:
            self._network.append(("Address", str(own)))

    def _gateway(self, one: Stanza, own: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> None:
        text = one.get("gateway")
        if not text or text == "none":
            return
        gateway = _ip(one, "gateway", text)
        near = gateway in own.network or gateway.is_link_local
        pairs = [("Gateway", text)]
        if one.get("metric"):
            pairs.append(("Metric", one.get("metric")))
        if not near:
            pairs.append(("GatewayOnLink", "yes"))  # inet.defn has "onlink" for all
        if len(pairs) > 1:
            self._others.append(section("Route", *pairs))
        else:
            self._network.append(("Gateway", text))

    def _routers(self, one: Stanza, accept: str, autoconf: str) -> None:
        """Say what is taken of advertisements, "" leaving it to the kernel, which takes them."""
        accept = one.get("accept_ra") or accept
        autoconf = one.get("autoconf") or autoconf
        if accept == "0":
            self._network.append(("IPv6AcceptRA", "no"))
        elif accept:
            self._network.append(("IPv6AcceptRA", "yes"))
        if autoconf == "0" and accept != "0":
            self._advertised["UseAutonomousPrefix"] = "no"
        privacy = {"0": "no", "1": "prefer-public", "2": "yes"}.get(one.get("privext"))
        if privacy:
            self._network.append(("IPv6PrivacyExtensions", privacy))

    def auto6(self, one: Stanza) -> None:
        """Take what routers advertise."""
        self._routers(one, "2", "1")
        if one.get("dhcp").lower() in _YES:
            self._leased.append(dhclient.leased6(self._paths, self._nic))
            self._advertised["DHCPv6Client"] = "yes"
        self._no_prefix(one)

    def dhcp6(self, one: Stanza) -> None:
        """Take a lease of IPv6."""
        self._routers(one, "1", one.get("autoconf"))
        self._leased.append(dhclient.leased6(self._paths, self._nic).set("WithoutRA", "solicit"))
        self._network.append(("DHCP", "ipv6"))
        self._no_prefix(one)

    def _no_prefix(self, one: Stanza) -> None:
        if one.get("request_prefix").lower() in _YES:
            raise _bad(one, "request_prefix", "hands out a prefix, which is not carried over")

    def dhcp4(self, one: Stanza) -> None:
        """Take a lease, by whichever client ifupdown would run."""
        name = client(self._paths)
        if name == "dhclient":
            sections, told = dhclient.leased(self._paths, self._nic, client=one.get("client"))
            told += dhclient.scripts(self._paths, self._nic.name)
        elif name == "dhcpcd":
            words = {"hostname": "hostname", "client": "clientid", "vendor": "vendorclassid"}
            said = [(words[key], text) for key, text in one.options if key in words]
            sections, told = dhcpcd.leased(self._paths, self._nic, said)
        else:
            host = one.get("hostname")
            pairs = [("ClientIdentifier", "mac"), ("SendHostname", "yes" if host else "no")]
            pairs += [("Hostname", host)] if host else []
            pairs += [("UseDomains", "yes")]
            sections, told = [section("Network", ("DHCP", "ipv4")), section("DHCPv4", *pairs)], []
        sections = dhcp_identity.with_lease_kept(sections)
        if ("inet6", "dhcp") in self._methods:
            sections = [_both(one) for one in sections]
        if one.get("leasetime") and name == "dhcpcd":
            told.append(f"{one.path}: leasetime is not asked for any more")
        self._leased += sections
        self.messages += told

    def manual(self, one: Stanza) -> None:
        """Take nothing but what options and commands say."""

    def _names(self, one: Stanza) -> None:
        for key, text in one.options:
            if key in _NAMES:
                words = text.split()
                for word in words if _NAMES[key] == "DNS" else [" ".join(words)]:
                    self._network.append((_NAMES[key], word))

    def _hardware(self, one: Stanza) -> None:
        mtu, address = one.get("mtu"), one.get("hwaddress")
        if mtu:
            if not mtu.isdecimal():
                raise _bad(one, "mtu", "is no number")
            if one.family == "inet6" and ("inet", "static") in self._methods:
                self._network.append(("IPv6MTUBytes", mtu))
            else:
                self._link["MTUBytes"] = mtu
        if letters := one.get("ethernet-wol"):
            if _LETTERS.fullmatch(letters):
                self.link |= _wakes(letters)
            else:  # there may be a password in it
                self.messages.append(f"{one.path}: ethernet-wol is not carried over")
        if address == "random":
            raise _bad(one, "hwaddress", "is another address at each start")
        if address:
            self._link["MACAddress"] = address.split()[-1]  # "ether 02:..." of old

    def _radio(self, one: Stanza) -> None:
        """Read the networks that wpasupplicant's or wireless-tools' scripts would join."""
        for key, why in _ELSEWISE.items():
            if one.get(key):
                raise _bad(one, key, why)
        if one.get("wpa-driver") == "wired":
            raise _bad(one, "wpa-driver", "is for 802.1X by wire: not carried over")
        path = one.get("wpa-conf")
        if path and path != "managed":
            text = read_text(self._paths.through(path), limit=-1)
            if not text:
                raise Misuse(f"{one.path}: wpa-conf {path} can't be read", hint="mend the path")
            self._joined_by_file(one, supplicant.parse(path, text))
        self._joined(one)
        self._joined_openly(one)

    def _joined_by_file(self, one: Stanza, found: supplicant.SupplicantFile) -> None:
        """Take the networks of a file, and what it says about all of them."""
        if found.lines or found.group:
            about = (found.lines, found.group)
            if (self.joining, self.group) not in (((), ""), about):
                raise _bad(one, "wpa-conf", "names a second file with settings for all networks")
            self.joining, self.group = about
        self.networks += [each for each in found.networks if each not in self.networks]
        self.country = found.country or self.country
        self.messages += found.messages

    def _joined(self, one: Stanza) -> None:
        """Read the network that wpa-* options make (conf_wpa_supplicant() in functions.sh)."""
        said = {key.removeprefix("wpa-"): text for key, text in one.options if key[:4] == "wpa-"}
        if not (said.get("ssid") or said.get("essid")):
            return
        network, left = wpa_stanza.network(self._paths, one, said)
        if network and network not in self.networks:  # both families may say so
            self.networks.append(network)
        self.messages += [f"{one.path}: wpa-{key} is not carried over" for key in left]

    def _joined_openly(self, one: Stanza) -> None:
        """Read the network that wireless-* options make (wireless-tools)."""
        name = one.get("wireless-essid")
        if not name:
            return
        if one.get("wireless-key") not in ("", "off", "open"):
            raise _bad(one, "wireless-key", "is WEP, which is not carried over")
        if one.get("wireless-mode").lower() not in ("", "managed", "auto"):
            raise _bad(one, "wireless-mode", "is not what an uplink is: a client")
        self.networks.append(WirelessNetwork(name.encode("utf-8", "surrogateescape"), "NONE"))

    def _commands(self, one: Stanza) -> None:
        for phase, command in one.options:
            if phase not in COMMANDS:
                continue
            if wakes := _WOL.fullmatch(command.replace("$IFACE", self._nic.name)):
                self.link |= _wakes(wakes[1])
                continue
            try:
                names = route_names.read(self._paths)
                found = ifupdown_commands.translate(command, phase, self._nic.name, names)
                self._others += found
            except ifupdown_commands.Unknown as error:
                why = f": {error}" if str(error) else ""
                raise Misuse(
                    f"{one.path}: '{phase} {command[:60]}' has no equal in systemd-networkd{why}",
                    hint="have a unit or a hook of your own do that, and take the line out",
                ) from None

    def _rest(self, one: Stanza) -> None:
        """Refuse what other packages' scripts would do, and tell of what matters little."""
        for key, _ in one.options:
            if key in COMMANDS or _BESIDE.fullmatch(key) or key in _NAMES or key in _FILES:
                continue
            if key == "wireless-power" and one.get(key) in ("on", "off"):
                self.power_save = one.get(key)
            elif key.startswith(_TUNES) or key in _DRIVES:
                self.messages.append(f"{one.path}: {key} is not carried over")
            elif not key.startswith(("wpa-", "wireless-")):
                raise _bad(one, key, "is nothing that systemd-networkd is known to do")


_Pairs = Sequence[tuple[str, str]]
_METHODS: dict[tuple[str, str], Callable[[_Translation, Stanza], None]] = {
    ("inet", "static"): _Translation.static4,
    ("inet", "dhcp"): _Translation.dhcp4,
    ("inet", "manual"): _Translation.manual,
    ("inet6", "static"): _Translation.static6,
    ("inet6", "auto"): _Translation.auto6,
    ("inet6", "dhcp"): _Translation.dhcp6,
    ("inet6", "manual"): _Translation.manual,
    ("meta", "none"): _Translation.manual,
}


def _wakes(letters: str) -> dict[str, str]:
    """Return what ethtool(8) makes of letters; a "d" takes back those ahead of it."""
    words = dict.fromkeys(_WAKES[one] for one in letters.rpartition("d")[2])
    return {"WakeOnLan": " ".join(words) or "off"}


def _both(one: Section) -> Section:
    return one.set("DHCP", "yes") if one.get("DHCP") == "ipv4" else one


def client(paths: Paths) -> str:
    """Return which DHCP client ifupdown finds first: a file that can be run (execable())."""
    for name in _CLIENTS:
        places = [paths.through(f"{directory}/{name}") for directory in _SBIN]
        if any(os.path.isfile(place) and os.access(place, os.X_OK) for place in places):
            return name
    return ""


def _address4(one: Stanza) -> ipaddress.IPv4Interface:
    """Return the address with its netmask: an own one before a length (inet.defn)."""
    address, _, length = one.get("address").partition("/")
    mask = one.get("netmask") or length or _class(address)
    found = _interface(one, f"{address}/{mask}")
    if not isinstance(found, ipaddress.IPv4Interface):
        raise _bad(one, "address", "is not of IPv4")
    return found


def _class(address: str) -> str:
    """Return the length that ifupdown takes where nobody says (compute_v4_mask())."""
    first = address.partition(".")[0]
    number = int(first) if first.isdecimal() else 0
    return next(
        (length for below, length in ((128, "8"), (192, "16"), (224, "24")) if number < below), "32"
    )


def _interface(one: Stanza, text: str) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface:
    try:
        return ipaddress.ip_interface(text)
    except ValueError:
        raise _bad(one, "address", "is no address with a netmask") from None


def _ip(one: Stanza, key: str, text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise _bad(one, key, "is no address") from None


def _bad(one: Stanza, key: str, why: str) -> Misuse:
    text = f"{one.path}: iface {one.name}: {key} {why}"
    return Misuse(text, hint="take it out, or write a .network file of your own for this NIC")


def spelt(one: Stanza) -> Stanza:
    """Return a stanza with "wpa-" for "wpa_": scripts are told both as IF_WPA_ (interfaces(5))."""
    options = tuple(
        (key.replace("_", "-") if key[:4] == "wpa_" or key[:9] == "wireless_" else key, text)
        for key, text in one.options
    )
    return replace(one, options=options)
