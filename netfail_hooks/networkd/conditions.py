"""Conditions on the machine in a [Match], as systemd judges them (systemd.unit(5), Condition...=).

Each answer is None where we can't tell: of another root's machine, or by a word of which we don't
know the meaning.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fnmatch import fnmatchcase

from netfail_hooks.errors import Problem
from netfail_hooks.files import read_text
from netfail_hooks.paths import Paths
from netfail_hooks.process import ENGLISH, run

_ARCHITECTURES = {  # uname(2)'s word, and systemd's
    "x86_64": "x86-64",
    "i386": "x86",
    "i486": "x86",
    "i586": "x86",
    "i686": "x86",
    "aarch64": "arm64",
    "armv6l": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "ppc64le": "ppc64-le",
    "mips64": "mips64",
    "riscv64": "riscv64",
    "riscv32": "riscv32",
    "s390x": "s390x",
    "loongarch64": "loongarch64",
}
_OPERATORS = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    ">=": lambda a, b: a >= b,
    ">": lambda a, b: a > b,
}
_COMPARISON = re.compile(r"(<=|>=|==|!=|<>|<|>|=)\s*(\d[\d.]*)")
_CREDENTIALS = "/run/credentials/systemd-networkd.service"


def holds(paths: Paths, key: str, text: str) -> bool | None:
    """Judge a condition; None where we can't. The last assignment alone counts."""
    wanted = not text.startswith("!")
    result = _JUDGES[key](paths, text.removeprefix("!").strip())
    return None if result is None else result is wanted


def _host(paths: Paths, text: str) -> bool | None:
    name = read_text(paths.at("/etc/hostname")).strip() if paths.root else os.uname().nodename
    machine = read_text(paths.at("/etc/machine-id")).strip()
    if re.fullmatch(r"[0-9a-fA-F]{32}|[0-9a-fA-F-]{36}", text):
        return machine == text.lower().replace("-", "") if machine else None
    return fnmatchcase(name.lower(), text.lower()) if name else None


def _virtualization(paths: Paths, text: str) -> bool | None:
    if paths.root:
        return None
    container, machine = _detected("--container"), _detected("--vm")
    if container is None or machine is None or text == "private-users":
        return None
    known = {
        **dict.fromkeys(("yes", "true", "1", "on", "y", "t"), bool(container or machine)),
        **dict.fromkeys(("no", "false", "0", "off", "n", "f"), not (container or machine)),
        "container": bool(container),
        "vm": bool(machine) and not container,
    }
    return known.get(text.lower(), text == (container or machine))


def _detected(what: str) -> str | None:
    """Return what systemd-detect-virt(1) says, "" for none, None where it can't be asked."""
    try:
        word = run("systemd-detect-virt", what, check=False, environment=ENGLISH).stdout.strip()
    except Problem:
        return None
    return "" if word == "none" else word


def _command_line(paths: Paths, text: str) -> bool | None:
    if paths.root:
        return None
    words = read_text("/proc/cmdline").replace('"', "").split()
    if _detected("--container"):  # which has no kernel of its own: that of its first process
        words = read_text("/proc/1/cmdline").split("\0")
    if "=" in text:
        return text in words
    return any(word == text or word.startswith(f"{text}=") for word in words)


def _kernel_version(paths: Paths, text: str) -> bool | None:
    if paths.root:
        return None
    release = os.uname().release
    rest = _COMPARISON.sub(" ", text)
    globs = rest.split()
    if any(set(word) & set("<>=!$") for word in globs):
        return None
    compared = [
        _OPERATORS[sign](_numbers(release), _numbers(version))
        for sign, version in _COMPARISON.findall(text)
    ]
    return all(compared) and all(fnmatchcase(release, word) for word in globs)


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _credential(paths: Paths, text: str) -> bool | None:
    place = f"{_CREDENTIALS}/{text}"
    unreadable = os.path.isdir(_CREDENTIALS) and not os.access(_CREDENTIALS, os.X_OK)
    return None if paths.root or unreadable or "/" in text else os.path.exists(place)


def _architecture(paths: Paths, text: str) -> bool | None:
    native = _ARCHITECTURES.get(os.uname().machine)
    return None if paths.root or not native else text in (native, "native")


def _firmware(paths: Paths, text: str) -> bool | None:
    if paths.root:
        return None
    if text == "uefi":
        return os.path.isdir("/sys/firmware/efi")
    if text == "device-tree":
        return os.path.exists("/sys/firmware/devicetree")
    named = re.fullmatch(r"device-tree-compatible\((.+)\)", text)
    if named:
        return named[1] in read_text("/proc/device-tree/compatible").split("\0")
    return None if text.startswith("smbios-field(") else False


_JUDGES: dict[str, Callable[[Paths, str], bool | None]] = {
    "Host": _host,
    "Virtualization": _virtualization,
    "KernelCommandLine": _command_line,
    "KernelVersion": _kernel_version,
    "Version": _kernel_version,
    "Credential": _credential,
    "Architecture": _architecture,
    "Firmware": _firmware,
}
KEYS = frozenset(_JUDGES)
