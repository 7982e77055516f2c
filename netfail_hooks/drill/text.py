"""A drill in words: what is going to happen, and how it went. Pure."""

from __future__ import annotations

from netfail_hooks.drill.plan import Plan
from netfail_hooks.recorder.drills import CUT_SHORT, GATEWAY, PASSED, Flow, Outcome

_FAULTS = {
    "gateway": "nothing arrives by it, as if its router were dead",
    "cable": "it has no carrier, as if its cable were pulled",
}


def intention(plan: Plan, ssh: str = "", lives: bool = True) -> list[str]:  # noqa: FBT001, FBT002 - of the session
    """Return what is going to happen; ``ssh`` is whose session goes by the uplink, "" for none."""
    backups: dict[str, list[str]] = {}
    for family, backup in plan.backups:
        backups.setdefault(backup, []).append(f"IPv{family}")
    lines = [f"{plan.interface} fails for {plan.seconds} s: {_FAULTS[plan.fault]}"]
    lines += [f"{' and '.join(names)} is to go by {name}" for name, names in backups.items()]
    lines += [f"IPv{one.family} is not tried: {one.why}" for one in plan.untried]
    asked = ", ".join(str(target) for target in plan.targets)
    lines.append(f"asked meanwhile: {asked}" if asked else _NOBODY)
    if not plan.awaited:
        lines.append(
            "the traffic goes back after it when failback in config.toml lets it, not at once"
        )
    if ssh:
        fate = (
            "it lives on, with a pause"
            if lives
            else "it stops meanwhile and may be closed; the drill then heals all the same"
        )
        lines.append(f"your SSH session from {ssh} goes by {plan.interface}: {fate}")
    return lines


_NOBODY = (
    "nobody is asked meanwhile: no target beyond both uplinks has an address, "
    "and no router is on both"
)


def verdict(outcome: Outcome) -> list[str]:
    """Return how it went."""
    head = f"{outcome.verdict}: {outcome.interface} failed for {outcome.seconds} s"
    lines = [head + f" ({_kind(outcome)})"]
    for one in outcome.families:
        moved = "stayed" if one.moved_ms < 0 else f"moved after {one.moved_ms / 1000:.2f} s"
        back = "" if one.back_ms < 0 else f", back {one.back_ms / 1000:.1f} s after its end"
        lines.append(f"  IPv{one.family} {moved}{back}")
    lines += [f"  {one}" for one in outcome.untried]
    lines += [f"  {flow_line(flow)}" for flow in outcome.flows]
    lines += [f"  {reason}" for reason in outcome.reasons]
    if outcome.verdict not in (PASSED, CUT_SHORT):
        lines.append("  see 'netfail-hooks doctor' and 'sudo netfail-hooks log'")
    if not outcome.awaited:
        how = f"'sudo netfail-hooks use {outcome.interface}'"
        lines.append(f"  traffic goes back as failback in config.toml has it, or by {how}")
    return lines


def summary(outcome: Outcome) -> str:
    """Return it in one line, for the journal and status."""
    moved = [one.moved_ms for one in outcome.families if one.moved_ms >= 0]
    lost = [flow.lost for flow in outcome.flows if flow.kind == "echo"]
    parts = [f"drill of {outcome.interface} ({outcome.fault}) {outcome.verdict}"]
    parts += [f"moved after {max(moved) / 1000:.2f} s"] if moved else []
    parts += [f"{max(lost)} echoes lost"] if lost else []
    parts += [f"IPv{one.family} not tried" for one in outcome.untried]
    return "; ".join([*parts, *outcome.reasons])


def _kind(outcome: Outcome) -> str:
    return "its router" if outcome.fault == GATEWAY else f"its carrier, by {outcome.way}"


def flow_line(flow: Flow) -> str:
    """Return what one kind of traffic lost."""
    if flow.kind == "tcp":
        state = "lives" if flow.alive else "ended"
        return f"TCP to {flow.target} {state}, its other side silent for {flow.outage_ms} ms"
    text = f"{flow.target}: {flow.lost} of {flow.sent} echoes lost, none for {flow.outage_ms} ms"
    return text + f"; {flow.back_lost} lost on the way back"
