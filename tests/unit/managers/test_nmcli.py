"""What NetworkManager says it has; no answer is not "nothing"."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netfail_hooks.errors import Problem
from netfail_hooks.managers.nm.nmcli import (
    networkmanager_has,
    networkmanager_probes,
    networkmanager_says,
)


@pytest.fixture
def nmcli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where an nmcli may be put; there is none yet."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/nowhere")
    return tmp_path / "nmcli"


def _says(nmcli: Path, text: str, status: int) -> None:
    nmcli.write_text(f"#!/bin/sh\necho '{text}' >&{2 if status else 1}\nexit {status}\n")
    os.chmod(nmcli, 0o700)


def test_without_an_nmcli_it_has_nothing(nmcli: Path) -> None:
    assert not nmcli.exists()
    assert networkmanager_says() == ()


def test_one_that_does_not_run_has_nothing(nmcli: Path) -> None:
    _says(nmcli, "Error: NetworkManager is not running.", 8)
    assert networkmanager_says() == ()


def test_what_is_up_by_it_is_its_own(nmcli: Path) -> None:
    _says(nmcli, "eth0:connected\nlo:connected (externally)\nwlan0:unmanaged", 0)
    assert networkmanager_says() == ("eth0",)


@pytest.mark.parametrize("status", [1, 3, 255])
def test_one_that_fails_is_no_answer(nmcli: Path, status: int) -> None:
    _says(nmcli, "Error: Could not create NMClient object", status)
    with pytest.raises(Problem, match="NMClient"):
        networkmanager_says()
    assert networkmanager_has() == ()


@pytest.mark.parametrize(
    ("text", "probes"),
    [
        ("nmcli tool, version 1.42.4", False),
        ("nmcli tool, version 1.52.1", True),
        ("nmcli tool, version 2.0.0-rc1", True),
        ("something else", True),
    ],
)
def test_newer_ones_ask_who_has_an_address(nmcli: Path, text: str, *, probes: bool) -> None:
    _says(nmcli, text, 0)
    assert networkmanager_probes() == probes


def test_one_that_is_busy_is_asked_again(nmcli: Path) -> None:
    """Whoever has the patience: it answers the third time."""
    asked = nmcli.parent / "asked"
    nmcli.write_text(
        f"#!/bin/sh\necho x >>{asked}\n"
        f"case $(while read -r x; do printf x; done <{asked}) in\n"
        "xxx) echo eth0:connected;;\n*) echo 'Timeout was reached' >&2; exit 1;;\nesac\n"
    )
    os.chmod(nmcli, 0o700)
    assert networkmanager_says(patience=20) == ("eth0",)
    assert asked.read_text() == "x\n" * 3
