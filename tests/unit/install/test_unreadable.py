"""What an ordinary user may not read is said, and never taken for what is not there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.errors import NotPermitted
from tests.support.machine import Machine
from tests.support.nobody import as_nobody

NETWORK = "/etc/systemd/network"
PAIR = ("--primary", "eth0", "--backup", "wlan0")
# Looked at by an install that nobody has told how to set eth0 up: files, and where they may be.
LOOKED_AT = [
    NETWORK,
    f"{NETWORK}/20-eth0.network",
    f"{NETWORK}/20-wlan0.network",
    f"{NETWORK}/20-eth0.network.d",
    f"{NETWORK}/20-eth0.network.d/10-more.conf",
    "/run/systemd/network",
    "/run/systemd/network/10-netplan-other.network",
    "/usr/lib/systemd/network/20-wlan0.network.d",
    "/etc/netfail-hooks",
    "/etc/netfail-hooks/config.toml",
    "/var/lib/netfail-hooks/manifest.json",
]
_CONFIG = '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n'


def _told(work: Callable[[], object]) -> str:
    """Return what an ordinary user is told, "" if all went well."""
    try:
        as_nobody(work)
    except NotPermitted as problem:
        return str(problem)
    return ""


def _machine(root: Path) -> Machine:
    machine = Machine(root)
    root.chmod(0o755)
    machine.write(f"{NETWORK}/20-eth0.network.d/10-more.conf", "[Network]\nNTP=10.0.0.1\n")
    machine.write("/run/systemd/network/10-netplan-other.network", "[Match]\nName=other\n")
    machine.write("/usr/lib/systemd/network/20-wlan0.network.d/x.conf", "[Network]\nNTP=::1\n")
    machine.write("/etc/netfail-hooks/config.toml", _CONFIG)
    return machine


@pytest.mark.parametrize("path", LOOKED_AT)
def test_a_dry_run_names_what_it_may_not_read(tmp_path: Path, path: str) -> None:
    machine = _machine(tmp_path)
    if not machine.has(path):
        machine.install(*PAIR, "--yes")
        machine.write("/etc/netfail-hooks/config.toml", _CONFIG)
    os.chmod(f"{tmp_path}{path}", 0o640 if not os.path.isdir(f"{tmp_path}{path}") else 0o750)
    told = _told(lambda: machine.install(*PAIR, "--dry-run"))
    assert told.endswith(" cannot be read: use sudo")
    assert told.startswith(f"{tmp_path}{path}")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(LOOKED_AT[:-1]), st.integers(0, 0o777))
def test_a_dry_run_says_the_same_to_everybody_or_that_it_cannot(
    tmp_path: Path, path: str, mode: int
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as top:
        tmp_path.chmod(0o755)
        machine = _machine(Path(top))
        os.chmod(f"{top}{path}", mode)
        said = Path(top, "said")
        said.touch()
        said.chmod(0o666)

        def look() -> None:
            with said.open("w") as file:
                os.dup2(file.fileno(), 1)
            machine.install(*PAIR, "--dry-run")

        told = _told(look)
        needed = 0o005 if os.path.isdir(f"{top}{path}") else 0o004
        if path == "/etc/netfail-hooks":  # nobody lists what is in it
            needed = 0o001
        open_to_all = mode & needed == needed
        assert (told == "") is open_to_all, told
        assert told == "" or told.endswith(" cannot be read: use sudo")
