"""How dhcpcd sets an uplink up, in networkd's words: dhcpcd.conf(5) of 8 (old Pi images) to 10."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from netfail_hooks.errors import Misuse
from netfail_hooks.files import read_text
from netfail_hooks.managers import Profile
from netfail_hooks.managers import dhcp_identity as identity
from netfail_hooks.managers.wifi import supplicant_file as supplicant
from netfail_hooks.managers.wifi.supplicant import is_ours
from netfail_hooks.networkd.file import Section, section
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

MANAGER = "dhcpcd"
CONFIG = "/etc/dhcpcd.conf"
# dhcpcd 9 has it in the first place, older ones in the second.
_DUIDS = ("/var/lib/dhcpcd/duid", "/var/lib/dhcpcd5/duid", "/etc/dhcpcd.duid")
_PROGRAMS = ("/usr/sbin/dhcpcd", "/sbin/dhcpcd", "/usr/bin/dhcpcd")
_HOOKS = ("/usr/lib/dhcpcd/dhcpcd-hooks", "/lib/dhcpcd/dhcpcd-hooks")
_UNUSED, _JOINS = "/usr/share/dhcpcd/hooks", "10-wpa_supplicant"
# Where its hook looks, in this order (10-wpa_supplicant).
_SUPPLICANTS = (
    "/etc/wpa_supplicant/wpa_supplicant-{}.conf",
    "/etc/wpa_supplicant/wpa_supplicant.conf",
    "/etc/wpa_supplicant-{}.conf",
    "/etc/wpa_supplicant.conf",
)
_CONTROL = re.compile(r"^\s*ctrl_interface=(?:DIR=)?(/\S+)", re.MULTILINE)
# Hooks whose work networkd, systemd-resolved or wpa_supplicant@IF does, or that have none for an
# uplink: those of its own packages. NTP servers of the router's go to systemd-timesyncd.
_EQUALLED = re.compile(
    r"01-test|02-dump|10-wpa_supplicant|15-timezone|20-resolv\.conf|29-lookup-hostname|30-hostname"
    r"|50-(dhcpcd-compat|yp\.conf|ypbind|ntp\.conf)|6[048]-.*|62-.*"
)
_OWN_HOOKS = ("/etc/dhcpcd.enter-hook", "/etc/dhcpcd.exit-hook")
_BLOCKS = ("interface", "ssid", "profile")
# How long it waits, how it logs, what a lease must have: nothing that an uplink has afterwards.
_BESIDE = re.compile(
    "persistent|background|waitip|timeout|reboot|request(_time)?|require|reject|quiet|debug|logfile"
    "|controlgroup|env|dev|nodev|nodelay|allowinterfaces|denyinterfaces|release|xidhwaddr|metric"
    "|link_rcvbuf|noauthrequired|ipv[46]|dhcp6?|ipv6rs|gateway|define(nd|6)?|embed|encap|vendopt"
    "|noipv4ll|noarp|noalias|ipv4ll_time|fallback_time|arp_persistdefence|inform6|ia_[nt]a|option"
    "|ipv6ra_autoconf|ipv6ra_fork|leasetime|manager|master|hostname_short|noconfigure|fqdn"
)
_NO_EQUAL = re.compile(
    "fallback|arping|bootp|ia_pd|auth(token|protocol)|destination|script|nolink|noup"
    "|randomise_hwaddr|vendor|vendclass|msuserclass"
)
_ESCAPED = re.compile(r"\\(.)")

Options = list[tuple[str, str]]


def leaves(paths: Paths, names: Sequence[str]) -> tuple[str, ...]:
    """Return the interfaces that dhcpcd's configuration keeps it from."""
    said = list(_lines(read_text(paths.through(CONFIG))))
    denied = [one for key, text in said if key == "denyinterfaces" for one in _words(text)]
    allowed = [one for key, text in said if key == "allowinterfaces" for one in _words(text)]
    return tuple(
        name
        for name in names
        if any(fnmatchcase(name, pattern) for pattern in denied)
        or (allowed and not any(fnmatchcase(name, pattern) for pattern in allowed))
    )


def profile(paths: Paths, nic: Nic) -> Profile | None:
    """Return how dhcpcd sets a NIC up, None where it is not there, or told to leave it.

    Raises Misuse for what can't be carried over, before anything is changed.
    """
    there = any(os.path.lexists(paths.at(program)) for program in _PROGRAMS)
    if not there or leaves(paths, [nic.name]):
        return None
    text = read_text(paths.through(CONFIG), limit=-1)
    found = _Translation(paths, nic, _options(text, nic))
    wireless = _wireless(paths, nic)
    return Profile(
        MANAGER,
        CONFIG,
        text,
        tuple(identity.with_lease_kept(found.sections())),
        wireless=wireless.networks,
        country=wireless.country,
        joining=wireless.lines,
        group=wireless.group,
        name=nic.name,
        messages=(*found.messages, *wireless.messages, *_hooks(paths, nic.name)),
    )


def _hooks(paths: Paths, name: str) -> Iterator[str]:
    """Yield which hooks, of other packages or the user's own, no longer run for an interface."""
    found = [path for path in _OWN_HOOKS if os.path.lexists(paths.at(path))]
    for directory in _HOOKS:
        with contextlib.suppress(OSError):
            scripts = sorted(os.listdir(paths.at(directory)))
            found += [f"{directory}/{one}" for one in scripts if not _EQUALLED.fullmatch(one)]
    if found:
        yield f"no longer run for {name}: {', '.join(found)}"


def leased(paths: Paths, nic: Nic, said: Options) -> tuple[list[Section], list[str]]:
    """Return the sections and messages of a NIC that ifupdown has dhcpcd ask for.

    ``said`` is on the command line, so it counts more than the file.
    """
    text = read_text(paths.through(CONFIG), limit=-1)
    found = _Translation(paths, nic, [*_options(text, nic), *said])
    return found.sections(), found.messages


def _wireless(paths: Paths, nic: Nic) -> supplicant.SupplicantFile:
    """Return the networks that dhcpcd's own hook has wpa_supplicant join (10-wpa_supplicant)."""
    path, text = _joined_by(paths, nic)
    return supplicant.parse(path, text) if path else supplicant.SupplicantFile(())


def _joined_by(paths: Paths, nic: Nic) -> tuple[str, str]:
    """Return the file that its hook gives wpa_supplicant, and what that says, "" for none.

    Without that hook, or told not to run it, it gives it none: a file of the user's is then
    somebody else's. What we have put there is none of the user's.
    """
    joins = nic.wireless and _is_hooked(paths) and not _is_left_out(paths, nic)
    for path in _SUPPLICANTS if joins else ():
        text = read_text(paths.through(path.format(nic.name)), limit=-1)
        if text and not is_ours(text):
            return path.format(nic.name), text
    return "", ""


def _is_hooked(paths: Paths) -> bool:
    return any(os.path.lexists(paths.at(f"{directory}/{_JOINS}")) for directory in _HOOKS)


def _is_left_out(paths: Paths, nic: Nic) -> bool:
    """Tell whether that hook does not run for a NIC, by either name (dhcpcd-run-hooks)."""
    text = read_text(paths.through(CONFIG), limit=-1)
    words = {
        word for key, said in _own_lines(text, nic) if key == "nohook" for word in _words(said)
    }
    return bool(words & {_JOINS, _JOINS[3:]})


def unhooked(paths: Paths, nic: Nic) -> str:
    """Return what is to be done before its hook joins any Wi-Fi network, "" for nothing.

    Debian has that hook among those that do not run.
    """
    if _is_left_out(paths, nic):
        return f"take 'nohook {_JOINS[3:]}' out of {CONFIG}"
    if _is_hooked(paths):
        return ""
    place = next((one for one in _HOOKS if os.path.isdir(paths.at(one))), _HOOKS[0])
    return f"ln -s {_UNUSED}/{_JOINS} {place}/"


def supplicant_of(paths: Paths, nic: Nic) -> tuple[str, str]:
    """Return the file by which its hook joins Wi-Fi, and where that wpa_supplicant listens."""
    path, text = _joined_by(paths, nic)
    listens = _CONTROL.search(text)
    return path, listens[1] if listens else ""


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line's option and value (``get_line`` and ``read_config`` in its source)."""
    for raw in text.split("\n"):
        line = raw.strip(" \t\r")
        if not line or line[0] in "#;":
            continue
        at, quoted = 0, False
        while at < len(line) and not (line[at] == "#" and not quoted):
            quoted ^= line[at] == '"'
            at += 2 if line[at] == "\\" else 1
        key, _, rest = line[:at].replace("\t", " ").partition(" ")
        yield key, rest.strip()


def _options(text: str, nic: Nic) -> Options:
    """Return what counts for a NIC: what is in no block, and its own blocks. Raises Misuse."""
    for key, said in _lines(text):
        if key == "ssid" and nic.wireless:
            raise _no_equal(f"ssid {said}", "settings by the Wi-Fi network that it is in")
    return list(_own_lines(text, nic))


def _own_lines(text: str, nic: Nic) -> Iterator[tuple[str, str]]:
    skip = False
    for key, said in _lines(text):
        if key in _BLOCKS:
            skip = key != "interface" or said != nic.name
        elif not skip:
            yield key, said


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _plain(text: str) -> str:
    """Return a string value without its quotes and escapes."""
    inner = text[1:-1] if text[:1] == text[-1:] == '"' and len(text) > 1 else text
    return _ESCAPED.sub(r"\1", inner)


def _no_equal(what: str, why: str = "") -> Misuse:
    told = f" ({why})" if why else ""
    return Misuse(
        f"{CONFIG}: '{what}' has no equal in systemd-networkd{told}",
        hint="take it out, or write a .network file of your own for this NIC",
    )


@dataclass(slots=True)
class _Said:
    """What options come to, by the section it is for."""

    network: dict[str, str] = field(default_factory=dict)
    four: dict[str, str] = field(default_factory=dict)
    advertised: dict[str, str] = field(default_factory=dict)
    six: dict[str, str] = field(default_factory=dict)


class _Translation:
    """The options that count for a NIC, in networkd's words. Raises Misuse."""

    def __init__(self, paths: Paths, nic: Nic, options: Options) -> None:
        self._paths = paths
        self._nic = nic
        self._said = _Said()
        self._static: dict[str, str] = {}
        self._kernels = False
        self._identifier = ""  # "duid", "mac", or what somebody has written
        self._iaid = identity.iaid(nic)
        self._requested = {one for key, text in options if key == "option" for one in _words(text)}
        self.no_hooks: set[str] = set()
        self.messages: list[str] = []
        for key, text in options:
            self._heed(key, text)

    def _heed(self, key: str, text: str) -> None:
        if key in _SETTINGS:
            where, name, setting = _SETTINGS[key]
            getattr(self._said, where)[name] = setting
        elif key in _TAKEN:
            _TAKEN[key](self, text)
        elif _NO_EQUAL.fullmatch(key):
            raise _no_equal(f"{key} {text}".strip())
        elif not _BESIDE.fullmatch(key):
            raise _no_equal(f"{key} {text}".strip(), "nor is it known to dhcpcd 10")

    def take_noipv6(self, text: str) -> None:
        """Take it that dhcpcd leaves IPv6 alone: then the kernel does what routers advertise.

        It switches the kernel's own part off only where it does it itself (if_setup_inet6()).
        """
        del text
        if not self._kernels:
            self.messages.append(
                f"{CONFIG}: noipv6 has left IPv6 to the kernel, which takes what routers "
                "advertise; IPv6AcceptRA=no in a .network file would end that"
            )
        self._kernels = True

    def take_static(self, text: str) -> None:
        """Take "NAME=VALUE": what stands in place of the server's word."""
        name, _, value = text.partition("=")
        self._static[name.strip()] = _plain(value.strip())

    def take_inform(self, text: str) -> None:
        """Take an address that is told to the server, and not asked for."""
        address, _, rest = text.partition("/")
        self._static["ip_address"] = "/".join([address, rest.partition("/")[0]]).rstrip("/")
        self.messages.append(f"{CONFIG}: the server is no longer told of {address} (inform)")

    def take_hostname(self, text: str) -> None:
        """Take the name that is sent, the machine's own where none is said."""
        self._said.four["SendHostname"] = "yes"
        if text:
            self._said.four["Hostname"] = _plain(text)

    def take_duid(self, text: str) -> None:
        """Take a DUID as the identifier; one that is written here goes before the kept one."""
        octets = identity.from_hex(text)
        if octets:
            self._said.six |= dict(identity.Duid(octets).pairs())
        if self._identifier in ("", "mac"):
            self._identifier = "duid"

    def take_clientid(self, text: str) -> None:
        """Take an identifier, the hardware address where none is said."""
        self._identifier = text or "mac"

    def take_iaid(self, text: str) -> None:
        """Take an identity association: a number, or four characters."""
        try:
            self._iaid = str(int(text, 0))
        except ValueError:
            octets = _plain(text).encode()[:4].ljust(4, b"\0")
            self._iaid = str(int.from_bytes(octets, "big"))

    def take_slaac(self, text: str) -> None:
        """Take how IPv6 addresses are made."""
        kind, *rest = text.split() or ["hwaddr"]
        if kind == "token" and rest:
            self._said.advertised["Token"] = f"static:{rest.pop(0)}"
        elif kind == "private":
            self._said.advertised["Token"] = "prefixstable"  # noqa: S105 - of an address
            self._said.network["IPv6LinkLocalAddressGenerationMode"] = "stable-privacy"
        else:
            self._said.advertised["Token"] = "eui64"  # noqa: S105 - of an address
            self._said.network["IPv6LinkLocalAddressGenerationMode"] = "eui64"
        if any(one.startswith("temp") for one in rest):
            self._said.network["IPv6PrivacyExtensions"] = "yes"

    def take_nohook(self, text: str) -> None:
        """Take which hooks do not run; resolv.conf's is the one for name servers."""
        self.no_hooks |= set(_words(text))

    def take_nooption(self, text: str) -> None:
        """Take what is not heeded of the server's word."""
        for word in _words(text):
            self._requested.discard(word)
            if word == "routers":
                self._said.four["UseGateway"] = "no"

    def take_nogateway(self, text: str) -> None:
        """Take no default route from anybody."""
        del text
        self._said.four["UseGateway"] = "no"
        self._said.advertised["UseGateway"] = "no"
        self._static.pop("routers", None)

    def sections(self) -> list[Section]:
        """Return it all."""
        if self._kernels:  # addresses as it makes them, no name servers, no DHCPv6
            self._said.network.pop("IPv6LinkLocalAddressGenerationMode", None)
            self._said.advertised = {"DHCPv6Client": "no"}
        own = self._own()
        network: Options = [*self._said.network.items()]
        network += [("Address", str(one)) for one in own]
        asks = self._said.four.pop("ask", "yes") == "yes" and not any(
            one.version == 4 for one in own
        )
        if asks:
            network.insert(0, ("DHCP", "ipv4"))
        gateways = [("Gateway", one) for one in self._static.get("routers", "").split()[:1]]
        network += gateways
        network += [("DNS", one) for one in self._static.get("domain_name_servers", "").split()]
        domains = self._static.get("domain_search") or self._static.get("domain_name", "")
        network += [("Domains", domains)] if domains else []
        mtu = self._static.get("interface_mtu") or self._static.get("mtu")
        return [
            *([section("Link", ("MTUBytes", mtu))] if mtu else []),
            section("Network", *network),
            *([self._four(bool(gateways), bool(domains))] if asks else []),
            section("DHCPv6", *self._six()),
            section("IPv6AcceptRA", *self._advertised(bool(domains)).items()),
            *self._routes(),
        ]

    def _own(self) -> list[ipaddress.IPv4Interface | ipaddress.IPv6Interface]:
        found = []
        for key, default in (("ip_address", self._static.get("subnet_mask")), ("ip6_address", "")):
            text = self._static.get(key, "")
            if not text:
                continue
            if "/" not in text and key == "ip_address":
                text = f"{text}/{default or _class(text)}"
            try:
                found.append(ipaddress.ip_interface(text))
            except ValueError:
                told = f"{CONFIG}: static {key}={text} is no address"
                raise Misuse(told, hint="mend that line") from None
        return found

    def _four(self, gateway: bool, domains: bool) -> Section:  # noqa: FBT001
        pairs = dict(self._identity())
        pairs |= {"SendHostname": "no", **self._said.four}
        named = {"domain_name", "domain_search"} & self._requested
        pairs["UseDNS"] = "yes" if self._heeds_names("domain_name_servers") else "no"
        pairs["UseDomains"] = "yes" if named and not domains else "no"
        pairs["UseMTU"] = "yes" if "interface_mtu" in self._requested else "no"
        if gateway:
            pairs["UseGateway"] = "no"
        return section("DHCPv4", *pairs.items())

    def _identity(self) -> identity.Pairs:
        if self._identifier in ("", "mac"):
            return (("ClientIdentifier", "mac"),)
        if self._identifier == "duid":
            return identity.by_duid(self._duid(), self._iaid)
        text = self._identifier
        octets = identity.from_hex(text)
        known = identity.by_octets(octets, self._nic.mac) if octets else None
        if known is None:
            raise _no_equal(f"clientid {text}")
        return known

    def _duid(self) -> identity.Duid | None:
        if "DUIDRawData" in self._said.six:
            return None
        for path in _DUIDS:
            octets = identity.from_hex(read_text(self._paths.through(path)).strip())
            if octets:
                return identity.Duid(octets)
        return None

    def _six(self) -> identity.Pairs:
        kept = self._duid()
        known = (("IAID", self._iaid),) if self._iaid else ()
        return (*known, *(kept.pairs() if kept else ()), *self._said.six.items())

    def _advertised(self, domains: bool) -> dict[str, str]:  # noqa: FBT001
        pairs = dict(self._said.advertised)
        if self._kernels or not self._heeds_names("domain_name_servers"):
            pairs["UseDNS"] = "no"
        if self._requested and not self._kernels and not domains:
            pairs.setdefault("UseDomains", "yes")
        return pairs

    def _heeds_names(self, option: str) -> bool:
        """Tell whether the server's name servers count: asked for, and nobody's own in place."""
        hooked = "resolv.conf" not in self.no_hooks
        return hooked and option in self._requested and option not in self._static

    def _routes(self) -> list[Section]:
        words = self._static.get("classless_static_routes") or self._static.get("static_routes", "")
        listed = words.split()
        pairs = zip(listed[::2], listed[1::2], strict=False)
        return [section("Route", ("Destination", to), ("Gateway", by)) for to, by in pairs]

    def take_list(self, name: str, text: str) -> None:
        """Take servers that are heeded, or not."""
        self._said.four[name] = " ".join(shlex.split(text))


def _class(text: str) -> int:
    """Return the length that dhcpcd takes where nobody says (ipv4_getnetmask())."""
    first = text.partition(".")[0]
    number = int(first) if first.isdecimal() else 0
    return next((length for below, length in ((128, 8), (192, 16)) if number < below), 24)


# option: the section, the key and the setting that it comes to.
_SETTINGS = {
    "noipv4": ("four", "ask", "no"),
    "ipv6only": ("four", "ask", "no"),
    "nodhcp": ("four", "ask", "no"),
    "nodhcp6": ("advertised", "DHCPv6Client", "no"),
    "ipv6ra_noautoconf": ("advertised", "UseAutonomousPrefix", "no"),
    "anonymous": ("four", "Anonymize", "yes"),
    "broadcast": ("four", "RequestBroadcast", "yes"),
}
_TAKEN: dict[str, Callable[[_Translation, str], None]] = {
    "noipv6": _Translation.take_noipv6,
    "noipv6rs": _Translation.take_noipv6,
    "ipv4only": _Translation.take_noipv6,
    "static": _Translation.take_static,
    "inform": _Translation.take_inform,
    "hostname": _Translation.take_hostname,
    "duid": _Translation.take_duid,
    "clientid": _Translation.take_clientid,
    "iaid": _Translation.take_iaid,
    "slaac": _Translation.take_slaac,
    "nohook": _Translation.take_nohook,
    "nooption": _Translation.take_nooption,
    "nogateway": _Translation.take_nogateway,
    "blacklist": lambda one, text: one.take_list("DenyList", text),
    "whitelist": lambda one, text: one.take_list("AllowList", text),
    "userclass": lambda one, text: one.take_list("UserClass", text),
    "vendorclassid": lambda one, text: one.take_list("VendorClassIdentifier", text),
}
