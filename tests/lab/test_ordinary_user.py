"""``status`` as an ordinary user: what root alone may read is told once, and is no fault."""

from __future__ import annotations

import re
import subprocess

from netfail_hooks.lab import Lab
from tests.lab.suite import install, wait_used

_NOBODY = "65534"


def _asked(lab: Lab, home: str) -> subprocess.CompletedProcess[str]:
    user = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups")
    command = ("/usr/bin/python3", "-m", "netfail_hooks", "status")
    return lab.run(*user, *command, environment={"PYTHONPATH": home})


def test_an_ordinary_user_is_told_once_what_root_alone_may_read(lab: Lab, readable: str) -> None:
    install(lab)
    done = _asked(lab, readable)
    assert (done.returncode, done.stderr) == (0, "")
    assert not re.search("known|NOT WELL|damaged", done.stdout), done.stdout
    told = [line for line in done.stdout.splitlines() if "root" in line]
    what = "health, the last move of the traffic"
    assert told == [f"not shown {what}: root alone may read it: 'sudo netfail-hooks status'"]
    assert re.search(r"\* IPv4  carries the traffic\n +192\.168\.1\.252/24 via", done.stdout)
    with lab.timer(0.5):
        lab.cable_out("eth0")
        wait_used(lab, "wlan0")
    done = _asked(lab, readable)
    assert done.returncode == 1, "what everybody sees is no secret"
    assert "1. eth0   NOT WELL" in done.stdout
