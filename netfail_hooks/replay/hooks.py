"""``replay eth0=no-carrier ...``: run the installed hooks for events, as the dispatcher would."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext

from netfail_hooks.errors import Misuse, NotPermitted
from netfail_hooks.install.layout import HOOK
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import FILE
from netfail_hooks.recorder import text as recorder_text
from netfail_hooks.recorder.tail import Tail
from netfail_hooks.replay import dispatcher
from netfail_hooks.replay.dispatcher import Script
from netfail_hooks.replay.events import Event
from netfail_hooks.terminal import escaped


def replay(paths: Paths, events: tuple[Event, ...], *, foreign: bool, dry: bool) -> int:
    """Run our hooks for each event, ``foreign`` ones too if asked, and print what they did.

    Returns 1 if one failed. Raises Misuse where there are none, NotPermitted if not root.
    """
    scripts = {
        event.state: dispatcher.scripts(paths, event.state) for event in events if event.state
    }
    if not any(script.is_ours for listed in scripts.values() for script in listed):
        states = ", ".join(scripts) or "waiting"
        raise Misuse(
            f"no {HOOK} for {states} in {paths.dispatcher}",
            hint="run 'sudo netfail-hooks install', or try '--sandbox'",
        )
    if os.geteuid() and not dry:
        raise NotPermitted("only root can run the hooks", hint="use sudo, --dry-run or --sandbox")
    with nullcontext() if dry else Tail(paths.log + FILE) as recorder:
        if recorder:
            recorder.read()  # what was before
        failed = False
        for event in events:
            print(f"{event}:", flush=True)
            if event.wait and not dry:
                time.sleep(event.wait)
            if event.state:
                failed |= _play(event, scripts[event.state], foreign=foreign, dry=dry)
            if recorder:
                print_decisions(recorder)
    return 1 if failed else 0


def print_decisions(recorder: Tail) -> None:
    """Print what was recorded since the last time; say so if nothing was."""
    fresh, _ = recorder_text.select(recorder.read(), None)
    for transition, _ in fresh:
        print("    " + recorder_text.render(transition).replace("\n", "\n    "), flush=True)
    if not fresh:
        print("    no transition", flush=True)


def _play(event: Event, scripts: list[Script], *, foreign: bool, dry: bool) -> bool:
    """Run the hooks for an event; tell whether any failed."""
    failed = False
    added = dispatcher.environment(event)
    if dry:
        print("\n".join(f"    {key}={escaped(text)}" for key, text in sorted(added.items())))
    for script in scripts:
        skipped = "" if script.is_ours or foreign else "somebody else's, see --all"
        if script.refused or skipped:
            print(f"    skipped {escaped(script.path)}: {script.refused or skipped}", flush=True)
            failed |= bool(script.refused and not skipped)
        elif dry:
            print(f"    would run {escaped(script.path)}")
        else:
            failed |= _run(script, added)
    if not scripts:
        print(f"    no hooks for {event.state}")
    return failed


def _run(script: Script, added: dict[str, str]) -> bool:
    begin = time.monotonic()
    try:
        status = dispatcher.run(script, added)
    except OSError as error:
        print(f"    failed {escaped(script.path)}: {error.strerror}", flush=True)
        return True
    passed = (time.monotonic() - begin) * 1000
    print(f"    ran {escaped(script.path)}: exit status {status}, {passed:.0f} ms", flush=True)
    return status != 0
