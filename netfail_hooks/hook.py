"""What networkd-dispatcher starts: a list of refusals, then one look at the uplinks.

The dispatcher's ``STATE`` comes from the signal and its other variables from a later query, so
they may disagree; we take the interface's name from it and nothing else.
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
    if interface not in config.names() and not (bonded and interface == config.bond.name):
        return 0
    from netfail_hooks.reconcile import probe_uplinks, run

    state = os.path.basename(os.path.dirname(sys.argv[0])).removesuffix(".d")
    trigger = printable(f"{interface} {state}")  # somebody may call us by any path
    done = run(config, paths, trigger, interface=interface)
    if not bonded and _came_up(done, interface):
        probes = probe_uplinks(config, only=interface)
        done = run(config, paths, f"{trigger} probe", interface=interface, probes=probes)
    return 1 if done.failed else 0


def _came_up(done: Run, interface: str) -> bool:
    """Tell whether an uplink looks well and hasn't been asked yet: don't wait for the timer."""
    from netfail_hooks.policy.health import can_ask

    uplink = next(one for one in done.config.uplinks if one.interface == interface)
    return any(
        can_ask(uplink, done.observed, uplink_state.family)
        for uplink_state in done.after.uplinks
        if uplink_state.interface == interface and not (uplink_state.reason or uplink_state.passes)
    )
