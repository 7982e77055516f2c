"""How each manager is told to leave some uplinks alone, and how it has them back.

By files of ours alone, none of the user's: what says "not these" at every boot (``files``), what
makes it let go of one that it has now, and what gives that one back once the files are gone.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from netfail_hooks.files import read_text
from netfail_hooks.managers.interfaces import Interfaces
from netfail_hooks.paths import Paths

_MARK = (
    "# netfail-hooks: what it manages is not for this one; 'netfail-hooks uninstall' undoes it\n"
)
_NEVER = f"{_MARK}[Unit]\nConditionPathExists=!/\n"
_RELOAD = ("systemctl", "daemon-reload")
_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system")
_VENDORS = ("/usr/lib/systemd/system", "/lib/systemd/system")
_EXCLUDED = "/etc/netfail-hooks/ifupdown.env"
_NM = "/etc/NetworkManager/conf.d/zz-netfail-hooks.conf"
_LISTED, _NAMED = "match-device=", "interface-name:="
_DROP_IN = "zz-netfail-hooks.conf"  # systemd reads drop-ins in the order of their names

_KERNELS_PART = (
    "cd /proc/sys/net/ipv6/conf 2>/dev/null || exit 0; cat default/accept_ra >$1/accept_ra"
)

Commands = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Release:
    """How a manager lets go of uplinks.

    ``files`` are new ones, by path, that are ours and not secret; ``settle`` is run once they are
    there, and once more when they are gone. ``release`` and ``take_back`` are each uplink's
    commands, for one at a time. None is needed where the machine isn't running.
    """

    files: Mapping[str, str]
    settle: Commands = ()
    release: Mapping[str, Commands] = field(default_factory=dict)
    take_back: Mapping[str, Commands] = field(default_factory=dict)


def networkmanager(names: Sequence[str]) -> Release:
    """Return how NetworkManager does (NetworkManager.conf(5), nmcli(1)).

    A device that is active stays so until it is told by itself; "=" keeps a name from being a
    pattern. The last file of conf.d counts, and += takes nothing of others' away. In that list an
    "except:" of somebody's goes before our words (Ubuntu has "*,except:type:wifi,..."), so that a
    section of our own says it, too, as netplan's do.
    """
    listed = ";".join(f"{_NAMED}{name}" for name in names)
    said = (
        f"{_MARK}[keyfile]\nunmanaged-devices+={listed}\n\n"
        f"[device-netfail-hooks]\n{_LISTED}{listed}\nmanaged=0\n"
    )
    return Release(
        {_NM: said},
        settle=(("nmcli", "general", "reload", "conf"),),
        release={name: (("nmcli", "device", "set", name, "managed", "no"),) for name in names},
        take_back={name: (("nmcli", "device", "set", name, "managed", "yes"),) for name in names},
    )


def taken_over(paths: Paths) -> tuple[tuple[str, str], ...]:
    """Return each uplink that was taken over, and its manager: what everybody may see of that.

    The file by which NetworkManager leaves them says so.
    """
    _, told, rest = read_text(paths.at(_NM)).partition(f"\n{_LISTED}")
    words = rest.partition("\n")[0].split(";") if told else []
    return tuple((word.removeprefix(_NAMED), "NetworkManager") for word in words)


def ifupdown(paths: Paths, known: Interfaces, names: Sequence[str]) -> Release:
    """Return how ifupdown does, by its units (Debian's networking.service and ifup@.service).

    - ``auto``: networking.service runs ifup and ifdown by --read-environment, which heeds
      EXCLUDE_INTERFACES (main.c). It comes from /etc/default/networking, which is the user's; a
      later EnvironmentFile= overrides it (systemd.exec(5)), so ours says what that says, too.
    - ``allow-hotplug``: udev starts ifup@IF.service, which heeds none of it; it is never started.
    - ifupdown-wait-online.service would wait five minutes for who never comes.

    ifdown releases a running one: the stanza's down commands were read by ``ifupdown.profile``,
    which refuses any that touch more than the uplink.
    """
    own = {name: [name, *_aliases(known, name)] for name in names}
    every = [one for name in names for one in own[name]]
    excluded = " ".join(dict.fromkeys([*_excluded(paths), *every]))
    files = {
        _EXCLUDED: f'{_MARK}EXCLUDE_INTERFACES="{excluded}"\n',
        _drop_in("networking.service"): f"{_MARK}[Service]\nEnvironmentFile=-{_EXCLUDED}\n",
    }
    files |= {_drop_in(_ifup(one)): _NEVER for one in every}
    if any(known.logical(one, "auto") for one in every) or _waits_for(paths, every):
        files[_drop_in("ifupdown-wait-online.service")] = _NEVER
    return Release(
        files,
        settle=(_RELOAD,),
        release={name: tuple(("ifdown", one) for one in reversed(own[name])) for name in names},
        take_back={name: tuple(_raise(known, name, own[name])) for name in names},
    )


def _bare(name: str) -> Commands:
    """Return what makes an interface as one that nobody has set up.

    "ip address add" of what is there already would end ifup. networkd has switched the kernel's own
    part in router advertisements off (systemd.network(5), IPv6AcceptRA=), and the kernel asks for
    one only when a link comes up.
    """
    return (
        ("ip", "link", "set", "dev", name, "down"),
        ("ip", "address", "flush", "dev", name, "scope", "global"),
        ("sh", "-c", _KERNELS_PART, "sh", name),
    )


def _raise(known: Interfaces, name: str, own: Sequence[str]) -> Iterator[tuple[str, ...]]:
    yield from _bare(name)
    for one in own:
        logical = known.logical(one)
        if known.logical(one, "hotplug") and not known.logical(one, "auto"):
            yield ("systemctl", "restart", _ifup(one))  # it is active all the same after ifdown
        elif logical:
            yield ("ifup", one if logical == one else f"{one}={logical}")


def _aliases(known: Interfaces, name: str) -> list[str]:
    """Return the names of more addresses of an interface, such as eth0:1 (interfaces(5))."""
    found = (one.name for one in known.stanzas if one.name.startswith(f"{name}:"))
    return list(dict.fromkeys(found))


def _excluded(paths: Paths) -> list[str]:
    return _default(paths, "EXCLUDE_INTERFACES").split()


def _waits_for(paths: Paths, names: Sequence[str]) -> bool:
    return bool(set(_default(paths, "WAIT_ONLINE_IFACE").split()) & set(names))


def _default(paths: Paths, key: str) -> str:
    """Return what /etc/default/networking says, as systemd reads it (systemd.exec(5))."""
    said = ""
    for line in read_text(paths.at("/etc/default/networking")).splitlines():
        name, _, text = line.strip().partition("=")
        if name == key:
            said = " ".join(shlex.split(text, comments=True)) if _closed(text) else ""
    return said


def _closed(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


def dhcpcd(paths: Paths, names: Sequence[str]) -> Release:
    """Return how dhcpcd does, by its units: one for all (dhcpcd.service), one each (dhcpcd@IF).

    Its configuration is the user's, so what denies the uplinks stands on the command line, which
    adds to what that denies (dhcpcd(8), -Z). The command is the one in force: Raspberry Pi OS has a
    drop-in with another.

    The one for all has to be started anew: ``dhcpcd -x IF`` finds only a process that is IF's alone
    (main() in dhcpcd.c of 9 and 10, by the process file). With ``persistent``, which Debian and the
    Pi have in dhcpcd.conf, all addresses and routes stay meanwhile.
    """
    files = {_drop_in(_own_dhcpcd(name)): _NEVER for name in names}
    command = _exec_start(paths, "dhcpcd.service")
    if command:
        listed = ",".join(names)
        files[_drop_in("dhcpcd.service")] = (
            f"{_MARK}[Service]\nExecStart=\nExecStart={command} --denyinterfaces {listed}\n"
        )
    alone = [name for name in names if _is_alone(paths, name)]
    anew = ("systemctl", "restart", "dhcpcd.service")
    stopped = {name: (("systemctl", "stop", _own_dhcpcd(name)),) for name in alone}
    started = {name: (*_bare(name), ("systemctl", "start", _own_dhcpcd(name))) for name in alone}
    return Release(
        files,
        settle=(_RELOAD,),
        release=dict.fromkeys(names, (anew,)) | stopped,
        take_back={name: (*_bare(name), anew) for name in names} | started,
    )


def _is_alone(paths: Paths, name: str) -> bool:
    """Tell whether an interface has a dhcpcd of its own; its process file is named after it."""
    own = (f"/run/dhcpcd/{name}.pid", f"/run/dhcpcd-{name}.pid")
    return any(os.path.lexists(paths.at(path)) for path in own)


def _own_dhcpcd(name: str) -> str:
    return f"dhcpcd@{escaped(name)}.service"


def _exec_start(paths: Paths, unit: str) -> str:
    """Return the command that a unit starts, its drop-ins read, "" for no such unit."""
    found: list[str] = []
    for text in _texts(paths, unit):
        for line in text.replace("\\\n", " ").splitlines():
            key, _, command = line.strip().partition("=")
            if key.strip() == "ExecStart":
                found = [*found, command.strip()] if command.strip() else []
    return found[-1] if found else ""


def _texts(paths: Paths, unit: str) -> Iterator[str]:
    """Yield a unit and its drop-ins but for ours, in their order (systemd.unit(5))."""
    places = (*_UNITS, *_VENDORS)
    for directory in places:
        text = read_text(paths.through(f"{directory}/{unit}"))
        if text:
            yield text
            break
    named: dict[str, str] = {}
    for directory in reversed(places):
        inside = paths.at(f"{directory}/{unit}.d")
        if os.path.isdir(inside):
            named |= {name: f"{directory}/{unit}.d/{name}" for name in os.listdir(inside)}
    for name in sorted(named):
        if name.endswith(".conf") and name != _DROP_IN:
            yield read_text(paths.through(named[name]))


def _drop_in(unit: str) -> str:
    return f"/etc/systemd/system/{unit}.d/{_DROP_IN}"


def _ifup(name: str) -> str:
    return f"ifup@{escaped(name)}.service"


def escaped(name: str) -> str:
    """Return an interface's name as a unit's instance has it (systemd-escape(1))."""
    plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_."
    return "".join(
        one if one in plain and not (one == "." and at == 0) else f"\\x{ord(one):02x}"
        for at, one in enumerate(name)
    )
