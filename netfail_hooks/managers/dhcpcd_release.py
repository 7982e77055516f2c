"""How dhcpcd is told to leave some uplinks alone, and has them back: by a drop-in for its unit.

dhcpcd.conf(5) includes no other file, and it is the user's. dhcpcd(8) takes ``--denyinterfaces``
beside what that says, so one file of ours decides at boot: ``DENIED``.

A dhcpcd that runs can't be told to leave one interface: before 10.0.6 ``dhcpcd -x IF`` says that
none is running, and 9.4.1 heeds one word on its socket in its whole life (``ps_control_client`` in
privsep-control.c). Stopped, it would take all addresses with it, and with ``release`` their leases.
So it is killed: the kernel keeps all that it had set up, and the next one asks for the same leases.
And before a detour has the addresses: it would hear of that, and decline them (RFC 2131, 4.4.1).
What its hooks have started, wpa_supplicant above all, goes on (KillMode=, systemd.kill(5)).
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence

from netfail_hooks.files import read_text
from netfail_hooks.managers import dhcpcd
from netfail_hooks.managers.release import MARK, Release
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.networkd import match, networkctl
from netfail_hooks.networkd.file import parse
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

UNIT = "dhcpcd.service"
OWN_WAY = f"have it start dhcpcd for all interfaces by one ExecStart= (see 'systemctl cat {UNIT}')"
DENIED = f"/etc/systemd/system/{UNIT}.d/zz-netfail-hooks.conf"
# systemd.unit(5): who comes first goes before the others.
_PLACES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
_DENIES = " --denyinterfaces "
_SILENT = " --nohook resolv.conf"  # dhcpcd(8), -C
_AT_ONCE = " --timeout 1"
# --background, or a word of letters that take nothing (if-options.h), "b" among them.
_BACKGROUND = re.compile(
    r"\s(?:--ba[a-z]*|-([146dgknpqwxABDEGHJKLMNPTUV]*b[146bdgknpqwxABDEGHJKLMNPTUV]*))(?!\S)"
)
# Read after ours in /etc, and gone again once dhcpcd is as it is to be.
_NOW = f"/run/systemd/system/{UNIT}.d/zzz-netfail-hooks.conf"
# Everybody may look into it, whatever umask we were started with: status does.
_MAKE = f"umask 022; mkdir -p {os.path.dirname(_NOW)}"
_REMOVE = f"rm -f {_NOW}; rmdir {os.path.dirname(_NOW)} 2>/dev/null"
_LEAVES_HOOKS = "[Service]\\nKillMode=process\\nRestart=no\\n"
# The first of its processes, then its helpers, which would go on for ever (privsep.c); or what
# is still on the way to have it run, in vain for as long as nobody has an address (dhcpcd(8), -w).
_END = (
    f"runs() {{ systemctl show --property=ActiveState --value {UNIT} | "
    "grep -qvx -e inactive -e failed; }; runs || exit 0; "
    f"{_MAKE}; printf '{_LEAVES_HOOKS}' >{_NOW}; systemctl daemon-reload; "
    "all() { "
    f"systemctl show --property=MainPID --property=ControlPID --value {UNIT} | "
    "grep -vx -e 0 -e ''; "
    "for one in /proc/[0-9]*; do "
    'read -r name <$one/comm && [ "$name" = dhcpcd ] && '
    f"grep -q '/{UNIT}$' $one/cgroup && echo ${{one#/proc/}}; "
    "done 2>/dev/null; }; "
    # One that forks meanwhile leaves a child that was not there a moment ago.
    'while now=$(all); [ "$now" ] || runs; do '
    '[ -z "$now" ] || kill -KILL $now 2>/dev/null; sleep 0.1; done; '
    f"{_REMOVE}; systemctl daemon-reload"
)
# What networkd has by then it is told to leave (networkctl(1), SETUP). One that does not answer has
# nothing any more, whatever networkctl finds of it in /run.
_START = f"systemctl reset-failed {UNIT} 2>/dev/null; systemctl start {UNIT}"
_BEGIN = (
    f"[ ! -e {DENIED} ] || {{{{ {_START}; exit; }}}}; systemctl reset-failed {UNIT} 2>/dev/null; "
    "left=; if {answers} >/dev/null 2>&1; then for one in {names}; do "
    "networkctl --no-legend --no-pager list $one 2>/dev/null | "
    "grep -qw unmanaged || left=$left,$one; done; fi; "
    f"{_MAKE}; "
    "printf '%s\\n' '[Service]' ExecStart= ExecStart={command}\"${{left:+{denies}${{left#,}}}}\" "
    f">{_NOW}; systemctl daemon-reload; "
    f"systemctl start {UNIT}; begun=$?; {_REMOVE}; systemctl daemon-reload; exit $begun"
)
# The same of one that runs for an interface alone: all of it is in one session (ps_init(), and
# setsid() in dhcpcd.c), and none in those of others.
_END_ALONE = (
    "pid=$(cat /run/dhcpcd/{0}.pid /run/dhcpcd-{0}.pid 2>/dev/null | head -n 1); "
    "read -r _ name _ _ _ own _ </proc/${{pid:-none}}/stat; "
    '[ "$name" = "(dhcpcd)" ] || exit 0; all=; '
    "for one in /proc/[0-9]*; do read -r _ name _ _ _ in _ <$one/stat && "
    '[ "$name $in" = "(dhcpcd) $own" ] && all="$all ${{one#/proc/}}"; done; '
    "kill -KILL $all; "
    "for one in $all; do while [ -e /proc/$one/exe ]; do sleep 0.1; done; done"
)
# A name that means nothing to a shell, to fnmatch(3), to systemd, nor in a list.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_TERMINATE = "wpa_cli -p {0} -i {1} terminate"


def release(paths: Paths, nics: Sequence[Nic], *, silent: bool = False) -> Release:
    """Return how dhcpcd lets go of uplinks.

    ``silent``: it has written /etc/resolv.conf, and of what is there then it would take all out
    that it does not know itself, whatever its next NIC says.
    """
    names = [nic.name for nic in nics]
    # A unit that is not there may come back; what we have said of it stays.
    command = started_by(paths) if starts(paths) else _repeated(paths).removesuffix(_AT_ONCE)
    begin = ("sh", "-c", _begin(names, "" if own_way(paths) else command))
    end = ("sh", "-c", _END)
    hushed = _SILENT if silent or _SILENT in _said(paths) else ""
    said = f"{_at_once(command)}{hushed}{_DENIES}{','.join(names)}"
    return Release(
        {DENIED: f"{MARK}[Service]\nExecStart=\nExecStart={said}\n"},
        settle=(("sh", "-c", f"systemctl --quiet is-active {UNIT} && exit; {begin[2]}"),),
        ends=dict.fromkeys(names, (end,)),
        release={nic.name: tuple(_unjoined(paths, nic)) for nic in nics},
        take_back=dict.fromkeys(names, (begin,)),
    )


def _begin(names: Sequence[str], command: str) -> str:
    """Return what starts it, which is told nothing where no ``command`` can be added to."""
    if not command:
        return _START
    answers = f"timeout {networkctl.AT_WORK} {shlex.join(networkctl.PING)}"
    return _BEGIN.format(
        names=" ".join(names),
        command=shlex.quote(_at_once(command)),
        denies=_DENIES,
        answers=answers,
    )


def _at_once(command: str) -> str:
    """Return a command line that waits for no address, which nobody may give it any more.

    -w and ``waitip`` in its file wait until there is one, for ever with -b beside them, or without
    a timeout; a unit fails meanwhile (``dhcpcd_daemonise`` in dhcpcd.c). What waits for the
    network waits for networkd's uplinks.
    """
    return f"{_BACKGROUND.sub(_without_b, command)}{_AT_ONCE}"


def _without_b(words: re.Match[str]) -> str:
    rest = (words[1] or "").replace("b", "")
    return f" -{rest}" if rest else ""


def _unjoined(paths: Paths, nic: Nic) -> Iterator[tuple[str, ...]]:
    """Yield what ends the wpa_supplicant that its hook has started; ours wants its socket.

    After a power cut the hook has taken our file of that install, which it looks for first.
    """
    path, directory = dhcpcd.supplicant_of(paths, nic)
    # /var/run is a link to /run (hier(7)): to end it twice would wait for one that is gone.
    theirs = re.sub("^/var/run/", "/run/", directory)
    for one in dict.fromkeys((theirs or supplicant.LISTENS, supplicant.LISTENS)) if path else ():
        ends = _TERMINATE.format(shlex.quote(one), nic.name)
        yield ("sh", "-c", f"{ends} || true")  # it may not have been there


def end_alone(name: str) -> str:
    """Return the shell script that ends one which runs for an interface alone."""
    return _END_ALONE.format(name)


def is_plain(name: str) -> bool:
    """Tell whether a name can stand in --denyinterfaces, whose words are patterns."""
    return bool(_PLAIN.fullmatch(name))


def started_by(paths: Paths) -> str:
    """Return the command line of its unit without us, "" where there is not exactly one."""
    commands = starts(paths)
    return commands[0] if len(commands) == 1 else ""


def starts(paths: Paths) -> tuple[str, ...]:
    """Return the command lines of its unit without us, () for one that is masked or not there."""
    unit, *more = _unit_texts(paths)
    commands: list[str] = []
    for text in (unit, *more) if unit else ():
        for command in _commands(text):
            commands = [*commands, command] if command else []
    return tuple(commands)


def own_way(paths: Paths) -> str:
    """Return in which way its unit starts it that no word of ours can be added to, "" for none."""
    command = started_by(paths)
    program, *words = command.split() or [""]
    named = [word for word in words if os.path.isdir(paths.at(f"/sys/class/net/{word}"))]
    if os.path.basename(program) == dhcpcd.MANAGER and not named:
        return ""
    return f"{UNIT} starts dhcpcd in a way of its own: {command or 'not by one ExecStart='}"


def leaves(paths: Paths, names: Sequence[str]) -> tuple[str, ...]:
    """Return the interfaces that it leaves alone by our file."""
    words = _said(paths).partition(_DENIES)[2].split(",")
    return tuple(name for name in names if name in words)


def drifted(paths: Paths) -> str:
    """Return in which way our file is out of date, "" for none: it repeats what the unit says.

    One that is not there says nothing; of one that can't be repeated, what is to be done first.
    """
    ours = _repeated(paths)
    now = started_by(paths)
    if not ours or not starts(paths) or ours in (now, _at_once(now)):
        return ""
    if how := own_way(paths):
        return f"{how}; {OWN_WAY} first"
    return f"ExecStart= of {UNIT} has changed since {DENIED} was made of it"


def watched(paths: Paths) -> tuple[str, ...]:
    """Return the files and directories of which one is touched if what ``drifted`` says changes."""
    if not os.path.lexists(paths.at(DENIED)):
        return ()
    places = [one for place in _PLACES for one in (f"{place}/{UNIT}", f"{place}/{UNIT}.d")]
    return tuple(one for one in places if os.path.lexists(paths.at(one)))


def _said(paths: Paths) -> str:
    """Return the command line that our file has, "" where it is not there."""
    *_, said = ("", *_commands(read_text(paths.at(DENIED))))
    return said


def _repeated(paths: Paths) -> str:
    """Return what our file repeats of the unit."""
    return _said(paths).partition(_DENIES)[0].removesuffix(_SILENT)


def _unit_texts(paths: Paths) -> Iterator[str]:
    """Yield the unit and its drop-ins but ours, in the order in which systemd reads them."""
    units = (f"{place}/{UNIT}" for place in _PLACES)
    # The first one counts, also one that is a link to /dev/null, or empty: masked.
    first = next((unit for unit in units if os.path.lexists(paths.at(unit))), "")
    yield read_text(paths.through(first)) if first else ""
    places = tuple(f"{place}/{UNIT}.d" for place in _PLACES)
    for path in match.listed(paths, places, ".conf"):
        if path not in (DENIED, _NOW):
            yield read_text(paths.through(path))


def _commands(text: str) -> Iterator[str]:
    """Yield what each ExecStart= of a unit says."""
    for part in parse(text):
        if part.name == "Service":
            yield from (item.setting for item in part.items if item.key == "ExecStart")
