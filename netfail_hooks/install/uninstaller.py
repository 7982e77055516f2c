"""``netfail-hooks uninstall``: put everything back as it was before install.

What somebody has changed since install is theirs and stays; each such path is a message. Running
it twice is the same as running it once; what a killed run left is done by the next.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netfail_hooks import metrics
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config import file as config_file
from netfail_hooks.errors import Problem
from netfail_hooks.files import without_temporary
from netfail_hooks.install import diversion, kernel_state, nodes, reconfigure, systemd
from netfail_hooks.install.handover import (
    NETWORKD,
    Handover,
    from_networkmanager,
    gather,
    giving_back,
    offers,
    returning,
    services,
    uplink,
)
from netfail_hooks.install.manifest import Entry, Manifest
from netfail_hooks.install.networks import switch
from netfail_hooks.install.plan import FileChange, in_order
from netfail_hooks.install.told import leftovers
from netfail_hooks.install.transaction import remove_manifest, write_change
from netfail_hooks.kernel import outage
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.lock import PATIENCE, Lock
from netfail_hooks.managers import UnansweredError
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.networkd import networkctl, takeover
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import FILE, OLD_FILE, drills
from netfail_hooks.terminal.progress import doing

_HERE = Paths()
# What a person writes, and its directory; beside it there may be a resolv.conf that serves us.
_CONFIG = (_HERE.config, _HERE.notify, os.path.dirname(_HERE.config))
_UNHEARD = (
    "the uplinks are as they were (systemd-networkd does not answer); reboot the machine, or: "
    "sudo systemctl restart systemd-networkd"
)


class UnfinishedError(Problem):
    """Uplinks are ``left`` with networkd, since who had them does not take them now."""

    def __init__(self, text: str, left: Sequence[str]) -> None:
        names = " and ".join(left)
        super().__init__(f"{text}; {names} stay with systemd-networkd until who had them answers")
        self.left = tuple(left)


@dataclass(frozen=True, slots=True)
class Work:
    """What there is to put back, and what stays though we put it there."""

    paths: Paths
    known: Manifest
    changes: tuple[FileChange, ...]
    messages: tuple[str, ...]
    keep_log: bool
    running: bool  # so that networkd and the kernel are to follow

    def uplinks(self) -> Config:
        """Return the uplinks whose files are put back."""
        names = dict.fromkeys(takeover.uplink_of(entry.path) for entry in self.known.entries)
        return Config(uplinks=default_metrics(tuple(filter(None, names))))


def prepare(paths: Paths, known: Manifest, args: argparse.Namespace) -> Work:
    """Work out what there is to put back, the last made first. Changes nothing."""
    changes, messages = [], []
    for entry in reversed(known.entries):
        if args.keep_config and entry.path in _CONFIG:
            continue
        change = FileChange(entry.path, nodes.read(paths.at(entry.path)), entry.before)
        if nodes.same(change.before, change.after):
            continue
        if _is_somebody_elses(entry, change, paths):
            messages.append(leftovers.changed_since(entry, paths))
        else:
            changes.append(change)
    running = not (paths.root or args.no_live)
    # In the order in which the routes were once added: NetworkManager, too, gives the first one of
    # several wired NICs the lowest metric.
    ordered = in_order(changes, known.default_route_order)
    # What decides at boot goes first, also where a later install took one more uplink over.
    deciding = _deciding(paths, known)
    first = tuple(change for change in ordered if change.path in deciding)
    rest = tuple(change for change in ordered if change.path not in deciding)
    return Work(paths, known, (*first, *rest), tuple(messages), args.keep_log, running)


def _deciding(paths: Paths, known: Manifest) -> tuple[str, ...]:
    """Return the files by which other managers leave uplinks to us."""
    return tuple(gather.release_of(paths, known.handed).files) if known.handed else ()


def lost(work: Work) -> tuple[str, ...]:
    """Return what to say of uplinks that nothing but our own files sets up."""
    made = switch.bonds_of(work.changes)
    names = [takeover.uplink_of(change.path) for change in work.changes if change.after is None]
    messages = []
    handed = {one.interface: one.manager for one in work.known.handed}
    has_them = work.paths.root or gather.answers(work.known.handed)
    for name in sorted({name for name in names if name and name not in made}):
        if name in handed and has_them:
            continue  # who had it has it again
        had = f"and {handed[name]} does not run" if name in handed else "as before install"
        with contextlib.suppress(Problem):  # of a file that may set it up
            nic = read_nic(name, work.paths)
            if takeover.users_file(work.paths, nic) is None:
                messages.append(
                    f"after this no .network file sets {name} up, {had}: it will have no address"
                )
    return tuple(messages)


def _is_somebody_elses(entry: Entry, change: FileChange, paths: Paths) -> bool:
    """Tell whether it is neither as we made it nor gone; an empty directory is nobody's.

    One of ours with something in it stays in any case, without a word.
    """
    now = change.before
    if now is None:
        return False
    if now.kind == nodes.DIRECTORY and change.after is None:
        return not entry.is_ours(nodes.directory()) and bool(os.listdir(paths.at(entry.path)))
    return not entry.is_ours(now)


def uninstall(work: Work) -> list[str]:
    """Put everything back; return what could not be.

    Raises Problem, with nothing changed, where who is to have uplinks again does not answer, or is
    to be kept away from them; UnfinishedError where they did not answer on the way.
    """
    messages: list[str] = []
    _refuse_nobody(work)
    if work.running:
        from_networkmanager.says(Handover(work.known.handed), running=False)
        _refuse_unanswered(work)
    textfile = _textfile(work.paths)
    if work.running:
        _hold_hooks(work.paths)
        messages += kernel_state.let_answer(work.uplinks().names(), work.known.sysctls)
    for entry in work.known.entries:
        nodes.remove(nodes.beside(work.paths.at(entry.path)))
    _put_back(work, messages)
    if work.running:
        messages += _restore_kernel(work.known, work.paths)
    if textfile:
        metrics.remove(work.paths.at(textfile))
    if not work.keep_log:
        remove_log(work.paths)
    if work.running:
        messages += _forget_units()
    remove_manifest(work.paths, work.known.directories)
    remove_volatile(work.paths)
    return messages


def _refuse_nobody(work: Work) -> None:
    """Refuse to leave uplinks to nobody, where what keeps their manager away is to stay.

    Raises Problem.
    """
    known, gone = work.known, [change.path for change in work.changes]
    for path in _deciding(work.paths, known):
        if path not in gone and nodes.read(work.paths.at(path)) and known.entry(path):
            names = " and ".join(one.interface for one in known.handed)
            raise Problem(
                f"{path} was changed since install, so it would stay, and nobody have {names}",
                hint=f"{leftovers.removing(path, work.paths)}, then uninstall again",
            )


def _refuse_unanswered(work: Work) -> None:
    """Refuse where managers would ask for addresses, and nobody gives any. Raises Problem."""
    handed = [one.interface for one in work.known.handed]
    texts = {
        takeover.uplink_of(change.path): change.before.data.decode(errors="surrogateescape")
        for change in work.changes
        if change.before and takeover.uplink_of(change.path) in handed
    }
    if texts and networkctl.answers():
        with Netlink() as netlink:
            observed = observe(work.uplinks(), netlink)
        offers.refuse_all_unanswered(observed, texts)


def _put_back(work: Work, messages: list[str]) -> None:
    """Put all files back, whoever reads them following; add to ``messages`` what goes wrong."""
    handed = work.known.handed if work.running else ()
    if handed and gather.answers(handed):
        try:
            _give_back_handed(work, messages)
        except UnansweredError as problem:
            raise UnfinishedError(str(problem), _with_networkd(work)) from problem
    elif not (work.running and _networkd_follows(messages)):
        for change in work.changes:
            write_change(work.paths, change)
    elif bonds := switch.bonds_of(work.changes):
        _give_back_bonds(work, bonds, messages)
    else:
        _give_back_uplinks(work, messages)
        if handed:  # whose manager has gone; networkd goes on, for nobody is there to follow it
            units = [unit for unit in work.known.units if unit != NETWORKD]
            services.stop(gather.known(work.paths, handed, units))


def _with_networkd(work: Work) -> list[str]:
    """Return the uplinks that are to be given back, and whose files of ours are there still."""
    handed = [one.interface for one in work.known.handed]
    there = [one.path for one in work.changes if nodes.read(work.paths.at(one.path))]
    names = [takeover.uplink_of(path) for path in there]
    return [name for name in handed if name in names] or handed


def _networkd_follows(messages: list[str]) -> bool:
    """Tell whether networkd can be told of the files; why not is a message where it hangs."""
    try:
        answers = reconfigure.networkd_answers()
    except Problem as problem:
        messages.append(f"addresses and routes stay until networkd is restarted: {problem}")
        return False
    if not answers:
        messages.append(_UNHEARD)
    return answers


def _give_back_bonds(work: Work, bonds: Sequence[str], messages: list[str]) -> None:
    """Put all files back, then have networkd follow at once; add what goes wrong there.

    If it hangs on the way, the first uplink is given what the bond had.
    """
    kept = reconfigure.keep(Config(uplinks=default_metrics(tuple(bonds))))
    for change in work.changes:
        write_change(work.paths, change)
    try:
        switch.give_back(bonds, work.uplinks())
    except Problem as problem:
        messages.append(str(problem))
        try:
            reconfigure.put_back(kept, work.uplinks(), bonds)
        except (Problem, OSError) as error:
            messages.append(str(error))


def _give_back_uplinks(work: Work, messages: list[str]) -> None:
    """Put file after file back, networkd following; add to ``messages`` what goes wrong there."""
    paths, uplinks = work.paths, work.uplinks()
    reconfigure.finish_pending(uplinks, paths, messages)
    for change in work.changes:
        reconfigure.write(change, uplinks, paths, messages)
    reconfigure.reconfigure_addressless(uplinks)


def _give_back_handed(work: Work, messages: list[str]) -> None:
    """Give uplinks back to the managers that had them, one at a time."""
    paths, uplinks = work.paths, work.uplinks()
    known = work.known
    handover = gather.known(paths, known.handed, known.units, known.sysctls)
    returning.note(handover, paths)
    from_networkmanager.hold(handover)
    if not networkctl.answers():  # killed before it ran, or it hangs: nothing can be diverted
        for change in work.changes:
            write_change(paths, change)
        outcome = returning.give_all_back(handover)
        _refuse_unfinished(outcome, messages)
        return
    # What a killed run was at is done anew below; finished, networkd would take what the manager
    # may still have.
    for name in handover.names:
        diversion.clear_pending(paths, name)
    reconfigure.finish_pending(uplinks, paths, messages)
    settled = False
    joining = _joining(work)
    for change in work.changes:
        interface = takeover.uplink_of(change.path)
        if interface and not settled:  # what decides was made last, and is gone by now
            services.settle(handover)
            settled = True
        if interface in handover.names and change.after is None:
            _give_back_one(work, handover, (*joining.get(interface, ()), change), messages)
        elif [change] not in joining.values():
            reconfigure.write(change, uplinks, paths, messages)
    if not settled:
        services.settle(handover)
    _refuse_unfinished(returning.give_rest_back(handover), messages)
    services.stop(handover)


def _refuse_unfinished(outcome: returning.Outcome, messages: list[str]) -> None:
    """Raise UnfinishedError where uplinks are with networkd still."""
    messages += outcome.messages
    if outcome.left:
        raise UnfinishedError("; ".join(outcome.messages) or "not all was taken", outcome.left)


def _give_back_one(
    work: Work, handover: Handover, changes: Sequence[FileChange], messages: list[str]
) -> None:
    """Give an uplink back, whose ``.network`` file is the last of ``changes``. Raises Problem."""
    interface = takeover.uplink_of(changes[-1].path)
    write = functools.partial(_write_all, work.paths, changes)
    was_useful = uplink.is_useful(interface)
    problem = None
    try:
        giving_back.give_back(interface, handover, work.uplinks(), work.paths, write)
    except Problem as reason:
        problem = reason
        silent = isinstance(reason, UnansweredError)
        if returning.keep_untaken(interface, handover, _ours(interface, changes), silent=silent):
            raise UnfinishedError(str(reason), [interface, *_later(work, changes[-1])]) from reason
        messages.append(str(problem))
    if was_useful and not uplink.is_useful(interface):
        _refuse_the_rest(work, changes[-1], problem)


def _ours(interface: str, changes: Sequence[FileChange]) -> returning.Ours:
    """Return the files of ours by which networkd has had an uplink."""
    return {interface: {one.path: one.before for one in changes if one.before}}


def _joining(work: Work) -> dict[str, list[FileChange]]:
    """Return what becomes of the file by which each uplink that is given back joins Wi-Fi.

    It goes with our ``.network`` file: dhcpcd's hook would have its own wpa_supplicant read it.
    """
    given = [takeover.uplink_of(one.path) for one in work.changes if one.after is None]
    names = {one.interface for one in work.known.handed} & set(given)
    by_path = {change.path: change for change in work.changes}
    paths = {name: supplicant.path(name) for name in names}
    return {name: [by_path[path]] for name, path in paths.items() if path in by_path}


def _write_all(paths: Paths, changes: Sequence[FileChange]) -> None:
    for change in changes:
        write_change(paths, change)


def _refuse_the_rest(work: Work, given: FileChange, problem: Problem | None) -> None:
    """Stop where an uplink that was given back is of no use now, and others are networkd's still.

    They may be all that the machine is reached by. Raises Problem; the next run goes on with them.
    """
    handed = {one.interface: one.manager for one in work.known.handed}
    if left := _later(work, given):
        name = takeover.uplink_of(given.path)
        why = problem or f"{name} has no way out since {handed[name]} has it again"
        raise Problem(
            f"{why}; {' and '.join(left)} stay with systemd-networkd until then",
            hint="mend that, then uninstall again: it goes on from here, whatever it finds",
        ) from problem


def _later(work: Work, given: FileChange) -> list[str]:
    """Return the uplinks that are to be given back after one."""
    handed = [one.interface for one in work.known.handed]
    later = work.changes[work.changes.index(given) + 1 :]
    names = [takeover.uplink_of(one.path) for one in later if one.after is None]
    return [name for name in names if name in handed]


def _hold_hooks(paths: Paths) -> None:
    """Let hooks that run come to their end, and those that wait for their turn do nothing.

    They have read the config: they would treat restored settings as drift and revert them.
    """
    waiting = doing("waiting for hooks and checks that are at work", PATIENCE)
    with waiting, Lock(paths.lock), contextlib.suppress(OSError):
        os.close(os.open(paths.uninstalling, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
    if systemd.systemd_runs():
        systemd.stop_timer()  # not before: a hook that is at work may start one more
    _end_drill(paths)


def _end_drill(paths: Paths) -> None:
    """Heal what a drill that began meanwhile lets fail: an uplink would seem not to come back."""
    drill = drills.noted_now(paths)
    if drill:
        with contextlib.suppress(OSError):  # its own way back tries once more
            outage.end(drill.way, drill.index)
            drills.forget(paths, drill.token)


def _forget_units() -> list[str]:
    if not systemd.systemd_runs():
        return []
    systemd.forget_units()
    return [*systemd.end_idle_dispatcher(), *systemd.dispatcher_problems()]


def _textfile(paths: Paths) -> str:
    try:
        return config_file.read(paths.config).textfile
    except Problem:
        return ""


def _restore_kernel(known: Manifest, paths: Paths) -> list[str]:
    refused = kernel_state.set_sysctls(known.sysctls)
    messages = [f"the kernel refused {setting}" for setting in refused]
    messages += kernel_state.remove_ours(paths)
    return messages


def remove_log(paths: Paths) -> None:
    """Remove what hooks and checks recorded."""
    _empty(paths.log, lambda path: path in (paths.log + FILE, paths.log + OLD_FILE))


def remove_volatile(paths: Paths) -> None:
    """Remove the locks, the state, and the mark that holds hooks, once nothing is installed.

    A hook that waits for the lock then finds that the manifest is gone.
    """
    if not os.path.isdir(paths.run):
        return
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Problem):  # a directory that is not ours alone: none is held
            stack.enter_context(Lock(paths.lock))
        _empty(paths.run, paths.is_volatile)


def _empty(directory: str, is_ours: Callable[[str], bool]) -> None:
    """Remove our files, those that a kill left half written too, and the directory if empty."""
    if os.path.islink(directory) or not os.path.isdir(directory):
        return
    for name in os.listdir(directory):
        path = f"{directory}/{name}"
        if is_ours(without_temporary(nodes.without_beside(path))):
            nodes.remove(path)
    nodes.remove(directory)
