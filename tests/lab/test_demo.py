"""The demo as a newcomer runs it: by root with the real daemons, and by somebody without rights."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netfail_hooks.files import read_text
from netfail_hooks.paths import package_home
from tests.support import ROOT, sh_blocks
from tests.support.install_sh import call, fresh_checkout
from tests.vm import image

_NOBODY = 65534
_PROCESSOR = min(os.sched_getaffinity(0))
_ACTS = [
    "cable out of eth0",
    "cable in",
    "wlan0 lost",
    "wlan0 back",
    "router dead",
    "router back",
    "both lost",
    "wlan0 back",
    "cable in",
]


def _demo(
    *words: str, user: int = 0, python: str = sys.executable, home: str = "", state: str = ""
) -> subprocess.CompletedProcess[str]:
    return _netfail("demo", *words, user=user, python=python, home=home, state=state)


def _netfail(
    *words: str, user: int = 0, python: str = sys.executable, home: str = "", state: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "netfail_hooks", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": home or package_home(),
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_STATE_HOME": state,
        },
    )


def _links() -> str:
    return subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout


def test_root_sees_every_failover_and_nothing_here_changes(tmp_path: Path) -> None:
    before = _links(), sorted(os.listdir("/etc"))
    done = _demo(state=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (_links(), sorted(os.listdir("/etc"))) == before
    assert "systemd-networkd and networkd-dispatcher" in done.stdout
    lost = "eth0 IPv4 down (no carrier); IPv4 now by wlan0 [woken by eth0 (no-carrier), acted in "
    assert lost in done.stdout
    assert "no answer from gateway 192.168.1.1 (ARP)" in done.stdout
    assert "2 of 2 alive" in done.stdout
    assert "\033[" not in done.stdout  # no colour but on a terminal
    _try_what_it_says(done.stdout, tmp_path / "netfail-hooks/demo/events.jsonl")


def test_a_machine_too_busy_for_it_is_all_that_is_blamed(tmp_path: Path) -> None:
    """It gets busy once the demo is ready: one processor for all of it, and others in its way.

    How slow that is depends on the tests beside this one, which are to have the processors: so it
    may go well, too.
    """
    others = random.randint(3, 9)  # noqa: S311 - no secret
    command = [sys.executable, "-P", "-m", "netfail_hooks", "demo"]
    environment = os.environ | {
        "PYTHONPATH": package_home(),
        "PYTHONDONTWRITEBYTECODE": "1",
        "XDG_STATE_HOME": str(tmp_path),
    }
    with (
        subprocess.Popen(
            command,
            cwd="/",
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as demo,
        contextlib.ExitStack() as busy,
    ):
        assert demo.stdout
        assert demo.stderr
        shown = ""
        for line in demo.stdout:
            shown += line
            if line.startswith("ready after"):
                _hold_up(demo.pid)
                for _ in range(others):
                    busy.enter_context(_busy())
        told = demo.stderr.read()
    assert demo.returncode in {0, 75}, shown + told
    for text in ("NOT WELL", "Traceback", "bug"):
        assert text not in shown + told, shown + told
    if demo.returncode:
        assert re.search(r"too busy or too slow .* took \d+\.\d s, where", told), told
        assert "nothing about your network" in told
        assert "Next: " not in shown
        assert "Try with it" not in shown


def _hold_up(pid: int) -> None:
    """Let a process and all below it have what others leave of one processor (sched(7)).

    proc(5), ``/proc/pid/task/tid/children``: to the kernel a thread is a task of its own.
    """
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):  # it has ended
            os.sched_setaffinity(int(task), {_PROCESSOR})
            os.sched_setscheduler(int(task), os.SCHED_IDLE, os.sched_param(0))
            for child in read_text(f"/proc/{pid}/task/{task}/children").split():
                _hold_up(int(child))


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """Keep that processor busy, as far as nobody of usual priority wants it (sched(7))."""
    loop = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    try:
        os.sched_setaffinity(loop.pid, {_PROCESSOR})
        os.setpriority(os.PRIO_PROCESS, loop.pid, 19)
        yield
    finally:
        loop.kill()
        loop.wait()


def _try_what_it_says(said: str, recording: Path) -> None:
    tries = [line.split() for line in said.splitlines() if line.startswith("  netfail-hooks ")]
    assert [words[1] for words in tries] == ["log", "log", "report", "replay"]
    assert all(str(recording) in words for words in tries)
    shown = {"demo.svg", "demo.html"}  # files of its own
    timeline, picture, page, replay = (
        _netfail(*["-" if word in shown else word for word in words[1:]]) for words in tries
    )
    for done in (timeline, picture, page, replay):
        assert (done.returncode, done.stderr) == (0, "")
    assert "wlan0" in timeline.stdout
    assert picture.stdout.startswith("<svg")
    assert "</html>" in page.stdout
    assert "none other than recorded" in replay.stdout


def test_somebody_without_rights_sees_them_too(readable: str) -> None:
    if _forbids_user_namespaces():
        done = _demo(user=_NOBODY, python="/usr/bin/python3", home=readable)
        assert done.returncode == 3
        assert "use" in done.stderr
        return
    done = _demo("--json", user=_NOBODY, python="/usr/bin/python3", home=readable)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "recording not kept: " in done.stderr  # nobody has no home
    told = json.loads(done.stdout)
    assert told["recording"] == ""
    assert told["real"] is False
    acts = [act for chapter in told["chapters"] for act in chapter["acts"]]
    assert [act["title"] for act in acts] == _ACTS
    assert all(act["alive"] == act["connections"] == 2 for act in acts), acts
    assert all(act["moved_ms"] >= 0 for act in acts), acts
    for chapter in told["chapters"]:
        begins = [act["began_ms"] for act in chapter["acts"]]
        assert begins == sorted(begins)
        assert 0 <= begins[0] < begins[-1] < chapter["span_ms"] * len(chapter["losses"])


def test_the_first_command_of_readme_works_as_it_is_typed() -> None:
    typed = sh_blocks(ROOT / "README.md")[0].splitlines()[0].partition("#")[0]
    with fresh_checkout() as checkout:
        wheels = shutil.copytree(image.wheels(), checkout / "wheels")  # what it would fetch
        subprocess.run(["chown", "-R", f"{_NOBODY}:{_NOBODY}", checkout], check=True)
        line = ["sh", "-euc", f"{typed} --wheels {wheels}"]
        done = call(line, user=_NOBODY, cwd=str(checkout), LANG="C.UTF-8")
    if _forbids_user_namespaces():
        assert done.returncode == 3
        return
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Next: sudo ./install.sh --primary eth0 --backup wlan0 --dry-run" in done.stdout


def _forbids_user_namespaces() -> bool:
    """Tell whether this kernel keeps user namespaces from ordinary users (unshare(1))."""
    tried = subprocess.run(
        ["unshare", "--user", "--map-root-user", "true"],
        check=False,
        capture_output=True,
        user=_NOBODY,
        group=_NOBODY,
        extra_groups=[],
    )
    return tried.returncode != 0


@pytest.mark.parametrize("word", ["--frobnicate", "eth0"])
def test_wrong_use_is_refused(word: str) -> None:
    assert _demo(word).returncode == 2
