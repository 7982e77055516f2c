"""What a keyfile says of IPv4 and IPv6, in the words of systemd.network(5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import Unfit
from netfail_hooks.managers.nm import identity
from netfail_hooks.managers.nm.addresses import (
    Numbered,
    default_route,
    gateway_of,
    numbered,
    route,
    rules,
)
from netfail_hooks.managers.nm.glib import KeyFile, printable
from netfail_hooks.networkd.file import Section, section

# (group, key) -> what is in force: the profile's, else NetworkManager.conf's, else "".
Setting = Callable[[str, str], str]

_MAIN = ("", "0", "254")
_LINK_LOCAL = {"3": True, "enabled": True}
_PRIVACY = {
    "0": "no",
    "disabled": "no",
    "1": "prefer-public",
    "enabled-prefer-public-ip": "prefer-public",
    "2": "yes",
    "enabled-prefer-temp-ip": "yes",
}
# NM_SETTING_IP6_CONFIG_ADDR_GEN_MODE_*, as numbers or names.
_GENERATED = {"0": "eui64", "1": "stable-privacy", "2": "default-or-eui64", "3": "default"}
_METHODS = {
    4: ("auto", "manual", "disabled", "link-local"),
    6: ("auto", "dhcp", "manual", "disabled", "ignore", "link-local"),
}
_UPSTREAM = ("auto", "dhcp", "manual")  # methods beside which addresses, routes and DNS count


def method_of(file: KeyFile, family: int) -> str:
    """Return a family's method. Raises Misuse for one that can't be carried over."""
    group = f"ipv{family}"
    if not file.has(group):
        return "auto"
    method = file.text(group, "method")
    if method == "shared":
        raise Unfit(
            f"{group}.method=shared gives addresses to others, and an uplink asks for one",
            hint="name another NIC as the uplink",
        )
    if method not in _METHODS[family]:
        what = "has no such" if method else "wants one"
        raise Misuse(
            f"{group}.method={printable(method)}: NetworkManager {what}",
            hint="mend the profile",
        )
    return method


def sections(file: KeyFile, setting: Setting, machine: identity.Machine) -> Iterator[Section]:
    """Yield what a keyfile says of both families; sections of one name are still to be joined."""
    methods = {family: method_of(file, family) for family in (4, 6)}
    yield section("Network", *_ways(methods, setting))
    for family, method in methods.items():
        _refuse(setting, family)
        if method in _UPSTREAM:
            yield from _static(file, family)
        yield from rules(file, family)
    domains = [
        one for family in (4, 6) if methods[family] in _UPSTREAM for one in _domains(file, family)
    ]
    if domains:
        yield section("Network", ("Domains", " ".join(dict.fromkeys(domains))))
    asked = identity.Asked(
        setting("ipv4", "dhcp-client-id"),
        setting("ipv4", "dhcp-iaid"),
        setting("ipv6", "dhcp-iaid"),
        setting("ipv6", "dhcp-duid"),
    )
    if methods[4] == "auto":
        who = identity.over_ipv4(asked, machine)
        yield section("DHCPv4", *who, *_leased(file, setting))
    if methods[6] in ("auto", "dhcp"):
        who = identity.over_ipv6(asked, machine)
        without = [("WithoutRA", "solicit")] if methods[6] == "dhcp" else []
        yield section("DHCPv6", *who, *_learned(file, "ipv6"), *without)
    if methods[6] in ("auto", "ignore"):
        yield section("IPv6AcceptRA", *_advertised(file, setting, methods[6]))


def _ways(methods: dict[int, str], setting: Setting) -> Iterator[tuple[str, str]]:
    """Yield how addresses are come by: each is said, whatever networkd's own default may be."""
    asks = {4: methods[4] == "auto", 6: methods[6] == "dhcp"}
    yield "DHCP", _families(asks)
    near = _LINK_LOCAL.get(setting("ipv4", "link-local"), False) and methods[4] != "disabled"
    local = {4: near or methods[4] == "link-local", 6: methods[6] != "disabled"}
    yield "LinkLocalAddressing", _families(local)
    yield "IPv6AcceptRA", "yes" if methods[6] in ("auto", "ignore") else "no"
    if methods[6] in ("auto", "ignore", "dhcp"):
        said = "" if methods[6] == "ignore" else setting("ipv6", "ip6-privacy")
        yield "IPv6PrivacyExtensions", _PRIVACY.get(said, "kernel")
    if methods[6] not in ("disabled", "ignore"):
        yield "IPv6LinkLocalAddressGenerationMode", generated(setting)
    mtu = setting("ipv6", "mtu")
    if mtu.isdecimal() and int(mtu) >= 1280 and methods[6] != "disabled":
        yield "IPv6MTUBytes", mtu


def generated(setting: Setting) -> str:
    """Return how addresses are made of prefixes: "eui64" or "stable-privacy"."""
    said = setting("ipv6", "addr-gen-mode")
    named = _GENERATED.get(said, said)
    return named if named in ("eui64", "stable-privacy") else "eui64"


def _families(which: dict[int, bool]) -> str:
    if all(which.values()):
        return "yes"
    return next((f"ipv{family}" for family, is_so in which.items() if is_so), "no")


def _refuse(setting: Setting, family: int) -> None:
    table = setting(f"ipv{family}", "route-table")
    if table not in _MAIN:
        raise Misuse(
            f"ipv{family}.route-table={printable(table)} keeps all routes out of the table that "
            "counts for everything",
            hint=f"sudo nmcli connection modify NAME ipv{family}.route-table 0",
        )


def _static(file: KeyFile, family: int) -> Iterator[Section]:
    addresses, _ = numbered(file, "address", family)
    for one in addresses:
        yield section("Network", ("Address", str(one.prefix)))
    gateway = gateway_of(file, family, addresses)
    if gateway:
        yield default_route(gateway, addresses)
    for one in _routes(file, family):
        yield route(one)[0]
    servers = [one for one in file.items(f"ipv{family}", "dns") if is_server(one, family)]
    if servers:
        yield section("Network", *(("DNS", server) for server in servers))


def _routes(file: KeyFile, family: int) -> list[Numbered]:
    found, _ = numbered(file, "route", family)
    never = file.flag(f"ipv{family}", "never-default")
    return [one for one in found if not (never and one.prefix.network.prefixlen == 0)]


def is_server(text: str, family: int) -> bool:
    """Tell whether a name server is an address, perhaps with its name for DNS over TLS behind."""
    address, _, name = text.strip().partition("#")
    if any(char.isspace() for char in name):
        return False
    try:
        return ipaddress.ip_address(address).version == family
    except ValueError:
        return False


def _domains(file: KeyFile, family: int) -> list[str]:
    found = file.items(f"ipv{family}", "dns-search")
    if len(found) == 1:  # other separators, which were taken by mistake
        found = tuple(found[0].replace(",", " ").split())
    return [one for one in found if one and not any(char.isspace() for char in one)]


def _learned(file: KeyFile, group: str) -> Iterator[tuple[str, str]]:
    """Yield what is taken over of what a server says of names."""
    ignored = file.flag(group, "ignore-auto-dns")
    yield "UseDNS", "no" if ignored else "yes"
    yield "UseDomains", "no" if ignored else "yes"


def _leased(file: KeyFile, setting: Setting) -> Iterator[tuple[str, str]]:
    """Yield the rest of [DHCPv4]."""
    yield from _learned(file, "ipv4")
    # Routes of networkd's own making, to servers that need not be far.
    yield from (("RoutesToDNS", "no"), ("RoutesToNTP", "no"))
    if file.flag("ipv4", "ignore-auto-routes"):
        yield "UseRoutes", "no"
    if file.flag("ipv4", "ignore-auto-routes") or file.flag("ipv4", "never-default"):
        yield "UseGateway", "no"
    # Where nobody says an MTU the server's counts (NetworkManager.conf(5), ethernet.mtu).
    kind = "ethernet" if file.text("connection", "type").endswith("ethernet") else "wifi"
    long = "802-3-ethernet" if kind == "ethernet" else "802-11-wireless"
    if setting(long, "mtu") in ("", "auto"):
        yield "UseMTU", "yes"
    if not file.flag("ipv4", "dhcp-send-hostname", default=True):
        yield "SendHostname", "no"
    name = file.text("ipv4", "dhcp-fqdn") or file.text("ipv4", "dhcp-hostname")
    if name:
        yield "Hostname", name
    vendor = setting("ipv4", "dhcp-vendor-class-identifier")
    if vendor:
        yield "VendorClassIdentifier", vendor
    refused = [one for one in file.items("ipv4", "dhcp-reject-servers") if one]
    if refused:
        yield "DenyList", " ".join(refused)


def _advertised(file: KeyFile, setting: Setting, method: str) -> Iterator[tuple[str, str]]:
    """Yield [IPv6AcceptRA]. With ``ignore`` the kernel does it, which knows no name servers."""
    if method == "ignore":
        yield from (("UseDNS", "no"), ("UseDomains", "no"), ("DHCPv6Client", "no"))
        return
    yield from _learned(file, "ipv6")
    if file.flag("ipv6", "ignore-auto-routes"):
        yield "UseRoutePrefix", "no"
    if file.flag("ipv6", "ignore-auto-routes") or file.flag("ipv6", "never-default"):
        yield "UseGateway", "no"
    token = file.text("ipv6", "token").strip()
    if generated(setting) == "stable-privacy":
        yield "Token", "prefixstable"
    elif token:
        yield "Token", f"static:{token}"
    else:
        yield "Token", "eui64"
