"""``replay --sandbox``: bring real interfaces of a throw-away machine into the states asked for."""

from __future__ import annotations

import time

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.file import render
from netfail_hooks.install import hook_file
from netfail_hooks.lab import Lab
from netfail_hooks.recorder import FILE
from netfail_hooks.recorder.tail import Tail
from netfail_hooks.replay.dispatcher import OURS
from netfail_hooks.replay.events import DEAD, Event
from netfail_hooks.replay.hooks import tell_decisions
from netfail_hooks.values import replace

# What brings an uplink into a state, and what mends it. Other states are only told.
_FAULTS = {
    "no-carrier": ("cable_out", "cable_in"),
    "off": ("link_down", "link_up"),
    "missing": ("remove", "insert"),
    "linger": ("remove", "insert"),
    "degraded": ("drop_address", "return_address"),
    DEAD: ("dead_gateway", "alive_gateway"),
}
_WELL = ("routable", "configured")


def replay(config: Config, steps: tuple[Event, ...]) -> int:
    """Play the steps in a lab of the config's uplinks. Raises Problem where it can't be built."""
    names = config.names()
    # Its LAN has the metrics that install gives, and no targets but the gateway.
    inside = replace(config, uplinks=default_metrics(names))
    with Lab(names, unmanaged=True) as lab:
        _install(lab, inside)
        lab.start()
        lab.tick()
        with Tail(lab.paths.log + FILE) as recorder:
            print("a throw-away machine, all well:", flush=True)
            tell_decisions(recorder)
            _play(lab, steps, config.interval or 5, recorder)
    return 0


def _play(lab: Lab, steps: tuple[Event, ...], interval: int, recorder: Tail) -> None:
    ailing: dict[str, str] = {}
    for step in steps:
        print(f"{step}:", flush=True)
        if not step.interface:
            _wait(lab, step.wait, interval)
        else:
            _enter(lab, step, ailing)
        tell_decisions(recorder)


def _install(lab: Lab, config: Config) -> None:
    lab.write("/etc/netfail-hooks/config.toml", render(config))
    write_hooks(lab)


def write_hooks(lab: Lab) -> None:
    """Put the hooks where the dispatcher would look for them."""
    text = hook_file.hook_text().decode()
    for state in hook_file.states():
        lab.write(f"/etc/networkd-dispatcher/{state}.d/{OURS}", text, mode=0o755)


def _enter(lab: Lab, step: Event, ailing: dict[str, str]) -> None:
    """Mend what ails the uplink, then break what is asked for; a check follows, as by the timer."""
    old = ailing.get(step.interface, "")
    if step.state in _FAULTS or step.state in _WELL:
        ailing[step.interface] = "" if step.state in _WELL else step.state
        if old and old != step.state:
            getattr(lab, _FAULTS[old][1])(step.interface)
        if step.state in _FAULTS and old != step.state:
            getattr(lab, _FAULTS[step.state][0])(step.interface)
    elif lab.unmanaged is not None:
        lab.unmanaged.enter(step.interface, step.state)
    lab.tick()


def _wait(lab: Lab, seconds: int, interval: int) -> None:
    """Let time pass, with a check at each tick of the timer."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(interval, left))
        lab.tick()
