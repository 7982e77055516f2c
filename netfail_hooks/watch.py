"""What the service manager starts on the kernel's word: of a dead gateway, or of an uplink.

The word says when to look, not what is so: the gateway is asked once more, briefly, and then all is
looked at as ever. A word that was wrong (a LAN that loses packets) costs that question. Where one
comes after the other, this process stays to hear the next ones, so that a storm of them starts no
storm of processes; it ends when there was silence for a while, or after some time in any case.
Between two looks it rests for longer than a look takes.

After a word of an uplink it looks once more when that is quiet: networkd gives it an address, and
then a route, of which there is no word.
"""

from __future__ import annotations

import os
import select
import time
from _socket import AF_NETLINK, SOCK_RAW, socket

from netfail_hooks.journal import run_logged
from netfail_hooks.kernel import ear
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.config import Config
    from netfail_hooks.config.cache import Generation

_FIRST = 3  # SD_LISTEN_FDS_START, sd_listen_fds(3)
_SILENCE, _SETTLED, _LONGEST = 3.0, 0.5, 20.0  # seconds
_REST = 3  # times as long as a look took


def main() -> int:
    """Hear what the kernel has to say, look, and act; return the exit status. Never raises."""
    return run_logged(_hear)


def _hear() -> int:
    from netfail_hooks.config.cache import generation, has_ended, load

    paths = Paths()
    heard = _inherited()
    since = generation(paths)
    config = load(paths)
    word = _attend(heard, config) if heard else "gateway"
    until = time.monotonic() + _LONGEST
    spoken = time.monotonic() - time.process_time()  # or earlier: so long this process has worked
    while True:
        began = time.monotonic()
        goes_on = _look(config, paths, since, spoken) or word == "uplink"
        if not heard or not goes_on or began > until:
            return 0
        rest = min(_REST * (time.monotonic() - began), _SETTLED)
        time.sleep(rest)
        if not _hears_more(heard, _SETTLED if word == "uplink" else _SILENCE) and word != "uplink":
            return 0
        spoken = time.monotonic() - rest  # or later
        now = generation(paths)
        if has_ended(since, now):
            return 0
        if now != since:  # a run leaves alone what was found out by an older config
            since, config = now, load(paths)
        word = _attend(heard, config)


def _attend(heard: socket, config: Config) -> str:
    """Hear what concerns us alone, from now on; return what was heard till now."""
    ear.listen(heard, config)
    return ear.drain(heard)


def _hears_more(heard: socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(heard, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _inherited() -> socket | None:
    """Return the socket that the service manager listens on; None where we were started by hand."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    own = socket(AF_NETLINK, SOCK_RAW, 0, _FIRST)
    own.settimeout(0)
    return own


def _look(config: Config, paths: Paths, since: Generation, spoken: float) -> bool:
    """Ask briefly, and look as ever; tell whether the word was wrong.

    If it was right, a round follows for the uplinks that nobody waited for. Pages and programs are
    the check's alone (probe_and_run()): this process stays to hear the next word.
    """
    from netfail_hooks.reconcile.probing import confirm_and_run, probe_and_run
    from netfail_hooks.recorder import is_move

    asked, well, done = confirm_and_run(config, paths, "watch", spoken, since=since)
    if is_move(done) or not well:
        probe_and_run(config, paths, "watch probe", since=since, patient=False, heard=spoken)
        return False
    return asked
