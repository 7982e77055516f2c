"""What the rules of several files say or ask alike. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from netfail_hooks.doctor.facts import MISSING, WAIT_ONLINE, Facts

AGAIN = "netfail-hooks install --yes"
CONFIG = "/etc/netfail-hooks/config.toml"
_NAMED = 3  # paths that a line names before it counts


def is_arch(facts: Facts) -> bool:
    """Tell whether packages come by pacman; as in install.sh, apt-get goes first."""
    return "pacman" in facts.services.programs and "apt-get" not in facts.services.programs


def listed(texts: Sequence[str]) -> str:
    """Return the first few, and how many more there are."""
    more = len(texts) - _NAMED
    shown = ", ".join(texts[:_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown


def may_write(facts: Facts) -> bool:
    """Tell whether to install again overwrites nothing that somebody has edited.

    Nor may it do what only a person should decide on: another config than the installed one, or
    a bond made again, as with each new device file.
    """
    theirs = any(file.state != MISSING or file.path.endswith(".netdev") for file in facts.files.own)
    return facts.config is not None and facts.files.compared and not theirs


def waits_for_all(facts: Facts) -> bool:
    """Tell whether a boot waits until every uplink is there, a dead one for two minutes.

    Of several commands (netplan's drop-in has two) each has to end well.
    """
    unit = facts.services.unit(WAIT_ONLINE)
    if not (unit and unit.starts_at_boot and facts.config):
        return False
    commands = unit.command.splitlines() or [""]
    return not all("--any" in command.split() for command in commands)
