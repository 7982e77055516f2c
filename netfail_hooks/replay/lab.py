"""``replay --sandbox``: bring real interfaces of a throw-away machine into the states asked for."""

from __future__ import annotations

import time

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.file import render
from netfail_hooks.install import hook_file
from netfail_hooks.install.layout import HOOK
from netfail_hooks.lab import Lab, harmless
from netfail_hooks.recorder import FILE
from netfail_hooks.recorder.tail import Tail
from netfail_hooks.replay.events import DEAD, Event
from netfail_hooks.replay.hooks import print_decisions
from netfail_hooks.terminal.progress import doing, shown
from netfail_hooks.values import replace

# What brings an uplink into a state, and what ends it. Of other states hooks alone are told.
_FAULTS = {
    "no-carrier": (Lab.cable_out, Lab.cable_in),
    "off": (Lab.link_down, Lab.link_up),
    "missing": (Lab.remove, Lab.insert),
    "linger": (Lab.remove, Lab.insert),
    "degraded": (Lab.drop_address, Lab.return_address),
    DEAD: (Lab.dead_gateway, Lab.alive_gateway),
}
_WORKING = ("routable", "configured")


def replay(config: Config, events: tuple[Event, ...]) -> int:
    """Play the events in a lab of the config's uplinks. Raises Problem where it can't be built."""
    names = config.names()
    # Its LAN has the metrics that install gives, and no targets but the gateway.
    inside = replace(config, uplinks=default_metrics(names))
    shows = shown("at work on the throw-away network")
    with shows, harmless(), Lab(names, unmanaged=True) as lab:
        _install(lab, inside)
        lab.start()
        lab.tick()
        with Tail(lab.paths.log + FILE) as recorder:
            print("a throw-away machine, all well:", flush=True)
            print_decisions(recorder)
            _play(lab, events, min(config.period or config.quick, config.quick), recorder)
    return 0


def _play(lab: Lab, events: tuple[Event, ...], interval: int, recorder: Tail) -> None:
    faults: dict[str, str] = {}
    for event in events:
        print(f"{event}:", flush=True)
        if not event.interface:
            with doing("letting time pass", event.wait, told=True):
                _wait(lab, event.wait, interval)
        else:
            _enter(lab, event, faults)
        print_decisions(recorder)


def _install(lab: Lab, config: Config) -> None:
    lab.write("/etc/netfail-hooks/config.toml", render(config))
    write_hooks(lab)


def write_hooks(lab: Lab) -> None:
    """Put the hooks where the dispatcher would look for them."""
    text = hook_file.hook_text().decode()
    for state in hook_file.states():
        lab.write(f"/etc/networkd-dispatcher/{state}.d/{HOOK}", text, mode=0o755)


def _enter(lab: Lab, event: Event, faults: dict[str, str]) -> None:
    """End the fault that there is, make the new one; a check follows, as by the timer."""
    name, state = event.interface, event.state
    old = faults.get(name, "")
    if state in _FAULTS or state in _WORKING:
        faults[name] = state if state in _FAULTS else ""
        if old and old != state:
            _FAULTS[old][1](lab, name)
        if state in _FAULTS and old != state:
            _FAULTS[state][0](lab, name)
    elif lab.unmanaged is not None:
        lab.unmanaged.enter(name, state)
    lab.tick()


def _wait(lab: Lab, seconds: int, interval: int) -> None:
    """Let time pass, with a check at each tick of the timer."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(interval, left))
        lab.tick()
