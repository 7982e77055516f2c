"""Make a round of probes of what is seen, and let the next run know both."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.kernel.unchanged import Unchanged
from netfail_hooks.paths import Paths
from netfail_hooks.policy import bounded
from netfail_hooks.policy.facts import Observation, Result
from netfail_hooks.policy.state import State
from netfail_hooks.probe import probe
from netfail_hooks.reconcile import load_state, run
from netfail_hooks.values import TYPE_CHECKING, replace

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from netfail_hooks.config.cache import Generation
    from netfail_hooks.recorder import Run

    T = TypeVar("T")


def probe_uplinks(config: Config) -> tuple[Result, ...]:
    """Make a round of probes, of what nothing is remembered of yet. Raises Problem.

    It may take a second: no lock is held. A bond has none: the kernel asks, all the time.
    """
    if config.mode == "bond":
        return ()
    return _asking(lambda: _round(config, bounded(_seen(config), State())))


def confirm_and_run(
    config: Config, paths: Paths, trigger: str, heard: float, *, since: Generation | None = None
) -> tuple[bool, bool, Run]:
    """Ask the active uplinks' gateways briefly, and make the machine agree. Raises Problem.

    What was seen for the question counts for the run as well, since traffic waits for it; who
    answered late, but since a word was ``heard`` (monotonic seconds), stays what it was. Tells
    whether anybody was asked, and whether all of them answered.
    """
    from netfail_hooks.probe.confirm import confirm

    with _asking(lambda: Unchanged(config)) as unchanged:
        state = load_state(paths.state)
        observed = bounded(unchanged.observed, state)
        brief, late = _asking(lambda: confirm(config, observed, state, heard))
        done = run(
            config,
            paths,
            trigger,
            probes=brief,
            unchanged=unchanged,
            since=since,
            heard=heard,
        )
        return bool(brief or late), all(result.healthy for result in brief), done


def probe_and_run(  # noqa: PLR0913 - what a run starts from has many sides
    config: Config,
    paths: Paths,
    trigger: str,
    *,
    interface: str = "",
    only: str = "",
    since: Generation | None = None,
    patient: bool = True,
    heard: float = 0.0,
) -> Run:
    """Make a round of probes, and make the machine agree with its config. Raises Problem.

    Unless ``patient``, nothing is asked that takes long, nor the uplink whose targets that is.
    """
    if config.mode == "bond":
        return run(config, paths, trigger, interface=interface, since=since, heard=heard)
    with _asking(lambda: Unchanged(config)) as unchanged:
        state = load_state(paths.state)
        observed = bounded(unchanged.observed, state)
        asked = config
        if config.metered and trigger == "timer":
            from netfail_hooks.policy.metering import rested

            left = rested(config, observed, state)
            uplinks = tuple(one for one in config.uplinks if one.interface not in left)
            asked = replace(config, uplinks=uplinks)
        _ask_for_routers(asked, observed, state)
        probes = _asking(lambda: _round(asked, observed, only, patient=patient))
        return run(
            config,
            paths,
            trigger,
            interface=interface,
            probes=probes,
            unchanged=unchanged,
            since=since,
            heard=heard,
        )


def _ask_for_routers(config: Config, observed: Observation, state: State) -> None:
    """Have lost IPv6 gateways tell of themselves, while others are asked: mostly there is none."""
    if not any(one.family == 6 and one.is_lost for one in state.uplinks):
        return
    import contextlib

    from netfail_hooks.probe import routers

    for link in routers.missed(config, observed, state):
        with contextlib.suppress(OSError):  # the next round asks again
            routers.ask(link)


def _round(
    config: Config, observed: Observation, only: str = "", *, patient: bool = True
) -> tuple[Result, ...]:
    if patient and any(uplink.measured for uplink in config.uplinks):
        from netfail_hooks.probe import measure

        return measure.probe(config, observed, only)
    return probe(config, observed, only, patient=patient)


def _seen(config: Config) -> Observation:
    with Netlink() as netlink:
        return observe(config, netlink, sparing=True)


def _asking(question: Callable[[], T]) -> T:
    """Return an answer. Raises Problem where the kernel has none."""
    try:
        return question()
    except PermissionError as error:
        raise NotPermitted(f"cannot probe: {error.strerror}", hint="use sudo") from None
    except OSError as error:
        told = f"cannot probe: {error}"
        raise Problem(told, hint="the next check tries again") from None
