"""What becomes of addresses, sessions and traffic, in words for whoever is asked before it does.

``look`` gathers how the machine is, the rest is pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.install.handover import origin
from netfail_hooks.install.networks import switch
from netfail_hooks.install.plan import FileChange
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd.file import Section, is_yes, parse, settings
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import FOREVER, SHARED_LABEL, Address

_WAY_BACK = (
    "A way back is armed first: if no gateway answers afterwards, or this is killed, all is put "
    "back by itself."
)
_NO_TIMER = (
    "If an uplink does not come back, this run puts all back; no timer does. If it is killed, "
    "'sudo netfail-hooks uninstall' does."
)
_GIVEN = "with what its router gives"
_NO_WAY_BACK = "No way back is armed for that: have another way to this machine at hand."
_OFF = "The machine is off the network meanwhile, for a second or two, Wi-Fi for about ten."


@dataclass(frozen=True, slots=True)
class Now:
    """The machine as it is: addresses by interface, and the uplinks ``with_route`` to beyond.

    Of IPv6 those alone that are there for good: ``advertised`` tells of others. ``server`` is the
    address by which somebody came in by SSH, "" for nobody. ``running``: so that networkd is to
    follow, else only files change.
    """

    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    with_route: tuple[str, ...] = ()
    advertised: bool = False
    server: str = ""
    running: bool = False


def look(paths: Paths, names: Sequence[str], *, running: bool) -> Now:
    """Return how the machine is, by the kernel, or by files where it is none that runs."""
    if not running:
        return Now({name: _by_files(paths, name) for name in names})
    config = Config(uplinks=default_metrics(tuple(names)))
    with Netlink() as netlink:
        observed = observe(config, netlink)
    own = {
        name: [
            one
            for family in FAMILIES
            for one in observed.all_addresses(name, family)
            if not (one.ours or one.shared)
        ]
        for name in names
    }
    routed = [
        name for name in names if any(observed.default_route(name, family) for family in FAMILIES)
    ]
    return Now(
        {name: tuple(one.address for one in own[name] if not _passes(one)) for name in names},
        tuple(routed),
        any(_passes(one) for name in names for one in own[name]),
        origin.session().server,
        running=True,
    )


def _passes(address: Address) -> bool:
    return address.family == 6 and address.valid != FOREVER


def _by_files(paths: Paths, name: str) -> tuple[str, ...]:
    try:
        source = match.effective(paths, read_nic(name, paths))
    except Problem:  # nobody can tell: no reason to refuse what is about to be written
        source = None
    return fixed(source.sections) if source else ()


def fixed(sections: Sequence[Section]) -> tuple[str, ...]:
    """Return the addresses that a ``.network`` file gives, but for those of other uplinks."""
    own = [one for one in sections if one.get("Label") != SHARED_LABEL]
    words = [
        word
        for name in ("Network", "Address")
        for setting in settings(own, name, "Address")
        for word in setting.split()
    ]
    return tuple(dict.fromkeys(filter(None, map(_plain, words))))


def _plain(word: str) -> str:
    """Return an address as the kernel prints it, "" for none or any (systemd.network(5))."""
    try:
        address = ipaddress.ip_interface(word).ip
    except ValueError:
        return ""
    return "" if address.is_unspecified else str(address)


def _is_leased(sections: Sequence[Section]) -> bool:
    """Tell whether somebody on the LAN gives addresses, too: DHCP."""
    asked = settings(sections, "Network", "DHCP")[-1:]
    return any(is_yes(one) or one in ("ipv4", "ipv6") for one in asked)


def of_bond(config: Config, changes: Sequence[FileChange], now: Now) -> list[str]:
    """Tell what comes and goes where the uplinks go into a bond, or out of it. [] if neither."""
    made = switch.bonds_of([change for change in changes if change.after])
    gone = switch.bonds_of([change for change in changes if not change.after])
    if not made and not gone:
        return []
    lines = list(_joined(config, changes, now) if made else _parted(gone[0], changes, now))
    if now.running:
        lines += [_OFF, *_session(changes, now), _WAY_BACK]
    else:
        lines.append("The machine follows with its next boot.")
    return lines


def _joined(config: Config, changes: Sequence[FileChange], now: Now) -> Iterator[str]:
    bond = config.bond.name
    texts = _texts(changes)
    both = " and ".join(config.names())
    if bond not in texts:
        yield f"{bond}, of {both}, is made anew; it keeps its addresses."
        return
    sections = texts[bond]
    kept = fixed(sections)
    stays = [f"{one} (of {name})" for name, one in _each(now) if one in kept]
    goes = [f"{one} (of {name})" for name, one in _each(now) if one not in kept]
    new = [one for one in kept if one not in [each for _, each in _each(now)]]
    parts = [f"{', '.join(stays)} stay{'s' if len(stays) == 1 else ''}"] if stays else []
    parts += [f"{', '.join(new)} {'is' if len(new) == 1 else 'are'} new"] if new else []
    parts += [f"{', '.join(goes)} go{'es' if len(goes) == 1 else ''}"] if goes else []
    addresses = "; ".join(parts)
    alone = f"which alone has addresses: {addresses}" if addresses else "which alone has addresses"
    yield f"{both} become one interface, {bond}, {alone}."
    if _is_leased(sections):
        yield f"{bond} asks the LAN's DHCP server for an address: one of those, or another."
    if now.advertised:
        yield "IPv6 addresses by a router's advertisements may be others."


def _parted(bond: str, changes: Sequence[FileChange], now: Now) -> Iterator[str]:
    texts = {name: sections for name, sections in _texts(changes).items() if name != bond}
    each = [f"{name} {', '.join(fixed(one)) or _GIVEN}" for name, one in texts.items()]
    again = [address for one in texts.values() for address in fixed(one)]
    goes = [f"{one} goes" for one in now.addresses.get(bond, ()) if one not in again]
    has = f"afterwards there {'are' if len(each) > 1 else 'is'} {' and '.join(each)}"
    yield f"{bond} goes; {'; '.join([has, *goes])}."


def _texts(changes: Sequence[FileChange]) -> dict[str, Sequence[Section]]:
    """Return what the changed files of interfaces will say."""
    return {
        name: parse(change.after.data.decode(errors="surrogateescape"))
        for change in reversed(changes)
        if change.after and (name := takeover.uplink_of(change.path))
    }


def _each(now: Now) -> list[tuple[str, str]]:
    return [(name, one) for name, each in now.addresses.items() for one in each]


def _session(changes: Sequence[FileChange], now: Now) -> list[str]:
    """Return what becomes of the SSH session by which somebody came in."""
    plain = now.server.partition("%")[0]
    if not plain:
        return []
    texts = _texts(changes)
    if any(plain in fixed(sections) for sections in texts.values()):
        return [f"You came in by {plain}, which stays."]
    others = [one for sections in texts.values() for one in fixed(sections)]
    how = f"come in again by {' or '.join(dict.fromkeys(others))}" if others else "look for another"
    return [f"You came in by {plain}, which may go: your session ends then; {how}."]


def of_uplinks(changes: Sequence[FileChange], now: Now) -> list[str]:
    """Tell what becomes of uplinks that systemd-networkd has, and goes on to have."""
    if not now.running:
        return []
    texts = _texts(changes)
    if not texts:
        return ["No uplink is set up anew: addresses, traffic and SSH sessions go on."]
    lost = [
        f"{one} (of {name})"
        for name, sections in texts.items()
        for one in now.addresses.get(name, ())
        if not _is_kept(one, sections)
    ]
    names = " and ".join(texts)
    stay = "addresses and SSH sessions stay"
    if lost:
        stay += f", but for {', '.join(lost)}, which {names} would have no more"
    others = [name for name in now.with_route if name not in texts] or now.with_route[1:]
    meanwhile = "another one carries the traffic" if others else "the traffic waits for a second"
    has = (
        f"systemd-networkd has {names} already: {stay}. It reads one uplink's file at a time; "
        f"meanwhile {meanwhile}."
    )
    return [has, _NO_TIMER]


def of_return(changes: Sequence[FileChange]) -> list[str]:
    """Tell what becomes of systemd-networkd's uplinks at an uninstall."""
    if bonds := " and ".join(switch.bonds_of(changes)):
        goes = f"{bonds} goes, or is again what the files of before say, and so do its addresses."
        return [goes, _OFF, _NO_WAY_BACK]
    names = " and ".join(filter(None, (takeover.uplink_of(change.path) for change in changes)))
    again = (
        f"{names} are again what the files of before say, one at a time: their addresses, and "
        "SSH sessions by these, stay where those files give them."
    )
    return [again] if names else []


def _is_kept(address: str, sections: Sequence[Section]) -> bool:
    """Tell whether a file still gives an address, as far as it says.

    What the LAN gives it goes on to give: the client stays the same one.
    """
    if ":" in address:
        return True
    return address in fixed(sections) or _is_leased(sections)
