"""What people have in interfaces(5) and dhcpcd.conf(5), a NIC each, with what it must come to.

NIC, NET and NET6 are the uplink's own, as in tests/support/corpus.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netfail_hooks.lab import topology


@dataclass(frozen=True)
class Stanza:
    """A NIC's text; ``dns`` name servers and domains that networkd must have for it."""

    kind: str
    text: str
    dns: tuple[str, ...] = ()


IFUPDOWN = (
    Stanza("DHCP, as the installer writes it", "allow-hotplug NIC\niface NIC inet dhcp\n"),
    Stanza(
        "static, as the installer writes it",
        "allow-hotplug NIC\niface NIC inet static\n"
        "\taddress NET.60/24\n\tgateway NET.1\n"
        "\t# dns-* options are implemented by the resolvconf package, if installed\n"
        "\tdns-nameservers NET.1 192.0.2.53\n\tdns-search home.example\n",
        dns=("NET.1", "192.0.2.53", "home.example"),
    ),
    Stanza(
        "of old, with netmask, network and broadcast; MTU and address of hardware",
        "auto NIC\niface NIC inet static\n  address NET.61\n  netmask 255.255.255.0\n"
        "  network NET.0\n  broadcast NET.255\n  gateway NET.1\n  mtu 1400\n"
        "  hwaddress ether 02:00:00:00:77:01\n",
    ),
    Stanza(
        "two addresses, routes, IPv6 by hand",
        "auto NIC\niface NIC inet static\n  address NET.62/24\n  gateway NET.1\n"
        "  up ip route add 198.51.100.0/24 via NET.2 dev $IFACE\n"
        "  down ip route del 198.51.100.0/24 via NET.2 dev $IFACE || true\n"
        "  post-up route add -net 203.0.113.0 netmask 255.255.255.0 gw NET.3\n"
        "iface NIC inet static\n  address NET.63/24\n"
        "iface NIC inet6 static\n  address NET6::63/64\n  gateway NET6::1\n",
    ),
    Stanza(
        "an alias, and a second subnet",
        "auto NIC NIC:1\niface NIC inet static\n  address NET.64/24\n  gateway NET.1\n"
        "iface NIC:1 inet static\n  address 192.0.2.64/25\n",
    ),
    Stanza(
        "DHCP beside what routers advertise, and a metric",
        "auto NIC\niface NIC inet dhcp\n  metric 300\niface NIC inet6 auto\n  privext 0\n",
    ),
    Stanza(
        "a gateway outside of the subnet, and a host's address",
        "auto NIC\niface NIC inet static\n  address 192.0.2.65/32\n  gateway NET.1\n",
    ),
    Stanza(
        "inherited, with line continuation",
        "iface home inet static\n  gateway NET.1\n  dns-nameservers NET.\\\n1\n"
        "auto NIC\niface NIC inet static inherits home\n  address NET.66/24\n",
        dns=("NET.1",),
    ),
)


def own(text: str, nic: str, segment: int) -> str:
    """Return a text with what is its uplink's own."""
    words = {
        "NET6": topology.network6(segment),
        "NET": topology.network(segment),
        "NIC": nic,
    }
    return re.sub(r"NET6|NET|NIC", lambda found: words[found[0]], text)


DHCPCD = (
    Stanza("DHCP, nothing said of it", "interface NIC\n"),
    Stanza(
        "static, as how-to's for the Pi have it",
        "interface NIC\nstatic ip_address=NET.70/24\nstatic routers=NET.1\n"
        "static domain_name_servers=NET.1 192.0.2.53 # the router's, and another\n",
        dns=("NET.1", "192.0.2.53"),
    ),
    Stanza(
        "static, IPv6 by hand, and a metric",
        "interface NIC\nmetric 300\nstatic ip_address=NET.71/24\nstatic ip6_address=NET6::71/64\n"
        "static routers=NET.1\n",
    ),
    Stanza("the DUID of this machine", "interface NIC\nduid\n"),
    Stanza("no default route by it", "interface NIC\nnogateway\n"),
)
