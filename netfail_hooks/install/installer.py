"""``netfail-hooks install``: work out the files, show them, put them in place, start it all."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from netfail_hooks import reconcile
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.cache import load
from netfail_hooks.errors import Misuse, NotPermitted, Problem
from netfail_hooks.install import (
    bond_switch,
    detour,
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
from netfail_hooks.install.plan import Step, diff, steps
from netfail_hooks.install.rollback import switching
from netfail_hooks.install.transaction import Follower, note, perform
from netfail_hooks.networkd import takeover
from netfail_hooks.networkd.detect import detect, refuse_foreign_managers
from netfail_hooks.paths import Paths
from netfail_hooks.policy import sysctls

_HERE = Paths()
_PACKAGE = "NETFAIL_HOOKS_PACKAGE"  # where install.sh, whose dry run this is, will put it


@dataclass(frozen=True, slots=True)
class Work:
    """All that there is to do, and what to tell of it."""

    paths: Paths
    config: Config
    known: Manifest | None
    todo: tuple[Step, ...]
    notes: tuple[str, ...]
    live: bool

    @property
    def switches(self) -> bool:
        """Tell whether the machine goes into a bond, or out of one, or gets another."""
        return self.live and bond_switch.concerns_bond(self.todo)

    def everybody(self) -> Config:
        """Return the uplinks, those that no longer are one after them."""
        retired = [takeover.uplink_of(step.path) for step in self.todo]
        names = dict.fromkeys((*self.config.names(), *filter(None, retired)))
        return Config(uplinks=default_metrics(tuple(names)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    options.add_arguments(parser)
    add_common_arguments(parser, "install")


def add_common_arguments(parser: argparse.ArgumentParser, what: str) -> None:
    """Declare the options that uninstall has, too."""
    parser.add_argument("--root", metavar="DIR", default="",
                        help=f"{what} below a directory: an image, a test")  # fmt: skip
    parser.add_argument("--dry-run", action="store_true",
                        help="print what would change as a diff, and change nothing")  # fmt: skip
    parser.add_argument("--yes", action="store_true", help="don't ask")
    parser.add_argument("--no-live", action="store_true",
                        help="only the files; the running machine stays as it is")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def run(args: argparse.Namespace) -> int:
    """Install. Returns 0; raises Problem, with everything as it was."""
    work = prepare(args)
    if args.dry_run:
        show(work.todo, work.notes, as_json=args.json)
        return 0
    refuse_powerless(args.root)
    confirm([str(step) for step in work.todo], yes=args.yes)
    refused = _install(work)
    rest = _start(work) if work.live else _what_remains(work)
    notes = (*work.notes, *refused, *rest)
    if args.json:
        done = [str(step) for step in work.todo]
        print(json.dumps({"did": done, "notes": list(notes), "live": work.live}, indent=2))
    else:
        for step in work.todo:
            print(step)
        print(_summary(work))
        tell(notes)
    return 0


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
    todo = steps(paths, wanted, known or Manifest())
    running = not (paths.root or args.no_live) and reconfigure.networkd_answers()
    return Work(paths, config, known, todo, tuple(notes), running)


def _as_it_is(paths: Paths, node: Node) -> Node:
    """Return a file with the mode and owner that it has already."""
    now = nodes.look(paths.config)
    return replace(node, mode=now.mode, owner=now.owner) if now else node


def show(todo: tuple[Step, ...], notes: tuple[str, ...], *, as_json: bool) -> None:
    """Print what would be done: as a diff, or as JSON."""
    if as_json:
        would = [str(step) for step in todo]
        print(json.dumps({"would": would, "notes": list(notes)}, indent=2))
    else:
        sys.stdout.write(diff(todo))
        tell(notes)


def refuse_powerless(root: str) -> None:
    """Refuse to change the running machine without being root. Raises NotPermitted."""
    if not root and os.geteuid() != 0:
        raise NotPermitted("only root may do this", hint="use sudo, or --dry-run to look")


def confirm(todo: list[str], *, yes: bool) -> None:
    """Ask a person to agree. Raises Misuse if there is nobody to ask, Problem on a no."""
    if yes or not todo:
        return
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise Misuse("nobody to ask whether to go on", hint="add --yes, or --dry-run to look")
    print(*todo, sep="\n")
    if _answer("Go on? [y/N] ") not in ("y", "yes"):
        raise Problem("nothing was changed", hint="--dry-run shows all of it")


def _answer(question: str) -> str:
    """Return what a person types; "" for Ctrl-D, which is no answer and so no yes."""
    try:
        return input(question).strip().lower()
    except EOFError:
        print()
        return ""


def tell(notes: tuple[str, ...]) -> None:
    """Tell a person what matters beside the result."""
    for one in notes:
        print(f"note: {one}", file=sys.stderr)


def _install(work: Work) -> list[str]:
    """Put the files in place, the running networkd following. Returns refused settings."""
    refused: list[str] = []
    if work.live:
        nodes.remove(work.paths.leaving)  # of an uninstall that was killed
    now = kernel_state.current_sysctls(work.everybody().names()) if work.live else {}
    gone = bond_switch.stale(work.config, work.todo) if work.switches else ()
    made = bond_switch.bonds_of(work.todo)
    guard = switching(work.paths, work.todo, made) if work.switches else contextlib.nullcontext()
    try:
        noted = note(_originals(work, now), work.todo)
        with guard:
            perform(work.paths, noted, work.todo, _follower(work, gone, refused))
    except BaseException:
        if work.live:
            kernel_state.set_sysctls(now)
            if work.switches:
                bond_switch.give_back(made, work.everybody())
            else:
                with contextlib.suppress(Problem):  # a file whose step back could not begin
                    systemd.command("networkctl", "reload")
                reconfigure.revive(work.everybody())
        raise
    return refused


def _follower(work: Work, gone: Sequence[str], refused: list[str]) -> Follower:
    """Return how the running machine follows: networkd file by file, or at once after the last.

    ``gone`` are the bonds to delete; to ``refused`` the settings are added that were.
    """
    everybody = work.everybody()
    alone = work.live and not work.switches

    @contextlib.contextmanager
    def around(step: Step) -> Iterator[None]:
        with reconfigure.network_step(step, everybody, work.paths) if alone else contextlib.nullcontext():
            yield
            if work.switches and step is work.todo[-1]:
                _switch(work, gone)

    def back(step: Step) -> contextlib.AbstractContextManager[None]:
        if alone:
            return reconfigure.step_back(step, everybody, work.paths)
        return contextlib.nullcontext()

    def begin() -> None:
        if work.live:
            refused.extend(kernel_state.set_sysctls(_settings(work)))
        if alone:
            reconfigure.finish(everybody, work.paths)

    return Follower(begin, around, back)


def _switch(work: Work, gone: Sequence[str]) -> None:
    """Have networkd follow into another mode; what a killed run was at is no matter then."""
    bond_switch.follow(gone)
    bond_switch.await_gateway(work.config)
    nodes.remove(work.paths.run + "/state")  # uplinks are judged anew
    for name in detour.marked(work.paths):
        detour.clear(work.paths, name)


def _originals(work: Work, now: dict[str, str]) -> Manifest:
    """Return what is known of the machine before us; what an earlier install noted stays."""
    if work.known is None:
        ways = kernel_state.ways(work.everybody()) if work.live else ()
        return Manifest(sysctls=now, ways=ways)
    return replace(work.known, sysctls={**now, **work.known.sysctls})


def _settings(work: Work) -> dict[str, str]:
    """Return what the kernel's settings are to be, an uplink's that no longer is one included."""
    names = () if work.config.mode == "bond" else work.config.names()
    wanted = {s.key: s.setting for name in names for s in sysctls.wanted(name)}
    return {**(work.known.sysctls if work.known else {}), **wanted}


def _start(work: Work) -> list[str]:
    """Start the timer and look once; return what is left to do."""
    reconfigure.revive(work.config)
    told = [*systemd.networkd_problems(), *systemd.start_dispatcher()]
    interval = work.config.interval
    if systemd.systemd_runs():
        with _telling(told):
            systemd.start_timer(interval)
    elif interval:
        told.append(f"systemd does not run this machine, so nothing runs 'netfail-hooks check' "
                    f"every {interval} s")  # fmt: skip
    with _telling(told):
        config = load(work.paths)
        probes = reconcile.ask(config)
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


def _summary(work: Work) -> str:
    ranked = ", then ".join(work.config.names())
    if not work.todo:
        return f"all files are in place: {ranked}"
    told = f"installed: {ranked}; see 'netfail-hooks status'"
    look = "now pull the cable, and look: netfail-hooks log; what is wrong: netfail-hooks doctor"
    return f"{told}\n{look}" if work.live else told
