"""Rules of ``doctor`` about what runs, now and after the next boot. Pure.

Where systemd does not run the machine, processes alone are to go by.
"""

from __future__ import annotations

from collections.abc import Iterator

from netfail_hooks.doctor.facts import (
    DISPATCHER,
    MISSING,
    NETWORKD,
    WAIT_ONLINE,
    Facts,
    Symptom,
    Unit,
)
from netfail_hooks.doctor.rules.shared import AGAIN, is_arch, listed, may_write, waits_for_all
from netfail_hooks.install.units import ONLINE_FILE, SERVICE, SOCKET, TIMER

_PROGRAM = "networkd-dispatcher"
_INSTALL = ("apt install networkd-dispatcher", "pacman -S networkd-dispatcher")
_RELOAD = "systemctl daemon-reload"


def networkd_stopped(facts: Facts) -> Iterator[Symptom]:
    """Find that it does not run: ``networkctl`` lists interfaces all the same."""
    if facts.services.networkd_runs:
        return
    yield Symptom("systemd-networkd is not running", _start(facts, NETWORKD), safe=_is_alone(facts))


def networkd_not_enabled(facts: Facts) -> Iterator[Symptom]:
    """Find that nothing starts it at boot."""
    unit = facts.services.unit(NETWORKD)
    if unit and not unit.starts_at_boot:
        yield Symptom(
            "systemd-networkd does not start at boot",
            (f"systemctl enable {NETWORKD}",),
            safe=_is_alone(facts),
        )


def dispatcher_missing(facts: Facts) -> Iterator[Symptom]:
    """Find that the program is not there."""
    if _is_wanted(facts) and _PROGRAM not in facts.services.programs:
        yield Symptom("networkd-dispatcher is not installed", (_INSTALL[is_arch(facts)],))


def dispatcher_stopped(facts: Facts) -> Iterator[Symptom]:
    """Find that it does not run."""
    unit = facts.services.unit(DISPATCHER)
    running = facts.services.runs(_PROGRAM) or bool(unit and unit.active == "active")
    if _is_wanted(facts) and not running:
        yield Symptom(
            "networkd-dispatcher is not running",
            _start(facts, DISPATCHER),
            safe=_is_startable(facts, DISPATCHER),
        )


def dispatcher_not_enabled(facts: Facts) -> Iterator[Symptom]:
    """Find that nothing starts it at boot."""
    unit = facts.services.unit(DISPATCHER)
    if _is_wanted(facts) and unit and not unit.starts_at_boot:
        yield Symptom(
            "networkd-dispatcher does not start at boot",
            (f"systemctl enable {DISPATCHER}",),
            safe=_is_startable(facts, DISPATCHER),
        )


def _is_wanted(facts: Facts) -> bool:
    """Tell whether networkd-dispatcher is to run hooks of ours."""
    return facts.config is None or facts.config.dispatcher


def timer_stopped(facts: Facts) -> Iterator[Symptom]:
    """Find that no check is going to come, though the config wants some."""
    unit = _timer(facts)
    if unit and unit.active != "active":
        yield Symptom(
            f"{TIMER} is not running",
            (_RELOAD, *_start(facts, TIMER)),
            safe=_is_startable(facts, TIMER),
        )


def timer_not_enabled(facts: Facts) -> Iterator[Symptom]:
    """Find that nothing starts the checks at boot."""
    unit = _timer(facts)
    if unit and not unit.starts_at_boot:
        yield Symptom(
            f"{TIMER} does not start at boot",
            (f"systemctl enable {TIMER}",),
            safe=_is_startable(facts, TIMER),
        )


def check_failed(facts: Facts) -> Iterator[Symptom]:
    """Find that the last check that the timer started failed."""
    unit = facts.services.unit(SERVICE)
    if unit and unit.active == "failed":
        yield Symptom(
            f"the last {SERVICE} failed", (f"journalctl -u {SERVICE} -n 20", "netfail-hooks check")
        )


def wait_online(facts: Facts) -> Iterator[Symptom]:
    """Find that every uplink is waited for at boot, or one of them by name."""
    if waits_for_all(facts):
        what = "systemd-networkd-wait-online waits for every uplink, not for any one"
        unit = facts.services.unit(WAIT_ONLINE)
        if any((file.path, file.state) == (ONLINE_FILE, MISSING) for file in facts.files.own):
            yield Symptom(what, (AGAIN, _RELOAD), safe=may_write(facts))
        elif unit and unit.stale:
            yield Symptom(what, (_RELOAD,), safe=True)
        else:  # a drop-in after ours says so
            yield Symptom(what, (f"systemctl cat {WAIT_ONLINE}", f"systemctl edit {WAIT_ONLINE}"))
    for name in facts.uplinks:
        unit = facts.services.unit(f"systemd-networkd-wait-online@{name}.service")
        if unit and unit.starts_at_boot and unit.enabled != "static":
            what = f"{unit.name} waits for {name} alone"
            yield Symptom(what, (f"systemctl disable {unit.name}",))


def units_stale(facts: Facts) -> Iterator[Symptom]:
    """Find units that files of ours say something of, and those were changed."""
    units = [facts.services.unit(name) for name in (TIMER, SERVICE, SOCKET, DISPATCHER)]
    stale = [unit.name for unit in units if unit and unit.stale]
    if stale:
        yield Symptom(f"not read again since a change: {listed(stale)}", (_RELOAD,), safe=True)


def _timer(facts: Facts) -> Unit | None:
    """Return the timer if there is to be one; where its file is missing, file-missing says so."""
    return facts.services.unit(TIMER) if facts.config and facts.config.period else None


def _start(facts: Facts, name: str) -> tuple[str, ...]:
    """Return the commands that start a unit, now and at boot; somebody masked it for a reason."""
    unit = facts.services.unit(name)
    first = (f"systemctl unmask {name}",) if unit and unit.load == "masked" else ()
    return (*first, f"systemctl enable --now {name}")


def _is_alone(facts: Facts) -> bool:
    """Tell whether networkd can be started and no other manager has an uplink: never both."""
    return _is_startable(facts, NETWORKD) and not facts.managed_elsewhere


def _is_startable(facts: Facts, name: str) -> bool:
    unit = facts.services.unit(name)
    return bool(facts.config and unit and unit.load == "loaded")
