"""``netfail-hooks install``: work out the files, put them in place, start what they need."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config.cache import load
from netfail_hooks.errors import Misuse, Problem
from netfail_hooks.install import (
    diversion,
    kernel_state,
    manifest,
    nodes,
    options,
    reconfigure,
    systemd,
)
from netfail_hooks.install.config import (
    Ready,
    absent_uplinks,
    by_names,
    choose,
    present_uplinks,
    replaced,
)
from netfail_hooks.install.handover import (
    Handover,
    from_networkmanager,
    gather,
    offers,
    origin,
    plan,
    returning,
    services,
    stacking,
    taking,
)
from netfail_hooks.install.hook_file import unsafe_places
from netfail_hooks.install.layout import layout
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.install.networks import switch
from netfail_hooks.install.networks.bond import bond_files
from netfail_hooks.install.networks.routes import networks
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.options import refuse_others
from netfail_hooks.install.plan import FileChange, file_changes, in_order, missing_parents
from netfail_hooks.install.told import files as told_files
from netfail_hooks.install.told.program import Program, present, upgraded
from netfail_hooks.install.transaction import (
    Undo,
    ignored,
    note,
    restore_manifest,
    revert_change,
    write_change,
)
from netfail_hooks.install.uninstaller import remove_log, remove_volatile
from netfail_hooks.install.way_back import arming, kept
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.lock import Lock
from netfail_hooks.managers import UnansweredError, identifiers
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import access, match, networkctl, takeover
from netfail_hooks.networkd.detect import detect
from netfail_hooks.networkd.file import Section, default_route_families, parse
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.policy import sysctls
from netfail_hooks.reconcile.probing import probe_and_run
from netfail_hooks.terminal.progress import doing

_HERE = Paths()
_BY_ITSELF = f"that is tried every {arming.AGAIN} s, by itself (journalctl -t netfail-hooks)"
_PACKAGE = "NETFAIL_HOOKS_PACKAGE"  # where install.sh, whose dry run this is, will put it


@dataclass(frozen=True, slots=True)
class Work:
    """What install is to change, and what to tell a person about it."""

    paths: Paths
    config: Config
    known: Manifest | None
    changes: tuple[FileChange, ...]
    messages: tuple[str, ...]
    running: bool  # so that networkd and the kernel are to follow
    families: tuple[int, ...] = FAMILIES  # in which a default route is to come of the files
    handover: Handover = field(default_factory=Handover)  # of what another manager has
    absent: tuple[str, ...] = ()  # uplinks that are not there, to be told before all else
    program: Program = field(default_factory=Program)  # that installs
    files: int = 0  # that an installation consists of

    @property
    def switches(self) -> bool:
        """Tell whether the machine goes into a bond, or out of one, or gets another."""
        return self.running and switch.concerns_bond(self.changes)

    @property
    def upgraded(self) -> str:
        """Return in words from which program to which this goes, "" for a first or the same."""
        return upgraded(self.known.program, self.program) if self.known else ""

    @property
    def files_changed(self) -> int:
        """Return how many of the files change, directories not among them."""
        kinds = [(change.after or change.before) for change in self.changes]
        return sum(node is not None and node.kind != nodes.DIRECTORY for node in kinds)

    @property
    def commands(self) -> tuple[str, ...]:
        """Return what is told to whom so that uplinks change hands."""
        if not self.running:
            return ()
        order = kernel_state.default_route_order(self.config)
        idle = (name for name in self.config.names() if name not in order)
        return plan.told(self.handover, (*idle, *reversed(order)))

    @property
    def reasons(self) -> dict[str, str]:
        """Return by path why what is there already, and not ours, is to be another file."""
        return told_files.reasons(self.changes, self.known, self.handover)

    @property
    def begun(self) -> Handover:
        """Return the part of the handover that is this install's own."""
        return self.handover.begun(self.known.units if self.known else ())

    def all_uplinks(self) -> Config:
        """Return the uplinks, then those that will no longer be uplinks."""
        retired = [takeover.uplink_of(change.path) for change in self.changes]
        names = dict.fromkeys((*self.config.names(), *filter(None, retired)))
        return Config(uplinks=default_metrics(tuple(names)))


def prepare(args: argparse.Namespace, given: Ready | None = None) -> Work:
    """Work out what to change, by a ready config if one is ``given``. Changes nothing.

    Raises Problem.
    """
    paths = Paths(args.root.rstrip("/"))
    if args.root and not os.path.isdir(args.root):
        raise Misuse(f"--root {args.root}: no such directory", hint="mount the image there first")
    named = args if args.root else options.resolve_names(args)
    ready = by_names(paths, given) if given else None
    known = manifest.load(paths)
    if ready:
        config, text = ready.config, ready.text
        wanted = options.parse(named, config.names(), config.mode)
    else:
        wanted = options.parse(named, present_uplinks(paths))
        config, text = choose(paths, wanted, lambda: detect(paths))
    refuse_deaf(config, "set dispatcher = true" if ready else "add --with-dispatcher")
    stacking.refuse_held(paths, config, known or Manifest())
    handover = gather.look(paths, config, known or Manifest(), tuple(wanted.address_configs))
    stacking.refuse_carried(paths, handover)
    if config.mode == "bond":
        if wanted.address_configs:
            raise Misuse("the uplinks are in a bond", hint="add --mode bond, or --mode routes")
        refuse_others(wanted.named, config.bond.name)
        files, messages = bond_files(paths, config, wanted.bond)
    else:
        files, messages = networks(paths, config, wanted.address_configs, handover.profiles)
    messages += replaced(paths, known or Manifest(), ready) if ready else []
    package = os.environ.get(_PACKAGE, "") if args.dry_run else ""
    unsafe = unsafe_places(package)
    messages += [
        f"root's hooks run from {place}, which others may write: install by install.sh or a package"
        for place in unsafe
    ]
    around = (plan.before_networks(handover), plan.after_networks(handover))
    nodes_by_path = layout(config, text, files, package, around)
    config_node = _with_present_access(paths, nodes_by_path[_HERE.config])
    nodes_by_path[_HERE.config] = ready.guarded(config_node) if ready else config_node
    readers = access.of_network_files(paths, files)
    for path in files:
        node = nodes_by_path[path]
        nodes_by_path[path] = replace(node, mode=readers.mode, owner=readers.owner)
    changes = file_changes(paths, nodes_by_path, known or Manifest())
    running = not (paths.root or args.no_live) and (
        reconfigure.networkd_answers() or bool(handover.now)
    )
    if running and config.mode == "routes":
        refuse_crowded(reconfigure.crowded(config), config)
    families = _families(files) if known else FAMILIES
    absent = absent_uplinks(paths, config)
    return Work(
        paths,
        config,
        known,
        changes,
        tuple(messages),
        running,
        families,
        handover,
        absent,
        present(),
        sum(node.kind != nodes.DIRECTORY for node in nodes_by_path.values()),
    )


def refuse_deaf(config: Config, how: str) -> None:
    """Refuse to do without networkd-dispatcher where nothing else hears; ``how`` to have it.

    Raises Misuse.
    """
    if config.dispatcher or config.watched:
        return
    if config.mode == "bond":
        why, hint = "in mode bond, whose cables no socket of ours hears of", "take mode routes"
    else:
        why, hint = 'with watch = "off", as nobody would hear of events', 'set watch = "on"'
    what = f"networkd-dispatcher cannot be left out {why}"
    raise Misuse(what, hint=f"{how}, or {hint}")


def _families(texts: Mapping[str, str]) -> tuple[int, ...]:
    """Return the families in which a default route can come of any of our files."""
    each = [default_route_families(parse(text)) for text in texts.values()]
    return tuple(family for family in FAMILIES if any(family in one for one in each))


def refuse_crowded(found: tuple[str, ...], config: Config) -> None:
    """Refuse where no place is free for routes of ours. Raises Misuse."""
    if found:
        first = config.uplinks[0]
        hint = f"give {first.interface} a greater metric in {_HERE.config}, or that route another"
        raise Misuse("; ".join(found), hint=hint)


def _with_present_access(paths: Paths, node: Node) -> Node:
    """Return a file with the mode and owner that it has already, or that what it links to has."""
    try:
        now = os.stat(paths.through(_HERE.config))
    except (FileNotFoundError, NotADirectoryError):
        return node
    return replace(node, mode=stat.S_IMODE(now.st_mode), owner=(now.st_uid, now.st_gid))


def install(work: Work) -> list[str]:
    """Put the files in place, a running machine following. Returns what it could not keep or set.

    Whatever is raised on the way, an interrupt too, passes on once all is as it was.
    """
    arming.refuse_while_armed(work.paths)
    if work.running:
        nodes.remove(work.paths.uninstalling)  # of an uninstall that was killed
    if work.running and work.handover.now:
        return _hand_over(work)
    return _switch_modes(work) if work.switches else _change_files(work)


def _change_files(work: Work) -> list[str]:
    """Write file after file; networkd follows uplink by uplink, whose traffic is diverted."""
    paths, uplinks = work.paths, work.all_uplinks()
    reached = kernel_state.reached_families(work.config) if work.running else ()
    with Undo() as undo:
        if work.running:
            undo.callback(reconfigure.put_back, reconfigure.keep(uplinks), uplinks)
            undo.callback(reconfigure.reload, uplinks)
        refused = _save_manifest_and_set_sysctls(work, undo)
        if work.running:
            reconfigure.finish_pending(uplinks, paths)
        for change in _in_turn(work):
            if work.running:
                undo.callback(reconfigure.revert, change, uplinks, paths)
                reconfigure.write(change, uplinks, paths)
            else:
                undo.callback(revert_change, paths, change)
                write_change(paths, change)
        lost = kernel_state.refuse_cut_off(reached, work.config, work.families)
    return [*refused, *lost]


def _in_turn(work: Work) -> tuple[FileChange, ...]:
    """Give the uplink in use its turn last, so that traffic moves once and not with each of them.

    Of routes with one metric, as they are before us, the kernel prefers the first: those after it
    are changed before it.
    """
    if not work.running:
        return work.changes
    order = kernel_state.default_route_order(work.all_uplinks())
    idle = [name for name in work.all_uplinks().names() if name not in order]
    return in_order(work.changes, (*idle, *reversed(order)))


def _hand_over(work: Work) -> list[str]:
    """Take uplinks over from other managers, the one in use last; a gateway has to answer.

    So has whoever came in by SSH. What decides who has them after a boot is written last.
    """
    work, unread = _as_never_written(work)
    paths, uplinks, handover = work.paths, work.all_uplinks(), work.handover
    reached = kernel_state.reached_families(work.config)
    came = origin.session()
    reachable = bool(came.client) and origin.is_reachable(came.client)
    by = origin.uplink_of(came.server, uplinks.names()) if came.server else ""
    settings = kernel_state.current_sysctls(uplinks.names(), handover.now)
    if by in handover.now:
        identifiers.refuse_lost(by, came.server, _sections(work, by))
    other = _offers(work, came.server)
    own = tuple(name for name in uplinks.names() if name not in handover.now)
    networkds = Config(uplinks=default_metrics(own))
    live_too = kept.Live(work.begun, own, settings, _ours(work))
    made = missing_parents(paths, _HERE.manifest)
    with (
        ignored(signal.SIGHUP),
        ignored(signal.SIGTSTP),  # Ctrl-Z: the way back would wait for us
        arming.armed(paths, work.changes, (), live_too) as way,
        Undo() as undo,
        _later_where_unanswered(work, way, undo),
        way.decided(undo),
    ):
        undo.callback(_forget_install, work, way, nodes.read(paths.manifest), made)
        undo.callback(_give_all_back, work, settings, way)
        if own:
            undo.callback(reconfigure.put_back, reconfigure.keep(networkds), networkds)
            undo.callback(reconfigure.reload, networkds)
        with way.step():
            refused = _save_manifest_and_set_sysctls(work, undo)
            for path in unread:
                nodes.remove(paths.at(path))
        waiting = list(handover.now)
        for change in _in_turn(work):
            with way.step():
                _take_or_write(work, change, waiting, undo)
        for interface in waiting:  # whose file a killed run has written
            with way.step():
                services.start(handover)
                taking.take(interface, handover, uplinks, paths)
        with way.step():
            services.settle(handover)
        switch.await_gateway(work.config)
        if by:
            origin.await_back(came.server, uplinks.names())
        if reachable:
            origin.await_reachable(came.client)
        lost = kernel_state.refuse_cut_off(reached, work.config, work.families)
        with way.step():
            kernel_state.judge_anew(paths)
            returning.forget(handover, paths)
    return [*refused, *lost, *other]


@contextlib.contextmanager
def _later_where_unanswered(work: Work, way: arming.WayBack, undo: Undo) -> Iterator[None]:
    """Undo nothing yet where who had the uplinks does not answer: the way back does, once it does.

    networkd has them until then, by our files.
    """
    try:
        yield
    except BaseException as reason:
        if way.held >= 0:
            with ignored(signal.SIGINT):
                _keep_where_unanswered(work, way, undo, reason)
        raise


def _keep_where_unanswered(
    work: Work, way: arming.WayBack, undo: Undo, reason: BaseException
) -> None:
    try:
        from_networkmanager.says(work.begun)
    except UnansweredError as problem:
        way.left = returning.keep_all(work.begun, _ours(work))
        if way.left:
            undo.pop_all()
            why = "" if isinstance(reason, UnansweredError) else f"{problem}; "
            reason.add_note(f"{why}nothing is put back until then: {_BY_ITSELF}")


def _ours(work: Work) -> returning.Ours:
    """Return the files by which networkd is to have what other managers have now."""
    return {
        name: {
            change.path: change.after
            for change in work.changes
            if change.after
            and (takeover.uplink_of(change.path) == name or change.path == supplicant.path(name))
        }
        for name in work.handover.now
    }


def _take_or_write(work: Work, change: FileChange, waiting: list[str], undo: Undo) -> None:
    """Write a file; an uplink whose file it is changes hands, and is not ``waiting`` any more."""
    paths, uplinks, handover = work.paths, work.all_uplinks(), work.handover
    interface = takeover.uplink_of(change.path)
    if interface in uplinks.names() and interface not in handover.now:
        undo.callback(reconfigure.revert, change, uplinks, paths)
    else:
        undo.callback(revert_change, paths, change)
    if interface and waiting == list(handover.now):
        services.start(handover)
    if interface in waiting:
        waiting.remove(interface)
        write = functools.partial(write_change, paths, change)
        taking.take(interface, handover, uplinks, paths, write)
    else:
        reconfigure.write(change, uplinks, paths)


def _as_never_written(work: Work) -> tuple[Work, list[str]]:
    """Return the work where an install lost its power, and which files are to go before it.

    networkd does not run yet. Of what it finds as it is started, it would set up at once what
    NetworkManager has: so each uplink's file of ours is written once more when its turn has come.
    """
    if work.known is None or networkctl.answers():
        return work, []
    changes, found = list(work.changes), {}
    for entry in work.known.entries:
        node = nodes.read(work.paths.at(entry.path))
        if takeover.uplink_of(entry.path) in work.handover.now and entry.is_ours(node):
            found[entry.path] = node
    last = plan.after_networks(work.handover)
    for path, node in found.items():
        places = [at for at, change in enumerate(changes) if change.path == path]
        if places:
            changes[places[0]] = replace(changes[places[0]], before=None)
        else:
            ends = [at for at, change in enumerate(changes) if change.path in last]
            changes.insert(min(ends, default=len(changes)), FileChange(path, None, node))
    return replace(work, changes=tuple(changes)), list(found)


def _sections(work: Work, interface: str) -> Sequence[Section]:
    """Return how networkd is to set an uplink up."""
    written = {takeover.uplink_of(change.path): change.after for change in work.changes}
    if node := written.get(interface):
        return parse(node.data.decode(errors="surrogateescape"))
    source = match.effective(work.paths, read_nic(interface, work.paths))
    return source.sections if source else ()


def _offers(work: Work, server: str) -> list[str]:
    """Return which uplinks were offered another address.

    Raises Problem where nobody offers one, or another than that by which somebody came in.
    """
    with Netlink() as netlink:
        observed = observe(work.config, netlink)
    messages = []
    for name in work.handover.now:
        if other := offers.refuse_unanswered(name, observed, _sections(work, name)):
            if server and server == offers.leased(observed, name):
                raise Problem(
                    f"the router offered {name} {other}, and you came in by {server}",
                    hint=f"have the router give {server} to its hardware address, or come in by "
                    "another address",
                )
            messages.append(
                f"the router offered {name} {other}, another address than it had: tell who "
                "reaches it by the old one, or have the router give that to its hardware address"
            )
    return messages


def _give_all_back(work: Work, settings: dict[str, str], way: arming.WayBack) -> None:
    """Raise Problem for what the managers did not take back; the way back then goes on.

    ifupdown gets a NIC as a new one is (``managers/ifupdown_release.py``); what somebody had set
    of it by hand is to be so again.
    """
    outcome = returning.give_all_back(replace(work.begun, sysctls=settings), _ours(work))
    kernel_state.set_sysctls(settings)
    way.left = outcome.left
    messages = [*outcome.messages, *([_BY_ITSELF] if outcome.left else [])]
    if messages:
        raise Problem("; ".join(messages))


def _forget_install(
    work: Work, way: arming.WayBack, before: Node | None, made: Sequence[str]
) -> None:
    """Forget, last of all, what tells who has what; not while the way back is still to come.

    By the manifest ``uninstall``, too, knows what to do, and install.sh that the program is needed.
    """
    if not way.left:
        restore_manifest(work.paths, before, made)
        _remove_what_hooks_left(work)


def _switch_modes(work: Work) -> list[str]:
    """Write all files, then have networkd follow at once; a gateway has to answer."""
    paths, uplinks = work.paths, work.all_uplinks()
    bonds = switch.bonds_of(work.changes)
    stale = switch.stale(work.config, work.changes)
    reached = kernel_state.reached_families(work.config)
    # The terminal that we were started from may be cut off.
    with (
        ignored(signal.SIGHUP),
        ignored(signal.SIGTSTP),  # Ctrl-Z: the way back would wait for us
        arming.armed(paths, work.changes, bonds) as way,
        Undo() as undo,
        way.decided(undo),
    ):
        undo.callback(reconfigure.put_back, reconfigure.keep(uplinks), uplinks, bonds)
        undo.callback(switch.give_back, bonds, uplinks)
        with way.step():
            refused = _save_manifest_and_set_sysctls(work, undo)
        for change in work.changes:
            with way.step():
                undo.callback(revert_change, paths, change)
                write_change(paths, change)
        with way.step():
            switch.follow(stale)
        switch.await_gateway(work.config)
        lost = kernel_state.refuse_cut_off(reached, work.config, work.families)
        with way.step():
            if work.config.mode == "bond":  # in which nobody looks for what is of the other mode
                lost += kernel_state.remove_ours(paths)
            kernel_state.judge_anew(paths)
            for name in diversion.pending(paths):  # what a killed run was at is no matter now
                diversion.clear_pending(paths, name)
    return [*refused, *lost]


def _save_manifest_and_set_sysctls(work: Work, undo: Undo) -> list[str]:
    """Note on disk what there was before us, then set the kernel's settings; return refused."""
    paths = work.paths
    now = {}
    if work.running:
        now = kernel_state.current_sysctls(work.all_uplinks().names(), work.handover.now)
    known = _originals(work, now)
    undo.callback(_restore_kernel, work, now)
    if not (work.running and work.handover.now):  # else it is the last of all: _forget_install
        undo.callback(restore_manifest, paths, nodes.read(paths.manifest), known.directories)
    manifest.save(paths, note(known, work.changes))
    if not work.running:
        return []
    return kernel_state.set_sysctls(_settings(work))


def _restore_kernel(work: Work, settings: dict[str, str]) -> None:
    """Give back settings; where nothing was installed before, remove what hooks made meanwhile.

    The lock waits for those that are at work; later ones find no config, and do nothing.
    """
    if not work.running:
        return
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Problem):  # one of them hangs: no reason to leave all this
            stack.enter_context(Lock(work.paths.lock))
        kernel_state.set_sysctls(settings)
        failed = kernel_state.remove_ours(work.paths) if work.known is None else []
    if not work.handover.now:
        _remove_what_hooks_left(work)
    if failed:
        raise Problem("; ".join(failed))


def _remove_what_hooks_left(work: Work) -> None:
    """Remove log, state and marks where nothing was installed before."""
    if work.known is None:
        remove_log(work.paths)
        remove_volatile(work.paths)


def _originals(work: Work, now: dict[str, str]) -> Manifest:
    """Return what is known of the machine before us; what an earlier install noted stays."""
    if work.known is None:
        ways = kernel_state.default_route_order(work.all_uplinks()) if work.running else ()
        made = tuple(missing_parents(work.paths, _HERE.manifest))
        first = Manifest(sysctls=now, default_route_order=ways, directories=made)
    else:
        # By our files, of an install that noted nothing: nobody knows what there was before.
        ours = kernel_state.undetected(work.all_uplinks().names())
        new = {key: one for key, one in now.items() if key not in ours or one != "0"}
        first = replace(work.known, sysctls={**new, **work.known.sysctls})
    handed, units = work.handover.handed, work.handover.idle
    return replace(first, handed=handed, units=units, program=work.program)


def _settings(work: Work) -> dict[str, str]:
    """Return what the kernel's settings are to be, those of uplinks that will be none included.

    Who answers ARP is the hooks' to say, and who looks for duplicates of addresses networkd's.
    """
    names = () if work.config.mode == "bond" else work.config.names()
    wanted = {s.key: s.setting for name in names for s in sysctls.wanted(name)}
    if names:
        wanted |= {s.key: s.setting for s in sysctls.timers(work.config.watch, names)}
    left = [sysctls.arp_ignore(name) for name in names]
    known = dict.fromkeys(map(sysctls.arp_ignore, work.all_uplinks().names()), sysctls.ANSWERS)
    known |= work.known.sysctls if work.known else {}
    left += kernel_state.networkds_sysctls(work.handover.names)
    left += kernel_state.undetected((*work.config.names(), work.config.bond.name))
    return {**{key: one for key, one in known.items() if key not in left}, **wanted}


def start(work: Work) -> list[str]:
    """Start the timer and look once; return what is left to do."""
    reconfigure.reconfigure_addressless(work.config)
    messages = [*systemd.networkd_problems()]
    messages += systemd.start_dispatcher() if work.config.dispatcher else systemd.spare_dispatcher()
    period = work.config.period
    if systemd.systemd_runs():
        with _collecting(messages):
            systemd.start_timer(work.config)
    elif period:
        messages.append(
            f"systemd does not run this machine, so nothing runs 'netfail-hooks check' "
            f"every {period} s: have what starts services here do so"
        )
    with _collecting(messages), doing("asking each uplink's gateway"):
        config = load(work.paths)
        probe_and_run(config, work.paths, "install")
    return messages


@contextlib.contextmanager
def _collecting(messages: list[str]) -> Iterator[None]:
    """Have a problem told at the end: the files are in place all the same."""
    try:
        yield
    except Problem as problem:
        messages.append(str(problem))


def what_remains(work: Work) -> list[str]:
    """Return what a person has to do where the running machine was left alone."""
    if work.paths.root:
        return systemd.image_problems(work.paths, work.config)
    why = "by --no-live"
    if not networkctl.answers():
        why = "systemd-networkd does not answer"
    needed = (
        "systemd-networkd and networkd-dispatcher" if work.config.dispatcher else systemd.NETWORKD
    )
    message = (
        f"the running machine is as it was ({why}); reboot it with {needed} "
        "enabled, or start these and run 'sudo netfail-hooks install' again"
    )
    return [message]
