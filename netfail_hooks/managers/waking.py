"""By what an uplink wakes the machine (wake-on-LAN), carried over from its manager.

The manager has said it to the NIC, which goes on so until the machine is off; our ``.link`` file
says it at each boot from then on, whoever has the uplink. It changes nothing else, so it may be
there before all other files of ours, and after them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import Profile
from netfail_hooks.networkd import link_file
from netfail_hooks.networkd.link_file import LinkFile
from netfail_hooks.networkd.nic import Nic, read_nic
from netfail_hooks.paths import Paths

KEY = "WakeOnLan"  # systemd.link(5)
# The password is in a file of its own: a .link file gets into the initial ramdisk, which everybody
# may read on Debian (its initramfs hook copies them; there udev does without the password).
PASSWORDS = "/etc/netfail-hooks/wake-on-lan-"


def words(profile: Profile) -> str:
    """Return by what an uplink wakes the machine (WakeOnLan=), "" where nobody says."""
    return dict(profile.link).get(KEY, "")


def password_file(interface: str) -> str:
    """Return where the password is that a magic packet must have."""
    return f"{PASSWORDS}{interface}"


def file(paths: Paths, nic: Nic, profile: Profile) -> LinkFile | None:
    """Return the file that says it, None where nobody does. Raises Misuse if none can."""
    if not words(profile):
        return None
    secret = password_file(nic.name) if profile.wake_password else ""
    return link_file.make(paths, nic, words(profile), secret)


def carried(
    paths: Paths, profiles: Mapping[str, Profile]
) -> tuple[dict[str, Profile], dict[str, tuple[str, int]]]:
    """Return profiles without what ours says, and our files: each path with its text and mode.

    What can't be carried over is told.
    """
    left: dict[str, Profile] = {}
    files: dict[str, tuple[str, int]] = {}
    for name, profile in profiles.items():
        found, told = None, profile.messages
        try:
            found = file(paths, read_nic(name, paths), profile)
        except Misuse as problem:
            told = (*told, f"{KEY}={words(profile)} is not carried over: {problem}")
        if found and profile.wake_password:
            files[password_file(name)] = (profile.wake_password, 0o600)
        if found:
            files[found.path] = (found.text, 0o644)
        rest = tuple(pair for pair in profile.link if pair[0] != KEY)
        left[name] = replace(profile, link=rest, messages=told)
    return left, files
