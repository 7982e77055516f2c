"""What is done to a machine, in the order in which it is done. Each ends as it began."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.vm import udev, watching
from tests.vm.bench import FAR, HOWTO_STEP7, Bench, Row, Step, said

# Longest outages in ms. An emulated processor is some ten times slower than a real one, so these
# tell a fault from a slow machine; how fast a failover is the lab and user-mode-linux prove.
# A NIC's lost carrier the kernel tells itself at most once a second (net/core/link_watch.c).
_KERNEL = {"routes": 1300, "bond": 900}
_PROBED = {"routes": 14000, "bond": 900}
_QUIET = 300
_ROAM = 900
_RETURN = 20000
_ALONE = 45000  # an access point that restarts while Wi-Fi is alone: as long as it takes itself
_ONLINE = 15.0


@dataclass(frozen=True)
class Scenario:
    """A name to ask for, what it does, whether CI has the time for it, and in which modes."""

    name: str
    run: Callable[[Bench], None]
    quick: bool = False
    modes: tuple[str, ...] = ("routes", "bond")


def cable(bench: Bench) -> None:
    """Cable out, cable in."""
    limit = _KERNEL[bench.mode]
    bench.measure(
        Step("cable out", lambda: bench.cable(plugged=False), lambda: bench.uses("wlan0"), limit),
        Step("cable in", lambda: bench.cable(plugged=True), bench.settled, _ROAM),
    )


def access_point(bench: Bench) -> None:
    """The access point loses its power, and comes back."""
    bench.measure(
        Step(
            "access point off",
            lambda: bench.access_point(on=False),
            lambda: bench.lost("wlan0"),
            _QUIET,
        ),
        Step("access point on", lambda: bench.access_point(on=True), bench.settled, _QUIET),
    )


def deauthentication(bench: Bench) -> None:
    """The access point throws the station out; it comes back by itself."""

    def returned() -> None:
        test = f'test "$(cat /sys/class/net/wlan0/carrier_changes)" -gt {before}'
        bench.machine.until(test, "deauthentication")
        bench.settled()

    before = bench.machine.sh("cat /sys/class/net/wlan0/carrier_changes").strip()
    bench.measure(Step("deauthentication", bench.deauthenticate, returned, _QUIET))


def both_out(bench: Bench) -> None:
    """Both out; the cable is back first, then Wi-Fi. And the other way round."""

    def none_left() -> None:
        test = "test $(cat /sys/class/net/eth0/carrier)$(cat /sys/class/net/wlan0/carrier) = 00"
        bench.machine.until(test, "loss of both carriers")

    def both() -> None:
        bench.cable(plugged=False)
        bench.access_point(on=False)

    gone = Step("both out", both, none_left, float("inf"), lives=False, gap=True)
    bench.measure(
        gone,
        Step(
            "both out, cable back",
            lambda: bench.cable(plugged=True),
            lambda: bench.uses("eth0"),
            _RETURN,
            lives=False,
            gap=True,
        ),
        Step(
            "then Wi-Fi back",
            lambda: bench.access_point(on=True),
            bench.settled,
            _QUIET,
            lives=False,
        ),
    )
    bench.measure(
        gone,
        Step(
            "both out, Wi-Fi back",
            lambda: bench.access_point(on=True),
            lambda: bench.uses("wlan0"),
            _RETURN,
            lives=False,
            gap=True,
        ),
        Step(
            "then the cable back",
            lambda: bench.cable(plugged=True),
            bench.settled,
            _ROAM,
            lives=False,
        ),
    )


def dead_gateway_eth0(bench: Bench) -> None:
    """Nothing behind the cable, its link up."""
    limit = _PROBED[bench.mode]
    bench.measure(
        Step(
            "dead gateway behind eth0",
            lambda: bench.gateway("eth0", alive=False),
            lambda: bench.uses("wlan0"),
            limit,
        ),
        Step(
            "gateway behind eth0 back",
            lambda: bench.gateway("eth0", alive=True),
            bench.settled,
            _ROAM,
        ),
    )


def dead_gateway_wlan0(bench: Bench) -> None:
    """Nothing behind the access point, its link up."""
    bench.measure(
        Step(
            "dead gateway behind wlan0",
            lambda: bench.gateway("wlan0", alive=False),
            lambda: bench.lost("wlan0"),
            _QUIET,
        ),
        Step(
            "gateway behind wlan0 back",
            lambda: bench.gateway("wlan0", alive=True),
            bench.settled,
            _QUIET,
        ),
    )


def link_down(bench: Bench) -> None:
    """``ip link set down`` and up, of each uplink: step 7 of the how-to."""
    limits = {"eth0": 3 * _ROAM, "wlan0": _QUIET}
    for name in HOWTO_STEP7:
        other = "wlan0" if name == "eth0" else "eth0"
        bench.measure(
            Step(
                f"ip link set {name} down",
                lambda name=name: bench.link(name, "down"),  # type: ignore[misc]
                lambda other=other: bench.uses(other),  # type: ignore[misc]
                limits[name],
            ),
            Step(
                f"ip link set {name} up",
                lambda name=name: bench.link(name, "up"),  # type: ignore[misc]
                bench.settled,
                _ROAM,
            ),
        )


def networkd_restart(bench: Bench) -> None:
    """A restart of systemd-networkd, such as an update of it makes."""
    limit = _QUIET if bench.mode == "routes" else _ROAM  # 252 takes the slaves out and in again
    bench.measure(
        Step(
            "networkd restart",
            lambda: bench.machine.sh("systemctl restart systemd-networkd"),
            bench.settled,
            limit,
        )
    )


def timer(bench: Bench) -> None:
    """The timer fires by itself, twice, and nothing is lost."""
    show = "systemctl show -P LastTriggerUSecMonotonic netfail-hooks-check.timer"
    service = "systemctl show -P ExecMainStartTimestampMonotonic netfail-hooks-check.service"

    def fired() -> None:
        for _ in range(2):
            before = bench.machine.sh(show).strip()
            bench.machine.until(
                f'test "$({show})" != "{before}"', "firing of the timer", seconds=90
            )
        ran, status = bench.machine.sh(
            f"{service}; systemctl show -P Result netfail-hooks-check.service"
        ).split()
        assert int(ran) > 0, "the timer fired, the check never ran"
        assert status == "success", f"the check ended with {status}"

    bench.measure(Step("timer firing twice", lambda: None, fired, _QUIET))


def journal(bench: Bench) -> None:
    """A failover is in the journal, who took over in the same line."""

    def told(name: str) -> None:
        read = f"journalctl --no-pager -o cat -t netfail-hooks --since=@{since}"
        bench.machine.until(f"{read} | grep -q 'now by {name}'", f"line on {name} in the journal")

    def back() -> None:
        bench.settled()
        told("eth0")

    since = bench.machine.sh("date +%s").strip()
    bench.measure(
        Step(
            "journal: cable out",
            lambda: bench.cable(plugged=False),
            lambda: told("wlan0"),
            _KERNEL[bench.mode],
        ),
        Step("journal: cable in", lambda: bench.cable(plugged=True), back, _ROAM),
    )


def reboot_cable_out(bench: Bench) -> None:
    """Reboot without the cable."""
    _reboot(bench, "reboot, cable out", cable_out=True)


def reboot_wifi_off(bench: Bench) -> None:
    """Reboot without Wi-Fi."""
    _reboot(bench, "reboot, Wi-Fi off", wifi_off=True)


def reboot_both(bench: Bench) -> None:
    """Reboot with neither, then both come back."""
    bench.cable(plugged=False)
    bench.access_point(on=False)
    said(f"{bench.suite} {bench.mode}: reboot with neither")
    bench.machine.reboot()
    _after_boot(bench, "reboot, both out, then back", back=True)


def _reboot(bench: Bench, name: str, *, cable_out: bool = False, wifi_off: bool = False) -> None:
    if cable_out:
        bench.cable(plugged=False)
    if wifi_off:
        bench.access_point(on=False)
    said(f"{bench.suite} {bench.mode}: {name}")
    bench.machine.reboot()
    _after_boot(bench, name, back=False)


def _after_boot(bench: Bench, name: str, *, back: bool) -> None:
    """Make a row: from networkd being up (or the return) until a host beyond the router answers."""
    machine = bench.machine
    faults: list[str] = []
    stamp = "systemctl show -P ActiveEnterTimestampMonotonic"
    machine.until("systemctl -q is-active systemd-networkd", "systemd-networkd", seconds=120)
    up = int(machine.sh(f"{stamp} systemd-networkd")) / 1e6
    start = up
    if back:
        start = machine.now()
        bench.cable(plugged=True)
        bench.access_point(on=True)
    try:
        machine.until(f"systemctl -q is-active {bench.online}", bench.online, seconds=60)
        machine.until(f"ip -4 route get {FAR}", "way out", seconds=60)
    except AssertionError as error:
        faults.append(str(error))
    observed = machine.ask("routes", since=0.0, table=False, seconds=30)
    for _ in range(40):
        if observed["answered"] or faults:
            break
        machine.until("sleep 0.5", "pause")
        observed = machine.ask("routes", since=0.0, table=False, seconds=30)
    online = int(machine.sh(f"{stamp} {bench.online}")) / 1e6 - start
    answer = observed["answered"] - start if observed["answered"] else float("inf")
    route = max(observed["first"], start) - start
    if not observed["first"] or route > _ONLINE:
        faults.append(f"default route after {route:.1f} s")
    if online > _ONLINE or online + start <= 0:
        faults.append(f"online after {online:.1f} s")
    if answer > _ONLINE + 5:
        faults.append(f"first answer after {answer:.1f} s")
    if up > 60:
        said(
            machine.sh(
                "systemd-analyze critical-chain systemd-networkd.service; "
                "systemd-analyze blame | head -12",
                check=False,
            )
        )
    note = f"default route {route:.1f} s, {bench.online} {online:.1f} s"
    bench.row(
        Row(
            bench.suite,
            bench.mode,
            name,
            round(answer * 1000),
            (_ONLINE + 5) * 1000,
            connections=note,
            faults=faults,
        )
    )
    bench.cable(plugged=True)
    bench.access_point(on=True)
    try:
        bench.settled(90)
    except AssertionError as error:
        bench.rows[-1].faults.append(str(error))


def restarts(bench: Bench) -> None:
    """Fifty restarts of the access point: half beside the cable, half with Wi-Fi alone."""
    machine = bench.machine

    def restart(times: int) -> None:
        for number in range(1, times + 1):
            before = machine.sh("cat /sys/class/net/wlan0/carrier_changes").strip()
            machine.sh("systemctl restart vm-ap")
            machine.until(
                f'test "$(cat /sys/class/net/wlan0/carrier_changes)" -ge $(({before}+2))'
                ' && test "$(cat /sys/class/net/wlan0/carrier)" = 1',
                f"association {number}",
                seconds=40,
            )
            machine.until(f"ip -4 route get {FAR}", f"default route after restart {number}")
            if bench.mode == "bond":
                slaves = machine.sh("cat /sys/class/net/bond0/bonding/slaves").split()
                assert sorted(slaves) == ["eth0", "wlan0"], f"restart {number}: slaves {slaves}"
            if number % 5 == 0:
                said(f"  {number} of {times} restarts")

    bench.measure(
        Step(
            "25 access point restarts beside the cable", lambda: restart(25), bench.settled, _QUIET
        ),
    )
    bench.measure(
        Step(
            "cable out before restarts",
            lambda: bench.cable(plugged=False),
            lambda: bench.uses("wlan0"),
            _KERNEL[bench.mode],
            lives=False,
        ),
        Step(
            "25 access point restarts, Wi-Fi alone",
            lambda: restart(25),
            lambda: bench.uses("wlan0"),
            _ALONE,
            lives=False,
            gap=True,
        ),
        Step(
            "cable in after restarts",
            lambda: bench.cable(plugged=True),
            bench.settled,
            _ROAM,
            lives=False,
        ),
    )


SCENARIOS = (
    Scenario("cable", cable, quick=True),
    Scenario("access-point", access_point, quick=True),
    Scenario("deauthentication", deauthentication),
    Scenario("both-out", both_out),
    Scenario("dead-gateway-eth0", dead_gateway_eth0, quick=True),
    Scenario("dead-gateway-wlan0", dead_gateway_wlan0),
    Scenario("link-down", link_down),
    Scenario("networkd-restart", networkd_restart),
    Scenario("timer", timer),
    Scenario("journal", journal),
    Scenario("reboot-cable-out", reboot_cable_out, quick=True),
    Scenario("reboot-wifi-off", reboot_wifi_off),
    Scenario("reboot-both", reboot_both),
    Scenario("restarts", restarts),
    Scenario("watch", watching.watch, modes=("routes",)),
    Scenario("watch-sleep", watching.sleep, modes=("routes",)),
    Scenario("udev", udev.udev, modes=("routes",)),
)
