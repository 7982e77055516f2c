"""Debian's programs that a contender needs: this machine's, else unpacked aside, not installed.

Installing NetworkManager would let it loose on the machine's own links.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from netfail_hooks.errors import Problem
from netfail_hooks.lab.namespaces import SEARCH

_CACHE = os.path.expanduser("~/.cache/netfail-hooks/bench")
_ONE = threading.Lock()  # two hosts may need the same package at once
# "Inst NAME (VERSION ...": new here. "Inst NAME [OLD] (...": there, and good enough.
_NEW = re.compile(r"^Inst (\S+) \(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Program:
    """A program where it lies, the directory its package was unpacked to, what it needs to run."""

    path: str
    root: str
    environment: Mapping[str, str]


def program(name: str, package: str) -> Program:
    """Return a program, its package fetched and unpacked once. Raises Problem."""
    found = shutil.which(name, path=SEARCH)
    if found:
        return Program(found, "", {})
    root = os.path.join(_CACHE, package)
    with _ONE:
        if not os.path.exists(root):
            _unpack(package, root)
    places = ":".join(f"{root}{place}" for place in SEARCH.split(":"))
    path = shutil.which(name, path=places)
    if path is None:
        raise Problem(f"{package} has no {name}")
    libraries = ":".join(sorted(glob.glob(f"{root}/usr/lib/*-linux-gnu")))
    return Program(path, root, {"LD_LIBRARY_PATH": libraries} if libraries else {})


def _unpack(package: str, root: str) -> None:
    """Fetch a package, and those that it needs and are not here; unpack all into ``root``."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise Problem(f"{package} is not installed, and there is no {tool} to fetch it")
    told = _run(package, "apt-get", "install", "--simulate", "--no-install-recommends", package)
    part = f"{root}.part"
    shutil.rmtree(part, ignore_errors=True)
    os.makedirs(part)
    _run(package, "apt-get", "download", *_NEW.findall(told), cwd=part)
    for name in sorted(os.listdir(part)):
        if name.endswith(".deb"):
            _run(package, "dpkg-deb", "--extract", name, ".", cwd=part)
            os.unlink(os.path.join(part, name))
    os.rename(part, root)


def _run(package: str, *argv: str, cwd: str | None = None) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [""])[-1]
        raise Problem(f"{package} is not installed, and could not be fetched: {said}")
    return done.stdout
