"""Give uplinks back to the managers that had them, on a running machine, one at a time.

Meanwhile another uplink has the traffic, as while they were taken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from netfail_hooks.config import Config
from netfail_hooks.errors import Problem
from netfail_hooks.install import kernel_state
from netfail_hooks.install.diversion import clear_taken, divert, mark_taken, taken
from netfail_hooks.install.handover import (
    Handover,
    from_dhcpcd,
    from_networkmanager,
    plan,
    supplicant_unit,
    uplink,
)
from netfail_hooks.install.handover.commands import attempt, collecting, tell
from netfail_hooks.install.manifest import Handed
from netfail_hooks.managers import UnansweredError, dhcpcd
from netfail_hooks.managers.nm.nmcli import networkmanager_probes
from netfail_hooks.names import FAMILIES
from netfail_hooks.networkd import networkctl
from netfail_hooks.paths import Paths
from netfail_hooks.process import wait_until
from netfail_hooks.terminal.progress import doing

_LEFT = 5.0  # seconds for networkd to let go
_USEFUL = 20.0  # seconds beyond what a manager takes, for a lease or a router's word


def give_back(
    interface: str, handover: Handover, config: Config, paths: Paths, write: Callable[[], None]
) -> None:
    """Have its manager set an uplink up again, once ``write`` took our file for it away.

    Once it has what it is to have: the next one's traffic is to go there. One that NetworkManager
    has by now was killed before its turn, or after it; one that is not plugged in is set up by
    whoever finds that it is. Raises Problem; nothing was taken from networkd where NetworkManager
    did not answer before.
    """
    managers = from_networkmanager.is_its(interface, handover)
    there = uplink.is_there(interface)
    has_it = there and managers and interface in from_networkmanager.says(handover)
    # networkd was to have it for as long as the other was silent.
    if has_it and interface in taken(paths) and networkctl.has(interface):
        from_networkmanager.part(interface, handover)
        has_it = False
    if has_it or not there:
        write()
        networkctl.reload()
        clear_taken(paths, interface)
        return
    one = handover.of(interface)

    def end_client() -> None:
        _end_client(one, handover)

    with (
        doing(f"{interface} goes back to {one.manager}"),
        divert(config, interface, paths, uplink.PATIENCE, aside=not managers, first=end_client),
    ):
        had = uplink.useful_families(interface)
        mark_taken(paths, interface)  # until its manager has it
        write()
        linked = uplink.has_carrier(interface)
        _leave(interface, handover)
        _withdraw(interface, handover)
        _hand_back(interface, handover, linked=linked)
        clear_taken(paths, interface)
        if linked and had:
            _await_back(interface, handover, had)


def give_at_once(one: Handed, handover: Handover, messages: list[str]) -> bool:
    """Give an uplink back whose traffic nobody leads elsewhere; what goes wrong is a message.

    Return False where its manager hangs.
    """
    linked = True
    with doing(f"{one.interface} goes back to {one.manager}"):
        try:
            _end_client(one, handover)
            with collecting(messages):
                linked = uplink.has_carrier(one.interface)
                _leave(one.interface, handover)
                _withdraw(one.interface, handover)
            _hand_back(one.interface, handover, linked=linked)
            if linked:  # the next one has the traffic until then, and is to have it
                from_networkmanager.await_connected(one)
                _await_dhcpcd(one)
        except (Problem, OSError) as problem:
            messages.append(str(problem))
            return not isinstance(problem, UnansweredError)
    return True


def _is_dhcpcds(one: Handed) -> bool:
    return one.manager == dhcpcd.MANAGER


def _end_client(one: Handed, handover: Handover) -> None:
    """Have a dhcpcd that runs for others end, as it is to begin anew. Raises Problem.

    While networkd has the uplink: it takes seconds, in which that would be without an address.
    """
    if _is_dhcpcds(one):
        for command in handover.release.ends.get(one.interface, ()):
            tell(*command)


def _withdraw(interface: str, handover: Handover) -> None:
    """Have nobody else here answer for the addresses that its manager is to look for first.

    It would take that for another machine, and do without them, or decline them (RFC 5227). What
    is sent to them waits until it has them again; what the machine begins goes by the other uplink.
    For those of IPv6 the kernel looks, whoever sets them (RFC 4862, 5.4).
    """
    if from_networkmanager.is_its(interface, handover):
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
    from_networkmanager.tell_all(plan.take_back_one(handover, interface), handover)
    again = plan.up_again(handover, interface) if linked else ()
    if again and not from_networkmanager.is_begun(interface, handover):
        for command in again:
            tell(*command)


def _set_as_before(interface: str, handover: Handover) -> None:
    """Give the kernel its settings of an uplink that networkd has changed, before who reads them.

    With ``ipv6.method=ignore``, which netplan writes for ``dhcp4:`` alone, the kernel listens to
    routers, and NetworkManager keeps what it finds: that of networkd's is not to listen.
    """
    keys = kernel_state.networkds_sysctls((interface,))
    known = handover.sysctls
    kernel_state.set_sysctls({key: known[key] for key in keys if key in known})


def _await_back(interface: str, handover: Handover, had: Sequence[int]) -> None:
    """Wait until its manager has set an uplink up that had a way out in these families.

    Raises Problem where NetworkManager has not. ifupdown's word is ifup's, and IPv6 comes later;
    it may come in fewer families than before: for so long, and go on.
    """
    from_networkmanager.await_connected(handover.of(interface))
    with contextlib.suppress(Problem):
        wait_until(
            lambda: set(had) <= set(uplink.useful_families(interface)),
            _USEFUL,
            f"way out by {interface}",
            step=0.1,
        )


def _await_dhcpcd(one: Handed) -> None:
    """Wait for the way out of an uplink of dhcpcd's, which asks on when it has begun.

    It is started anew for the next one: for so long, and go on.
    """
    if _is_dhcpcds(one):
        with contextlib.suppress(Problem):
            wait_until(
                lambda: 4 in uplink.useful_families(one.interface),
                _USEFUL,
                f"way out by {one.interface}",
                step=0.1,
            )


def _leave(interface: str, handover: Handover) -> None:
    """Have networkd, whose file is gone, leave an uplink without anything of its own."""
    if interface not in handover.joined:
        attempt("systemctl", "stop", supplicant_unit(interface))
    if networkctl.answers():
        networkctl.reload()
        with contextlib.suppress(Problem):  # of systemd's own default files one may be for it
            wait_until(
                lambda: networkctl.leaves_alone(interface),
                _LEFT,
                f"release of {interface} by networkd",
                step=0.1,
            )
    uplink.flush(interface)
