"""What ``doctor`` tells, as values: their fields are the keys of its JSON (docs/json.md)."""

from __future__ import annotations

from netfail_hooks.doctor.facts import Facts, Finding
from netfail_hooks.doctor.rules import RULES, diagnose
from netfail_hooks.values import value

SCHEMA = 1


@value
class Diagnosis:
    """All findings. ``did``, ``would`` and ``failed`` are of --fix: commands, in order."""

    schema: int
    installed: bool
    well: bool
    mode: str
    uplinks: tuple[str, ...]
    rules: int
    findings: tuple[Finding, ...]
    did: tuple[str, ...]
    would: tuple[str, ...]
    failed: tuple[str, ...]
    unknown: tuple[str, ...]


def report(
    facts: Facts, *, did: tuple[str, ...] = (), would: tuple[str, ...] = (),
    failed: tuple[str, ...] = (),
) -> Diagnosis:  # fmt: skip
    """Return the diagnosis of a machine, and what was done about it before. Pure."""
    found = diagnose(facts)
    return Diagnosis(
        schema=SCHEMA,
        installed=facts.installed,
        well=not found,
        mode=facts.mode,
        uplinks=facts.uplinks,
        rules=len(RULES),
        findings=found,
        did=did,
        would=would,
        failed=failed,
        unknown=facts.unknown,
    )
