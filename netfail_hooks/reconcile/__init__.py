"""The one thing that every hook and every check does: look, judge, decide, apply, record.

Level-triggered: whatever woke us, what decides is what is so now (the kernel, and what probes
found) and what the last run remembered, not the event. So one that comes twice, late, or never
changes nothing about where we end.
"""

from __future__ import annotations

import os

from netfail_hooks import journal, recorder
from netfail_hooks.config import Config
from netfail_hooks.config.cache import generation, has_ended, is_installed, load, stands_down
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.files import read_owned, write_whole
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.lock import Lock
from netfail_hooks.paths import Paths
from netfail_hooks.policy import bounded, decide, next_state
from netfail_hooks.policy.changes import Announce
from netfail_hooks.policy.facts import Observation, Result
from netfail_hooks.policy.health import exchanged
from netfail_hooks.policy.state import State, parse, pending_line, render
from netfail_hooks.policy.watch import is_at_rest
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from netfail_hooks.config.cache import Generation
    from netfail_hooks.kernel.unchanged import Unchanged
    from netfail_hooks.reconcile.closer import Thought

    _Found = tuple[tuple[Result, ...], Unchanged | None]


def run(  # noqa: PLR0913 - what a run starts from has many sides
    config: Config,
    paths: Paths,
    trigger: str,
    *,
    interface: str = "",
    probes: tuple[Result, ...] = (),
    since: Generation | None = None,
    unchanged: Unchanged | None = None,
    heard: float = 0.0,
) -> recorder.Run:
    """Make the machine agree with its config, once. Returns what was seen and done.

    ``trigger`` says what woke us, ``interface`` whose event it was, ``probes`` how a round of
    probes went that was just made, ``unchanged`` what was observed for it, ``since`` what was
    installed when ``config`` was read: by the time that it is our turn it may be gone, or another.
    ``heard`` is when a process that lives on heard of it (monotonic seconds; 0: it just began).
    Raises Problem.
    """
    with Lock(paths.lock) as lock:
        now = generation(paths) if since else None
        # Uninstall gives back what we would take.
        if os.path.exists(paths.uninstalling) or stands_down(paths):
            return _nothing(trigger, config)
        if since and now and (has_ended(since, now) or not is_installed(now, paths)):
            lock.remove(paths.compiled_config)  # which we made after uninstall had removed all
            return _nothing(trigger, config)
        if since != now:
            config, probes, unchanged = load(paths), (), None
        try:
            before, pending = _load(paths.state)
            if config.metered:
                from netfail_hooks.reconcile import metered

                before = metered.recalled(config, paths, before)
            cause = trigger, interface, heard
            done, known = _settle(config, before, cause, (probes, unchanged))
        except PermissionError as error:
            told = f"the kernel refused: {error.strerror}"
            raise NotPermitted(told, hint="use sudo") from None
        except OSError as error:
            told = f"cannot look at the kernel: {error}"
            raise Problem(told, hint="the next event or check tries again") from None
        _conclude(paths, done, known, pending)
        _warn(done, known)
        if config.metered or done.before.metered:
            from netfail_hooks.reconcile import metered

            metered.conclude(paths, done)
        # With the lock still held: later, uninstall could be over.
        rests = is_at_rest(config, done.observed, done.after)
        if not rests or config.orders or config.waits or os.path.exists(paths.quick):
            from netfail_hooks.reconcile import again

            again.arrange(done, paths)
        if config.textfile and (not interface or recorder.is_transition(done)):
            from netfail_hooks import metrics

            metrics.update(config, paths)
    return done


def _warn(done: recorder.Run, known: State) -> None:
    """Tell the journal of what is odd without being a transition."""
    messages = exchanged(done.before, known)
    messages += [
        f"the kernel does not show its IPv{family} routes: nothing is done about them now"
        for family in done.observed.unseen
    ]
    for message in messages:
        journal.log(message, priority=journal.WARNING)
    if done.after.crowded != done.before.crowded:
        _tell_crowds(done)


def _nothing(trigger: str, config: Config) -> recorder.Run:
    """Return what is told of a run that had to leave all as it is."""
    return recorder.Run(trigger, config, Observation(now=0), State(), State(), (), (), 0)


def _settle(
    config: Config, before: State, cause: tuple[str, str, float], found: _Found
) -> tuple[recorder.Run, State]:
    """Do it; return what was seen and done, and what is to be remembered."""
    trigger, interface, heard = cause
    with Netlink() as netlink:
        observed, after, changes = _decided(config, netlink, before, found)
        known = after
        told: tuple[str, ...] = ()
        took = 0
        if changes:
            from netfail_hooks.reconcile.converge import Plan, converge

            plan = Plan(config, observed, after, changes)
            changes, failed, took = converge(plan, interface, heard, netlink)
            told = tuple(f"{change}: {error.strerror}" for change, error in failed)
            known = after.without_answers(
                change.address for change, _ in failed if isinstance(change, Announce)
            )
        if netlink.crowded:
            from netfail_hooks.reconcile.closer import may_be_left, remembered

            left = may_be_left(before, observed, always=_is_unknown(before, config))
            known = remembered(known, observed, left=left)
    return recorder.Run(trigger, config, observed, before, after, changes, told, took), known


def _decided(config: Config, netlink: Netlink, before: State, found: _Found) -> Thought:
    """Look, judge and decide.

    All that is ours counts where nothing is remembered, or an interface was an uplink till now: it
    may have what is ours.
    """
    probes, unchanged = found
    whole = (unchanged and unchanged.again(netlink)) or observe(config, netlink, sparing=True)
    if unchanged and config.failback == "idle":
        seen = unchanged.observed
        whole = replace(whole, earlier=seen.counted, began=seen.now)
    if config.multipath_tcp or before.multipath:
        from netfail_hooks.kernel.multipath import with_endpoints

        whole = with_endpoints(whole)

    def judge(whole: Observation) -> Thought:
        observed = replace(bounded(whole, before), probes=probes)
        after = next_state(config, observed, before)
        return observed, after, decide(config, observed, before, after)

    thought = judge(whole)
    if netlink.crowded:
        from netfail_hooks.reconcile.closer import judged

        always = _is_unknown(before, config)
        return judged(config, netlink, (whole, thought), before, judge, always=always)
    return thought


def _is_unknown(before: State, config: Config) -> bool:
    """Tell whether the last run, for all that is remembered, knew of other interfaces as ours."""
    return not before.uplinks or before.has_former(config.names())


def _tell_crowds(done: recorder.Run) -> None:
    """Tell the journal of uplinks with more than is looked at, once each time it begins."""
    from netfail_hooks.policy.crowd import advice, message

    old = {(crowded.interface, crowded.family) for crowded in done.before.crowded}
    for crowd in done.observed.crowds:
        if (crowd.interface, crowd.family) not in old:
            journal.log(f"{message(crowd)}; {advice(crowd)}", priority=journal.WARNING)


def _conclude(paths: Paths, done: recorder.Run, known: State, pending: str) -> None:
    """Tell of a transition, and of the one before if that run was killed over it; remember."""
    if pending:
        _finish(paths, done.before, pending)
    line = ""
    if recorder.is_transition(done):
        if os.path.exists(paths.drill) and _is_drilled(paths):
            done = replace(done, trigger=done.trigger + recorder.DRILL)
        line = recorder.line(done)
    told = bool(line) and _is_told(paths, line)
    if line and (recorder.is_move(done) or not told):
        _tell(paths, done, known, line, told=told)
    elif known != done.before:
        _remember(paths, known, quietly=told)


def _is_drilled(paths: Paths) -> bool:
    from netfail_hooks.recorder import drills

    return drills.noted_now(paths) is not None


def _finish(paths: Paths, state: State, line: str) -> None:
    from netfail_hooks.recorder import recording

    try:
        run = recording.run_of(line)
    except ValueError as error:
        journal.log(f"cannot tell of the last transition: {error}", priority=journal.WARNING)
        _remember(paths, state)
    else:
        _tell(paths, run, state, line, told=_is_told(paths, line))


def _tell(paths: Paths, run: recorder.Run, state: State, line: str, *, told: bool) -> None:
    """Remember that a transition is to be told of, tell of it, and remember that it was.

    A run that is killed on the way has the next one come here again. What can't be remembered
    comes again as well, as the same transition: counting it and notifying of it waits for that.
    ``told`` says whether it was recorded already.
    """
    remembered = _remember(paths, state, line, quietly=told)
    if not told:
        _report(paths, run, line)
    if remembered:
        _count(paths, run)
        _notify(paths, line)
        _remember(paths, state)


def _is_told(paths: Paths, line: str) -> bool:
    from netfail_hooks.recorder import repeat

    return repeat.is_told(paths, line)


def _remember(paths: Paths, state: State, pending: str = "", *, quietly: bool = False) -> bool:
    try:
        save_state(paths.state, state, pending)
    except OSError as error:
        if not quietly:
            message = f"cannot remember: {error}; the next run decides anew"
            journal.log(message, priority=journal.ERROR)
        return False
    return True


def _report(paths: Paths, done: recorder.Run, line: str) -> None:
    """Tell the journal and the flight recorder of a transition."""
    from netfail_hooks.recorder import repeat
    from netfail_hooks.recorder.cause import cause

    journal.log(
        f"{recorder.summary(done)} [{cause(done.trigger, done.took, acted=bool(done.changes))}]",
        priority=journal.NOTICE,
        trigger=done.trigger,
        did="; ".join(str(change) for change in done.changes),
        took_ms=str(done.took),
    )
    for failure in done.failed:
        journal.log(f"the kernel refused to {failure}", priority=journal.ERROR)
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
        counters.note(paths, done.before, done.after, done.observed.now)
    except OSError as error:
        journal.log(f"cannot count: {error}", priority=journal.WARNING)


def _notify(paths: Paths, line: str) -> None:
    from netfail_hooks.reconcile import notify

    try:
        notify.start(paths, line)
    except OSError as error:
        journal.log(f"cannot notify: {error}", priority=journal.WARNING)


def load_state(path: str) -> State:
    """Return what the last run left; an empty state after a boot or where it is damaged."""
    return _load(path)[0]


def _load(path: str) -> tuple[State, str]:
    """Return the state, and the line of a transition that was not told of to the end."""
    try:
        text = read_owned(path).decode("ascii")
        return parse(text), pending_line(text)
    except (OSError, ValueError):
        return State(), ""


def save_state(path: str, state: State, pending: str = "") -> None:
    """Replace what is kept. Raises OSError with the old state still in place."""
    write_whole(path, render(state, pending).encode("ascii"))
