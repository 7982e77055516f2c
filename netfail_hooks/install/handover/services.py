"""Have the services run, or stop, that set uplinks up, and read what they are to leave."""

from __future__ import annotations

import os

from netfail_hooks.install import nodes
from netfail_hooks.install.handover import (
    NETWORKD,
    SOCKET,
    Handover,
    from_networkmanager,
    plan,
    supplicant_unit,
)
from netfail_hooks.install.handover.commands import attempt
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.reconfigure import networkd_answers
from netfail_hooks.process import run, wait_until
from netfail_hooks.terminal.progress import doing

_BEGINS = 5.0  # seconds for networkd to answer
# Behind ours in /etc by its name, until the power goes; an empty one takes all back that were
# before it (systemd.unit(5), "Conditions and Asserts").
_OVERRIDE = "/run/systemd/system/{}.d/zz-netfail-hooks.conf"
_UNCONDITIONAL = (
    b"# Made by netfail-hooks install, for as long as that runs.\n[Unit]\nConditionPathExists=\n"
)


def start(handover: Handover) -> None:
    """Have networkd run. It sets up nothing yet: no file is for what the managers have.

    Where an install lost its power, the conditions are there and what they ask for is not.
    """
    for unit in plan.conditional(handover):
        if os.path.lexists(plan.condition(unit)):
            os.makedirs(os.path.dirname(_OVERRIDE.format(unit)), exist_ok=True)
            nodes.write(_OVERRIDE.format(unit), Node(nodes.FILE, _UNCONDITIONAL))
            run("systemctl", "daemon-reload")
    if NETWORKD in handover.idle:
        run("systemctl", "start", NETWORKD)
    hint = f"see 'systemctl status {NETWORKD}'"
    with doing("waiting for systemd-networkd to answer", _BEGINS):
        wait_until(networkd_answers, _BEGINS, "answer from systemd-networkd", hint=hint)


def settle(handover: Handover) -> None:
    """Have the managers read that they are to leave the uplinks, now that they have."""
    for unit in (NETWORKD, SOCKET, *map(supplicant_unit, handover.names)):
        nodes.remove(_OVERRIDE.format(unit))
        nodes.remove(os.path.dirname(_OVERRIDE.format(unit)))
    run("systemctl", "daemon-reload")
    from_networkmanager.tell_all(handover.release.settle, handover)


def stop(handover: Handover) -> None:
    """Stop what did not run before us."""
    attempt("systemctl", "daemon-reload")
    for unit in reversed(handover.idle):
        sockets = [SOCKET] if unit == NETWORKD else []
        attempt("systemctl", "stop", *sockets, unit)
