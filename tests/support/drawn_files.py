"""``.network`` files drawn at random: ways out as people have them, with any options beside."""

from __future__ import annotations

from random import Random

from tests.support.corpus import FileSet

# Each gives an uplink a way out. Words as in tests/support/corpus.py.
_WAYS = (
    "[Network]\nAddress=NET.2/24\nGateway=NET.1\nIPv6AcceptRA=no\n",
    "[Address]\nAddress=NET.2/24\n[Route]\nGateway=NET.1\n",
    "[Network]\nAddress=NET.2/24\n[Route]\nDestination=0.0.0.0/0\nGateway=NET.1\nMetric=33\n",
    "[Network]\nAddress=NET.2/24\nAddress=NET6::2/64\nGateway=NET.1\nGateway=NET6::1\n",
    "[Network]\nAddress=NET.8/24\nAddress=\nAddress=NET.2/24\nGateway=NET.9\nGateway=\nGateway=NET.1\n",
    "[Address]\nAddress=203.0.113.NUMBER/32\n[Route]\nDestination=0.0.0.0/0\nGateway=fe80::1\n",
    "[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n",
    "[Network]\nDHCP=ipv4\nAddress=203.0.113.NUMBER/32\nIPv6AcceptRA=no\n",
)
# Any of these may stand beside, each section's lines together.
_OPTIONS: dict[str, tuple[str, ...]] = {
    "Link": (
        "MTUBytes=1400",
        "RequiredForOnline=no",
        "RequiredForOnline=degraded-carrier:routable",
        "RequiredFamilyForOnline=ipv4",
        "AllMulticast=yes",
        "Promiscuous=yes",
        "Multicast=yes",
        "Group=12",
        "ActivationPolicy=up",
        "MACAddress=02:00:00:00:05:1NUMBER",
    ),
    "Network": (
        "Description=any words",
        "DNS=NET.1",
        "DNS=NET.9:5353#dns.example.com",
        "Domains=example.com ~corp.example",
        "DNSDefaultRoute=no",
        "DNSOverTLS=opportunistic",
        "DNSSEC=no",
        "LLMNR=resolve",
        "MulticastDNS=yes",
        "NTP=NET.1 time.example",
        "LLDP=yes",
        "EmitLLDP=nearest-bridge",
        "IPForward=ipv4",
        "IPv4AcceptLocal=yes",
        "IPv4RouteLocalnet=yes",
        "ProxyARP=yes",
        "IPv6ProxyNDP=yes",
        "IPv6HopLimit=77",
        "IPv6MTUBytes=1380",
        "IPv6PrivacyExtensions=no",
        "LinkLocalAddressing=ipv6",
        "IPv6LinkLocalAddressGenerationMode=eui64",
        "IPv4LLRoute=no",
        "Address=",
        "Gateway=",
        "DNS=",
        "Domains=",
        "Address=NET.77/24",
        "Address=NET6::77/64",
        "KeepConfiguration=static",
        "ConfigureWithoutCarrier=no",
    ),
    "DHCPv4": (
        "UseDNS=no",
        "UseNTP=no",
        "UseDomains=route",
        "UseMTU=yes",
        "UseHostname=no",
        "ClientIdentifier=mac",
        "RouteMetric=4000",
        "SendHostname=no",
        "RoutesToDNS=no",
        "InitialCongestionWindow=15",
        "VendorClassIdentifier=x",
        "IAID=9NUMBER",
        "SendRelease=no",
    ),
    "IPv6AcceptRA": ("UseDNS=no", "UseMTU=no", "RouteMetric=high", "DHCPv6Client=no"),
    "Nonsense": ("Key=word", "NoEqualsSign"),
}
# Sections that are whole things of their own.
_WHOLE = (
    "[Address]\nAddress=NET.81/24\nLabel=NIC:a\n",
    "[Address]\nAddress=NET.82/32\nScope=link\n",
    "[Address]\nAddress=NET6::82/64\nPreferredLifetime=0\n",
    # On the subnet of another address it would be chance which of them is first, and so whether the
    # kernel makes a route to the gateway at all.
    "[Address]\nAddress=198.18.NUMBER.83/24\nAddPrefixRoute=no\nBroadcast=198.18.NUMBER.200\n",
    "[Route]\nDestination=198.51.100.NUMBER/32\nGateway=NET.1\n",
    "[Route]\nDestination=198.51.101.NUMBER/32\nGateway=NET.1\nMetric=9\nMTUBytes=1300\n",
    "[Route]\nDestination=198.51.102.NUMBER/32\nScope=link\nInitialCongestionWindow=30\n",
    "[Route]\nDestination=198.51.103.NUMBER/32\nType=blackhole\n",
    "[Route]\nGateway=NET.1\nTable=7NUMBER\nGatewayOnLink=yes\n",
    "[Route]\nGateway=NET.9\nMetric=5000\nGatewayOnLink=yes\n",
    "[Route]\nDestination=2001:db8:NUMBER::/48\nGateway=NET6::9\nGatewayOnLink=yes\n",
    "[RoutingPolicyRule]\nFrom=NET.2\nTable=7NUMBER\nPriority=70NUMBER\n",
    "[RoutingPolicyRule]\nFirewallMark=NUMBER\nTable=7NUMBER\nPriority=71NUMBER\nFamily=both\n",
    "[Neighbor]\nAddress=NET.66\nLinkLayerAddress=02:00:00:00:02:66\n",
    "[NextHop]\nId=90NUMBER\nGateway=NET.1\nOnLink=yes\n",
    "[IPv6Prefix]\nPrefix=2001:db8::/64\n",
    "[DHCPv6]\nUseDNS=no\n",
    "[Nonsense]\nAddress=NET.99/24\n",
    "[PFIFO]\nParent=root\nPacketLimit=500\n",
)


def draw(random: Random) -> FileSet:
    """Return an uplink's file and its drop-ins, of a way out and of any options."""
    way = random.choice(_WAYS)
    parts = [way]
    for name in sorted(_OPTIONS):
        lines = random.sample(_OPTIONS[name], k=random.randint(0, min(4, len(_OPTIONS[name]))))
        if lines:
            parts.append("\n".join([f"[{name}]", *lines, ""]))
    parts += random.sample(_WHOLE, k=random.randint(0, 5))
    random.shuffle(parts)
    cut = random.randint(0, len(parts))
    match = random.choice(("Name=NIC", "MACAddress=MAC", "Name=NIC nobody", "Name=NIC\nType=ether"))
    if any("MACAddress=02" in part for part in parts):
        match = "Name=NIC"
    end = random.choice(("\n", "\r\n"))
    files = {"20-NIC.network": "".join([f"[Match]\n{match}\n", *parts[:cut]]).replace("\n", end)}
    if parts[cut:]:
        files["20-NIC.network.d/50-more.conf"] = "# more\n" + "".join(parts[cut:])
    return FileSet("drawn", files, dhcp="DHCP=ipv4" in way)
