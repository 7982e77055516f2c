"""The runs that nobody starts by hand, and a throw-away host on which to see what they cost."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from netfail_hooks.install import hook_file, units
from netfail_hooks.lab import Lab
from netfail_hooks.paths import Paths, package_home
from netfail_hooks.recorder import FILE

HOOKS = "/etc/networkd-dispatcher"
HOOK = f"{HOOKS}/routable.d/50-netfail-hooks"
HOOK_CABLE_OUT = f"{HOOKS}/no-carrier.d/50-netfail-hooks"
UPLINK = """\
[[uplink]]
interface = "{}"
"""


@dataclass(frozen=True)
class Case:
    """A command, what it is, and the interface that the dispatcher would name."""

    name: str
    argv: tuple[str, ...]
    interface: str = ""

    def environment(self) -> Mapping[str, str]:
        """Return what the command finds in its environment."""
        path = os.defpath + ":/usr/sbin:/sbin"
        return {"PATH": path, "IFACE": self.interface, "STATE": "routable"}


def python_alone() -> Case:
    """Return what every other one pays: Python that starts, and ends."""
    return Case("python3 -I -S -c pass", (hook_file.base_python(), "-I", "-S", "-c", "pass"))


def foreign() -> Case:
    """Return the hook for an interface that is no uplink."""
    return Case("hook, foreign interface", (HOOK,), "lo")


def idle() -> Case:
    """Return the hook for an uplink where all is well already."""
    return Case("hook, an uplink", (HOOK,), "eth0")


def failing_over() -> Case:
    """Return the hook that finds the cable out; see :func:`pull_cable`."""
    return Case("hook that fails over", (HOOK_CABLE_OUT,), "eth0")


def check() -> Case:
    """Return the timer's check, as its service starts it."""
    service = units.service_text().splitlines()
    command = next(line.partition("=")[2] for line in service if line.startswith("ExecStart="))
    return Case("check, all well", tuple(shlex.split(command)))


@contextlib.contextmanager
def host(uplinks: Sequence[str] = ("eth0", "wlan0")) -> Iterator[Lab]:
    """Build a host on which hook and check have run already, and all is well. Raises Problem."""
    import compileall

    # As pip and a package's installation do. A host of the lab can't: its file system is read-only.
    compileall.compile_dir(os.path.join(package_home(), "netfail_hooks"), quiet=1)
    with Lab(uplinks, unmanaged=True) as lab:
        lab.write(HOOK, hook_file.hook_text().decode(), mode=0o755)
        lab.write("/etc/netfail-hooks/config.toml", "".join(map(UPLINK.format, uplinks)))
        lab.start()
        lab.tick()  # the first one since boot reads networkd's files (reconcile/touched.py)
        yield lab


def pull_cable(lab: Lab) -> None:
    """Take the first uplink's cable out, its hook left to whoever wants to see it run."""
    lab.cable_out("eth0")
    lab.write(HOOK_CABLE_OUT, lab.read(HOOK), mode=0o755)


def has_failed_over(lab: Lab) -> bool:
    """Tell whether the last thing that was recorded is that wlan0 took the traffic over."""
    lines = lab.read(Paths().log + FILE).splitlines()
    active = json.loads(lines[-1])["active"] if lines else {}
    return bool(active.get("ipv4") == "wlan0")
