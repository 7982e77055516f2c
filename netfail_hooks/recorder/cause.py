"""What woke a run, and how soon it had acted, in words for people.

What woke us is not always what we found: at the event of one uplink another may be down. So it is
told behind what was found, and as what it is.
"""

from __future__ import annotations

from netfail_hooks.recorder import DRILL

_PROBE = " probe"  # behind a trigger: what was found, a round of probes found after it
_SECOND = 1000  # ms
_WORDS = {
    "timer": "found by the timer's check",
    "check": "found by 'netfail-hooks check'",
    "watch": "woken by the kernel's watch",
    "use": "by 'netfail-hooks use'",
    "disable": "by 'netfail-hooks disable'",
    "enable": "by 'netfail-hooks enable'",
    "install": "after an install",
    "boot": "at boot",
    "uplinks changed": "woken by an interface that is no uplink",
}


def cause(trigger: str, took_ms: int, *, acted: bool = True) -> str:
    """Return what stands in brackets behind what happened.

    ``took_ms`` is how long after the word, or the run's begin, all that is urgent was done; that is
    no outage, and nothing where nothing was to be done (not ``acted``). Of an install nobody asks.
    """
    event, drill = trigger.removesuffix(DRILL), trigger.endswith(DRILL)
    first, probed = event.removesuffix(_PROBE), event.endswith(_PROBE)
    interface, _, state = first.partition(" ")
    words = [_WORDS.get(first) or f"woken by {interface}{f' ({state})' if state else ''}"]
    words += ["found by a probe"] if probed else []
    words += ["in a drill"] if drill else []
    words += [f"acted in {_time(took_ms)}"] if acted and first != "install" else []
    return ", ".join(words)


def _time(milliseconds: int) -> str:
    if milliseconds < _SECOND:
        return f"{milliseconds} ms"
    return f"{milliseconds / _SECOND:.1f} s"
