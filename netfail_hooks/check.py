"""``netfail-hooks check``, and the timer's one-shot: one look where no event would come."""

from __future__ import annotations

import os

from netfail_hooks.dispatcher import silence
from netfail_hooks.journal import NOTICE, WARNING, log, run_logged
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.config import Config
    from netfail_hooks.recorder import Run


def main() -> int:
    """Look once, for the timer; return the exit status. Says nothing while all is well."""
    return run_logged(lambda: 1 if _round("timer").failed else 0)


def _round(trigger: str) -> Run:
    from netfail_hooks.config.cache import generation, load
    from netfail_hooks.reconcile.probing import probe_and_run

    paths = Paths()
    since = generation(paths)
    config = load(paths)
    _tell_of_silence(paths, silence(hooks=config.dispatcher))
    done = probe_and_run(config, paths, trigger, since=since)
    _tell_of_files(paths, config)
    return done


def _tell_of_silence(paths: Paths, why: str) -> None:
    """Tell the journal once when no event will come any more, and once when they come again."""
    told = os.path.exists(paths.silence)
    if bool(why) == told:
        return
    try:
        if why:
            os.close(os.open(paths.silence, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        else:
            os.unlink(paths.silence)
    except OSError:
        return  # no such directory yet, or a full one: the next check tells it
    if why:
        log(f"{why}; until then only a check sees a fault", priority=WARNING)
    else:
        log("events are heard again", priority=NOTICE)


def _tell_of_files(paths: Paths, config: Config) -> None:
    """Tell the journal, once, that files changed which ours were made of."""
    from netfail_hooks.reconcile import touched

    if not os.path.exists(paths.run):
        return  # uninstalled meanwhile
    try:
        messages = touched.messages(paths, config)
    except OSError:
        return  # a full /run is told of already, and status says the same
    for message in messages:
        log(f"{message}: run 'sudo netfail-hooks install'", priority=WARNING)
