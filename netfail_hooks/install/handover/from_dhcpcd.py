"""What is dhcpcd's own in a handover: what is refused, and who has an uplink."""

from __future__ import annotations

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Misuse
from netfail_hooks.files import read_text
from netfail_hooks.install import diversion
from netfail_hooks.install.handover import Handover
from netfail_hooks.install.manifest import Handed
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.managers import detect, dhcpcd, dhcpcd_release
from netfail_hooks.networkd import networkctl
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths
from netfail_hooks.process import version

_HEARS = (10, 1)
_AT_BOOT = f"sudo systemctl enable {dhcpcd_release.UNIT}"  # one that ends takes its addresses away


def hand(paths: Paths, nic: Nic) -> Handed:
    """Return an uplink that dhcpcd has. Raises Misuse for one that it can't be told to leave."""
    name, unit = nic.name, dhcpcd_release.UNIT
    if not dhcpcd_release.is_plain(name):
        raise Misuse(
            f"dhcpcd can't be told to leave {name!a} alone",
            hint="first give it a name of letters, digits, . _ and - (systemd.link(5), Name=)",
        )
    if detect.dhcpcd_runs_alone(paths, name):
        raise Misuse(
            f"a dhcpcd runs for {name} alone, and one for all interfaces can be told to leave it",
            hint=f"have that one start at boot ({_AT_BOOT}), and none for {name} (sudo "
            f"systemctl disable dhcpcd@{name}.service, say); then reboot",
        )
    process = detect.dhcpcd_for_all(paths)
    if f"/{unit}" not in read_text(paths.at(f"/proc/{process}/cgroup")):
        raise Misuse(
            f"dhcpcd has {name}, and {unit} has not started it",
            hint=f"have that start it at boot ({_AT_BOOT}), and nothing else; then reboot",
        )
    refuse_own_way(paths)
    return Handed(name, dhcpcd.MANAGER)


def refuse_own_way(paths: Paths) -> None:
    """Refuse a unit that starts dhcpcd in a way of its own: ours repeats it. Raises Misuse."""
    if how := dhcpcd_release.own_way(paths):
        raise Misuse(how, hint=dhcpcd_release.OWN_WAY)


def hears_other_nics() -> bool:
    """Tell whether it takes what another NIC of this machine sends for another machine's.

    Before 10.1 it knows the hardware addresses of all (``arp_packet()`` in its src/arp.c).
    """
    found = version("dhcpcd")
    return found is None or found >= _HEARS


def has(handover: Handover) -> tuple[str, ...]:
    """Return the uplinks that dhcpcd has, or is to have: networkd leaves them, and it may.

    Where networkd does not answer, its addresses are there all the same: then it is what was noted
    as they changed hands that tells (``Paths.taken``).
    """
    names = tuple(one.interface for one in handover.handed if one.manager == dhcpcd.MANAGER)
    paths = Paths()
    left = (*dhcpcd_release.leaves(paths, names), *diversion.taken(paths))
    networkds = networkctl.answers() if names else False
    return tuple(
        name
        for name in names
        if name not in left and not (networkds and not networkctl.leaves_alone(name))
    )


def raised(handover: Handover) -> tuple[str, ...]:
    """Return the uplinks that dhcpcd has set up.

    Nothing tells whether one that runs was started to leave an interface, but an address does.
    """
    names = has(handover)
    if not (names and detect.dhcpcd_for_all(Paths())):
        return ()
    with Netlink() as netlink:
        observed = observe(Config(uplinks=default_metrics(names)), netlink)
    return tuple(
        name
        for name in names
        if any(one.interface == name and not one.ours for one in observed.addresses)
    )
