"""The one thing that every hook and every check does: look, judge, decide, apply, record.

Level-triggered: whatever woke us, what decides is what is so now (the kernel, and what probes
found) and what the last run remembered, not the event. So one that comes twice, late, or never
changes nothing about where we end.
"""

from __future__ import annotations

import os

from netfail_hooks import journal, recorder
from netfail_hooks.config import Config
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import read_owned, write_whole
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.lock import Lock
from netfail_hooks.paths import Paths
from netfail_hooks.policy import decide, next_state
from netfail_hooks.policy.changes import Announce
from netfail_hooks.policy.facts import Observation, Result
from netfail_hooks.policy.state import State, parse, render
from netfail_hooks.values import replace


def probe_uplinks(config: Config, only: str = "") -> tuple[Result, ...]:
    """Make a round of probes. It may take a second: no lock is held. Raises Problem.

    A bond has none: the kernel asks, all the time.
    """
    if config.mode == "bond":
        return ()
    from netfail_hooks.probe import probe

    try:
        with Netlink() as netlink:
            return probe(config, observe(config, netlink), only)
    except PermissionError as error:
        raise NotPermitted(f"cannot probe: {error.strerror}", hint="run as root") from None
    except OSError as error:
        raise Problem(f"cannot probe: {error}") from None


def run(
    config: Config,
    paths: Paths,
    trigger: str,
    *,
    interface: str = "",
    probes: tuple[Result, ...] = (),
) -> recorder.Run:
    """Make the machine agree with its config, once. Returns what was seen and done.

    ``trigger`` says what woke us, ``interface`` whose event it was, ``probes`` how a round of
    probes went that was just made. Raises Problem.
    """
    with Lock(paths.lock):
        if os.path.exists(paths.uninstalling):  # begun before uninstall took the hooks away
            return recorder.Run(trigger, config, Observation(now=0), State(), State(), (), (), 0)
        try:
            done, known = _settle(config, paths.state, (trigger, interface), probes)
        except PermissionError as error:
            told = f"the kernel refused: {error.strerror}"
            raise NotPermitted(told, hint="run as root") from None
        except OSError as error:
            raise Problem(f"cannot look at the kernel: {error}") from None
        changed = recorder.is_transition(done)
        _conclude(paths, done, known, changed=changed)
    if not config.interval:
        from netfail_hooks.reconcile import again

        again.arrange(done)
    if config.textfile and (changed or not interface):
        from netfail_hooks import metrics

        metrics.update(config, paths)
    return done


def _settle(
    config: Config, state: str, cause: tuple[str, str], probes: tuple[Result, ...]
) -> tuple[recorder.Run, State]:
    """Do it; return what was seen and done, and what is to be remembered."""
    trigger, interface = cause
    before = load_state(state)
    with Netlink() as netlink:
        observed = replace(observe(config, netlink), probes=probes)
        after = next_state(config, observed, before)
        changes = decide(config, observed, before, after)
        known = after
        told: tuple[str, ...] = ()
        took = 0
        if changes:
            from netfail_hooks.reconcile.converge import Plan, converge

            plan = Plan(config, observed, after, changes)
            changes, failed, took = converge(plan, interface, netlink)
            told = tuple(f"{change}: {error.strerror}" for change, error in failed)
            known = after.without_answers(
                change.address for change, _ in failed if isinstance(change, Announce)
            )
    return recorder.Run(trigger, config, observed, before, after, changes, told, took), known


def _conclude(paths: Paths, done: recorder.Run, known: State, *, changed: bool) -> None:
    """Record, then remember: killed between the two, the next run concludes.

    The other way round nobody would ever tell.
    """
    if not changed:
        _remember(paths, done, known)
        return
    from netfail_hooks.recorder import repeat

    line = recorder.line(done)
    told = repeat.is_told(paths, line)
    try:
        if not told:
            _report(paths, done, line)
    finally:
        remembered = _remember(paths, done, known, quietly=told)
    # Told, but not remembered until now: killed before it could be, or the disk was full. What
    # is not remembered comes again, and would be counted twice.
    if remembered and (not told or recorder.is_move(done)):
        _count(paths, done)
        _notify(paths, line)


def _remember(paths: Paths, done: recorder.Run, known: State, *, quietly: bool = False) -> bool:
    if known == done.before:
        return True
    try:
        save_state(paths.state, known)
    except OSError as error:
        if not quietly:
            told = f"cannot remember: {error}; the next run decides anew"
            journal.log(told, priority=journal.ERROR)
        return False
    return True


def _report(paths: Paths, done: recorder.Run, line: str) -> None:
    """Tell the journal and the flight recorder of a transition."""
    journal.log(
        f"{recorder.summary(done)} [{done.trigger}, {done.took} ms]",
        priority=journal.NOTICE,
        trigger=done.trigger,
        did="; ".join(str(change) for change in done.changes),
        took_ms=str(done.took),
    )
    for failure in done.failed:
        journal.log(f"the kernel refused to {failure}", priority=journal.ERROR)
    from netfail_hooks.recorder import repeat

    try:
        recorder.write(paths.log, line, done.config.log_bytes)
    except OSError as error:
        journal.log(f"cannot record: {error}", priority=journal.WARNING)
        repeat.keep(paths, line)
    else:
        repeat.forget(paths)


def _count(paths: Paths, done: recorder.Run) -> None:
    from netfail_hooks.recorder import counters

    try:
        counters.note(paths, done.before, done.after)
    except OSError as error:
        journal.log(f"cannot count: {error}", priority=journal.WARNING)


def _notify(paths: Paths, line: str) -> None:
    from netfail_hooks.reconcile import notify

    try:
        notify.start(paths, line)
    except OSError as error:
        journal.log(f"cannot notify: {error}", priority=journal.WARNING)


def load_state(path: str) -> State:
    """Return what the last run left; an empty State after a boot or where it is damaged."""
    try:
        return parse(read_owned(path).decode("ascii"))
    except (OSError, ValueError):
        return State()


def save_state(path: str, state: State) -> None:
    """Replace what is kept. Raises OSError with the old state still in place."""
    write_whole(path, render(state).encode("ascii"))
