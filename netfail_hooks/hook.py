"""What networkd-dispatcher starts, unless the shell in hooks/routable refuses: one look.

The dispatcher's ``STATE`` comes from the signal and its other variables from a later query, so
they may disagree; we take the interface's name from it and nothing else. Nor is that more than
whom to ask first: an event of somebody else's interface gets here when an uplink has changed.
"""

from __future__ import annotations

import os
import sys

from netfail_hooks.errors import Misuse
from netfail_hooks.journal import printable, run_logged
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.recorder import Run

# Causes that are no event of an uplink's.
CHANGED, INSTALL, BOOT = "uplinks changed", "install", "boot"
_EVENTS = "/events.jsonl"  # recorder.FILE, which would cost its module
_REPLACE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def main() -> int:
    """Look again because of an event; return the exit status. Never raises."""
    return run_logged(lambda: _look(os.environ, Paths()))


def _look(environment: os._Environ[str], paths: Paths) -> int:
    interface = environment.get("IFACE", "")
    if not interface:
        raise Misuse(
            "IFACE is not set; networkd-dispatcher runs the hooks",
            hint="by hand use 'sudo netfail-hooks check' or 'sudo netfail-hooks replay'",
        )
    from netfail_hooks.config.cache import generation, load

    since = generation(paths)
    config = load(paths)
    bonded = config.mode == "bond"
    from netfail_hooks.reconcile import run

    ours = (*config.names(), config.bond.name) if bonded else config.names()
    trigger = _event(interface) if interface in ours else _cause(paths)
    done = run(config, paths, trigger, interface=interface, since=since)
    note_received(environment.get("NETFAIL_UPLINKS", ""), paths)
    which = interface if interface in config.names() else ""
    if not bonded and _came_up(done, which):
        from netfail_hooks.reconcile.probing import probe_and_run

        probed = f"{trigger} probe"
        done = probe_and_run(
            config,
            paths,
            probed,
            interface=interface,
            only=which,
            since=since,
            patient=False,
        )
    return 1 if done.failed else 0


def _event(interface: str) -> str:
    """Return an event as the log has it, such as "eth0 no-carrier"."""
    state = os.path.basename(os.path.dirname(sys.argv[0])).removesuffix(".d")
    return printable(f"{interface} {state}")  # somebody may call us by any path


def _cause(paths: Paths) -> str:
    """Return why there may be something to do at the event of an interface that is none of ours.

    The dispatcher tells of "lo" first, once it is started: that is no cause of anything.
    """
    if os.path.exists(paths.state):
        return CHANGED
    # Nothing was looked at yet. Which of the two was written later holds whatever the clock says.
    return INSTALL if _written(paths.manifest) > _written(paths.log + _EVENTS) else BOOT


def _written(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def note_received(uplinks: str, paths: Paths) -> None:
    """Note how the shell found the uplinks before we looked: until they change it refuses others.

    Not before: no more event might come to make up for a run that was killed. "" for no names.
    """
    if not uplinks:
        return
    try:
        descriptor = os.open(paths.received, _REPLACE, 0o600)
        try:
            os.write(descriptor, os.fsencode(f"{uplinks}\n"))
        finally:
            os.close(descriptor)
        if not os.path.exists(paths.compiled_config):  # uninstalled meanwhile: it leaves nothing
            os.unlink(paths.received)
            os.rmdir(paths.run)
    except OSError:
        pass  # a full /run: any event is a reason to look again


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
