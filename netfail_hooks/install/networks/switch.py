"""Bring a running machine into or out of a bond, or leave it as it was.

networkd makes the bond from our files, but changes none that is there: of a live bond the
kernel takes a mode, or a policy for hardware addresses, only without slaves. Such a one is
deleted, and networkd makes another. For a second or two the machine is off the network; if the
gateway then doesn't answer, the old files come back (``install/way_back/``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence

from netfail_hooks.config import Config, Uplink
from netfail_hooks.errors import Problem
from netfail_hooks.install import nodes
from netfail_hooks.install.plan import FileChange
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel import snapshot
from netfail_hooks.kernel.observe import observe
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import match, networkctl
from netfail_hooks.networkd.file import settings
from netfail_hooks.networkd.takeover import is_ours
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import ACTIVE_BACKUP
from netfail_hooks.process import wait_until
from netfail_hooks.reconcile.probing import probe_uplinks
from netfail_hooks.terminal.progress import doing
from netfail_hooks.values import replace

_PATIENCE = 25.0  # seconds for the gateway to answer; networkd, DHCP and Wi-Fi have theirs
_NOTICE = 5.0  # seconds for networkd to read of a change from the kernel
_STEP = 0.2
_NETDEV = ".netdev"


def concerns_bond(changes: Sequence[FileChange]) -> bool:
    """Tell whether changes make, change or take away a bond."""
    return any(change.path.endswith(_NETDEV) for change in changes)


def bonds_of(changes: Sequence[FileChange]) -> tuple[str, ...]:
    """Return the bonds whose device files are among the changes."""
    paths = (change.path for change in changes if change.path.endswith(_NETDEV))
    return tuple(path.rpartition("-netfail-")[2].removesuffix(_NETDEV) for path in paths)


def stale(config: Config, changes: Sequence[FileChange]) -> tuple[str, ...]:
    """Return the bonds in the kernel that have to be replaced or deleted."""
    names = bonds_of(changes)
    if config.mode != "bond":
        return names
    with rt.Netlink() as netlink:
        bond = observe(config, netlink).bonding(config.bond.name)
    fits = bond and bond.mode == ACTIVE_BACKUP and bond.fail_over_mac == "active"
    return () if bond is None or fits or not names else (config.bond.name,)


def follow(gone: Sequence[str]) -> None:
    """Delete bonds, and have networkd do what the files say. Raises Problem.

    Not before it has answered: what a bond has nobody else would give back.
    """
    networkctl.require_answer()
    with rt.Netlink() as netlink:
        for name in gone:
            with contextlib.suppress(rt.NetlinkError):
                if index := snapshot.index_of(name):
                    snapshot.delete(netlink, index)
    _await_gone(gone)
    for path in slave_files(Paths(), gone):
        with contextlib.suppress(OSError):  # a read-only /usr: a restart of networkd would do
            renew(path)
    networkctl.reload()


def _await_gone(names: Sequence[str]) -> None:
    """Wait until networkd knows that the bonds are gone, else it takes the new for the old."""

    def gone() -> bool:
        return not names or not set(names) & set(networkctl.states())

    with contextlib.suppress(Problem):
        wait_until(gone, _NOTICE, "end of the bond", step=_STEP)


def give_back(gone: Sequence[str], config: Config) -> None:
    """Have networkd do what the user's own files say again. Raises Problem.

    ``config`` names all interfaces, of mode "routes"; a bond of the user's may be among them.
    """
    follow(gone)
    waiting = "waiting for networkd to do as the files of before say"
    with doing(waiting, _PATIENCE / 3), contextlib.suppress(Problem):
        _await_default_route(config, _PATIENCE / 3)
        return
    for name in config.names():
        with contextlib.suppress(Problem):
            networkctl.reconfigure(name)
    try:
        with doing(waiting, _PATIENCE * 2 / 3):
            _await_default_route(config, _PATIENCE * 2 / 3)
    except Problem:
        raise Problem(
            f"no way out for {_PATIENCE:.0f} s after the old files came back, so the machine may "
            "be cut off",
            hint="'networkctl' shows the uplinks; 'sudo systemctl restart systemd-networkd' begins "
            "anew",
        ) from None


def _await_default_route(config: Config, seconds: float) -> None:
    wait_until(lambda: _has_default_route(config), seconds, "default route", step=_STEP)


def _has_default_route(config: Config) -> bool:
    with rt.Netlink() as netlink:
        observed = observe(config, netlink)
    return any(
        observed.default_route(name, family) for name in config.names() for family in FAMILIES
    )


def await_gateway(config: Config, seconds: float = _PATIENCE) -> None:
    """Return once a gateway answers through the new set-up. Raises Problem."""
    probed = as_uplink(config)

    def answers() -> bool:
        with contextlib.suppress(Problem):
            return any(result.healthy for result in probe_uplinks(probed))
        return False

    try:
        with doing("waiting for a gateway to answer", seconds):
            wait_until(answers, seconds, "answer", step=_STEP)
    except Problem:
        raise Problem(
            f"no gateway answered for {seconds:.0f} s, so all is as it was",
            hint="is a router of theirs on? 'install --no-live' writes the files alone",
        ) from None


def as_uplink(config: Config) -> Config:
    """Return a config of mode "routes" in which the bond is the uplink; others as they are."""
    if config.mode != "bond":
        return config
    return replace(config, mode="routes", uplinks=(Uplink(config.bond.name, 100),))


def slave_files(paths: Paths, bonds: Sequence[str]) -> list[str]:
    """Return the user's own files whose NIC is a slave of one of these bonds."""
    return [
        source.path
        for source in match.sources(paths)
        if not is_ours(source.text)
        and any(bond in bonds for bond in settings(source.sections, "Network", "Bond"))
    ]


def renew(path: str) -> None:
    """Put a file's twin in its place: same bytes, mode, owner, times. Raises OSError."""
    path = os.path.realpath(path)
    node = nodes.read(path)
    if node is None:
        return
    twin = nodes.beside(path)
    nodes.write(twin, node)
    shutil.copystat(path, twin)
    os.replace(twin, path)
