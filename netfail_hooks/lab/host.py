"""The lab's host as one reaches it from outside: its files, and commands run on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

from netfail_hooks.files import read_text
from netfail_hooks.lab.namespaces import LOGS, Namespaces
from netfail_hooks.lab.topology import FAR, FAR6
from netfail_hooks.paths import Paths, package_home


class Host:
    """Files and commands of the host, and commands of its neighbours."""

    def __init__(self, namespaces: Namespaces) -> None:
        self.namespaces = namespaces

    @property
    def root(self) -> str:
        """Return where the host's files are seen from outside."""
        return self.namespaces.root

    @property
    def paths(self) -> Paths:
        """Return the host's files as the rest of the package names them."""
        return Paths(self.root)

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file of the host, and the directories above it."""
        inside = self.root + path
        os.makedirs(os.path.dirname(inside), mode=0o755, exist_ok=True)
        with open(inside, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(inside, mode)

    def write_files(self, files: Mapping[str, str]) -> None:
        """Write several files of the host, by path."""
        for path, text in files.items():
            self.write(path, text)

    def read(self, path: str) -> str:
        """Return the text of a file of the host, "" where there is none."""
        return read_text(self.root + path, limit=-1, errors="replace")

    def logs(self) -> str:
        """Return all that the daemons and hooks said, for a failed test's message."""
        names = sorted(name for name in os.listdir(self.root + LOGS) if name.endswith(".log"))
        return "\n".join(f"--- {name}\n{self.read(f'{LOGS}/{name}')}" for name in names)

    def run(
        self,
        *argv: str,
        seconds: float = 120,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host to its end."""
        return self.namespaces.run(argv, seconds=seconds, stdin=stdin, environment=environment)

    def run_lan(self, *argv: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command on the LAN's router."""
        return self.namespaces.run(argv, netns="lan", seconds=seconds)

    def run_station(self, *argv: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command on the other host of the LAN."""
        return self.namespaces.run(argv, netns="station", seconds=seconds)

    def used_uplink(self, family: int = 4) -> str:
        """Return the interface by which the kernel would send beyond the router, "" for none."""
        far = FAR if family == 4 else FAR6
        words = self.run("ip", f"-{family}", "route", "get", far).stdout.split()
        return words[words.index("dev") + 1] if "dev" in words else ""

    def netfail(
        self, *arguments: str, seconds: float = 240, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run our command line on the host."""
        command = [sys.executable, "-m", "netfail_hooks", *arguments]
        # Where our libraries are, too, if we were told (install.sh --demo).
        path = filter(None, (package_home(), os.environ.get("PYTHONPATH")))
        environment = {"PYTHONPATH": os.pathsep.join(path)}
        return self.run(*command, seconds=seconds, stdin=stdin, environment=environment)
