"""Take uplinks over from their managers on a running machine, one at a time, and give them back.

Meanwhile another uplink has the traffic (``install/diversion.py``): a manager that lets go of a
NIC may take its addresses away, or leave them, and networkd knows of neither.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.install.diversion import divert
from netfail_hooks.install.handover import NETWORKD, Handover, from_ifupdown, plan, supplicant_unit
from netfail_hooks.install.reconfigure import networkd_answers
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel import snapshot
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.kernel.snapshot import Snapshot
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.networkd import networkctl
from netfail_hooks.networkd.detect import networkmanager_has, networkmanager_says
from netfail_hooks.paths import Paths
from netfail_hooks.process import run, wait_until

_PATIENCE = 45.0  # seconds for an uplink to come back: Wi-Fi is joined anew, DHCP asked again
_LEFT = 5.0  # seconds for a manager to let go
_TAKES = 90.0  # seconds for a manager to set an uplink up: dhclient waits for 60, nmcli for 30
_LINK_LOCAL = b"\xfe\x80"


def start(handover: Handover) -> None:
    """Have networkd run. It sets up nothing yet: no file is for what the managers have."""
    if NETWORKD in handover.idle:
        run("systemctl", "start", NETWORKD)
    wait_until(networkd_answers, _LEFT, "answer from systemd-networkd")


def take(
    interface: str, handover: Handover, config: Config, paths: Paths, write: Callable[[], None]
) -> None:
    """Have networkd set an uplink up in its manager's place, once ``write`` wrote its file."""
    aside = not _is_networkmanagers(interface, handover)
    with divert(config, interface, paths, _PATIENCE, aside=aside):
        write()
        for command in handover.release.release[interface]:
            run(*command, seconds=_TAKES)
        _await_left(interface, handover)
        _flush(interface)
        if aside:
            from_ifupdown.await_left(interface, paths)
        if interface in handover.wireless:
            run("systemctl", "restart", supplicant_unit(interface))
        networkctl.require_answer()
        networkctl.reload()
        if aside:
            from_ifupdown.await_way_out(interface, paths)


def settle(handover: Handover) -> None:
    """Have the managers read that they are to leave the uplinks, now that they have."""
    run("systemctl", "daemon-reload")
    for command in handover.release.settle:
        run(*command)


def hold(handover: Handover) -> None:
    """Keep NetworkManager from all uplinks that it doesn't have; a reload would give it all.

    Raises Problem where it does not answer.
    """
    has = networkmanagers(handover)
    for one in handover.handed:
        if one.manager == NETWORKMANAGER and one.interface not in has:
            for command in handover.release.release[one.interface]:
                _try(*command)


def give_back(
    interface: str, handover: Handover, config: Config, paths: Paths, write: Callable[[], None]
) -> None:
    """Have its manager set an uplink up again, once ``write`` took our file for it away.

    One that NetworkManager has by now was killed before its turn, or after it.
    """
    if _is_networkmanagers(interface, handover) and interface in networkmanager_has():
        write()
        networkctl.reload()
        return
    aside = not _is_networkmanagers(interface, handover)
    with divert(config, interface, paths, _PATIENCE, aside=aside):
        write()
        _leave(interface)
        _hand_back(interface, handover)


def give_all_back(handover: Handover) -> list[str]:
    """Give the managers all that they had, whatever was done; return what went wrong.

    The files are as they were before. Where NetworkManager does not answer, networkd goes on with
    what it has: who can't take an uplink back is given none.
    """
    messages: list[str] = []
    with _collecting(messages):
        hold(handover)
        settle(handover)
    try:
        has = (*networkmanagers(handover), *from_ifupdown.untouched(handover))
    except Problem as problem:
        return [*messages, f"{' and '.join(handover.names)} stay with systemd-networkd: {problem}"]
    for one in handover.handed:
        if one.interface in has:
            continue  # it was not its turn yet
        with _collecting(messages):
            _leave(one.interface)
        with _collecting(messages):
            _hand_back(one.interface, handover)
    stop(handover)
    return messages


def stop(handover: Handover) -> None:
    """Stop what did not run before us."""
    _try("systemctl", "daemon-reload")
    for unit in reversed(handover.idle):
        sockets = [NETWORKD.replace(".service", ".socket")] if unit == NETWORKD else []
        _try("systemctl", "stop", *sockets, unit)


def returned(handover: Handover) -> list[str]:
    """Have the managers take what a killed run took from us and gave nobody."""
    has = (*networkmanager_has(), *from_ifupdown.raised(handover))
    messages: list[str] = []
    for one in handover.handed:
        if one.interface not in has:
            with _collecting(messages):
                _hand_back(one.interface, handover)
    return messages


def _hand_back(interface: str, handover: Handover) -> None:
    for command in plan.take_back_one(handover, interface):
        run(*command, seconds=_TAKES)


def _leave(interface: str) -> None:
    """Have networkd, whose file is gone, leave an uplink without anything of its own."""
    _try("systemctl", "stop", supplicant_unit(interface))
    if networkctl.answers():
        networkctl.reload()
        with contextlib.suppress(Problem):  # of systemd's own default files one may be for it
            wait_until(lambda: networkctl.leaves_alone(interface), _LEFT, "end", step=0.1)
    _flush(interface)


def _await_left(interface: str, handover: Handover) -> None:
    """Wait until NetworkManager has let go; what it did until then is done. Raises Problem."""
    if _is_networkmanagers(interface, handover):
        wait_until(lambda: interface not in networkmanager_says(), _LEFT, "release of the NIC")


def networkmanagers(handover: Handover) -> tuple[str, ...]:
    """Return what NetworkManager has, if any uplink is its own. Raises Problem for no answer."""
    asked = any(one.manager == NETWORKMANAGER for one in handover.handed)
    return networkmanager_says() if asked else ()


def _is_networkmanagers(interface: str, handover: Handover) -> bool:
    managers = {one.interface: one.manager for one in handover.handed}
    return managers[interface] == NETWORKMANAGER


def _flush(interface: str) -> None:
    """Remove what the last one left: with KeepConfiguration= networkd would keep it for ever.

    But for link-local addresses: the kernel makes them as the link comes up, and only then.
    """
    with Netlink() as netlink:
        link = observe(Config(uplinks=default_metrics((interface,))), netlink).link(interface)
        if link is None:
            return
        now = snapshot.take(netlink, link.index)
        kept = tuple(item for item in now.items if _is_link_local(item))
        snapshot.put_back(netlink, Snapshot(now.index, kept, now.taken), exactly=True)


def _is_link_local(item: snapshot.Item) -> bool:
    kinds = (rt.IFA_ADDRESS, rt.RTA_DST)  # the same number, 1
    return any(kind in kinds and data[:2] == _LINK_LOCAL for kind, data in item.parts)


def _try(*command: str) -> None:
    with contextlib.suppress(Problem):
        run(*command)


@contextlib.contextmanager
def _collecting(messages: list[str]) -> Iterator[None]:
    try:
        yield
    except (Problem, OSError) as problem:
        messages.append(str(problem))
