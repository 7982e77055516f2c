"""Wait until networkd has given an uplink what it had before: addresses and a way out."""

from __future__ import annotations

import glob
import struct
import time
from _socket import socket
from collections.abc import Callable

from netfail_hooks.errors import Problem
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.heard import messages
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import match, networkctl
from netfail_hooks.networkd.file import default_route_families
from netfail_hooks.networkd.nic import read_nic
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import Observation

_STEADY = 0.5  # seconds; `networkctl reload` returns before networkd starts working on it
_BACK = 0.1  # seconds; once its addresses were away and are back, networkd has worked on it
_STEP = 0.02
_ASK = 2.0  # seconds between two questions whether networkd is still at it


class Return:
    """What an uplink had before networkd reconfigures it, and whether it has it again."""

    def __init__(
        self,
        interface: str,
        before: Observation,
        look: Callable[[], Observation],
        paths: Paths,
    ) -> None:
        link = before.link(interface)
        self.interface = interface
        self._index = struct.pack("=I", link.index if link else 0)
        self._had = [family for family in FAMILIES if is_useful(before, interface, family)]
        self._look = look
        self._was_away = False
        self._was_ours = bool(_own_files(paths, interface))

    def expect_what_the_file_gives(self, paths: Paths) -> None:
        """Expect back no way out that the file, as it is now, no longer gives.

        Before a first install routes may have come of anything: all of it is to come back.
        """
        if self._was_ours:
            families = _families_of_file(paths, self.interface)
            self._had = [family for family in self._had if family in families]

    def is_complete(self) -> bool:
        """Tell whether it has all that it had before."""
        observed = self._look()
        return all(is_useful(observed, self.interface, family) for family in self._had)

    def steady_for(self, heard: socket) -> float:
        """Return the seconds for which it must be complete, by what the kernel has told so far.

        That addresses went is told even where they are back before anybody could look. networkd
        takes all away that it will before it gives the first thing again (link_reconfigure_impl()
        in its networkd-link.c); ``reconfigure.write`` takes away what that would leave.
        """
        for kind, _, body in messages(heard) or ():
            self._was_away |= kind == rt.DELADDR and body[4:8] == self._index
        return _BACK if self._had and self._was_away else _STEADY


def await_return(uplink: Return, heard: socket, paths: Paths, patience: float) -> None:
    """Wait until an uplink has, for a while without a break, all that it had before.

    Or until our file is gone, and networkd has no other file for it: then nothing will come.
    """
    interface = uplink.interface
    uplink.expect_what_the_file_gives(paths)
    since = asked = pinged = time.monotonic()
    until = since + patience
    while time.monotonic() - since < uplink.steady_for(heard):
        time.sleep(_STEP)
        if uplink.is_complete():
            continue
        since = time.monotonic()
        if since - asked > _STEADY:
            asked = since
            if not _own_files(paths, interface) and networkctl.leaves_alone(interface):
                return
        if since - pinged > _ASK:
            networkctl.require_answer()
            pinged = time.monotonic()
        if since > until:
            raise Problem(
                f"{interface} has no way out {patience:.0f} s after networkd was told to set it "
                "up, so it could carry nothing",
                hint=f"see 'networkctl status {interface}'",
            )


def _families_of_file(paths: Paths, interface: str) -> set[int]:
    """Return the families in which an uplink's file now can give it a default route."""
    try:
        source = match.effective(paths, read_nic(interface, paths))
    except (Problem, OSError):  # one that can't be judged
        source = None
    return default_route_families(source.sections) if source else set(FAMILIES)


def _own_files(paths: Paths, interface: str) -> list[str]:
    name = glob.escape(interface)
    return glob.glob(paths.at(f"/etc/systemd/network/*-netfail-{name}.network"))


def is_useful(observed: Observation, interface: str, family: int) -> bool:
    """Tell whether an uplink has a carrier, an address and a default route."""
    link = observed.link(interface)
    default_route = observed.default_route(interface, family)
    addressed = observed.own_addresses(interface, family)
    return bool(link and link.carrier and default_route and addressed)
