"""Make the running machine follow the files: networkd, the service manager, the kernel."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.install import unfinished
from netfail_hooks.install.detour import around
from netfail_hooks.install.plan import Step
from netfail_hooks.install.readdress import forget_static
from netfail_hooks.install.units import SERVICE, TIMER
from netfail_hooks.kernel import observe as kernel_observe
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import networkctl
from netfail_hooks.networkd.takeover import uplink_of
from netfail_hooks.paths import Paths
from netfail_hooks.policy import sysctls

_PATIENCE = 20.0  # seconds for an uplink to come back; a DHCP server has some of its own
_COMMAND_PATIENCE = 30
_BEGUN = 0.5  # seconds; networkd answers a reload before it has begun


def networkd_answers() -> bool:
    """Tell whether systemd-networkd runs and can be asked."""
    return networkctl.runs()


def systemd_runs() -> bool:
    """Tell whether the machine was booted by systemd (sd_booted(3))."""
    return os.path.isdir("/run/systemd/system")


def command(*argv: str) -> None:
    """Run a command that must end well. Raises Problem with what it said."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=_COMMAND_PATIENCE
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Problem(f"{' '.join(argv)}: {error}") from None
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise Problem(f"{' '.join(argv)}: {said or f'exit status {done.returncode}'}")




@contextlib.contextmanager
def network_step(
    step: Step, config: Config, paths: Paths, told: list[str] | None = None
) -> Iterator[None]:
    """Have networkd take a changed ``.network`` file up, with no traffic lost on the way.

    An uplink that doesn't come back is a Problem; with ``told`` given, a line more there.
    """
    interface = uplink_of(step.path)
    if not interface:
        yield
        return
    with _set_up_anew(interface, config, paths, told):
        yield
        forget_static(config, interface)
        command("networkctl", "reload")


def finish(config: Config, paths: Paths, told: list[str] | None = None) -> None:
    """Set uplinks up anew, as their files say, at which a run was killed. Raises Problem.

    One that is no uplink any more and that networkd leaves alone is somebody else's by now.
    """
    for interface in unfinished.marked(paths):
        if interface not in config.names() and networkctl.leaves_alone(interface):
            unfinished.clear(paths, interface)
            continue
        with _afresh(interface, config, paths, told):
            pass


@contextlib.contextmanager
def step_back(step: Step, config: Config, paths: Paths) -> Iterator[None]:
    """Have networkd follow a ``.network`` file that is taken back; see :func:`network_step`.

    Each file by itself: a reload that finds two of them changed sets both uplinks up at once,
    and for a moment there is no way out.
    """
    interface = uplink_of(step.path)
    if not interface:
        yield
        return
    with _afresh(interface, config, paths, told=[]):
        yield


@contextlib.contextmanager
def _afresh(
    interface: str, config: Config, paths: Paths, told: list[str] | None
) -> Iterator[None]:
    """Have networkd set an uplink up as its file then says, whatever was begun before.

    Nothing tells how far that came: of a file that networkd has read since it changed, a reload
    takes no notice, but the addresses may be gone all the same.
    """
    if not os.path.isdir(paths.at(f"/sys/class/net/{interface}")):
        yield
        unfinished.clear(paths, interface)
        return
    everybody = tuple(dict.fromkeys((*config.names(), interface)))
    known = Config(uplinks=default_metrics(everybody))
    with _set_up_anew(interface, known, paths, told):
        yield
        command("networkctl", "reload")
        time.sleep(_BEGUN)
        forget_static(known, interface)
        command("networkctl", "reconfigure", interface)


@contextlib.contextmanager
def _set_up_anew(
    interface: str, config: Config, paths: Paths, told: list[str] | None
) -> Iterator[None]:
    begun = False
    try:
        with around(config, interface, paths, _PATIENCE):
            begun = True
            yield
    except Problem as problem:
        if told is None or not begun:
            raise
        told.append(str(problem))


def revive(config: Config) -> None:
    """Set an uplink up that has a carrier and no address: one that a kill left so.

    Slaves of a bond have none, and are well so.
    """
    if config.mode == "bond":
        return
    with Netlink() as netlink:
        seen = observe(config, netlink)
    for link in seen.links:
        addressed = any(seen.own_addresses(link.name, family) for family in FAMILIES)
        if link.carrier and not addressed:
            with contextlib.suppress(Problem):
                command("networkctl", "reconfigure", link.name)


def ways(config: Config) -> tuple[str, ...]:
    """Return the uplinks in the order in which the kernel lists their IPv4 default routes."""
    with Netlink() as netlink:
        seen = observe(config, netlink)
    return tuple(route.interface for route in seen.defaults(4) if seen.link(route.interface))


def current_sysctls(names: Sequence[str]) -> dict[str, str]:
    """Return the settings that we change, as they are now."""
    found = {s.key: kernel_observe.read_sysctl(s.key) for name in names for s in sysctls.wanted(name)}
    return {key: setting for key, setting in found.items() if setting is not None}


def set_sysctls(settings: dict[str, str]) -> list[str]:
    """Give settings their value; return what the kernel refused. One that is gone is no matter."""
    refused = []
    for key, setting in settings.items():
        if kernel_observe.read_sysctl(key) in (None, setting):
            continue
        try:
            with open(kernel_observe.sysctl_path(key), "w", encoding="ascii") as file:
                file.write(setting)
        except OSError as error:
            refused.append(f"net.{key.replace('/', '.')}={setting}: {error.strerror}")
    return refused


def start_timer(interval: int) -> None:
    """Have the service manager read the units, and run the timer or not. Raises Problem."""
    command("systemctl", "daemon-reload")
    if interval:
        command("systemctl", "restart", TIMER)


def stop_timer() -> None:
    """Stop the timer and a check that runs."""
    for unit in (TIMER, SERVICE):
        with contextlib.suppress(Problem):
            command("systemctl", "stop", unit)


def forget_units() -> None:
    """Have the service manager see that the units are gone, their failures with them."""
    with contextlib.suppress(Problem):
        command("systemctl", "daemon-reload")
        command("systemctl", "reset-failed", TIMER, SERVICE)


def start_dispatcher() -> list[str]:
    """Have networkd-dispatcher run; return what is missing for that, with the next step.

    Debian's unit starts at boot only if there is a hook (its ConditionPathExistsGlob=): before
    ours there may have been none.
    """
    unit = "networkd-dispatcher.service"
    if not shutil.which("networkd-dispatcher", path="/usr/local/bin:/usr/sbin:/usr/bin"):
        how = "install it with the distribution's package manager"
        return [f"networkd-dispatcher is not there, so no event reaches the hooks: {how}"]
    if not systemd_runs():
        return []
    if not _is("enabled", unit):
        how = "systemctl enable --now networkd-dispatcher"
        return [f"networkd-dispatcher is not enabled, so no event reaches the hooks: {how}"]
    try:
        command("systemctl", "start", unit)
    except Problem as problem:
        return [str(problem)]
    return []


def networkd_problems() -> list[str]:
    """Return what keeps networkd from running after the next boot, with the next step."""
    if systemd_runs() and not _is("enabled", "systemd-networkd.service"):
        return ["systemd-networkd does not start at boot: systemctl enable systemd-networkd"]
    return []


def image_problems(paths: Paths) -> list[str]:
    """Return what a machine that is not running lacks, each with the next step."""
    wanted = paths.at("/etc/systemd/system/multi-user.target.wants/")
    return [
        f"{unit} is not enabled below {paths.root}: systemctl --root={paths.root} enable {unit}"
        for unit in ("systemd-networkd.service", "networkd-dispatcher.service")
        if not os.path.lexists(wanted + unit)
    ]


def _is(state: str, unit: str) -> bool:
    try:
        command("systemctl", "--quiet", f"is-{state}", unit)
    except Problem:
        return False
    return True
