"""Which files take uplinks over, in which order, and which commands. Touches nothing.

At every boot one file decides: the one by which the manager leaves the uplinks. systemd-networkd,
where it was not enabled before us, and wpa_supplicant start only if that is there. It is written
last, and removed first, so that a machine that loses power on the way boots with all uplinks
where they were, or all where they are to be, never with one that nobody has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netfail_hooks.install import nodes
from netfail_hooks.install.handover import NETWORKD, Handover, supplicant_unit
from netfail_hooks.install.nodes import FILE, Node
from netfail_hooks.install.units import UNITS
from netfail_hooks.managers import release as managers_release
from netfail_hooks.managers import supplicant
from netfail_hooks.managers.release import Commands, Release

RULES = "/etc/systemd/networkd.conf.d/50-netfail-hooks.conf"
# systemd-networkd removes policy rules that are not its own as soon as it sets a link up, those
# of VPNs included (ManageForeignRoutingPolicyRules= in networkd.conf(5)).
_RULES_TEXT = """\
# Made by netfail-hooks install: policy rules of NetworkManager's, such as a VPN's, stay.
[Network]
ManageForeignRoutingPolicyRules=no
"""
_CONDITION = """\
# Made by netfail-hooks install. Without that file {manager} has the uplinks.
[Unit]
ConditionPathExists={path}
"""
_DROP_IN = "50-netfail-hooks.conf"


def release(handover: Handover) -> Release:
    """Return how the manager lets go of the uplinks, and how it has them back."""
    return managers_release.networkmanager(handover.names)


def before_networks(handover: Handover) -> dict[str, Node]:
    """Return what is to stand at which path before the uplinks' ``.network`` files do."""
    if not handover:
        return {}
    files = {}
    if handover.starts:
        files[RULES] = _text(_RULES_TEXT)
    for name in handover.wireless:
        profile = handover.profiles[name]
        text = supplicant.config(profile.wireless, profile.country)
        files[supplicant.path(name)] = Node(FILE, text.encode("utf-8", "surrogateescape"), 0o600)
    return files | dict(handover.resolver)


def after_networks(handover: Handover) -> dict[str, Node]:
    """Return what follows them: what starts the units at boot, and last of all what decides."""
    if not handover:
        return {}
    deciding = release(handover).files
    drop_in = _text(_CONDITION.format(manager=handover.handed[0].manager, path=next(iter(deciding))))
    files = {f"{UNITS}/{unit}.d/{_DROP_IN}": drop_in for unit in _conditional(handover)}
    files |= {path: nodes.link(target) for path, target in handover.links.items()}
    return files | {path: _text(text) for path, text in deciding.items()}


def _conditional(handover: Handover) -> Iterator[str]:
    """Yield the units that start only if the manager leaves the uplinks."""
    if handover.starts:
        yield NETWORKD
    for name in handover.wireless:
        yield supplicant_unit(name)


def release_one(handover: Handover, interface: str) -> Commands:
    """Return the commands by which an uplink changes hands, once its ``.network`` file is there."""
    unit = supplicant_unit(interface)
    joins: Commands = (("systemctl", "restart", unit),) if interface in handover.wireless else ()
    return (*release(handover).release[interface], *joins)


def take_back_one(handover: Handover, interface: str) -> Commands:
    """Return the commands by which its manager has it back, up by what it was up by."""
    connections = {one.interface: one.connection for one in handover.handed}
    commands = release(handover).take_back[interface]
    if uuid := connections[interface]:
        up = ("nmcli", "--wait", "30", "connection", "up", "uuid", uuid, "ifname", interface)
        commands = (*commands, up)
    return commands


def told(handover: Handover, order: tuple[str, ...]) -> tuple[str, ...]:
    """Return all commands of an install for people, in their order, uplinks in ``order``."""
    if not handover.now:
        return ()
    start: Commands = (("systemctl", "start", NETWORKD),) if NETWORKD in handover.idle else ()
    each = [
        command
        for name in order
        if name in handover.now
        for command in (*release_one(handover, name), ("networkctl", "reload"))
    ]
    every: Commands = (*start, *each, *release(handover).settle)
    return tuple(" ".join(command) for command in every)


def as_tree(handover: Handover) -> dict[str, object]:
    """Return what the way back needs, as JSON has it."""
    return {
        "handed": [[one.interface, one.manager, one.connection] for one in handover.handed],
        "now": list(handover.now),
        "units": list(handover.idle),
        "wireless": list(handover.wireless),
    }


def restored(names: Mapping[str, Node]) -> Iterator[str]:
    """Yield the uplinks whose supplicant files are among these paths."""
    start, end = supplicant.path("\0").split("\0")
    for path in names:
        if path.startswith(start) and path.endswith(end):
            yield path.removeprefix(start).removesuffix(end)


def _text(text: str) -> Node:
    return Node(FILE, text.encode("utf-8", "surrogateescape"))
