"""Which files take uplinks over, in which order, and which commands. Touches nothing.

At every boot one file decides: that by which the manager leaves the uplinks. systemd-networkd,
where it was not enabled before us, and wpa_supplicant start only if it is there, and only then do
our hooks and checks act. It is written last, and removed first, so that a machine that loses power
on the way boots with all uplinks where they were, or all where they are to be. Where two managers
have uplinks there are two, and the first counts: an uplink may have two until the second is there;
none has nobody.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from netfail_hooks.config.cache import CONDITION
from netfail_hooks.install import nodes
from netfail_hooks.install.handover import NETWORKD, SOCKET, Handover, supplicant_unit
from netfail_hooks.install.nodes import FILE, Node
from netfail_hooks.install.units import SERVICE, UNITS
from netfail_hooks.managers.release import Commands
from netfail_hooks.managers.wifi import power_save, supplicant

RULES = "/etc/systemd/networkd.conf.d/50-netfail-hooks.conf"
# systemd-networkd removes policy rules that are not its own as soon as it sets a link up, those
# of VPNs included (ManageForeignRoutingPolicyRules= in networkd.conf(5)).
_RULES_TEXT = """\
# Made by netfail-hooks install: policy rules of NetworkManager's, such as a VPN's, stay.
[Network]
ManageForeignRoutingPolicyRules=no
"""
_CONDITION = f"""\
# Made by netfail-hooks install. Without that file {{manager}} has the uplinks.
[Unit]
{CONDITION}{{path}}
"""
_DROP_IN = "50-netfail-hooks.conf"


def before_networks(handover: Handover) -> dict[str, Node]:
    """Return what is to stand at which path before the uplinks' ``.network`` files do."""
    if not handover:
        return {}
    files = {condition(SERVICE): _text(_condition(handover))}
    files |= {path: _text(text, mode) for path, (text, mode) in handover.waking.items()}
    if handover.starts:
        files[RULES] = _text(_RULES_TEXT)
    for name in handover.wireless:
        profile = handover.profiles[name]
        files[supplicant.path(name)] = _text(supplicant.of(profile), 0o600)
    return files if handover.resolver_last else files | dict(handover.resolver)


def after_networks(handover: Handover) -> dict[str, Node]:
    """Return what follows them: what starts the units at boot, and last of all what decides."""
    if not handover:
        return {}
    deciding = handover.release.files
    drop_in = _condition(handover)
    files = dict(handover.resolver) if handover.resolver_last else {}
    saving = {
        supplicant_unit(name): power_save.drop_in(handover.profiles[name].power_save)
        for name in handover.wireless
    }
    files |= {
        condition(unit): _text(drop_in + saving.get(unit, "")) for unit in conditional(handover)
    }
    files |= {path: _text(text) for path, text in handover.release.prepared.items()}
    files |= {path: nodes.link(target) for path, target in handover.links.items()}
    return files | {path: _text(text) for path, text in deciding.items()}


def _condition(handover: Handover) -> str:
    manager, deciding = handover.handed[0].manager, next(iter(handover.release.files))
    return _CONDITION.format(manager=manager, path=deciding)


def condition(unit: str) -> str:
    """Return where it says that a unit starts only if the manager leaves the uplinks.

    What else the unit is told stands there, too.
    """
    return f"{UNITS}/{unit}.d/{_DROP_IN}"


def conditional(handover: Handover) -> Iterator[str]:
    """Yield the units that start only if the manager leaves the uplinks.

    The socket would start a service that does not come, again and again, until it fails
    (systemd.socket(5), TriggerLimitIntervalSec=).
    """
    if handover.starts:
        yield from (NETWORKD, SOCKET)
    for name in handover.wireless:
        yield supplicant_unit(name)


def release_one(handover: Handover, interface: str) -> Commands:
    """Return the commands by which an uplink changes hands, once its ``.network`` file is there."""
    joins: Commands = ()
    if interface in handover.wireless:
        joins = (("systemctl", "restart", supplicant_unit(interface)),)
    ends = handover.release.ends.get(interface, ())
    return (*ends, *handover.release.release[interface], *joins)


def take_back_one(handover: Handover, interface: str) -> Commands:
    """Return the commands by which its manager has it back."""
    return handover.release.take_back[interface]


def up_again(handover: Handover, interface: str) -> Commands:
    """Return the command by which it is up by what it was up by, if that is known."""
    connections = {one.interface: one.connection for one in handover.handed}
    uuid = connections[interface]
    up = ("nmcli", "--wait", "30", "connection", "up", "uuid", uuid, "ifname", interface)
    return (up,) if uuid else ()


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
    every: Commands = (*start, *each, *handover.release.settle)
    return tuple(shlex.join(command) for command in every)


def _text(text: str, mode: int = 0o644) -> Node:
    return Node(FILE, text.encode("utf-8", "surrogateescape"), mode)
