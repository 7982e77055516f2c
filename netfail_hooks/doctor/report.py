"""What ``doctor`` reports, as values: their fields are the keys of its JSON (docs/use/json.md)."""

from __future__ import annotations

import shlex
import textwrap

from netfail_hooks.doctor.facts import Facts, Finding
from netfail_hooks.doctor.rules import BROKEN, RULES, diagnose
from netfail_hooks.terminal import BAD, GOOD, WAITING, painter
from netfail_hooks.terminal.layout import NARROW_INDENT, fit, is_narrow
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
    before: Facts | None = None,
    *,
    did: tuple[str, ...] = (),
    would: tuple[str, ...] = (),
    failed: tuple[str, ...] = (),
) -> Diagnosis:
    """Return the diagnosis of a machine, and what was done about it before. Pure.

    ``before`` is what was so a moment ago: of what may pass only what was wrong then counts, too.
    """
    findings = diagnose(facts, before)
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


def render(
    diagnosis: Diagnosis, *, colour: bool = False, width: int = 0, sudo: bool = False
) -> str:
    """Return the whole text; ``colour`` for a terminal, of so many columns (0: any).

    ``sudo``: for somebody who is not root.
    """
    paint = painter(colour=colour)
    lines = []
    for number, finding in enumerate(diagnosis.findings, start=1):
        code = BAD if finding.severity == BROKEN else WAITING
        severity = paint(finding.severity.upper(), code)
        what = f"{finding.what} [{finding.code}]"
        commands = [by_sudo(command) if sudo else command for command in finding.fix]
        if is_narrow(width):
            lines += [*_narrow(finding, commands, f"{number}. {severity} {what}", width), ""]
            continue
        first, *others = _wrapped(what, width)
        mark = severity + " " * (_LABEL - len(finding.severity))
        lines += [f"{f'{number}.':{_INDENT}}{mark}{first}", *_labelled("", others)]
        lines += _labelled("why", _wrapped(finding.why, width))
        lines += [*_labelled(_how(finding), commands), ""]
    for line in _total(diagnosis).split("\n"):
        lines += fit(line if diagnosis.findings else paint(line, GOOD), width)
    for what in diagnosis.unknown:
        lines += fit(f"unknown: {what}", width, NARROW_INDENT)
    return "\n".join(lines)


def _narrow(finding: Finding, typed: list[str], head: str, width: int) -> list[str]:
    """Return a finding for a phone. Commands are whole: the terminal's own break copies as none."""
    indent = " " * NARROW_INDENT
    why = fit(f"why: {finding.why}", width, NARROW_INDENT, head=indent)
    commands = [f"{indent}{_how(finding)}:", *(f"{indent}{command}" for command in typed)]
    return [*fit(head, width, NARROW_INDENT), *why, *commands]


def by_sudo(command: str) -> str:
    """Return a command as who is not root types it; what a shell makes of it is root's, too."""
    if command.startswith("sudo "):
        return command
    does, mark, comment = command.partition("  # ")
    words = f"sh -c {shlex.quote(does)}" if set(does) & set(";|&><") else does
    return f"sudo {words}{mark}{comment}"


def _how(finding: Finding) -> str:
    return "--fix" if finding.safe else "fix"


def _wrapped(text: str, width: int) -> list[str]:
    room = min(width or _WIDTH, _WIDTH) - _INDENT - _LABEL
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)


def _labelled(label: str, texts: list[str]) -> list[str]:
    return [f"{'':{_INDENT}}{'' if at else label:{_LABEL}}{text}" for at, text in enumerate(texts)]


def _total(diagnosis: Diagnosis) -> str:
    uplinks = ", ".join(diagnosis.uplinks) or "none"
    findings = diagnosis.findings
    if not findings:
        return (
            f"nothing is wrong with the set-up: {diagnosis.rules} rules, uplinks {uplinks}\n"
            "how the uplinks are: sudo netfail-hooks status"
        )
    broken = sum(finding.severity == BROKEN for finding in findings)
    total = f"{broken} broken, {len(findings) - broken} weak, uplinks {uplinks}"
    safe = sum(finding.safe for finding in findings)
    return f"{total}; 'sudo netfail-hooks doctor --fix' fixes {safe}" if safe else total
