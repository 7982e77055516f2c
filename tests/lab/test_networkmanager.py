"""A real NetworkManager's profiles, and what networkd does with our translation of them.

Each profile is on an uplink in a LAN of its own, whose real DHCP server remembers by what identity
it gave which address. NetworkManager sets all of them up at once, then networkd does.
"""

from __future__ import annotations

import ipaddress
import json
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.packages import program
from netfail_hooks.lab import Lab, topology
from netfail_hooks.lab.namespaces import Daemon
from netfail_hooks.managers.keyfile import Defaults, translate
from netfail_hooks.networkd.file import render, section
from netfail_hooks.networkd.nic import Nic

MakeLab = Callable[..., Lab]
View = dict[str, Any]

_POLICY = "/usr/share/dbus-1/system.d/org.freedesktop.NetworkManager.conf"
_CONNECTIONS = "/etc/NetworkManager/system-connections"
# A name that one of the LANs gives is not to be sent to the others.
_CONFIG = "[main]\nplugins=keyfile\ndns=none\nhostname-mode=none\n"
_SETTLED, _SECONDS = 4, 30  # nothing has changed for that long; what is waited at most

# What is said below [connection], NET and NET6 being the LAN's prefixes.
PROFILES = {
    "as nmcli makes it": "[ethernet]\n\n[ipv4]\nmethod=auto\n\n[ipv6]\naddr-gen-mode=default\n"
    "method=auto\n\n[proxy]\n",
    "static": "[ipv4]\nmethod=manual\naddress1=NET.70/24,NET.1\naddress2=10.88.0.7/16\n"
    "dns=NET.1;198.51.100.53;\ndns-search=lan.example;~corp.example;\n"
    "route1=10.99.0.0/16,NET.9\nroute2=10.98.1.0/24,NET.9,77\nroute2_options=mtu=1300,src=NET.70\n"
    "[ipv6]\nmethod=manual\naddress1=NET6::70/64\ngateway=NET6::1\nroute1=2001:db8:7::/48,NET6::9\n",
    "never a default route, of its own DNS": "[ethernet]\nmtu=1400\ncloned-mac-address="
    "02:00:00:00:aa:01\n[ipv4]\nmethod=auto\nnever-default=true\nignore-auto-dns=true\n"
    "dns=NET.3;\ndhcp-client-id=duid\ndhcp-hostname=named\n[ipv6]\nmethod=auto\nip6-privacy=2\n"
    "never-default=true\ndns=NET6::3;\nignore-auto-dns=true\n",
    "own routes alone": "[ipv4]\nmethod=auto\nignore-auto-routes=true\naddress1=10.77.0.2/24\n"
    "route1=10.97.0.0/16,NET.1\ndhcp-client-id=ipv6-duid\ndhcp-iaid=0x1234\n[ipv6]\n"
    "method=disabled\n",
    "identities given": "[ipv4]\nmethod=auto\ndhcp-client-id=ff:00:00:00:07:00:04:"
    "01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10\n"
    "dhcp-send-hostname=false\n[ipv6]\nmethod=auto\naddr-gen-mode=eui64\ndhcp-duid=ll\n"
    "dhcp-iaid=mac\ntoken=::99\nip6-privacy=0\n",
    "a gateway that is not near": "[ipv4]\nmethod=manual\naddress1=10.66.0.2/32,NET.1\n"
    "[ipv6]\nmethod=link-local\n",
    "the kernel's own IPv6": "[ipv4]\nmethod=manual\naddress1=NET.70/24\nrouting-rule1=priority 77 "
    "from 10.55.0.0/16 table 254\n[ipv6]\nmethod=ignore\n",
    "DHCP of IPv6 alone": "[ipv4]\nmethod=disabled\n[ipv6]\nmethod=dhcp\n",
}


@dataclass(frozen=True)
class _Uplink:
    """One of the lab's uplinks with a profile."""

    name: str
    segment: int
    mac: str
    kind: str
    text: str

    def keyfile(self) -> str:
        """Return the profile of its LAN."""
        own = self.text.replace("NET6", topology.network6(self.segment))
        own = own.replace("NET", topology.network(self.segment))
        uuid = f"2815492f-7e56-435e-b2e9-246bd7cdc6{self.segment:02}"
        head = f"[connection]\nid={self.name}\nuuid={uuid}\ntype=ethernet\n"
        return f"{head}interface-name={self.name}\n\n{own}"


def test_networkd_does_as_networkmanager_did(make_lab: MakeLab) -> None:
    _compare(make_lab, PROFILES)


def test_networkd_does_as_networkmanager_did_with_any_profile(make_lab: MakeLab) -> None:
    drawn = random.Random(19)  # noqa: S311 - no secret
    _compare(make_lab, {f"drawn {number}": _drawn(drawn) for number in range(8)})


def _drawn(drawn: random.Random) -> str:
    """Return a profile of settings that go together."""
    method = drawn.choice(("auto", "auto", "manual", "link-local"))
    lines = [f"[ipv4]\nmethod={method}"]
    if method != "link-local" and (method == "manual" or drawn.random() < 0.3):
        router = drawn.choice(("", ",NET.1"))
        lines.append(f"address1=NET.{drawn.randrange(60, 90)}/24{router}")
        lines.append(drawn.choice(("", "route1=10.9.0.0/16,NET.9", "route3=10.8.0.0/16,NET.1,9")))
        lines.append(drawn.choice(("", "dns=NET.1;", "dns=NET.1;NET.2", "dns-search=a.example")))
    if method == "auto":
        lines.append(drawn.choice(("", "never-default=true", "ignore-auto-routes=true")))
        lines.append(drawn.choice(("", "ignore-auto-dns=true")))
        ids = ("", "mac", "duid", "ipv6-duid", "ff:1:2:3:4:0:3:0:1:2:0:0:0:0:9")
        lines.append(f"dhcp-client-id={drawn.choice(ids)}")
        lines.append(drawn.choice(("", "dhcp-iaid=mac", "dhcp-iaid=7", "dhcp-hostname=pi")))
    six = drawn.choice(("auto", "auto", "manual", "disabled", "link-local"))
    lines.append(f"[ipv6]\nmethod={six}")
    if six == "manual":
        lines.append(f"address1=NET6::{drawn.randrange(60, 90)}/64{drawn.choice(('', ',NET6::1'))}")
    if six == "auto":
        lines.append(f"ip6-privacy={drawn.choice((-1, 0, 1, 2))}")
        lines.append(drawn.choice(("", "addr-gen-mode=stable-privacy", "token=::5")))
        lines.append(drawn.choice(("", "never-default=true", "ignore-auto-dns=true")))
        lines.append(
            drawn.choice(
                (
                    "",
                    "dhcp-duid=ll",
                    "dhcp-duid=00:01:00:01:2b:2c:2d:2e:02:03:04:05:06:07",
                    "dhcp-iaid=9",
                )
            )
        )
    lines.append(f"[ethernet]\nmtu={drawn.choice((0, 1400, 1492))}")
    return "\n".join(line for line in lines if line) + "\n"


def _compare(make_lab: MakeLab, profiles: dict[str, str]) -> None:
    names = [f"u{rank}" for rank in range(len(profiles))]
    lab = make_lab(names, segments={n: 1 + r for r, n in enumerate(names)}, start=False, dad=True)
    lab.run("sh", "-c", "rm /etc/systemd/network/*")
    uplinks = [
        _Uplink(name, 1 + rank, topology.Port(name, rank).mac, kind, text)
        for rank, (name, (kind, text)) in enumerate(zip(names, profiles.items(), strict=True))
    ]
    _serve(lab, uplinks)
    machine_id = lab.read("/etc/machine-id").strip()
    before = _by_networkmanager(lab, uplinks)
    for one in uplinks:
        said = translate(
            f"{_CONNECTIONS}/{one.name}.nmconnection",
            one.keyfile(),
            Nic(one.name, mac=one.mac, permanent_mac=one.mac, present=True),
            Defaults(machine_id=machine_id),
        )
        text = render([section("Match", ("Name", one.name)), *said.sections])
        lab.write(f"/etc/systemd/network/10-{one.name}.network", text)
    after = _by_networkd(lab, uplinks)
    wrong = []
    for one in uplinks:
        for part, known in before[one.name].items():
            now = after[one.name][part]
            if known != now:
                wrong.append(f"{one.kind}: {part}\n  was {known}\n  is  {now}\n{one.keyfile()}")
    assert not wrong, "\n".join(wrong) + lab.read("/run/lab/networkd.log")


def _serve(lab: Lab, uplinks: Sequence[_Uplink]) -> None:
    """Give out addresses on each LAN, by the identity that is asked with; advertise a router."""
    options = []
    for one in uplinks:
        lan, lan6 = topology.network(one.segment), topology.network6(one.segment)
        options += [
            f"--interface=lan{one.segment}",
            f"--dhcp-range=set:s{one.segment},{lan}.100,{lan}.200,255.255.255.0,10m",
            f"--dhcp-range=set:s{one.segment},{lan6}::100,{lan6}::1ff,slaac,64,10m",
            f"--dhcp-option=tag:s{one.segment},option:dns-server,{lan}.1",
            f"--dhcp-option=tag:s{one.segment},option6:dns-server,[{lan6}::1]",
        ]
    fixed = "--conf-file=/dev/null --port=0 --user=root --pid-file= --no-ping --enable-ra"
    more = "--dhcp-leasefile=/run/lab/leases --log-dhcp --log-facility=/run/lab/dnsmasq.log"
    domain = "--dhcp-option=option:domain-search,leased.example"
    argv = ["dnsmasq", *fixed.split(), *more.split(), domain, *options]
    lab.run_lan(*argv).check_returncode()


def _by_networkmanager(lab: Lab, uplinks: Sequence[_Uplink]) -> dict[str, View]:
    """Return what each uplink has of NetworkManager, and leave new NICs behind."""
    manager = program("NetworkManager", "network-manager")
    with open(manager.root + _POLICY, encoding="utf-8") as policy:
        lab.write("/etc/dbus-1/system.d/networkmanager.conf", policy.read())
    lab.write("/etc/NetworkManager/NetworkManager.conf", _CONFIG)
    for one in uplinks:
        lab.write(f"{_CONNECTIONS}/{one.name}.nmconnection", one.keyfile(), mode=0o600)
    lab.run("mkdir", "-p", "/var/lib/NetworkManager", "/run/NetworkManager")
    lab.start(routable=False)
    argv = [manager.path, "--no-daemon"]
    daemon = Daemon(lab.namespaces, "nm", argv, environment=manager.environment)
    nmcli = program("nmcli", "network-manager")

    def told(field: str, name: str) -> list[str]:
        asked = [nmcli.path, "--get-values", field, "device", "show", name]
        said = lab.run(*asked, environment=nmcli.environment).stdout.replace("\\", "")
        return sorted(part.strip() for part in re.split(r"[|\n]", said) if part.strip())

    views = _settled(lab, uplinks)
    for one in uplinks:
        for part, field in (("DNS", "DNS"), ("domains", "SEARCHES")):
            both = {word for family in "46" for word in told(f"IP{family}.{field}", one.name)}
            views[one.name][part] = sorted(both)
    daemon.kill()
    daemon.release()
    for one in uplinks:  # nothing is left in the kernel
        lab.remove(one.name)
        lab.insert(one.name)
    return views


def _by_networkd(lab: Lab, uplinks: Sequence[_Uplink]) -> dict[str, View]:
    """Return what each uplink has of networkd."""
    lab.run("networkctl", "reload").check_returncode()
    views = _settled(lab, uplinks)
    for one in uplinks:
        known = json.loads(lab.run("networkctl", "--json=short", "status", one.name).stdout)
        servers = {str(_address(server)) for server in known.get("DNS") or ()}
        domains = {d["Domain"] for d in known.get("SearchDomains") or ()}
        domains |= {"~" + d["Domain"] for d in known.get("RouteDomains") or ()}
        views[one.name] |= {"DNS": sorted(servers), "domains": sorted(domains)}
    return views


def _address(server: dict[str, Any]) -> object:
    return ipaddress.ip_address(bytes(server["Address"]))


def _settled(lab: Lab, uplinks: Sequence[_Uplink]) -> dict[str, View]:
    """Return what there is in the kernel, and at the DHCP server, once it stays as it is."""
    end = time.monotonic() + _SECONDS
    views: dict[str, View] = {}
    since = time.monotonic()
    while time.monotonic() < since + _SETTLED:
        assert time.monotonic() < end, lab.logs()
        now = {one.name: _view(lab, one) for one in uplinks}
        if now != views or not _complete(now, uplinks):
            views, since = now, time.monotonic()
        time.sleep(0.3)
    return views


def _complete(views: dict[str, View], uplinks: Sequence[_Uplink]) -> bool:
    """Tell whether each uplink has what takes longest: a lease where it asks for one."""
    wanted = ("[ipv4]\nmethod=auto", "[ipv6]\nmethod=auto", "method=dhcp")
    return all(
        sum(word in one.text for word in wanted) <= len(views[one.name]["leases"])
        for one in uplinks
    )


def _view(lab: Lab, one: _Uplink) -> View:
    """Return what is in the kernel of an uplink, and its leases, without what may be otherwise.

    That is metrics and who made a route; which addresses were drawn by lot, or made of a secret.
    """

    def shown(*words: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(lab.run("ip", "-d", "-j", *words).stdout or "[]")
        return found

    link = shown("address", "show", "dev", one.name)[0]
    return {
        "MTU": link["mtu"],
        "MAC": link["address"],
        "addresses": sorted(_plain(address, one) for address in link["addr_info"]),
        "routes": sorted(
            {
                _route(route)
                for family in ("-4", "-6")
                for routes in shown(family, "route", "show", "table", "all")
                for route in (routes, *(routes | hop for hop in routes.get("nexthops", ())))
                if route.get("dev") == one.name and route.get("table") != "local"
            }
            - {""}
        ),
        "rules": sorted(
            f"{rule['src']} {rule['table']}" for rule in shown("rule") if rule["priority"] == 77
        ),
        "leases": _leases(lab, one),
        "privacy": lab.read(f"/proc/sys/net/ipv6/conf/{one.name}/use_tempaddr").strip(),
    }


def _plain(address: dict[str, Any], one: _Uplink) -> str:
    """Return an address; of one that is made of a secret its prefix and what it is."""
    local = ipaddress.ip_interface(f"{address['local']}/{address['prefixlen']}")
    if "eui64" in one.text or not _made(one) or address["family"] == "inet":
        made_up = address.get("temporary", False)
    else:
        made_up = local.network.prefixlen == 64
    if address["family"] == "inet" and local.is_link_local:
        made_up = True
    return f"{local.network} {'made up' if made_up else local}"


def _made(one: _Uplink) -> bool:
    return "stable-privacy" in one.text or "addr-gen-mode=default" in one.text


def _route(route: dict[str, Any]) -> str:
    """Return a route as text; "" for one to a neighbour of the link, which says nothing new."""
    to = str(route["dst"])
    if "/" not in to and to != "default":
        return ""  # to the router or the name server alone, networkd's own
    metrics = sorted(str(one) for one in route.get("metrics", ()))
    source = route.get("prefsrc") if route.get("protocol") == "static" else ""
    return f"{to} via {route.get('gateway')} src {source} {metrics} {route.get('type')}"


def _leases(lab: Lab, one: _Uplink) -> list[str]:
    """Return an uplink's leases: addresses, names and identities (dnsmasq's own file)."""
    own = tuple(f"{topology.network(one.segment)}. {topology.network6(one.segment)}::".split())
    lines = [line.split() for line in lab.read("/run/lab/leases").splitlines()]
    return sorted(" ".join(line[1:]) for line in lines if len(line) > 4 and line[2].startswith(own))
