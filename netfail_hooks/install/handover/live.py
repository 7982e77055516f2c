"""Take uplinks over from their managers on a running machine, one at a time, and give them back.

Meanwhile another uplink has the traffic (``install/diversion.py``): a manager that lets go of a
NIC may take its addresses away, or leave them, and networkd knows of neither.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.errors import Problem
from netfail_hooks.install import kernel_state, nodes
from netfail_hooks.install.diversion import clear_taken, divert, mark_taken, pending
from netfail_hooks.install.handover import (
    NETWORKD,
    SOCKET,
    Handover,
    from_dhcpcd,
    from_ifupdown,
    plan,
    supplicant_unit,
)
from netfail_hooks.install.manifest import Handed
from netfail_hooks.install.nodes import Node
from netfail_hooks.install.reconfigure import networkd_answers
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel import snapshot
from netfail_hooks.kernel.netlink import Netlink
from netfail_hooks.kernel.observe import observe
from netfail_hooks.kernel.snapshot import Snapshot
from netfail_hooks.managers import dhcpcd, dhcpcd_release
from netfail_hooks.managers.detect import NETWORKMANAGER
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import networkctl, settling
from netfail_hooks.networkd.detect import (
    active_connections,
    networkmanager_has,
    networkmanager_probes,
    networkmanager_says,
    networkmanager_states,
)
from netfail_hooks.paths import Paths
from netfail_hooks.policy.facts import Link
from netfail_hooks.process import TooSlow, run, wait_until
from netfail_hooks.terminal.progress import doing

_PATIENCE = 45.0  # seconds for an uplink to come back: Wi-Fi is joined anew, DHCP asked again
_LEFT = 5.0  # seconds for a manager to let go
_LETS_GO = 45.0  # seconds for all that has a manager let go, and Wi-Fi begin anew
# Seconds for ``take`` in all, where each of these comes to its end just in time.
LONGEST = _LETS_GO + _LEFT + from_ifupdown.LONGEST + _PATIENCE
_ANSWERS = 60.0  # seconds for NetworkManager to answer, asked again and again
_TAKES = 90.0  # seconds for a manager to set an uplink up: dhclient waits for 60, nmcli for 30
_USEFUL = 20.0  # seconds beyond that, for a lease or a router's word
_READY = 15.0  # seconds for its supplicant to know a radio: until then nobody can have it join
_BEGINS = 3.0  # seconds for NetworkManager to begin with that by itself
# Behind ours in /etc by its name, until the power goes; an empty one takes all back that were
# before it (systemd.unit(5), "Conditions and Asserts").
_OVERRIDE = "/run/systemd/system/{}.d/zz-netfail-hooks.conf"
_UNCONDITIONAL = (
    b"# Made by netfail-hooks install, for as long as that runs.\n[Unit]\nConditionPathExists=\n"
)
_NOT_READY = ("unmanaged", "unavailable")  # nmcli's words for NMDeviceState 10 and 20
_LINK_LOCAL = b"\xfe\x80"


def start(handover: Handover) -> None:
    """Have networkd run. It sets up nothing yet: no file is for what the managers have.

    Where an install lost its power, the conditions are there and what they ask for is not.
    """
    for unit in plan.conditional(handover):
        if os.path.lexists(plan.condition(unit)):
            os.makedirs(os.path.dirname(_OVERRIDE.format(unit)), exist_ok=True)
            nodes.write(_OVERRIDE.format(unit), Node(nodes.FILE, _UNCONDITIONAL))
            run("systemctl", "daemon-reload")
    if NETWORKD in handover.idle:
        run("systemctl", "start", NETWORKD)
    hint = f"see 'systemctl status {NETWORKD}'"
    wait_until(networkd_answers, _LEFT, "answer from systemd-networkd", hint=hint)


def take(
    interface: str,
    handover: Handover,
    config: Config,
    paths: Paths,
    write: Callable[[], None] | None = None,
) -> None:
    """Have networkd set an uplink up in its manager's place, once ``write`` wrote its file.

    Without, its file was there, and networkd may have read it, and take no notice of it.
    """
    aside = not _is_networkmanagers(interface, handover)
    until = time.monotonic() + _LETS_GO

    def end_client() -> None:
        for command in handover.release.ends.get(interface, ()):
            _tell(*command, until=until)

    told = f"{interface} goes over to systemd-networkd"
    with (
        doing(told, LONGEST),
        divert(config, interface, paths, _PATIENCE, aside=aside, first=end_client),
    ):
        if write:
            write()
        mark_taken(paths, interface)
        for command in handover.release.release[interface]:
            _tell(*command, until=until)
        _await_left(interface, handover, until)
        _flush(interface)
        if aside:
            from_ifupdown.await_left(interface, paths)
        if interface in handover.wireless:
            _tell("systemctl", "restart", supplicant_unit(interface), until=until)
        networkctl.require_answer()
        networkctl.reload()
        if write is None:
            networkctl.reconfigure(interface)
        if aside:
            from_ifupdown.await_way_out(interface, paths)


def settle(handover: Handover) -> None:
    """Have the managers read that they are to leave the uplinks, now that they have."""
    for unit in (NETWORKD, SOCKET, *map(supplicant_unit, handover.names)):
        nodes.remove(_OVERRIDE.format(unit))
        nodes.remove(os.path.dirname(_OVERRIDE.format(unit)))
    run("systemctl", "daemon-reload")
    for command in handover.release.settle:
        _tell(*command)


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

    Once it has what it is to have: the next one's traffic is to go there. One that NetworkManager
    has by now was killed before its turn, or after it; one that is not plugged in is set up by
    whoever finds that it is. Raises Problem.
    """
    managers = _is_networkmanagers(interface, handover)
    if not _is_there(interface) or (managers and interface in networkmanager_has()):
        write()
        networkctl.reload()
        return
    told = f"{interface} goes back to {_manager(interface, handover)}"
    with doing(told), divert(config, interface, paths, _PATIENCE, aside=not managers):
        had = _useful_families(interface)
        write()
        linked = _has_carrier(interface)
        _leave(interface)
        _withdraw(interface, handover)
        _hand_back(interface, handover, linked=linked)
        clear_taken(paths, interface)
        if linked and had:
            _await_back(interface, handover, had)


def is_useful(interface: str) -> bool:
    """Tell whether an uplink has a way out by now, whoever has it."""
    return bool(_useful_families(interface))


def _useful_families(interface: str) -> tuple[int, ...]:
    """Return the families in which an uplink has a way out by now."""
    with Netlink() as netlink:
        observed = observe(Config(uplinks=default_metrics((interface,))), netlink)
    return tuple(one for one in FAMILIES if settling.is_useful(observed, interface, one))


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
        begun = pending(Paths())  # which somebody was at
        untouched = (name for name in _raised(handover) if name not in begun)
        has = (*networkmanagers(handover), *untouched)
    except Problem as problem:
        return [*messages, f"{' and '.join(handover.names)} stay with systemd-networkd: {problem}"]
    # dhcpcd is ended for all at the first one's turn: that one brings it back for the others.
    turns = sorted(handover.handed, key=lambda one: _is_dhcpcds(one) and one.interface not in begun)
    for one in turns:
        if one.interface in has or not _is_there(one.interface):
            continue  # it was not its turn yet, or whoever plugs it in has it set up
        if one.interface not in begun and _is_kept(one, handover):
            continue
        linked = True
        with _collecting(messages):
            linked = _has_carrier(one.interface)
            _leave(one.interface)
            _withdraw(one.interface, handover)
        with doing(f"{one.interface} goes back to {one.manager}"), _collecting(messages):
            _hand_back(one.interface, handover, linked=linked)
            if linked:  # the next one has the traffic until then, and is to have it
                _await_connected(one)
                _await_dhcpcd(one)
    forget(handover, Paths())
    stop(handover)
    return messages


def note(handover: Handover, paths: Paths) -> None:
    """Note which uplinks are with networkd, before what says so at boot goes."""
    for name in dhcpcd_release.leaves(paths, handover.names):
        mark_taken(paths, name)


def forget(handover: Handover, paths: Paths) -> None:
    """Forget who had which uplink on the way: that is over."""
    for name in handover.names:
        clear_taken(paths, name)


def stop(handover: Handover) -> None:
    """Stop what did not run before us."""
    _try("systemctl", "daemon-reload")
    for unit in reversed(handover.idle):
        sockets = [SOCKET] if unit == NETWORKD else []
        _try("systemctl", "stop", *sockets, unit)


def returned(handover: Handover) -> list[str]:
    """Have the managers take what a killed run took from us and gave nobody."""
    has = (*networkmanager_has(), *_raised(handover))
    messages: list[str] = []
    for one in handover.handed:
        if one.interface in has or _is_kept(one, handover):
            continue
        if _is_there(one.interface):
            if _is_dhcpcds(one):  # which is told to leave what networkd still has
                _leave(one.interface)
            with _collecting(messages):
                _withdraw(one.interface, handover)
                _hand_back(one.interface, handover)
    return messages


def _is_dhcpcds(one: Handed) -> bool:
    return one.manager == dhcpcd.MANAGER


def _is_kept(one: Handed, handover: Handover) -> bool:
    """Tell whether a dhcpcd that was started for another uplink has this one as it was left."""
    return _is_dhcpcds(one) and one.interface in from_dhcpcd.raised(handover)


def _raised(handover: Handover) -> tuple[str, ...]:
    """Return the uplinks that a manager beside NetworkManager has set up."""
    return (*from_ifupdown.raised(handover), *from_dhcpcd.raised(handover))


def _withdraw(interface: str, handover: Handover) -> None:
    """Have nobody else here answer for the addresses that its manager is to look for first.

    It would take that for another machine, and do without them, or decline them (RFC 5227). What
    is sent to them waits until it has them again; what the machine begins goes by the other uplink.
    For those of IPv6 the kernel looks, whoever sets them (RFC 4862, 5.4).
    """
    if _is_networkmanagers(interface, handover):
        looks = networkmanager_probes()
    else:
        looks = interface in handover.release.ends and from_dhcpcd.hears_other_nics()
    kernel_state.remove_our_addresses(FAMILIES if looks else (6,))


def _hand_back(interface: str, handover: Handover, *, linked: bool = True) -> None:
    """Have its manager set an uplink up, by what it was up by.

    NetworkManager mostly begins with that by itself. Told to once more it would begin anew, and
    meanwhile take the address away that neighbours have just been told of. One that is not
    ``linked`` has nothing to be set up for yet, and nmcli would wait for its carrier.
    """
    _set_as_before(interface, handover)
    for command in plan.take_back_one(handover, interface):
        _tell(*command)
    again = plan.up_again(handover, interface) if linked else ()
    if again and not _is_begun(interface, handover):
        for command in again:
            _tell(*command)


def _set_as_before(interface: str, handover: Handover) -> None:
    """Give the kernel its settings of an uplink that networkd has changed, before who reads them.

    With ``ipv6.method=ignore``, which netplan writes for ``dhcp4:`` alone, the kernel listens to
    routers, and NetworkManager keeps what it finds: that of networkd's is not to listen.
    """
    keys = kernel_state.networkds_sysctls((interface,))
    known = handover.sysctls
    kernel_state.set_sysctls({key: known[key] for key in keys if key in known})


def _is_begun(interface: str, handover: Handover) -> bool:
    """Tell whether NetworkManager is about to set an uplink up by itself, by what it was up by."""
    wanted = {one.interface: one.connection for one in handover.handed}[interface]

    def begun() -> bool:
        return active_connections().get(interface) == wanted

    try:
        wait_until(lambda: begun() or _is_ready(interface), _READY, "readiness")
        wait_until(begun, _BEGINS, "beginning")
    except Problem:
        return False
    return True


def _is_ready(interface: str) -> bool:
    """Tell whether NetworkManager could set an uplink up now: before, nmcli would fail at once."""
    state = dict(networkmanager_states()).get(interface, "")
    return bool(state) and not state.startswith(_NOT_READY)


def _await_back(interface: str, handover: Handover, had: Sequence[int]) -> None:
    """Wait until its manager has set an uplink up that had a way out in these families.

    Raises Problem where NetworkManager has not. ifupdown's word is ifup's, and IPv6 comes later;
    it may come in fewer families than before: for so long, and go on.
    """
    one = {each.interface: each for each in handover.handed}[interface]
    _await_connected(one)
    with contextlib.suppress(Problem):
        wait_until(
            lambda: set(had) <= set(_useful_families(interface)), _USEFUL, "way out", step=0.1
        )


def _await_connected(one: Handed) -> None:
    """Wait until NetworkManager has set an uplink up that was up. Raises Problem."""
    if one.connection:
        up = (one.interface, "connected")
        hint = f"see 'nmcli device show {one.interface}'"
        wait_until(
            lambda: up in networkmanager_states(),
            _PATIENCE,
            f"address of {one.interface} from NetworkManager",
            hint=hint,
        )


def _await_dhcpcd(one: Handed) -> None:
    """Wait for the way out of an uplink of dhcpcd's, which asks on when it has begun.

    It is started anew for the next one: for so long, and go on.
    """
    if _is_dhcpcds(one):
        with contextlib.suppress(Problem):
            wait_until(lambda: 4 in _useful_families(one.interface), _USEFUL, "way out", step=0.1)


def _has_carrier(interface: str) -> bool:
    link = _link(interface)
    return link is not None and link.carrier


def _is_there(interface: str) -> bool:
    return _link(interface) is not None


def _link(interface: str) -> Link | None:
    with Netlink() as netlink:
        return observe(Config(uplinks=default_metrics((interface,))), netlink).link(interface)


def _leave(interface: str) -> None:
    """Have networkd, whose file is gone, leave an uplink without anything of its own."""
    _try("systemctl", "stop", supplicant_unit(interface))
    if networkctl.answers():
        networkctl.reload()
        with contextlib.suppress(Problem):  # of systemd's own default files one may be for it
            wait_until(lambda: networkctl.leaves_alone(interface), _LEFT, "end", step=0.1)
    _flush(interface)


def _await_left(interface: str, handover: Handover, until: float) -> None:
    """Wait until NetworkManager has let go; what it did until then is done. Raises Problem.

    ``until`` a time of the clock for its first answer.
    """
    if _is_networkmanagers(interface, handover):
        networkmanager_says(max(0, until - time.monotonic()))
        wait_until(
            lambda: interface not in networkmanager_says(),
            _LEFT,
            f"release of {interface} by NetworkManager",
            hint=f"see 'nmcli device show {interface}'",
        )


def networkmanagers(handover: Handover) -> tuple[str, ...]:
    """Return what NetworkManager has, if any uplink is its own. Raises Problem for no answer."""
    asked = any(one.manager == NETWORKMANAGER for one in handover.handed)
    return networkmanager_says(_ANSWERS) if asked else ()


def _is_networkmanagers(interface: str, handover: Handover) -> bool:
    return _manager(interface, handover) == NETWORKMANAGER


def _manager(interface: str, handover: Handover) -> str:
    return {one.interface: one.manager for one in handover.handed}[interface]


def _flush(interface: str) -> None:
    """Remove what the last one left: with KeepConfiguration= networkd would keep it for ever.

    But for link-local addresses: the kernel makes them as the link comes up, and only then.
    """
    index = snapshot.index_of(interface)
    if not index:
        return
    with Netlink() as netlink:
        now = snapshot.take(netlink, index)
        kept = tuple(item for item in now.items if _is_link_local(item))
        snapshot.put_back(netlink, Snapshot(now.index, kept, now.taken), exactly=True)


def _is_link_local(item: snapshot.Item) -> bool:
    kinds = (rt.IFA_ADDRESS, rt.RTA_DST)  # the same number, 1
    return any(kind in kinds and data[:2] == _LINK_LOCAL for kind, data in item.parts)


def _tell(*command: str, until: float = 0) -> None:
    """Have a manager, or a service, do something, ``until`` a time of the clock. Raises Problem.

    One that hangs is not networkd, and does not speak for it (``_put_back`` in diversion.py).
    """
    try:
        run(*command, seconds=max(1, until - time.monotonic()) if until else _TAKES)
    except TooSlow as problem:
        raise Problem(str(problem)) from None


def _try(*command: str) -> None:
    with contextlib.suppress(Problem):
        run(*command)


@contextlib.contextmanager
def _collecting(messages: list[str]) -> Iterator[None]:
    try:
        yield
    except (Problem, OSError) as problem:
        messages.append(str(problem))
