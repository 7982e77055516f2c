"""The findings of ``doctor`` as lines for people."""

from __future__ import annotations

from netfail_hooks.doctor_facts import Finding
from netfail_hooks.doctor_report import Diagnosis
from netfail_hooks.doctor_rules import BROKEN

_GOOD, _BAD, _ODD, _DULL, _PLAIN = "\033[32m", "\033[31m", "\033[33m", "\033[2m", "\033[0m"
_LABEL = 6


def render(found: Diagnosis, *, colour: bool = False) -> str:
    """Return the whole text; ``colour`` for a terminal."""

    def paint(text: str, code: str) -> str:
        return f"{code}{text}{_PLAIN}" if colour else text

    lines = []
    for number, finding in enumerate(found.findings, start=1):
        mark = paint("BROKEN", _BAD) if finding.severity == BROKEN else paint("weak  ", _ODD)
        head = f"{number}. "
        lines.append(f"{head}{mark}  {finding.what}  {paint(f'[{finding.code}]', _DULL)}")
        lines += [" " * len(head) + one for one in _details(finding)]
        lines.append("")
    lines.append(_sum(found) if found.findings else paint(_sum(found), _GOOD))
    lines += [f"unknown   {one}" for one in found.unknown]
    return "\n".join(lines)


def _details(finding: Finding) -> list[str]:
    label = "fix" if finding.safe else "mend"
    lines = [f"{'why':{_LABEL}}  {finding.why}"]
    return lines + [f"{'' if at else label:{_LABEL}}  {one}" for at, one in enumerate(finding.mend)]


def _sum(found: Diagnosis) -> str:
    who = ", ".join(found.uplinks) or "no uplink"
    if not found.findings:
        return f"nothing is wrong: {found.rules} rules, uplinks {who}"
    broken = sum(finding.severity == BROKEN for finding in found.findings)
    told = f"{broken} broken, {len(found.findings) - broken} weak; uplinks {who}"
    safe = sum(finding.safe for finding in found.findings)
    hint = f"; 'netfail-hooks doctor --fix' mends {safe} of them" if safe else ""
    return f"{told}{hint}"
