"""``netfail-hooks check``, and the timer's one-shot: one look where no event would come."""

from __future__ import annotations

from netfail_hooks.journal import run_logged
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.recorder import Run


def main() -> int:
    """Look once, for the timer; return the exit status. Says nothing while all is well."""
    return run_logged(lambda: 1 if _round("timer").failed else 0)


def _round(trigger: str) -> Run:
    from netfail_hooks.config.cache import load
    from netfail_hooks.reconcile.probing import probe_and_run

    paths = Paths()
    return probe_and_run(load(paths), paths, trigger)
