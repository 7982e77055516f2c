"""Which profile a NIC has of NetworkManager, as that would choose it, and how it sets it up.

Where nmcli answers, the profile that is active counts. Else that which NetworkManager would
activate by itself: the greatest autoconnect-priority, of these the one that was used last
(nm-settings(5), connection.autoconnect-priority).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace

from netfail_hooks.errors import Misuse
from netfail_hooks.files import entries, read_text
from netfail_hooks.managers import Profile, Unfit, WirelessNetwork
from netfail_hooks.managers.keyfile import Defaults, Translation, translate
from netfail_hooks.managers.nm import backend, closed, conf, glib
from netfail_hooks.managers.nm.conf import Conf
from netfail_hooks.managers.nm.glib import printable
from netfail_hooks.managers.nm.nmcli import active_profile, networkmanager_has
from netfail_hooks.managers.nm.saved import Saved, fits, ignored, saved
from netfail_hooks.managers.wifi import power_save
from netfail_hooks.networkd import netplan
from netfail_hooks.networkd.detect import interfaces_here
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths
from netfail_hooks.process import ENGLISH, run

MANAGER = "NetworkManager"

_NO_AUTO_DEFAULT = "/var/lib/NetworkManager/no-auto-default.state"
_ENABLED = "/etc/systemd/system/multi-user.target.wants/NetworkManager.service"
_UNSAVED = (
    "ipv4.method,ipv4.addresses,ipv4.dns,ipv6.method,ipv6.addresses,connection.id,connection.type"
)
_TAKEN = ("802-3-ethernet", "802-11-wireless")  # types of what can be taken over
_NETPLANS = tuple(
    f"/run/systemd/{place}/netplan-regdom.service" for place in ("system", "generator.late")
)
_BY_LOT = "wifi.scan-rand-mac-address"
# By which a profile names what it is on, in the section of its type (nm-settings(5)).
_PARENTS = ("parent", "port1", "port2")
# What may name it by [ethernet] mac-address instead.
_BY_MAC = ("vlan", "macvlan", "ipvlan", "pppoe")
# What it makes for a cable that nobody has a profile for (``new_default_connection()``).
_BY_ITSELF = "[connection]\nid=Wired connection\ntype=802-3-ethernet\n"

# NetworkManager-dispatcher(8), DIRECTORIES; Debian's own script there runs those of if-*.d.
_DISPATCHER = tuple(
    f"{place}/NetworkManager/dispatcher.d{phase}"
    for place in ("/etc", "/usr/lib")
    for phase in ("", "/pre-up.d", "/pre-down.d", "/no-wait.d")
)
_EQUALLED = ("01-ifupdown",)


def has_it(paths: Paths, nic: Nic) -> bool:
    """Tell whether NetworkManager sets a NIC up; of another root, whether it will after boot."""
    if not paths.root:
        return nic.name in networkmanager_has()
    enabled = os.path.lexists(paths.at(_ENABLED))
    return enabled and not conf.fits(conf.read(paths).get("keyfile", "unmanaged-devices"), nic)


def profile(paths: Paths, nic: Nic, *, made_of: str = "") -> Profile | None:
    """Return how NetworkManager sets a NIC up, None where it doesn't.

    ``made_of`` names the file that counted before NetworkManager left the NIC to us. Where it names
    none, and NetworkManager has the NIC again (a power cut), what is active counts, as at first.
    Raises Misuse for what can't be carried over, NotPermitted for what we may not read, before
    anything is changed.
    """
    has = not os.path.isabs(made_of) and has_it(paths, nic)
    if not (made_of or has):
        return None
    known = conf.read(paths)
    profiles = list(saved(paths))
    fitting = [one for one in profiles if fits(paths, one.file, nic)]
    uuid, filename = active_profile(nic.name) if has and not paths.root else ("", made_of)
    chosen = _chosen(fitting, uuid, filename)
    if chosen is None and uuid:
        _refuse_unsaved(paths, nic, uuid)
    elif chosen is None and (nic.wireless or not _makes_one(paths, known, nic)):
        _refuse_ignored(paths, nic)
        return None
    nobodys = Saved("", glib.read(_BY_ITSELF), _BY_ITSELF)
    _refuse_above(profiles, nic, [chosen or nobodys, *fitting])
    by_iwd = backend.is_iwd(known, nic)
    if by_iwd and chosen:
        backend.refuse_unlasting(chosen)
    if chosen is None or (_is_made(chosen) and not nic.wireless):
        chosen = nobodys
    defaults = Defaults(
        tuple(known.defaults("connection", nic).items()),
        read_text(paths.through("/etc/machine-id")).strip(),
        by_iwd,
    )
    told_path = netplan.told(paths, chosen.path)
    said = translate(chosen.path, chosen.text, nic, defaults, told=told_path)
    wireless, told = _wireless(said, chosen, fitting, nic, defaults)
    told += ignored(paths)
    told += _scripts(paths, nic.name)
    if nic.wireless and not by_iwd:
        told += power_save.messages(paths, nic.name, said.power_save)
        if known.defaults("device", nic).get(_BY_LOT) in ("yes", "true", "1"):
            told.append(f"{_BY_LOT}: it looks for networks by its own hardware address from now on")
    return Profile(
        manager=MANAGER,
        path=chosen.path,
        text=chosen.text,
        sections=said.sections,
        wireless=wireless,
        country=country(paths) if nic.wireless else "",
        power_save=said.power_save,
        name=said.name,
        link=said.link,
        wake_password=said.wake_password,
        messages=(*said.messages, *told),
        by_iwd=backend.names(fitting) if by_iwd else (),
    )


def _scripts(paths: Paths, name: str) -> list[str]:
    """Return which scripts of packages, or the user's own, no longer run for an interface."""
    found = sorted(
        f"{place}/{script}"
        for place in _DISPATCHER
        for script in entries(paths.at(place))
        if script not in _EQUALLED and os.path.isfile(paths.at(f"{place}/{script}"))
    )
    return [f"no longer run for {name}: {', '.join(found)}"] if found else []


def _chosen(fitting: Sequence[Saved], uuid: str, filename: str) -> Saved | None:
    """Return the active profile, else that which would become it; None for none."""
    for one in fitting:
        if uuid and uuid in (one.uuid, one.file.text("connection", "uuid")):
            return one
        if filename and filename == one.path:
            return one
    if uuid:
        return None
    candidates = [one for one in fitting if one.by_itself]
    return max(candidates, key=lambda one: one.rank) if candidates else None


def _refuse_unsaved(paths: Paths, nic: Nic, uuid: str) -> None:
    """Refuse an active profile that is in no keyfile, but for what NetworkManager makes itself."""
    done = run("nmcli", "--get-values", _UNSAVED, "connection", "show", uuid, environment=ENGLISH)
    *settings, name, kind = [*done.stdout.split("\n"), *([""] * 7)][:7]
    shown = f"'{printable(name)}'" if name else uuid
    if kind and kind not in _TAKEN:
        raise Unfit(
            f"{nic.name} is no uplink that NetworkManager could hand over: its profile {shown} is "
            f"of type {kind}",
            hint=f"name a cable or Wi-Fi itself: {', '.join(interfaces_here(paths))}",
        )
    if nic.wireless or settings != ["auto", "", "", "auto", ""]:
        raise Misuse(
            f"{nic.name}: NetworkManager's active profile {shown} is in no keyfile",
            hint=f"sudo nmcli connection modify {uuid} connection.autoconnect yes, which saves it",
        )


def _refuse_ignored(paths: Paths, nic: Nic) -> None:
    """Refuse a radio for which all that there may be is what NetworkManager passes over."""
    why = ignored(paths) if nic.wireless else []
    if why:
        raise Misuse(
            f"NetworkManager knows no Wi-Fi network for {nic.name} to join; {why[0]}",
            hint="do that, then sudo nmcli connection reload",
        )


def _is_made(chosen: Saved) -> bool:
    """Tell whether NetworkManager itself made a profile, for a cable that nobody had one for.

    It is in /run for as long as NetworkManager has the cable, so none of ours is made of that file.
    One that is ``external`` says what somebody else had set up (nms-keyfile-writer.c).
    """
    meta = ".nmmeta"
    return chosen.file.flag(meta, "nm-generated") and not chosen.file.flag(meta, "external")


def _makes_one(paths: Paths, known: Conf, nic: Nic) -> bool:
    """Tell whether NetworkManager makes a profile for a cable that has none (no-auto-default)."""
    denied = closed.read(paths, _NO_AUTO_DEFAULT).split()
    listed = known.get("main", "no-auto-default")
    return not (nic.permanent_mac in [one.lower() for one in denied] or conf.fits(listed, nic))


def _refuse_above(profiles: Sequence[Saved], nic: Nic, own: Sequence[Saved]) -> None:
    """Refuse a NIC on which NetworkManager makes something: that is left with the NIC.

    (``parent_state_changed()`` of each such device; NM_UNMANAGED_PARENT.) One that is not up by
    itself may be up now, or be wanted tomorrow, when it could not be brought up any more. What
    somebody else has made, of which it notes a profile in /run, it lets go of as it is.
    """
    uuids = {one.file.text("connection", "uuid") for one in own} - {""}
    for one in profiles:
        kind = one.file.text("connection", "type")
        somebodys = one.file.flag(".nmmeta", "external")
        if not somebodys and _is_on(one, kind, nic, uuids):
            raise Unfit(
                f"{printable(one.path)}: a {printable(kind)} of NetworkManager's is on {nic.name}",
                hint="name another NIC as the uplink, or take that profile out",
            )


def _is_on(one: Saved, kind: str, nic: Nic, uuids: set[str]) -> bool:
    """Tell whether a profile makes something on a NIC, named itself or by a profile for it."""
    named = {one.file.text(kind, key) for key in _PARENTS} - {""}
    if not named and kind == "pppoe":
        named = {one.file.text("connection", "interface-name")} - {""}
    if named or kind not in _BY_MAC:
        return bool(named & {nic.name, *uuids})
    mac = one.file.text("802-3-ethernet", "mac-address").strip().lower().replace("-", ":")
    return bool(mac) and mac == (nic.permanent_mac or nic.mac)


def _wireless(
    said: Translation, chosen: Saved, fitting: Sequence[Saved], nic: Nic, defaults: Defaults
) -> tuple[tuple[WirelessNetwork, ...], list[str]]:
    """Return every saved network, in the order of NetworkManager's choice, and what is told.

    That by which the NIC is set up is in, too; others that are not joined by themselves aren't.
    Where iwd has them there is none here.
    """
    if not nic.wireless:
        return (), []
    found, told = [(chosen.rank, said.wireless)] if said.wireless else [], []
    for one in fitting:
        if one.uuid == chosen.uuid:
            continue
        name = printable(one.file.text("connection", "id"))
        if not one.by_itself:
            told.append(f"the network '{name}' is not joined by itself, so it is left out")
            continue
        try:
            other = translate(one.path, one.text, nic, defaults)
        except Misuse as error:
            told.append(f"left out: {error}")
            continue
        if other.wireless is not None:
            found.append((one.rank, other.wireless))
        if (other.sections, other.power_save) != (said.sections, said.power_save):
            told.append(
                f"the network '{name}' has other addresses or settings than '{said.name}', whose "
                "count for all"
            )
    ordered = sorted(found, key=lambda pair: pair[0])
    ranked = [replace(one, priority=place) for place, (_, one) in enumerate(ordered)]
    return tuple(reversed(ranked)), told


def country(paths: Paths) -> str:
    """Return by which country's rules the radio is used, "" where nobody says.

    Raspberry Pi OS says it to the kernel (cfg80211.ieee80211_regdom=), netplan by a unit of its
    own (regulatory-domain:), Debian's crda in a file.
    """
    told = re.findall(r"cfg80211\.ieee80211_regdom=(\w\w)\b", _text(paths, "/proc/cmdline"))
    told.append(_text(paths, "/sys/module/cfg80211/parameters/ieee80211_regdom").strip())
    for place in _NETPLANS:  # write_regdom() in netplan's networkd.c
        told += re.findall(r"\biw reg set (\w\w)\b", _text(paths, place))
    told += re.findall(r"(?m)^REGDOMAIN=\"?(\w\w)\b", _text(paths, "/etc/default/crda"))
    return next((one for one in told if re.fullmatch("[A-Z]{2}", one)), "")


def _text(paths: Paths, path: str) -> str:
    return read_text(paths.through(path))
