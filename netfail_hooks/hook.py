"""What networkd-dispatcher starts: a list of refusals, then one look at the uplinks.

The dispatcher's ``STATE`` comes from the signal and its other variables from a later query, so
they may disagree; we take the interface's name from it and nothing else. Nor is that sure: the
dispatcher keeps the name that an interface had when it first heard of it, and udev may have given
it another since (systemd.link(5)). So only what is there by that name is somebody else's.
"""

from __future__ import annotations

import os
import sys

from netfail_hooks.errors import Misuse
from netfail_hooks.journal import printable, run_logged
from netfail_hooks.names import is_interface_name
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from netfail_hooks.config import Config
    from netfail_hooks.recorder import Run


def main() -> int:
    """Look again because of an event; return the exit status. Never raises."""
    return run_logged(lambda: _look(os.environ, Paths()))


def _look(environment: os._Environ[str], paths: Paths) -> int:
    interface = environment.get("IFACE", "")
    if not interface:
        raise Misuse(
            "IFACE is not set; networkd-dispatcher runs the hooks",
            hint="by hand use 'netfail-hooks check' or 'netfail-hooks replay'",
        )
    if not is_interface_name(interface):
        raise Misuse(f"IFACE is no interface name: {ascii(interface)[:60]}")
    from netfail_hooks.config.cache import load

    config = load(paths)
    bonded = config.mode == "bond"
    if not concerns(config, interface, there=lambda: _is_there(paths, interface)):
        return 0
    from netfail_hooks.reconcile import run

    state = os.path.basename(os.path.dirname(sys.argv[0])).removesuffix(".d")
    trigger = printable(f"{interface} {state}")  # somebody may call us by any path
    done = run(config, paths, trigger, interface=interface)
    which = interface if interface in config.names() else ""
    if not bonded and _came_up(done, which):
        from netfail_hooks.reconcile.probing import probe_and_run

        probed = f"{trigger} probe"
        done = probe_and_run(config, paths, probed, interface=interface, only=which)
    return 1 if done.failed else 0


def concerns(config: Config, interface: str, *, there: Callable[[], bool]) -> bool:
    """Tell whether an event is a reason to look: but for what is somebody else's, and ``there``.

    Whatever bears no name that anything has now may be an uplink by its first name.
    """
    bond = config.bond.name if config.mode == "bond" else ""
    return interface in (*config.names(), bond) or not there()


def _is_there(paths: Paths, interface: str) -> bool:
    return os.path.exists(paths.at(f"/sys/class/net/{interface}"))


def _came_up(done: Run, interface: str) -> bool:
    """Tell whether an uplink ("": any) looks well and was not asked yet: no need to wait."""
    from netfail_hooks.policy.health import can_ask

    uplinks = {one.interface: one for one in done.config.uplinks}
    return any(
        can_ask(uplinks[uplink_state.interface], done.observed, uplink_state.family)
        for uplink_state in done.after.uplinks
        if interface in ("", uplink_state.interface)
        and not (uplink_state.reason or uplink_state.passes)
    )
