"""Our ``.network`` files: what the user's own say, with metrics, ahead of theirs.

Each keeps the user's text, comments and all, and adds what failover needs (systemd.network(5)):

- the uplink's metric on every route of its own, the connected ones included, so that the
  kernel always knows which uplink comes first;
- ``IgnoreCarrierLoss``: a pulled cable takes no address away, so connections survive;
- ``ConfigureWithoutCarrier`` (static addresses): a machine booted with the cable out has them;
- ``KeepConfiguration``: a restart of networkd takes no address away, either (systemd 252 takes
  static ones away for a tenth of a second, and with them what a bond has of routes);
- no duplicate address detection for IPv6: the duplicate would be us, on the other uplink;
- ``UseReachableTime`` and ``UseRetransmissionTime`` (systemd 256), where the kernel watches
  gateways: a router's advertisement may say how soon neighbours are asked again, which is ours.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from netfail_hooks.config import Config
from netfail_hooks.errors import Misuse
from netfail_hooks.networkd import match, netplan, ranking, stacked
from netfail_hooks.networkd.file import (
    Section,
    asks_dhcp4,
    default_routes,
    is_no,
    is_unmanaged,
    is_yes,
    last,
    listed,
    parse,
    render,
    section,
    settings,
)
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.name_servers import is_lent
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import SHARED_LABEL

MARK = "# netfail-hooks:"
_ASKED = f"{MARK} as 'netfail-hooks install' was asked; run it again for a change"
_INSTEAD = re.compile(rf"{MARK} in place of (.+); change ")
_MADE_OF = re.compile(rf"^{MARK} made of ([0-9a-f]+)$", re.MULTILINE)
_HERE = Paths()
_NOT_OURS = ("Match", "")
_LAST_METRIC = 0xFF000000  # behind any uplink, and behind what a router has advertised
_ANY = "0.0.0.0"  # noqa: S104 - as a gateway: none, all is on the link
# How names of ours begin, each before the one in front of it; a minus sorts before any digit.
STARTS = ("10", "00", "0", "0-")
# Since systemd 256 networkd sets what an advertisement says of these (ndisc_router_process_*_time()
# in networkd-ndisc.c; pull requests 31041, 31405); before it would warn of a key it does not know,
# each time it reads the file.
TIMED_SINCE = 256
_ADVERTISED_TIMERS = ("UseReachableTime", "UseRetransmissionTime")


@dataclass(frozen=True, slots=True)
class AddressConfig:
    """How an uplink that has no ``.network`` file of its own is to be set up.

    Addresses have their prefix length. With ``dhcp`` the LAN's server says what these and the
    gateways are; name servers are one's own, if any.
    """

    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    dhcp: bool = False


def is_ours(text: str) -> bool:
    """Tell whether we wrote a file."""
    return text.startswith(MARK)


def was_asked(text: str) -> bool:
    """Tell whether a file holds what install was asked, rather than what a user's file says."""
    return text.startswith(_ASKED)


def of_whom(text: str) -> str:
    """Return the path of the user's file that one of ours stands in for, "" for none."""
    found = _INSTEAD.match(text)
    return found[1] if found else ""


def made_of(text: str) -> str:
    """Return the ``fingerprint`` of what one of our files was made of, "" for none."""
    found = _MADE_OF.search(text)
    return found[1] if found else ""


def users_file(paths: Paths, nic: Nic) -> Source | None:
    """Return the file that networkd would use for a NIC if we were not here. Raises Misuse."""
    return match.effective(paths, nic, ignore=is_ours)


def bond_nic(config: Config) -> Nic:
    """Return a bond as files can choose it, be there one yet or not.

    All of it is known: a file by hardware address or path is for one of its NICs, whatever address
    the bond has of them.
    """
    name = config.bond.name
    marks = (("DEVTYPE", "bond"), ("INTERFACE", name))
    return Nic(name, driver="bonding", type="bond", kind="bond", properties=marks, present=True)


def slaves_file(paths: Paths, config: Config) -> Source | None:
    """Return the first file of the NICs of a bond that sets one up, rather than makes it a slave.

    That is what the bond's own is made of where there is none for it. Raises Misuse.
    """
    for name in config.names():
        source = users_file(paths, read_nic(name, paths))
        if source and not settings(source.sections, "Network", "Bond"):
            return source
    return None


def file_name(nic: Nic, ahead_of: str = "") -> str:
    """Return our file's name, one that sorts before the user's. Raises Misuse if none can."""
    return name_ahead(f"netfail-{nic.name}.network", ahead_of)


def name_ahead(name: str, theirs: str) -> str:
    """Return a name of ours that networkd reads before a file of theirs, "" for none.

    It sorts the files of all directories by the bytes of their names (``conf_files_list`` in
    systemd's basic/conf-files.c, by strcmp(3)). Raises Misuse if none is before it.
    """
    for start in STARTS:
        if not theirs or os.fsencode(f"{start}-{name}") < os.fsencode(theirs):
            return f"{start}-{name}"
    raise Misuse(
        f"no name of ours sorts before {theirs}",
        hint=f"rename it to begin with a higher number, such as 20-{name.partition('-')[2]}",
    )


def take_over(
    nic: Nic, source: Source, metric: int, *, timed: bool = False, paths: Paths = _HERE
) -> str:
    """Return our file in place of the user's. Raises Misuse for one that we can't stand in for.

    ``timed`` leaves the neighbours' timers to us. ``paths`` have what a file of netplan's is made
    of, which is told.
    """
    sections = [_unmatched(one) if one.name in _NOT_OURS else one for one in source.sections]
    _refuse(source.path, netplan.told(paths, source.path), sections)
    told = f"{told_in_place_of(paths, source.path)}\n{MARK} made of {source.fingerprint}"
    return _whole(nic, told, sections, metric, timed=timed)


def told_in_place_of(paths: Paths, path: str) -> str:
    """Return how a file of ours begins that stands in for another one."""
    yaml = " or ".join(netplan.sources(paths, path))
    where = f"{yaml}, of which netplan makes that, run '{netplan.GENERATE}'" if yaml else "that one"
    return (
        f"{MARK} in place of {path}; change {where} and run 'sudo netfail-hooks install' "
        "again, this one is written anew"
    )


def write_new(nic: Nic, wanted: AddressConfig, metric: int, *, timed: bool = False) -> str:
    """Return our file for an uplink that no file sets up (see take_over). Raises Misuse."""
    network = [("DNS", server) for server in wanted.dns]
    if wanted.dhcp:
        network.append(("DHCP", "yes"))
    else:
        _check(nic, wanted)
        network += [("Address", address) for address in wanted.addresses]
        network += [("Gateway", gateway) for gateway in wanted.gateways]
    return _whole(nic, _ASKED, [section("Network", *network)], metric, timed=timed)


def address_config(text: str) -> AddressConfig:
    """Return what one of our own files was written from by ``write_new``."""
    sections = [one for one in parse(text) if not is_lent(one)]
    dns = tuple(settings(sections, "Network", "DNS"))
    if last(sections, "DHCP"):
        return AddressConfig(dns=dns, dhcp=True)
    own = [one for one in sections if one.name == "Address" and one.get("Label") != SHARED_LABEL]
    addresses = tuple(one.get("Address") for one in own)
    gateways = tuple(one.get("Gateway") for one in default_routes(sections) if one.get("Gateway"))
    return AddressConfig(addresses, gateways, dns)


def _whole(nic: Nic, told: str, sections: list[Section], metric: int, *, timed: bool) -> str:
    known = ranking.ranks(sections)
    kept = [new for one in sections for new in _ranked(one, metric, known)]
    head = Section("", f"{told}\n\n[Match]\nName={nic.name}\n")
    return render([head, *kept, *_added(sections, metric, known, timed=timed)])


def _unmatched(one: Section) -> Section:
    """Return what is left of the user's [Match], or of what is in no section: comments.

    networkd ignores an assignment outside of a section; below our own [Match] it would count.
    """
    return Section("", "", tuple(item for item in one.items if not item.key))


def _added(
    sections: list[Section], metric: int, known: dict[int, list[int]], *, timed: bool
) -> Iterator[Section]:
    """Yield what failover needs, last: of two assignments the later one counts."""
    static = listed(sections, "Address") or any(s.name == "Address" for s in sections)
    needed = [("IgnoreCarrierLoss", "yes"), ("IPv6DuplicateAddressDetection", "0")]
    if static:
        needed.append(("ConfigureWithoutCarrier", "yes"))
    dhcp = asks_dhcp4(sections)
    if (static or dhcp) and not last(sections, "KeepConfiguration"):
        needed.append(("KeepConfiguration", "dhcp-on-stop" if dhcp else "static"))
    yield section("Network", *needed)
    if is_yes(last(sections, "DefaultRouteOnDevice")):  # whose route could have no metric
        first = ranking.metric_of_gateway(_ANY, known, metric)
        yield section("Route", ("Gateway", _ANY), ("Metric", str(first)))
    if dhcp:
        leased = ranking.metric_of_dynamic(ranking.DHCP4, sections, known, metric)
        yield section("DHCPv4", ("RouteMetric", str(leased)))
    if not is_no(last(sections, "IPv6AcceptRA")):
        advertised = ranking.metric_of_dynamic(ranking.RA, sections, known, metric)
        kept = [(key, "no") for key in _ADVERTISED_TIMERS] if timed else []
        yield section("IPv6AcceptRA", ("RouteMetric", str(advertised)), *kept)


def _ranked(one: Section, metric: int, known: dict[int, list[int]]) -> Iterator[Section]:
    """Yield a section of the user's with the uplink's metrics on what it says of routes.

    What [Network] says of addresses becomes sections right behind it: of two addresses of one
    subnet the first one is primary. An empty one stays: what it does to the sections ahead of it,
    be they of [Network] or not, is for networkd to say (see ``listed``).
    """
    if one.name == "Network":
        yield one.without("Address", "Gateway", "DefaultRouteOnDevice")
        for item in one.items:
            if item.key == "Address":
                ranked = section("Address", ("Address", item.setting), ("RouteMetric", str(metric)))
                yield ranked if item.setting else section("Network", ("Address", ""))
        for item in one.items:
            if item.key == "Gateway":
                rank = ranking.metric_of_gateway(item.setting, known, metric)
                ranked = section("Route", ("Gateway", item.setting), ("Metric", str(rank)))
                yield ranked if item.setting else section("Network", ("Gateway", ""))
    elif one.name == "Address" and not is_no(one.get("AddPrefixRoute")):
        yield one.set("RouteMetric", str(metric))
    elif one.name == "Route" and one.in_main_table():
        yield _ranked_route(one, metric, known) if one.forwards() else _last(one, known)
    else:
        yield one


def _last(one: Section, known: dict[int, list[int]]) -> Section:
    """Return a route that refuses packets behind the uplinks' own, where it was behind them."""
    family, own = ranking.place_of_route(one)
    if not one.leads_everywhere() or own < max(known.get(family, []), default=0):
        return one
    return one.set("Metric", str(max(own, _LAST_METRIC)))


def _ranked_route(one: Section, metric: int, known: dict[int, list[int]]) -> Section:
    if one.leads_everywhere():
        return one.set("Metric", str(ranking.metric_of_route(one, known, metric)))
    if one.get("Scope") == "link" or not one.get("Metric"):
        return one.set("Metric", str(metric))
    return one


def _refuse(path: str, told: str, sections: list[Section]) -> None:
    if not path.isprintable():  # ours names it in a comment, which a newline would end
        raise Misuse(
            f"{path}: an odd name", hint=f"rename it to {os.path.dirname(path)}/20-NAME.network"
        )
    for key in stacked.MASTERS:
        if last(sections, key):
            raise Misuse(
                f"{told}: {key}={last(sections, key)} makes this NIC part of another one",
                hint="name that one as the uplink, or take the line out",
            )
    if is_unmanaged(sections):
        raise Misuse(f"{told}: Unmanaged=yes keeps networkd from it", hint="take the line out")
    for one in sections:
        if one.name == "Address" and one.get("Address") and not _is_address(one):
            what = f"{told}: Address={one.get('Address')} is no address"
            raise Misuse(what, hint="mend that line, such as Address=192.168.1.252/24")


def _is_address(one: Section) -> bool:
    try:
        ipaddress.ip_interface(one.get("Address"))
    except ValueError:
        return False
    return True


def _check(nic: Nic, wanted: AddressConfig) -> None:
    """Refuse what cannot work, before networkd would."""
    try:
        own = [ipaddress.ip_interface(address) for address in wanted.addresses]
        ways = [ipaddress.ip_address(gateway) for gateway in wanted.gateways]
        for server in wanted.dns:
            ipaddress.ip_address(server)
    except ValueError as error:
        raise Misuse(f"{nic.name}: {error}", hint="such as 192.168.1.252/24") from None
    for address in own:
        if address.network.prefixlen == address.max_prefixlen:
            raise Misuse(f"{nic.name}: {address} has no LAN around it", hint="add its length: /24")
    for way in ways:
        near = way.is_link_local or any(way in one.network for one in own)
        if not near or any(way == one.ip for one in own):
            raise Misuse(
                f"{nic.name}: gateway {way} is no neighbour of {', '.join(wanted.addresses)}",
                hint="a gateway is another host in the same subnet",
            )


_OURS = re.compile(r"/etc/systemd/network/\d+--?netfail-([^/]+)\.network")


def uplink_of(path: str) -> str:
    """Return whose ``.network`` file of ours that is, "" for any other path."""
    found = _OURS.fullmatch(path)
    return found[1] if found else ""
