"""What sits on an uplink: refused where it would be lost, left alone where it would not.

- What an uplink is a part of loses its cable: networkd takes a link out of whatever its file does
  not name. So that is refused, whoever has the uplink, also where a boot is to make it so.
- What an uplink carries lives on, unless its manager takes that, or the link, down: ifdown does
  the latter, and NetworkManager the former, with what it has itself on a NIC that it leaves.
"""

from __future__ import annotations

from collections.abc import Sequence

from netfail_hooks.config import Config
from netfail_hooks.errors import Misuse
from netfail_hooks.install.handover import Handover
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.managers import detect, ifupdown, interfaces, stacked
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.nm.nmcli import networkmanager_has
from netfail_hooks.networkd import match
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.networkd.stacked import Upper, named_masters, uppers
from netfail_hooks.paths import Paths

_OWN_BOND = "-netfail-{}.netdev"


def refuse_held(paths: Paths, config: Config, known: Manifest) -> None:
    """Refuse an uplink that is a part of something else, or will be after a boot. Raises Misuse."""
    for name in config.names():
        for upper in uppers(paths, name):
            if upper.holds and upper.name not in _meant(paths, config, known, name):
                raise Misuse(
                    f"{name} is a part of {upper}, from which systemd-networkd would take it: "
                    "what comes and goes by that would be cut off",
                    hint=f"have systemd-networkd set {upper.name} up and name that as the uplink, "
                    f"or take {name} out of it first (sudo ip link set {name} nomaster)",
                )
    if config.mode != "bond" and detect.has_ifupdown(paths):
        _refuse_held_at_boot(paths, config)


def _meant(paths: Paths, config: Config, known: Manifest, name: str) -> tuple[str, ...]:
    """Return what an uplink may be a part of: a bond of ours, or what its file names.

    What becomes of that is decided where the file is read (``networkd/takeover.py``). A bond that
    we have made counts where a switch of modes was killed, too.
    """
    wanted = (config.bond.name,) if config.mode == "bond" else ()
    made = _OWN_BOND.format(config.bond.name)
    if any(entry.path.endswith(made) for entry in known.entries):
        wanted = (config.bond.name,)
    source = match.effective(paths, read_nic(name, paths))
    return (*wanted, *(named_masters(source.sections) if source else ()))


def _refuse_held_at_boot(paths: Paths, config: Config) -> None:
    known = interfaces.read(paths)
    for name in config.names():
        for told, one in stacked.held_by(known, name):
            if stacked.at_boot(known, one):
                raise Misuse(
                    f"{one.path}: {told}, and ifupdown raises that at boot",
                    hint="have systemd-networkd set that up (systemd.netdev(5)) and name it as the "
                    f"uplink, or take {name} out of it",
                )


def refuse_carried(paths: Paths, handover: Handover) -> None:
    """Refuse an uplink that carries what would go with its manager. Raises Misuse."""
    managers = {one.interface: one.manager for one in handover.handed}
    has = networkmanager_has() if NETWORKMANAGER in managers.values() and not paths.root else ()
    for name in handover.now:
        for upper in uppers(paths, name):
            if why := why_lost(upper, managers[name], has):
                raise Misuse(
                    f"{upper} is on {name}, and {why}",
                    hint=f"take {upper.name} down first, or name another NIC as the uplink",
                )


def why_lost(upper: Upper, manager: str, networkmanagers: Sequence[str]) -> str:
    """Return why something would be lost as its NIC changes hands, "" where it lives on."""
    if manager == NETWORKMANAGER and upper.name in networkmanagers:
        return "goes as NetworkManager, which has it, leaves that"
    if manager == ifupdown.MANAGER and not upper.stays:
        return "loses addresses and routes as ifdown puts that down"
    return ""
