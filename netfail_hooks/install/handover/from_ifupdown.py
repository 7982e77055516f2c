"""What is ifupdown's own in a handover: what is refused, who has an uplink, when one has come."""

from __future__ import annotations

import contextlib
import os

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.install.handover import Handover
from netfail_hooks.install.manifest import Handed
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.managers import detect, ifupdown, ifupdown_release, interfaces
from netfail_hooks.managers.interfaces import Interfaces, Stanza
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.networkd import match
from netfail_hooks.networkd.file import default_route_families
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.networkd.settling import is_useful
from netfail_hooks.paths import Paths
from netfail_hooks.process import wait_until

_PATIENCE = 20.0  # seconds for a lease where there was no way out before: it may never come
_LEFT = 5.0  # seconds
_CARRIER = 10.0  # seconds for Wi-Fi to be joined
LONGEST = _LEFT + _CARRIER + _PATIENCE  # seconds of waiting for one uplink
_TAKEN = ("auto", "hotplug")
_CLIENTS = ("dhclient", "dhcpcd")  # which are ended without giving a lease back
# Where a check hears of a change (managers/sources.py), and whose files are known as ifupdown's.
_PLACES = ("/etc/network/interfaces", "/etc/network/interfaces.d/")


def hand(paths: Paths, nic: Nic) -> Handed:
    """Return an uplink that ifupdown has. Raises Misuse for one that it can't be told to leave."""
    known = interfaces.read(paths)
    _refuse_untold(paths, known, nic.name)
    for name in (nic.name, *known.aliases(nic.name)):
        for one in known.of(known.logical(name)):
            _refuse_stanza(paths, ifupdown.spelt(one), nic.name)
    # Options say which addresses it is to have; ifdown runs what its stanza says all the same.
    ifupdown.profile(paths, nic)
    return Handed(nic.name, ifupdown.MANAGER)


def _refuse_untold(paths: Paths, known: Interfaces, name: str) -> None:
    """Refuse an interface that ifupdown, or somebody else, would raise all the same."""
    if not ifupdown_release.is_plain(name):
        raise Misuse(
            f"ifupdown can't be told to leave {name!a} alone",
            hint="first give it a name of letters, digits, . _ and - (systemd.link(5), Name=)",
        )
    if not ifupdown_release.heeds(paths):
        raise Misuse(
            f"ifupdown has {name}, and no {ifupdown_release.NETWORKING} here can be told to "
            "leave it (--read-environment, ifup(8))",
            hint="install Debian's own ifupdown",
        )
    for up, now in detect.all_raised(paths).items():
        at_boot = known.logical(up, *_TAKEN)
        if up.partition(":")[0] != name or now == at_boot:
            continue
        raise Misuse(  # nobody would know any more as what it is to come back
            f"ifupdown has {up} up as {now}, and at boot {f'as {at_boot}' if at_boot else 'not'}",
            hint=f"say 'auto {up}={now}' in /etc/network/interfaces",
        )
    for kind, word in known.raised:
        if word.partition("=")[0] == name and kind not in _TAKEN:
            raise Misuse(
                f"ifupdown has {name} in allow-{kind}, and nobody knows who raises that",
                hint="put it into auto or allow-hotplug",
            )


def _refuse_stanza(paths: Paths, one: Stanza, name: str) -> None:
    """Refuse a stanza whose file is not to be known again, or whose client can't be ended."""
    if one.path != _PLACES[0] and not one.path.startswith(_PLACES[1]):
        raise Misuse(
            f"{one.path}, which sets {name} up, is in no place of ifupdown's own",
            hint=f"move it to {_PLACES[1]}",
        )
    if supplicant.path(name) in (one.get("wpa-conf"), one.get("wpa-roam")):
        raise Misuse(
            f"{one.path}: wpa-conf names {supplicant.path(name)}, which is to be ours",
            hint="give that file another name, there and in the stanza",
        )
    asks = (one.family, one.method) == ("inet", "dhcp")
    if asks and ifupdown.client(paths) not in _CLIENTS:
        raise Misuse(
            f"{one.path}: {name} asks DHCP by a client that is not known here",
            hint="install isc-dhcp-client or dhcpcd-base",
        )


def raised(handover: Handover) -> tuple[str, ...]:
    """Return the uplinks that ifupdown has up."""
    paths = Paths()
    return tuple(
        one.interface
        for one in handover.handed
        if one.manager == ifupdown.MANAGER and detect.raised(paths, one.interface)
    )


def await_left(interface: str, paths: Paths) -> None:
    """Wait until ifupdown's wpa_supplicant is gone: ifdown does not, and ours wants its socket.

    (kill_wpa_supplicant() in wpasupplicant's functions.sh.) One that it has left behind is none.
    """
    socket = paths.at(f"/run/wpa_supplicant/{interface}")
    with contextlib.suppress(Problem):
        wait_until(lambda: not os.path.exists(socket), _LEFT, "end of wpa_supplicant", step=0.1)


def await_way_out(interface: str, paths: Paths) -> None:
    """Wait until an uplink has the default route that its file gives it; for so long, and go on.

    Of two uplinks of ifupdown's without a metric, one has none before; the other one's traffic is
    to go there next.
    """
    config = Config(uplinks=default_metrics((interface,)))

    def has(*, carrier_alone: bool) -> bool:
        with Netlink() as netlink:
            observed = observe(config, netlink)
        link = observed.link(interface)
        carrier = bool(link and link.carrier)
        return carrier if carrier_alone else not carrier or is_useful(observed, interface, 4)

    with contextlib.suppress(Problem):
        source = match.effective(paths, read_nic(interface, paths))
        if source and 4 in default_route_families(source.sections):
            # ifdown has put the link down; a cable may be out for good.
            wait_until(
                lambda: has(carrier_alone=True), _CARRIER, f"carrier of {interface}", step=0.1
            )
            wait_until(
                lambda: has(carrier_alone=False), _PATIENCE, f"way out by {interface}", step=0.1
            )
