"""``netfail-hooks check``, and the timer's one-shot: one look where no event would come."""

from __future__ import annotations

from netfail_hooks.journal import run_logged
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.config import Config
    from netfail_hooks.recorder import Run


def main() -> int:
    """Look once, for the timer; return the exit status. Says nothing while all is well."""
    return run_logged(lambda: 1 if _round("timer").failed else 0)


def _round(trigger: str) -> Run:
    from netfail_hooks import reconcile
    from netfail_hooks.config.cache import load

    paths = Paths()
    config = load(paths)
    done = reconcile.run(config, paths, trigger, probes=reconcile.probe_uplinks(config))
    _tell_of_files(paths, config)
    return done


def _tell_of_files(paths: Paths, config: Config) -> None:
    """Tell the journal, once, that files changed which ours were made of."""
    from netfail_hooks import journal
    from netfail_hooks.networkd import touched

    try:
        news = touched.news(paths, config)
    except OSError:
        return  # a full /run is told of already, and status says the same
    for message in news:
        told = f"{message}: run 'netfail-hooks install'"
        journal.log(told, priority=journal.WARNING)
