"""What ``doctor`` reports, as values: their fields are the keys of its JSON (docs/use/json.md)."""

from __future__ import annotations

import textwrap

from netfail_hooks.doctor.facts import Facts, Finding
from netfail_hooks.doctor.rules import BROKEN, RULES, diagnose
from netfail_hooks.terminal import BAD, GOOD, WAITING, painter
from netfail_hooks.values import value

SCHEMA = 2


_WIDTH = 80
_INDENT = 4  # below "1. "
_LABEL = 8


@value
class Diagnosis:
    """All findings. ``did``, ``would`` and ``failed`` are of --fix: commands, in order."""

    schema: int
    installed: bool
    healthy: bool
    mode: str
    uplinks: tuple[str, ...]
    rules: int
    findings: tuple[Finding, ...]
    did: tuple[str, ...]
    would: tuple[str, ...]
    failed: tuple[str, ...]
    unknown: tuple[str, ...]


def report(
    facts: Facts,
    *,
    did: tuple[str, ...] = (),
    would: tuple[str, ...] = (),
    failed: tuple[str, ...] = (),
) -> Diagnosis:
    """Return the diagnosis of a machine, and what was done about it before. Pure."""
    findings = diagnose(facts)
    return Diagnosis(
        schema=SCHEMA,
        installed=facts.installed,
        healthy=not findings,
        mode=facts.mode,
        uplinks=facts.uplinks,
        rules=len(RULES),
        findings=findings,
        did=did,
        would=would,
        failed=failed,
        unknown=facts.unknown,
    )


def render(diagnosis: Diagnosis, *, colour: bool = False) -> str:
    """Return the whole text; ``colour`` for a terminal."""
    paint = painter(colour=colour)
    lines = []
    for number, finding in enumerate(diagnosis.findings, start=1):
        code = BAD if finding.severity == BROKEN else WAITING
        mark = paint(finding.severity.upper(), code) + " " * (_LABEL - len(finding.severity))
        first, *others = _wrapped(f"{finding.what} [{finding.code}]")
        lines += [f"{f'{number}.':{_INDENT}}{mark}{first}", *_labelled("", others)]
        lines += _labelled("why", _wrapped(finding.why))
        lines += [*_labelled("--fix" if finding.safe else "fix", list(finding.fix)), ""]
    total = _total(diagnosis)
    lines.append(total if diagnosis.findings else paint(total, GOOD))
    lines += [f"unknown: {what}" for what in diagnosis.unknown]
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    width = _WIDTH - _INDENT - _LABEL
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _labelled(label: str, texts: list[str]) -> list[str]:
    return [f"{'':{_INDENT}}{'' if at else label:{_LABEL}}{text}" for at, text in enumerate(texts)]


def _total(diagnosis: Diagnosis) -> str:
    uplinks = ", ".join(diagnosis.uplinks) or "none"
    findings = diagnosis.findings
    if not findings:
        return (
            f"nothing is wrong with the set-up: {diagnosis.rules} rules, uplinks {uplinks}\n"
            "how the uplinks are: netfail-hooks status"
        )
    broken = sum(finding.severity == BROKEN for finding in findings)
    total = f"{broken} broken, {len(findings) - broken} weak, uplinks {uplinks}"
    safe = sum(finding.safe for finding in findings)
    return f"{total}; 'netfail-hooks doctor --fix' fixes {safe}" if safe else total
