"""Boot a user-mode-linux, whose kernel has the bonding driver, on this machine's file system."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from netfail_hooks.paths import package_home
from tests.uml.kernel import OWN, kernel

_HERE = Path(__file__).resolve().parent
_OF_A_HOOK = [
    f"netfail_hooks.{name}"
    for name in (
        "hook",
        "reconcile",
        "reconcile.converge",
        "kernel.apply",
        "kernel.bond",
        "policy.bond",
    )
]
_SECONDS = 1200  # a quarter of it on an idle machine


def boot(
    directory: Path,
    module: str = "tests.uml.scenarios",
    seconds: int = _SECONDS,
    processor: int = -1,
) -> Any:
    """Run all scenarios; return their results by name. A missing part is an error, never a skip.

    Another ``module`` is run in their stead: with the name of a file for its results, as JSON.
    All is kept on one processor, by its place among those we may use: what runs in there and its
    kernel take turns, and to wake another processor for each turn would take twice as long.
    """
    chosen = kernel()
    ours = sorted(os.sched_getaffinity(0))
    for program in (OWN.program, "cc", "modprobe", "taskset"):
        assert shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin"), f"no {program}"
    shim, out = directory / "xstate.so", directory / "results.json"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", shim, _HERE / "xstate.c", "-ldl"], check=True
    )
    done = subprocess.run(
        [
            "taskset",
            "--cpu-list",
            str(ours[processor % len(ours)]),
            chosen.program,
            *chosen.arguments,
            "mem=512M",
            "con0=fd:0,fd:1",
            "con=null",
            "root=/dev/root",
            "rootfstype=hostfs",
            "rw",
            f"init={_HERE}/init",
            "quiet",
            f"NETFAIL_CHECKOUT={package_home()}",
            f"NETFAIL_PYTHON={sys.executable}",
            f"NETFAIL_MODULE={module}",
            f"NETFAIL_OUT={out}",
            f"NETFAIL_MODULES={chosen.modules}",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), "LD_PRELOAD": str(shim)},
    )
    assert out.exists(), done.stdout[-4000:] + done.stderr[-4000:]
    return json.loads(out.read_text(encoding="utf-8"))


def slowness() -> float:
    """Return the milliseconds of what comes before a hook's decision, here.

    That is the dispatcher's query of networkd, and the start of an interpreter with our modules.
    """
    program = f"import sys; sys.path.append({package_home()!r}); import {', '.join(_OF_A_HOOK)}"
    total = 0.0
    for command in (["networkctl", "--version"], ["/usr/bin/python3", "-IS", "-c", program]):
        took = []
        for _ in range(5):
            began = time.monotonic()
            subprocess.run(command, capture_output=True, check=True)
            took.append((time.monotonic() - began) * 1000)
        total += sorted(took)[2]
    return total
