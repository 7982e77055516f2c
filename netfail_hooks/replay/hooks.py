"""``replay eth0=no-carrier ...``: run the installed hooks for events, as the dispatcher would."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext

from netfail_hooks.errors import Misuse, NotPermitted
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import FILE
from netfail_hooks.recorder import text as recorder_text
from netfail_hooks.recorder.tail import Tail
from netfail_hooks.replay import dispatcher
from netfail_hooks.replay.dispatcher import Script
from netfail_hooks.replay.events import Event


def replay(paths: Paths, steps: tuple[Event, ...], *, everybodys: bool, dry: bool) -> int:
    """Run the hooks of each step, ours or everybody's, and print what they did.

    Returns 1 if one failed. Raises Misuse where there are none, NotPermitted if not root.
    """
    found = {step.state: dispatcher.scripts(paths, step.state) for step in steps if step.state}
    if not any(script.is_ours for scripts in found.values() for script in scripts):
        raise Misuse(
            f"no {dispatcher.OURS} for {', '.join(found) or 'waiting'} in {paths.dispatcher}",
            hint="run 'netfail-hooks install', or try '--sandbox'",
        )
    if os.geteuid() and not dry:
        raise NotPermitted("only root can run the hooks", hint="use sudo, --dry-run or --sandbox")
    with nullcontext() if dry else Tail(paths.log + FILE) as recorder:
        if recorder:
            recorder.read()  # what was before
        failed = [_step(step, found, recorder, everybodys=everybodys) for step in steps]
    return 1 if any(failed) else 0


def _step(
    step: Event, found: dict[str, list[Script]], recorder: Tail | None, *, everybodys: bool
) -> bool:
    """Play one step (dry without a recorder) and print it; tell whether a hook failed."""
    print(f"{step}:", flush=True)
    dry = recorder is None
    if step.wait and not dry:
        time.sleep(step.wait)
    failed = bool(step.state) and _play(step, found[step.state], everybodys=everybodys, dry=dry)
    if recorder:
        tell_decisions(recorder)
    return failed


def tell_decisions(recorder: Tail) -> None:
    """Print what was recorded since the last time; say so if nothing was."""
    fresh, _ = recorder_text.select(recorder.read(), None)
    for event, _ in fresh:
        print("    " + recorder_text.render(event).replace("\n", "\n    "), flush=True)
    if not fresh:
        print("    no transition", flush=True)


def _play(step: Event, scripts: list[Script], *, everybodys: bool, dry: bool) -> bool:
    """Run one step's hooks; tell whether one failed."""
    failed = False
    added = dispatcher.environment(step)
    if dry:
        print("\n".join(f"    {key}={text}" for key, text in sorted(added.items())))
    for script in scripts:
        skipped = "somebody else's, see --all" if not (script.is_ours or everybodys) else ""
        if script.refused or skipped:
            print(f"    skipped {script.path}: {script.refused or skipped}", flush=True)
            failed |= bool(script.refused and not skipped)
        elif dry:
            print(f"    would run {script.path}")
        else:
            failed |= _run(script, added)
    if not scripts:
        print(f"    no hooks for {step.state}")
    return failed


def _run(script: Script, added: dict[str, str]) -> bool:
    begin = time.monotonic()
    try:
        status = dispatcher.run(script, added)
    except OSError as error:
        print(f"    failed {script.path}: {error.strerror}", flush=True)
        return True
    passed = (time.monotonic() - begin) * 1000
    print(f"    ran {script.path}: exit status {status}, {passed:.0f} ms", flush=True)
    return status != 0
