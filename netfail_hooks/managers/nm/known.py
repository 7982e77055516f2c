"""Which settings of a keyfile are carried over, which needn't be, and what is told of the others.

Of nm-settings(5) up to NetworkManager 1.54. A setting that is in none of these tables is told by
its name: somebody thought of it, and we don't know it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from netfail_hooks.managers.nm import ip, wifi
from netfail_hooks.managers.nm.addresses import numbered, route
from netfail_hooks.managers.nm.glib import KeyFile, printable
from netfail_hooks.networkd.nic import Nic

# What a profile says where it leaves a setting to NetworkManager.conf(5); else "-1", "default".
AS_DEFAULT: dict[str, tuple[str, ...]] = {
    "802-3-ethernet.mtu": ("0", "auto"),
    "802-11-wireless.mtu": ("0", "auto"),
    "802-3-ethernet.cloned-mac-address": (),
    "802-3-ethernet.wake-on-lan": ("1", "default"),
    "802-11-wireless.powersave": ("0", "default"),
    "wifi-sec.pmf": ("0", "default"),
    "ipv4.dhcp-client-id": (),
    "ipv4.link-local": ("0", "default"),
    "ipv4.route-table": ("0",),
    "ipv6.route-table": ("0",),
    "ipv6.mtu": ("0",),
    "ipv6.dhcp-duid": (),
    "ipv4.dhcp-iaid": (),
    "ipv6.dhcp-iaid": (),
    "ipv6.addr-gen-mode": ("2", "3", "default", "default-or-eui64"),
}
# A section with which a NIC is no plain uplink.
REFUSED = ("bond-port", "bridge-port", "team-port", "ovs-port", "ovs-interface", "dcb", "pppoe")

# Carried over, or how a profile is chosen, or without meaning to anybody else.
_CARRIED = {
    "connection": "id uuid type interface-name autoconnect autoconnect-priority timestamp "
    "mdns llmnr dns-over-tls controller master autoconnect-retries auth-retries read-only "
    "multi-connect wait-device-timeout wait-activation-delay stable-id lldp mptcp-flags down-on-"
    "poweroff autoconnect-slaves autoconnect-ports port-type slave-type",
    "802-3-ethernet": "cloned-mac-address mtu wake-on-lan wake-on-lan-password speed duplex "
    "auto-negotiate accept-all-mac-addresses mac-address mac-address-blacklist port "
    "mac-address-denylist generate-mac-address-mask",
    wifi.WIFI: "ssid mode band channel bssid hidden cloned-mac-address mtu mac-address security "
    "mac-address-blacklist mac-address-denylist seen-bssids generate-mac-address-mask rate "
    "tx-power ap-isolation channel-width mac-address-randomization powersave",
    wifi.SECURITY: "key-mgmt psk psk-flags proto pairwise group auth-alg pmf fils wps-method "
    "wep-tx-keyidx wep-key-type wep-key-flags leap-password-flags",
    "ipv4": "method gateway never-default dns dns-search ignore-auto-dns ignore-auto-routes "
    "dhcp-client-id dhcp-iaid dhcp-hostname dhcp-fqdn dhcp-send-hostname route-metric route-table "
    "link-local dhcp-vendor-class-identifier dhcp-reject-servers dhcp-timeout required-timeout "
    "may-fail auto-route-ext-gw shared-dhcp-range shared-dhcp-lease-time dhcp-hostname-flags",
    "ipv6": "method gateway never-default dns dns-search ignore-auto-dns ignore-auto-routes "
    "dhcp-duid dhcp-iaid dhcp-send-hostname route-metric route-table addr-gen-mode token mtu "
    "ip6-privacy dhcp-timeout required-timeout may-fail ra-timeout auto-route-ext-gw "
    "dhcp-hostname-flags",
    wifi.EAP: "eap identity anonymous-identity password password-flags password-raw "
    "password-raw-flags pin pin-flags private-key-password private-key-password-flags "
    "phase2-private-key-password phase2-private-key-password-flags ca-path phase2-ca-path "
    "subject-match phase2-subject-match domain-suffix-match phase2-domain-suffix-match "
    "domain-match phase2-domain-match pac-file openssl-ciphers ca-cert phase2-ca-cert client-cert "
    "phase2-client-cert private-key phase2-private-key phase1-peapver phase1-peaplabel "
    "phase1-fast-provisioning phase2-auth phase2-autheap altsubject-matches system-ca-certs "
    "phase2-altsubject-matches auth-timeout",
    "match": "interface-name driver path kernel-command-line",
    "proxy": "method browser-only",
    "user": "",
}
_NUMBERED = re.compile(r"(?:address(?:es)?|routes?)\d*(?:_options)?|routing-rule\d+", re.ASCII)
# What is left out, and what that means.
_TOLD = {
    "connection.zone": "firewalld's zone of this NIC is from now on what firewalld itself says: "
    "firewall-cmd --permanent --zone ZONE --change-interface {nic}",
    "connection.metered": "nobody is told any more that this link is metered",
    "connection.secondaries": "NetworkManager starts its VPN no more when this link comes up",
    "connection.permissions": "it is joined for every user, not only for some",
    "connection.gateway-ping-timeout": "netfail-hooks asks the gateway itself",
    "connection.ip-ping-addresses": "netfail-hooks asks by its own 'targets'",
    "connection.mud-url": "no MUD URL is sent",
    "ipv4.dns-priority": "which link's name servers count is netfail-hooks' to say",
    "ipv6.dns-priority": "which link's name servers count is netfail-hooks' to say",
    "ipv4.dns-options": "the resolver's options are not carried over",
    "ipv6.dns-options": "the resolver's options are not carried over",
    "ipv4.dad-timeout": "no duplicate of its address is looked for",
    "802-11-wireless.wake-on-wlan": "nothing wakes the machine by Wi-Fi",
}
_QUIET = ("", "0", "-1", "default", "unknown", "false")


def messages(file: KeyFile, kind: str, nic: Nic, setting: ip.Setting) -> Iterator[str]:
    """Yield what people are to be told of a profile, by keys alone: a value may be a secret."""
    yield from _told(file, nic)
    yield from _left_out(file, kind)
    yield from _unreadable(file)
    yield from _hardware_address(kind, nic, setting)


def _told(file: KeyFile, nic: Nic) -> Iterator[str]:
    for name, meaning in _TOLD.items():
        group, _, key = name.partition(".")
        if file.text(group, key) not in _QUIET:
            yield f"{_short(name)}: {meaning.format(nic=nic.name)}"


def _left_out(file: KeyFile, kind: str) -> Iterator[str]:
    other = "802-3-ethernet" if kind == wifi.WIFI else wifi.WIFI
    for group in file.names():
        known = _CARRIED.get(group)
        keys = [key for key in file.group(group) if f"{group}.{key}" not in _TOLD]
        if group in (other, ".nmmeta") or not file.group(group):
            continue
        if known is None:
            yield f"[{printable(group)}] is not carried over"
            continue
        left = [key for key in keys if key not in known.split() and not _is_numbered(group, key)]
        if left and group != "user":
            yield f"{_short(group)}.{', '.join(map(printable, left))}: not carried over"
    if file.text("proxy", "method") not in ("", "0", "none"):
        yield "proxy: nobody is told of the proxy any more"


def _is_numbered(group: str, key: str) -> bool:
    return group in ("ipv4", "ipv6") and bool(_NUMBERED.fullmatch(key))


def _unreadable(file: KeyFile) -> Iterator[str]:
    """Yield what NetworkManager itself passes over, and the options of routes that are dropped."""
    for family in (4, 6):
        group = f"ipv{family}"
        for kind in ("address", "route"):
            found, ignored = numbered(file, kind, family)
            for key in ignored:
                yield f"{group}.{key}: can't be read; NetworkManager ignores it, too"
            for one in found if kind == "route" else ():
                spared = route(one)[1]
                if spared:
                    yield f"{group}.{one.key}: without {', '.join(spared)}"
        wrong = [one for one in file.items(group, "dns") if not ip.is_server(one, family)]
        if wrong:
            yield f"{group}.dns: not all are addresses of name servers that can be carried over"


def _hardware_address(kind: str, nic: Nic, setting: ip.Setting) -> Iterator[str]:
    mac = setting(kind, "cloned-mac-address")
    if mac in ("random", "stable", "stable-ssid"):
        kept = "the one it has now" if nic.permanent_mac not in ("", nic.mac) else "the NIC's own"
        yield f"{_short(kind)}.cloned-mac-address={mac}: its hardware address stays {kept}"


def _short(name: str) -> str:
    for long, short in (
        (wifi.SECURITY, "wifi-security"),
        (wifi.WIFI, "wifi"),
        ("802-3-ethernet", "ethernet"),
    ):
        if name == long or name.startswith(f"{long}."):
            return short + name.removeprefix(long)
    return name
