"""What of a ``.network`` file may be shown to others: settings that are known to say nothing.

Whoever writes such a file may put anything into it: passwords of VPNs, names of houses and people,
what was once right as a comment. So no list of what is secret is ever whole; this one is of what
is not. All else is there by its key alone, comments not at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from netfail_hooks.bundle import redact
from netfail_hooks.networkd.file import Item, Section, parse

REDACTED = "(redacted)"
# systemd.network(5), but for names, texts, identifiers and keys
_KEYS = """
Name OriginalName MACAddress PermanentMACAddress Driver Type Kind WLANInterfaceType
MTUBytes ARP Multicast AllMulticast Promiscuous Unmanaged Group RequiredForOnline
RequiredFamilyForOnline ActivationPolicy
DHCP DHCPServer LinkLocalAddressing IPv6LinkLocalAddressGenerationMode
IPv4LLRoute DefaultRouteOnDevice LLMNR MulticastDNS DNSOverTLS DNSSEC DNSDefaultRoute LLDP
EmitLLDP BindCarrier Address Gateway DNS IPForward IPv4Forwarding IPv6Forwarding IPMasquerade
IPv6PrivacyExtensions IPv6AcceptRA IPv6DuplicateAddressDetection IPv6HopLimit
IPv4AcceptLocal IPv4RouteLocalnet IPv4ProxyARP IPv4ReversePathFilter IPv6ProxyNDP IPv6SendRA
DHCPPrefixDelegation IPv6MTUBytes Bridge Bond VRF VLAN MACVLAN Tunnel ActiveSlave PrimarySlave
ConfigureWithoutCarrier IgnoreCarrierLoss KeepConfiguration BatmanAdvanced
Peer Broadcast PreferredLifetime Scope RouteMetric HomeAddress DuplicateAddressDetection
ManageTemporaryAddress AddPrefixRoute AutoJoin
TypeOfService From To FirewallMark Table Priority IncomingInterface OutgoingInterface
SourcePort DestinationPort IPProtocol InvertRule Family SuppressPrefixLength
LinkLayerAddress GatewayOnLink Destination Source Metric IPv6Preference PreferredSource
Protocol InitialCongestionWindow QuickAck FastOpenNoCookie TTLPropagate MultiPathRoute
UseDNS RoutesToDNS UseNTP RoutesToNTP UseSIP UseMTU UseHostname UseDomains UseRoutes UseGateway
UseTimezone UseAddress UseDelegatedPrefix SendHostname SendRelease SendDecline Anonymize
MaxAttempts RouteTable RouteMTUBytes RapidCommit WithoutRA
UseAutonomousPrefix UseOnLinkPrefix UseRoutePrefix UseICMPv6RateLimit DHCPv6Client
UseReachableTime UseRetransmissionTime
"""
_KNOWN = frozenset(_KEYS.split())
_WORD = re.compile(r"[A-Z][A-Za-z46]{1,31}")  # a key or section as systemd spells them
_COMMENT = re.compile(r"(^|\s)#.*", re.MULTILINE)
_PATH = re.compile(r"(https?6?://[^/\s'\"]+/)[^\s'\"]+")  # of a target; it may be a secret
_OURS = "# netfail-hooks:"
# wpa_supplicant.conf(5): what is no secret, each in the form that it has by itself, with nothing
# behind it. An SSID is sent to whoever is near.
_WIFI = {
    "ssid": r'"[^"\r]{1,32}"|(?:[0-9A-Fa-f]{2}){1,32}',
    "bssid": r"(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}",
    "key_mgmt": r"[A-Z0-9]+(?:[ -][A-Z0-9]+){0,9}",
    "proto": r"(?:WPA|RSN|WPA2| )+",
    "country": "[A-Z]{2}|00",
    "ctrl_interface": r"(?:DIR=)?/run/wpa_supplicant(?: GROUP=[a-z]{1,16})?",
    **dict.fromkeys(
        ("scan_ssid", "priority", "ieee80211w", "sae_pwe", "update_config", "disabled", "mode"),
        "[0-9]{1,5}",
    ),
}
# Token= (systemd.network(5)): the half of an address that is told beside it. A string that has
# neither a colon nor one of these words may be another program's, and a credential.
_TOKEN = re.compile(r"eui64|prefixstable|(?:static:|prefixstable:)?[0-9A-Fa-f]*:[0-9A-Fa-f:]+")
_INLINE = re.compile(r"\s*[#;].*", re.DOTALL)  # a server's name, or what was meant as a comment


def shown(text: str) -> str:
    """Return the text of a file without comments, and with the settings of known keys alone."""
    return "\n".join(line for section in parse(text) for line in _lines(section))


def hidden(text: str, *, closed: bool) -> str:
    """Return the text of a file, as many lines of it, without secrets.

    Of one that not all may read (``closed``) there is only what is in ``shown``, too.
    """
    parts = [
        part
        for section in parse(text)
        for part in (section.header, *(_hidden(item, closed=closed) for item in section.items))
    ]
    return "".join(parts)


def hidden_words(text: str) -> str:
    """Return the text of another file without comments or pages' paths, as many lines of it."""
    return _PATH.sub(rf"\1{REDACTED}", _COMMENT.sub(rf"\1# {REDACTED}", text))


def hidden_settings(text: str) -> str:
    """Return the text of a file with Wi-Fi's keys in it, as many lines of it, without them.

    Shown is what tells which networks are joined, and how. All else is there by its key alone:
    what is secret is whatever is not known to be none, a person's comments included.
    """
    return "".join(_shown_word(line) for line in re.findall(r".*\n|.+", text))


def _shown_word(line: str) -> str:
    key, _, setting = line.partition("=")
    if not line.strip() or line.strip() == "}" or setting.strip() == "{":
        return line
    if line.startswith(_OURS):
        return line
    end = "\n" if line.endswith("\n") else ""
    plain = _WIFI.get(key.strip(" \t"))
    if plain and re.fullmatch(plain, setting.removesuffix("\n")):
        return f"{key}={setting.removesuffix(end)}{_named(key, setting.strip())}{end}"
    # In a blob's last line there is nothing but "=" behind it.
    known = re.fullmatch(r"\s*[a-z][a-z0-9_]{1,30}", key) and setting.strip("= \t\r\n")
    return f"{key}={REDACTED}{end}" if known else f"# {REDACTED}{end}"


def _named(key: str, setting: str) -> str:
    """Return what follows a network's name that is written in digits: the name itself."""
    if key.strip() != "ssid" or setting.startswith('"'):
        return ""
    name = bytes.fromhex(setting).decode("utf-8", "replace")
    return f'  # "{name}"' if name.isprintable() else ""


def _hidden(item: Item, *, closed: bool) -> str:
    identifier = item.key == "Token" and _TOKEN.fullmatch(item.setting)
    secret = redact.CREDENTIAL.search(item.key or item.raw) and not identifier
    ours = not item.key and item.raw.startswith(_OURS)
    if not item.raw.strip() or ours or not (secret or closed):
        return item.raw
    if not item.key:
        first = f"# {REDACTED}"
    else:
        known = not secret and item.key in _KNOWN
        first = f"{item.key}={_setting(item.key, item.setting) if known else REDACTED}"
        if known and first == item.raw.strip():
            return item.raw
    lines = item.raw.split("\n")
    return "\n".join([first, *(REDACTED if line else "" for line in lines[1:])])


def _lines(section: Section) -> Iterator[str]:
    if section.header:
        yield f"[{_word(section.name)}]"
    for item in section.items:
        if item.key:
            yield f"{_word(item.key)}={_setting(item.key, item.setting)}"


def _word(text: str) -> str:
    return text if _WORD.fullmatch(text) else REDACTED


def _setting(key: str, setting: str) -> str:
    if key not in _KNOWN:
        return REDACTED if setting else ""
    if key.endswith(("MACAddress", "LinkLayerAddress")):
        return " ".join(map(_mac, setting.split()))
    return _INLINE.sub(f" {REDACTED}", setting)


def _mac(word: str) -> str:
    """Return a hardware address in the one form that is exchanged later (systemd knows three)."""
    digits = re.sub(r"[:.-]", "", word.lstrip("!"))
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2}){6,20}", digits):
        return REDACTED
    return "!" * word.startswith("!") + bytes.fromhex(digits).hex(":")
