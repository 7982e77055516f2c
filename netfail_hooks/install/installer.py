"""``netfail-hooks install``: work out the files, show them, put them in place, start it all."""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netfail_hooks import reconcile
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.cache import load
from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.install import (
    bond_switch,
    diversion,
    kernel_state,
    manifest,
    nodes,
    options,
    reconfigure,
    systemd,
)
from netfail_hooks.install.bond_files import bond_files
from netfail_hooks.install.config import choose
from netfail_hooks.install.hook_file import unsafe_places
from netfail_hooks.install.layout import layout
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.install.network_files import networks
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.options import refuse_others
from netfail_hooks.install.plan import FileChange, file_changes
from netfail_hooks.install.rollback import switching
from netfail_hooks.install.transaction import Follower, commit, note
from netfail_hooks.networkd import takeover
from netfail_hooks.networkd.detect import detect, refuse_foreign_managers
from netfail_hooks.paths import Paths
from netfail_hooks.policy import sysctls
from netfail_hooks.process import run

_HERE = Paths()
_PACKAGE = "NETFAIL_HOOKS_PACKAGE"  # where install.sh, whose dry run this is, will put it


@dataclass(frozen=True, slots=True)
class Work:
    """All that there is to do, and what to tell of it."""

    paths: Paths
    config: Config
    known: Manifest | None
    todo: tuple[FileChange, ...]
    notes: tuple[str, ...]
    live: bool

    @property
    def switches(self) -> bool:
        """Tell whether the machine goes into a bond, or out of one, or gets another."""
        return self.live and bond_switch.concerns_bond(self.todo)

    def all_uplinks(self) -> Config:
        """Return the uplinks, those that no longer are one after them."""
        retired = [takeover.uplink_of(step.path) for step in self.todo]
        names = dict.fromkeys((*self.config.names(), *filter(None, retired)))
        return Config(uplinks=default_metrics(tuple(names)))


def prepare(args: argparse.Namespace) -> Work:
    """Work out what there is to do. Changes nothing. Raises Problem."""
    paths = Paths(args.root.rstrip("/"))
    if args.root and not os.path.isdir(args.root):
        raise Misuse(f"--root {args.root}: no such directory")
    wish = options.parse(args)
    known = manifest.load(paths)
    config, text = choose(paths, wish, lambda: detect(paths))
    refuse_foreign_managers(paths, config.names())
    if config.mode == "bond":
        if wish.setups:
            raise Misuse("the uplinks are in a bond", hint="add --mode bond, or --mode routes")
        refuse_others(wish.named, config.bond.name)
        found, notes = bond_files(paths, config, wish.bond)
    else:
        found, notes = networks(paths, config, wish.setups)
    package = os.environ.get(_PACKAGE, "") if args.dry_run else ""
    unsafe = unsafe_places(package)
    notes += [f"root's hooks run from {place}, which others may write" for place in unsafe]
    wanted = layout(config, text, found, package)
    wanted[_HERE.config] = _as_it_is(paths, wanted[_HERE.config])
    todo = file_changes(paths, wanted, known or Manifest())
    running = not (paths.root or args.no_live) and reconfigure.networkd_answers()
    return Work(paths, config, known, todo, tuple(notes), running)


def _as_it_is(paths: Paths, node: Node) -> Node:
    """Return a file with the mode and owner that it has already."""
    now = nodes.read(paths.config)
    return replace(node, mode=now.mode, owner=now.owner) if now else node


def _install(work: Work) -> list[str]:
    """Put the files in place, the running networkd following. Returns refused settings."""
    refused: list[str] = []
    if work.live:
        nodes.remove(work.paths.uninstalling)  # of an uninstall that was killed
    now = kernel_state.current_sysctls(work.all_uplinks().names()) if work.live else {}
    gone = bond_switch.stale(work.config, work.todo) if work.switches else ()
    made = bond_switch.bonds_of(work.todo)
    guard = switching(work.paths, work.todo, made) if work.switches else contextlib.nullcontext()
    try:
        noted = note(_originals(work, now), work.todo)
        with guard:
            commit(work.paths, noted, work.todo, _follower(work, gone, refused))
    except BaseException:
        if work.live:
            kernel_state.set_sysctls(now)
            if work.switches:
                bond_switch.give_back(made, work.all_uplinks())
            else:
                with contextlib.suppress(Problem):  # a file whose step back could not begin
                    run("networkctl", "reload")
                reconfigure.reconfigure_addressless(work.all_uplinks())
        raise
    return refused


def _follower(work: Work, gone: Sequence[str], refused: list[str]) -> Follower:
    """Return how the running machine follows: networkd file by file, or at once after the last.

    ``gone`` are the bonds to delete; to ``refused`` the settings are added that were.
    """
    all_uplinks = work.all_uplinks()
    alone = work.live and not work.switches

    @contextlib.contextmanager
    def around(step: FileChange) -> Iterator[None]:
        with (
            reconfigure.network_step(step, all_uplinks, work.paths)
            if alone
            else contextlib.nullcontext()
        ):
            yield
            if work.switches and step is work.todo[-1]:
                _switch(work, gone)

    def back(step: FileChange) -> contextlib.AbstractContextManager[None]:
        if alone:
            return reconfigure.step_back(step, all_uplinks, work.paths)
        return contextlib.nullcontext()

    def begin() -> None:
        if work.live:
            refused.extend(kernel_state.set_sysctls(_settings(work)))
        if alone:
            reconfigure.finish_pending(all_uplinks, work.paths)

    return Follower(begin, around, back)


def _switch(work: Work, gone: Sequence[str]) -> None:
    """Have networkd follow into another mode; what a killed run was at is no matter then."""
    bond_switch.follow(gone)
    bond_switch.await_gateway(work.config)
    nodes.remove(work.paths.state)  # uplinks are judged anew
    for name in diversion.pending(work.paths):
        diversion.clear_pending(work.paths, name)


def _originals(work: Work, now: dict[str, str]) -> Manifest:
    """Return what is known of the machine before us; what an earlier install noted stays."""
    if work.known is None:
        ways = kernel_state.default_route_order(work.all_uplinks()) if work.live else ()
        return Manifest(sysctls=now, default_route_order=ways)
    return replace(work.known, sysctls={**now, **work.known.sysctls})


def _settings(work: Work) -> dict[str, str]:
    """Return what the kernel's settings are to be, an uplink's that no longer is one included."""
    names = () if work.config.mode == "bond" else work.config.names()
    wanted = {s.key: s.setting for name in names for s in sysctls.wanted(name)}
    return {**(work.known.sysctls if work.known else {}), **wanted}


def _start(work: Work) -> list[str]:
    """Start the timer and look once; return what is left to do."""
    reconfigure.reconfigure_addressless(work.config)
    told = [*systemd.networkd_problems(), *systemd.start_dispatcher()]
    interval = work.config.interval
    if systemd.systemd_runs():
        with _telling(told):
            systemd.start_timer(interval)
    elif interval:
        told.append(
            f"systemd does not run this machine, so nothing runs 'netfail-hooks check' "
            f"every {interval} s"
        )
    with _telling(told):
        config = load(work.paths)
        probes = reconcile.probe_uplinks(config)
        reconcile.run(config, work.paths, "install", probes=probes)
    return told


@contextlib.contextmanager
def _telling(told: list[str]) -> Iterator[None]:
    """Let a problem that isn't the files' be told at the end."""
    try:
        yield
    except Problem as problem:
        told.append(str(problem))


def _what_remains(work: Work) -> list[str]:
    """Return what a person has to do where the running machine was left alone."""
    if work.paths.root:
        return systemd.image_problems(work.paths)
    why = "it was asked not to be touched"
    if not reconfigure.networkd_answers():
        why = "systemd-networkd does not answer"
    told = (
        f"the running machine is as it was ({why}); reboot it with systemd-networkd and "
        "networkd-dispatcher enabled, or start these and run 'netfail-hooks install' again"
    )
    return [told]
