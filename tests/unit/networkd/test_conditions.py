"""Conditions on the machine: ours is systemd's own judgement of this very machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from netfail_hooks.files import read_text
from netfail_hooks.networkd.conditions import holds
from netfail_hooks.paths import Paths

_RELEASE = os.uname().release
_WORD = next(iter(read_text("/proc/cmdline").split()), "quiet").strip('"')
_INIT = read_text("/proc/1/cmdline").split("\0")[0]  # what counts in a container
_CONDITIONS = [
    ("Host", os.uname().nodename),
    ("Host", os.uname().nodename.upper()),
    ("Host", "*"),
    ("Host", "nobody-?"),
    ("Host", "0123456789abcdef0123456789abcdef"),
    ("Architecture", "native"),
    ("Architecture", "x86-64"),
    ("Architecture", "arm64"),
    ("Architecture", "x86"),
    ("Firmware", "uefi"),
    ("Firmware", "device-tree"),
    ("Firmware", "device-tree-compatible(nobody,nothing)"),
    ("Firmware", "none-such"),
    ("Virtualization", "yes"),
    ("Virtualization", "no"),
    ("Virtualization", "vm"),
    ("Virtualization", "container"),
    ("Virtualization", "kvm"),
    ("Virtualization", "docker"),
    ("KernelCommandLine", _WORD),
    ("KernelCommandLine", _WORD.partition("=")[0]),
    ("KernelCommandLine", f"{_WORD}x"),
    ("KernelCommandLine", "none.such"),
    ("KernelCommandLine", _INIT),
    ("KernelVersion", ">=3.0"),
    ("KernelVersion", "<3.0"),
    ("KernelVersion", ">2.6 <99"),
    ("KernelVersion", "99.*"),
    ("KernelVersion", f"{_RELEASE[0]}*"),
]


@pytest.mark.parametrize(("key", "text"), _CONDITIONS)
@pytest.mark.parametrize("mark", ["", "!"])
def test_systemd_judges_the_same(key: str, text: str, mark: str) -> None:
    analyze = shutil.which("systemd-analyze")
    assert analyze
    command = [analyze, "condition", f"Condition{key}={mark}{text}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert holds(Paths(), key, f"{mark}{text}") is (done.returncode == 0), done.stderr


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("Firmware", "smbios-field(bios_vendor = x)"),
        ("KernelVersion", ">=3 $1"),
        ("Virtualization", "private-users"),
        ("Credential", "a/b"),
    ],
)
def test_what_we_know_no_meaning_of_is_not_judged(key: str, text: str) -> None:
    assert holds(Paths(), key, text) is None


def test_of_another_root_only_its_files_are_known(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    keys = ("Architecture", "Firmware", "Virtualization", "KernelCommandLine", "KernelVersion")
    assert [holds(paths, key, "x") for key in (*keys, "Credential", "Host")] == [None] * 7
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/hostname").write_text("pi\n")
    (tmp_path / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    assert holds(paths, "Host", "Pi") is True
    assert holds(paths, "Host", "0123456789ABCDEF0123456789ABCDEF") is True
    assert holds(paths, "Host", "!p*") is False
