"""How each uplink of another manager's is set up by it, and which Wi-Fi networks it joins.

An uplink that nobody says enough of is refused here, by name, before anything is changed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from netfail_hooks.errors import Misuse
from netfail_hooks.install.manifest import Handed, Manifest
from netfail_hooks.managers import Profile, Unfit, dhcpcd, identifiers, ifupdown, sources
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.managers.nm.glib import printable
from netfail_hooks.managers.wifi import joining, supplicant
from netfail_hooks.networkd import match, takeover
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.paths import Paths

_NMCLI_ADDS = "sudo nmcli connection add type ethernet ifname {}"
_NMCLI_SAVES = "sudo nmcli --ask device wifi connect SSID ifname {}"
_ADDS = {ifupdown.MANAGER: "an iface {} stanza with addresses in /etc/network/interfaces"}
_SAVES = {
    ifupdown.MANAGER: "wpa-ssid and wpa-psk in the iface {} stanza (interfaces(5))",
    dhcpcd.MANAGER: "a network block in /etc/wpa_supplicant/wpa_supplicant.conf, which dhcpcd's "
    "hook 10-wpa_supplicant has {} join",
}

_OWN = "; or leave it to wpa_supplicant@{}.service of your own, enabled and running"


def profiles_of(
    paths: Paths, known: Manifest, handed: Sequence[Handed], mentioned: Sequence[str]
) -> dict[str, Profile]:
    """Return how each uplink is set up by its manager, Wi-Fi networks always. Raises Misuse.

    None has sections where options say how, or said it to an earlier install: these count.
    """
    found = {}
    for one in handed:
        nic = read_nic(one.interface, paths)
        ours = match.effective(paths, nic, ignore=lambda text: not takeover.is_ours(text))
        again = one in known.handed
        told = nic.name in mentioned
        try:
            profile = _profile(paths, one, nic, ours, again=again)
        except Misuse as error:
            if nic.wireless or not told or isinstance(error, Unfit):
                raise
            profile = _nothing(one)  # options are the way out for what can't be carried over
        profile = _joined(paths, one, nic, profile, again=again)
        if not (profile.wireless or profile.joined_by) and (
            nic.wireless or known.entry(supplicant.path(nic.name))
        ):
            _refuse_unjoined(paths, one, nic, profile, again=again)
        asked = told or bool(ours and takeover.was_asked(ours.text))
        if not (asked or again or profile.sections):
            raise Misuse(
                f"{one.manager} has {nic.name}, and no connection for it",
                hint=f"add --dhcp {nic.name}, or give it one there first: "
                + _ADDS.get(one.manager, _NMCLI_ADDS).format(nic.name),
            )
        found[nic.name] = _addressed(paths, nic, profile, ours, asked=asked)
    return found


def _addressed(
    paths: Paths, nic: Nic, profile: Profile, ours: Source | None, *, asked: bool
) -> Profile:
    """Return how an uplink is set up with its IPv6 addresses kept, and what is told of them.

    An earlier install has noted them in ``ours``, unless the profile has come to say otherwise.
    """
    said = () if asked else profile.sections
    known = replace(profile, sections=said)
    unknown = identifiers.is_unknown(said)
    if ours:
        same = asked or takeover.made_of(ours.text) == sources.as_source(known).fingerprint
        kept = identifiers.told(ours.sections) if same or unknown else ()
        by_profile = kept == identifiers.told(said)  # its own tokens: none was to be kept
        return replace(known, identifiers=() if by_profile else kept)
    here = () if paths.root else identifiers.addresses_of(nic.name)
    kept = identifiers.to_keep(here, said, nic.mac)
    messages = identifiers.messages(here, kept, profile.manager, unknown=unknown)
    return replace(known, identifiers=kept, messages=(*profile.messages, *messages))


def _profile(paths: Paths, one: Handed, nic: Nic, ours: Source | None, *, again: bool) -> Profile:
    """Return how a manager sets an uplink up, or did before us; without sections if it doesn't."""
    made_of = takeover.of_whom(ours.text) if ours else ""
    # It has left to us what options set up, too; its Wi-Fi networks count all the same.
    left = sources.nameless(one.manager) if again else ""
    profile = sources.profile(paths, nic, made_of or left, one.manager)
    if profile and (profile.path or not made_of.startswith("/")):
        return profile
    # What a cable gets without a file is something else than what the file said.
    if again and not nic.present and os.path.lexists(paths.through(made_of)):
        raise Misuse(
            f"{nic.name} is not there, so that nobody can tell whether {made_of} is for it",
            hint=f"plug {nic.name} in, then install again",
        )
    return _nothing(one)


def _joined(paths: Paths, one: Handed, nic: Nic, profile: Profile, *, again: bool) -> Profile:
    """Return it with who has an uplink join Wi-Fi, where its manager need not be who does.

    NetworkManager joins it itself, unless it has iwd for that. Raises Misuse.
    """
    if not nic.wireless:
        return replace(profile, joined_by=one.joined_by)
    if one.manager == NETWORKMANAGER and not profile.by_iwd:
        if not paths.root:
            _refuse_iwd(paths, nic)
        return profile
    joins = bool(profile.wireless)
    unit = joining.joined_by(paths, nic.name, one.manager, joins=joins, noted=one.joined_by)
    if not unit:
        if not again:
            _refuse_file_of_ours(paths, one, nic)
        return profile
    told = [
        f"{unit} still connects it to Wi-Fi, and is left as it is",
        *_told_of_iwd(paths, profile),
    ]
    return replace(profile, wireless=(), joined_by=unit, messages=(*profile.messages, *told))


def _refuse_iwd(paths: Paths, nic: Nic) -> None:
    """Refuse a radio that iwd joins though NetworkManager's files don't say so. Raises Misuse.

    It may be built so, or say so no more since an earlier install. One that runs and knows no
    network is in nobody's way.
    """
    if joining.iwd_joins(paths, nic.name):
        raise Misuse(
            f"iwd has {nic.name} join Wi-Fi, and NetworkManager's files say nothing of it",
            hint="sudo systemctl disable iwd.service, or say wifi.backend=iwd in a [device] of "
            "/etc/NetworkManager/conf.d; then reboot",
        )


def _told_of_iwd(paths: Paths, profile: Profile) -> Iterator[str]:
    """Yield what iwd does otherwise than NetworkManager would. Raises Problem."""
    if not profile.by_iwd or paths.root:
        return
    yield "keep its profile in NetworkManager: iwd forgets a network whose profile is deleted"
    known = joining.iwd_knows()
    for name in profile.by_iwd:
        if name not in known:
            yield (
                f"iwd does not know the network '{printable(name)}', so it is not joined: connect "
                "to it once where it is in reach, by iwctl"
            )


def _refuse_file_of_ours(paths: Paths, one: Handed, nic: Nic) -> None:
    """Refuse to take the place of the file by which dhcpcd's hook joins Wi-Fi. Raises Misuse."""
    joined = dhcpcd.supplicant_of(paths, nic)[0] if one.manager == dhcpcd.MANAGER else ""
    if joined == supplicant.path(nic.name):
        raise Misuse(
            f"dhcpcd has {nic.name} joined by {joined}, which is to be ours",
            hint="give that file the name /etc/wpa_supplicant/wpa_supplicant.conf",
        )


def _nothing(one: Handed) -> Profile:
    return Profile(one.manager, "", "", ())


def _refuse_unjoined(paths: Paths, one: Handed, nic: Nic, profile: Profile, *, again: bool) -> None:
    """Refuse an uplink that would join no Wi-Fi network. Raises Misuse."""
    what = f"{one.manager} knows no Wi-Fi network for {nic.name} to join"
    if not nic.present:
        hint = f"plug {nic.name} in, then install again"
    elif profile.by_iwd:
        what = f"{one.manager} has iwd join Wi-Fi, and no iwd is seen that has {nic.name} do so"
        hint = f"see 'sudo iwctl device list'; where iwd does not run: {joining.ENABLE_IWD}"
    elif again:
        hint = f"save one there, or 'sudo netfail-hooks uninstall', which gives {nic.name} back"
    else:
        hint = "save one first: " + _SAVES.get(one.manager, _NMCLI_SAVES).format(nic.name)
        missing = dhcpcd.unhooked(paths, nic) if one.manager == dhcpcd.MANAGER else ""
        hint += f"; that does not run yet: {missing}, then reboot" if missing else ""
        hint += _OWN.format(nic.name) if one.manager in _SAVES else ""
    raise Misuse(what, hint=hint)
