"""By which addresses the person came in who runs this, so that they are not cut off."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.addresses import addresses6
from netfail_hooks.kernel.lookup import look_up
from netfail_hooks.kernel.observe import observe
from netfail_hooks.names import family_of_address, is_interface_name
from netfail_hooks.probe.gateway import gateway_wire
from netfail_hooks.process import wait_until
from netfail_hooks.terminal.progress import doing
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.probe import ProbeSocket

_KEY = b"SSH_CONNECTION="  # ssh(1): the client's address and port, then the server's
_PATIENCE = 25.0  # seconds
_ANSWERS_IN = 0.5  # seconds
_GENERATIONS = 20  # sudo, a shell, tmux and what else there may be


@dataclass(frozen=True, slots=True)
class Session:
    """An SSH session by its addresses: ``client``, and ``server``, which is this machine's.

    A link-local one has its interface behind it, by ``%`` (RFC 4007, section 11). "" for none.
    """

    client: str = ""
    server: str = ""


def origin() -> str:
    """Return the address of the SSH client that started us, "" for none."""
    return session().client


def session() -> Session:
    """Return the SSH session that started us.

    sudo(8) keeps the variable from us, so whoever started us is asked too (proc(5)).
    """
    process = os.getpid()
    for _ in range(_GENERATIONS):
        with contextlib.suppress(OSError):
            with open(f"/proc/{process}/environ", "rb") as file:
                found = [one for one in file.read().split(b"\0") if one.startswith(_KEY)]
            words = found[0].removeprefix(_KEY).split() if found else []
            client, _, server, *_ = [*map(_address, words), "", "", ""]
            if client:
                return Session(client, server)
        process = _parent(process)
        if process < 2:
            break
    return Session()


def _address(word: bytes) -> str:
    """Return an address as the kernel prints it, "" for what is none.

    Who listens to IPv6 alone has IPv4 ones in its words (::ffff:192.0.2.1; RFC 4291, 2.5.5.2).
    """
    text, scoped, interface = word.decode("ascii", "replace").partition("%")
    if scoped and not is_interface_name(interface):
        return ""
    try:
        known = ip_address(text)
    except ValueError:
        return ""
    if isinstance(known, IPv6Address) and known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return f"{known}{scoped}{interface}"


def uplink_of(server: str, names: Sequence[str]) -> str:
    """Return which uplink has an address of ours as its own, "" for none.

    Not one that has it by a detour, or for another uplink that is lost.
    """
    plain, _, scope = server.partition("%")
    with rt.Netlink() as netlink:
        observed = observe(Config(uplinks=default_metrics(tuple(names))), netlink)
        for link in observed.links:
            if scope not in ("", link.name):
                continue
            if family_of_address(plain) == 4:
                own = [one.address for one in observed.all_addresses(link.name, 4)]
            else:
                every = addresses6(netlink, link.index)
                own = [one.address for one in every if one.usable and not one.ours]
            if plain in own:
                return link.name
    return ""


def await_back(server: str, names: Sequence[str]) -> None:
    """Return once an uplink has an address again by which somebody came in. Raises Problem."""
    try:
        with doing(f"waiting for {server}, by which you came in", _PATIENCE):
            wait_until(lambda: bool(uplink_of(server, names)), _PATIENCE, "address", step=0.1)
    except Problem:
        message = f"{server}, by which you came in, did not come back for {_PATIENCE:.0f} s"
        raise Problem(message, hint="all is as it was; come in by another address") from None


def _parent(process: int) -> int:
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def is_reachable(address: str) -> bool:
    """Tell whether there is a way to an address, and where it is a neighbour, that it answers."""
    plain, _, interface = address.partition("%")
    family = 6 if ":" in plain else 4
    own = ""
    with rt.Netlink() as netlink:
        if not interface:
            route = look_up(netlink, family, plain)
            if route is None or route.gateway:  # none to an address of our own, either
                return route is not None
            interface, own = route.interface, route.source
        alone = Config(uplinks=default_metrics((interface,)))
        link = observe(alone, netlink).link(interface)
    if link is None:
        return False  # gone
    if not link.mac:
        return True  # a tunnel has no neighbours to ask
    try:
        with contextlib.closing(gateway_wire(link, plain, own)) as wire:
            return _answers(wire)
    except OSError:
        return False


def _answers(wire: ProbeSocket) -> bool:
    """Ask twice: the second time with an address of ours, where the first had none."""
    for _ in range(2):
        wire.ask()
        until = time.monotonic() + _ANSWERS_IN
        while (left := until - time.monotonic()) > 0:
            if select.select([wire.fileno()], [], [], left)[0] and wire.answered():
                return True
    return False


def await_reachable(address: str) -> None:
    """Return once an address is reachable. Raises Problem."""
    try:
        with doing(f"waiting for {address}, from where you came in, to be reached", _PATIENCE):
            wait_until(lambda: is_reachable(address), _PATIENCE, "answer", step=0.1)
    except Problem:
        raise Problem(
            f"{address}, from where you came in, was not reached for {_PATIENCE:.0f} s, so all is "
            "as it was",
            hint="install from the machine itself",
        ) from None
