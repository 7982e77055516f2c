"""Bonds in user-mode-linux, whose kernel has the driver, where this machine's has not."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench import suite
from bench.contenders import CONTENDERS
from bench.machine import machine
from bench.results import Results, dump, load
from netfail_hooks.errors import Problem

_SECONDS = 900
_BONDS = [contender for contender in CONTENDERS if contender.bond]


def bonds() -> Results:
    """Boot one, measure every bond in it as ``--quick`` does, once. Raises Problem."""
    from tests.uml.boot import boot

    print("bonds in user-mode-linux", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        try:
            found = boot(Path(directory), "bench.uml", _SECONDS)
        except AssertionError as error:
            raise Problem(f"user-mode-linux: {error}") from None
    results = load(json.dumps(found))
    kernel = results.machine.split(", ")[1]
    note = f"measured in user-mode-linux ({kernel}), where a process starts ten times as slowly"
    keys = {sample.contender for sample in results.samples}
    notes = tuple((one.key, note) for one in _BONDS if one.key in keys)
    return replace(results, machine=machine(), notes=notes)


def main(out: str) -> int:
    """Measure the bonds, here inside."""
    results = suite.results(suite.Plan(_BONDS))
    Path(out).write_text(dump(results), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
