"""install and uninstall in mode bond against a networkd that hangs, before or on the way."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from netfail_hooks.lab import Lab
from tests.lab.suite import wait
from tests.uml.scenarios import PAIR, STATIC, Results, _shape

_SLOW = 90  # seconds
_BOND = ("--mode", "bond", *PAIR, *STATIC)
_MARK = "/run/netfail-hooks/rollback.json"  # a switch of modes is about to begin


def main(out: str) -> int:
    """Run everything; leave the results, and what went wrong, in a file."""
    results: Results = {"kernel": os.uname().release, "errors": {}}
    for scenario in (before_install, amid_install, before_uninstall, amid_uninstall):
        with Lab() as lab:
            try:
                results[scenario.__name__] = scenario(lab)
            except Exception:  # noqa: BLE001 - told outside, with the rest
                told = traceback.format_exc() + lab.logs()[-6000:]
                results["errors"][scenario.__name__] = told
    Path(out).write_text(json.dumps(results), encoding="utf-8")
    return 0


def before_install(lab: Lab) -> Results:
    """It hangs as install begins."""
    _routes(lab)
    return _tried(lab, lambda: _freeze(lab), "install", *_BOND)


def amid_install(lab: Lab) -> Results:
    """It hangs once it has made the bond: traffic has left the uplinks."""
    _routes(lab)
    return _tried(lab, lambda: _freeze_once(lab, _is_bonded), "install", *_BOND)


def before_uninstall(lab: Lab) -> Results:
    """It hangs as uninstall begins."""
    _bonded(lab)
    return _tried(lab, lambda: _freeze(lab), "uninstall", "--yes")


def amid_uninstall(lab: Lab) -> Results:
    """It hangs once the bond is gone."""
    _bonded(lab)
    return _tried(
        lab, lambda: _freeze_once(lab, lambda lab: not _exists(lab)), "uninstall", "--yes"
    )


def _tried(lab: Lab, harm: Callable[[], object], *command: str) -> Results:
    """Run a command, networkd harmed; tell what is left, and what there is once it goes on."""
    files, ways = _shape(lab), _ways(lab)
    harm()
    began = time.monotonic()
    done = lab.netfail(*command, seconds=_SLOW * 2)
    took = time.monotonic() - began
    found = {
        "status": done.returncode,
        "said": done.stderr,
        "seconds": took,
        "files": _shape(lab) == files,
        "ways": [ways, _ways(lab)],
        "reached": _reaches(lab),
        "bond": _exists(lab),
    }
    assert lab.networkd is not None
    lab.networkd.daemon("networkd").thaw()
    lab.restart_networkd()
    wait(lambda: _reaches(lab), "a way out with networkd again", seconds=_SLOW)
    return found


def _routes(lab: Lab) -> None:
    lab.write_files(lab.howto_files())
    lab.start()


def _bonded(lab: Lab) -> None:
    _routes(lab)
    done = lab.netfail("install", *_BOND, seconds=_SLOW)
    assert done.returncode == 0, done.stderr
    wait(lambda: _reaches(lab), "a way out", seconds=_SLOW)


def _freeze(lab: Lab) -> None:
    assert lab.networkd is not None
    lab.networkd.daemon("networkd").freeze()


def _freeze_once(lab: Lab, true: Callable[[Lab], bool]) -> None:
    def strike() -> None:
        until = time.monotonic() + _SLOW
        while time.monotonic() < until and not true(lab):
            time.sleep(0.001)
        _freeze(lab)

    threading.Thread(target=strike, daemon=True).start()


def _exists(lab: Lab) -> bool:
    return os.path.exists(f"{lab.root}/sys/class/net/bond0")


def _is_bonded(lab: Lab) -> bool:
    return bool(lab.read("/sys/class/net/bond0/bonding/slaves").strip())


def _ways(lab: Lab) -> str:
    return lab.run("sh", "-c", "ip route; ip -o -4 address show scope global").stdout


def _reaches(lab: Lab) -> bool:
    return lab.run("ping", "-c1", "-W2", "198.51.100.1").returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
