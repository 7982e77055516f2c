"""Other people's hooks: run after a transition, one after another, never in the way."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from netfail_hooks.paths import Paths
from netfail_hooks.reconcile import notify

LINE = (
    json.dumps(
        {
            "trigger": "eth0 no-carrier",
            "summary": "IPv4 now by wlan0",
            "active": {"ipv4": "wlan0", "ipv6": ""},
            "took_ms": 21,
        }
    )
    + "\n"
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(str(tmp_path))
    os.makedirs(paths.notify, mode=0o755)
    os.makedirs(paths.run, mode=0o755)
    return paths


def _hook(paths: Paths, name: str, script: str, mode: int = 0o755) -> Path:
    path = Path(paths.notify, name)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(mode)
    return path


def _wait_for(path: Path) -> str:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if path.exists() and path.read_text().endswith("done\n"):
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path} was never finished")


def test_hooks_get_the_event_in_name_order(paths: Paths, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _hook(paths, "10-first", f'echo "$NETFAIL_TRIGGER|$NETFAIL_IPV4|$NETFAIL_TOOK_MS" >>{out}')
    _hook(paths, "20-fails", "echo no >&2; exit 3")
    _hook(paths, "30-last", f"cat >>{out}; echo done >>{out}")
    notify.start(paths, LINE)
    assert _wait_for(out) == f"eth0 no-carrier|wlan0|21\n{LINE}done\n"
    assert not [name for name in os.listdir(paths.run) if name.startswith("notify.")]


def test_start_returns_before_a_slow_hook_ends(paths: Paths, tmp_path: Path) -> None:
    out = tmp_path / "out"
    _hook(paths, "10-slow", f"sleep 1; echo done >{out}")
    notify.start(paths, LINE)
    assert not out.exists()
    _wait_for(out)


def test_what_others_may_write_is_left_out(paths: Paths, capfd: pytest.CaptureFixture[str]) -> None:
    _hook(paths, "10-open", "true", mode=0o775)
    good = _hook(paths, "20-good", "true")
    _hook(paths, "30-not-executable", "true", mode=0o644)
    assert notify.executables(paths.notify) == [str(good)]
    assert "chmod go-w" in capfd.readouterr().err
    os.chmod(paths.notify, 0o777)  # noqa: S103 - that is the point
    assert notify.executables(paths.notify) == []


def test_without_hooks_nothing_is_started(paths: Paths) -> None:
    notify.start(paths, LINE)
    assert os.listdir(paths.run) == []


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"\xff", b'"text"'])
def test_garbage_is_no_event(line: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        notify.gist(line)
