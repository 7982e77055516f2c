"""Where everything lives, under one root that tests and ``--root`` may move.

Root's own files follow the FHS, not platformdirs: that would name ``/etc/xdg``.
"""

from __future__ import annotations

import os

from netfail_hooks.values import value


@value
class Paths:
    """The files of one machine; ``root`` is "" for the running one."""

    root: str = ""

    def at(self, path: str) -> str:
        """Return an absolute path of the machine, below the root."""
        return self.root + path

    @property
    def config(self) -> str:
        """Return the configuration that a person edits."""
        return self.at("/etc/netfail-hooks/config.toml")

    @property
    def notify(self) -> str:
        """Return the directory of other people's hooks."""
        return self.at("/etc/netfail-hooks/notify.d")

    @property
    def run(self) -> str:
        """Return the directory of what is lost at boot: lock, memory, compiled config."""
        return self.at("/run/netfail-hooks")

    @property
    def uninstalling(self) -> str:
        """Return what is there while uninstall is at work: hooks and checks then do nothing."""
        return self.run + "/leaving"

    @property
    def log(self) -> str:
        """Return the directory of the flight recorder."""
        return self.at("/var/log/netfail-hooks")

    @property
    def manifest(self) -> str:
        """Return the list of what install made and what was there before."""
        return self.at("/var/lib/netfail-hooks/manifest.json")

    @property
    def network(self) -> str:
        """Return the directory of the administrator's .network files."""
        return self.at("/etc/systemd/network")

    @property
    def dispatcher(self) -> str:
        """Return the directory that holds networkd-dispatcher's state directories."""
        return self.at("/etc/networkd-dispatcher")


def package_home() -> str:
    """Return the directory that holds our package: what must be on a path to import it."""
    return os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
