"""The kernel's watch of the gateway in use, on a machine with its own kernel, udev and Wi-Fi."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.vm.bench import FAR, Bench, Row, Step, said

# A word, a look and a switch: 2 to 3 s by an emulated processor, 6 if it gets little time. See
# scenarios.py.
_LIMIT = 9000
_RETURN = 900
# Seconds for a hold-down and two checks: a processor that gets no time has each of those come late.
_PATIENCE = 120
_OBSERVED = 30  # seconds of a gateway that is only bad
_WORD = "systemctl show -P ExecMainStartTimestampMonotonic netfail-hooks-watch.service"
_LEFT = "grep -c 'now by wlan0' /var/log/netfail-hooks/events.jsonl || true"
_MOVES = "grep -c 'now by' /var/log/netfail-hooks/events.jsonl || true"
_WATCHED = 'ip -d neigh show dev {} | grep -q "^192.168.1.1 .*managed.*proto netfail"'
# By the clock of the machine itself: a question by way of its port would be traffic.
_IDLE = f"""
began=$(cut -d' ' -f1 /proc/uptime)
ip -n lan link set port0 master dead
for _ in $(seq 300); do
    ! ip -4 route get {FAR} | grep -q "dev wlan0 " || break
    sleep 0.05
done
echo $began $(cut -d' ' -f1 /proc/uptime)
"""
_ASLEEP = 5  # seconds
_SLEPT = "cat /sys/power/suspend_stats/success"
_NEIGHBOURS = 300
_CROWD = """
for i in $(seq {first} {last}); do
    echo address add 10.9.$((i / 250)).$((i % 250 + 1))/32 dev lo
done |
    ip -n station -batch -
"""
# 300 neighbours that are busy by UDP, then 150 addresses of the LAN that nobody has.
_BUSY = """\
import socket, time
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
until = time.monotonic() + {seconds}
while time.monotonic() < until:
    for i in range(300):
        made.sendto(b"x", ("10.9.%d.%d" % (i // 250, i % 250 + 1), 9))
    time.sleep(0.1)
"""
_SCAN = """\
import socket
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(100, 250):
    made.sendto(b"x", ("192.168.1.%d" % i, 9))
"""


def watch(bench: Bench) -> None:
    """A gateway that is dead, another one, slow, bad; many neighbours; another uplink in use."""
    _restless(bench)
    _dead(bench, "dead gateway, traffic running")
    _idle(bench)
    _replaced(bench)
    _bad(bench, "gateway 400 ms slow", "netem delay 400ms")
    _bad(bench, "gateway that loses 30 %", "netem loss 30%")
    _proxy_arp(bench)
    _crowd(bench)
    bench.machine.sh("systemctl restart systemd-networkd", seconds=90)
    bench.settled()
    _dead(bench, "dead gateway after a restart of networkd")
    _replugged(bench)
    _wifi(bench)


def sleep(bench: Bench) -> None:
    """Suspend to RAM and wake up: the gateway is watched as before."""
    machine = bench.machine
    _restless(bench)
    said(f"{bench.suite} {bench.mode}: suspend")
    slept = int(machine.sh(_SLEPT))
    machine.sh("(sleep 1; echo mem >/sys/power/state) >/dev/null 2>&1 &")
    until = time.monotonic() + _PATIENCE
    while not machine.sleeps():
        assert time.monotonic() < until, "it does not fall asleep"
        time.sleep(0.5)
    time.sleep(_ASLEEP)
    machine.wake()
    machine.until("true", "machine that is awake", seconds=60)
    machine.sh("systemctl restart vm-ap")  # the access point is in there, and slept, too
    machine.until(_WATCHED.format("eth0"), "gateway that is watched again", seconds=60)
    bench.settled(90)
    faults = [] if int(machine.sh(_SLEPT)) == slept + 1 else ["it did not sleep"]
    note = "to RAM; awake, the gateway is watched"
    bench.row(Row(bench.suite, bench.mode, "suspend", 0, 0, faults=faults, connections=note))
    _dead(bench, "dead gateway after a suspend")


def _restless(bench: Bench) -> None:
    """Have all that earlier scenarios have left behind forgotten, and the gateway watched."""
    bench.settled()
    bench.machine.sh("rm -f /run/netfail-hooks/state; netfail-hooks check")
    bench.machine.until(_WATCHED.format("eth0"), "gateway that is watched")
    bench.machine.until(
        "test $(systemctl show -P SubState netfail-hooks-watch.socket) = listening", "rest"
    )


def _dead(bench: Bench, name: str) -> None:
    bench.measure(
        Step(
            name,
            lambda: bench.gateway("eth0", alive=False),
            lambda: bench.uses("wlan0"),
            _LIMIT,
        ),
        Step(
            f"{name}: back",
            lambda: bench.gateway("eth0", alive=True),
            lambda: bench.settled(_PATIENCE),
            _RETURN,
        ),
    )
    _restless(bench)


def _idle(bench: Bench) -> None:
    """Nothing sent to anybody beyond the LAN: until the route has moved."""
    began, ended = map(float, bench.machine.sh(_IDLE).split())
    took = round(1000 * (ended - began))
    faults = [f"{took} ms, more than {_LIMIT}"] if took > _LIMIT else []
    bench.row(
        Row(bench.suite, bench.mode, "dead gateway, idle: route", took, _LIMIT, faults=faults)
    )
    bench.gateway("eth0", alive=True)
    _restless(bench)


def _at_rest(bench: Bench, name: str, do: Callable[[], object]) -> None:
    """Make a row of what wakes nobody and moves nothing."""
    machine = bench.machine
    _restless(bench)
    words, moves = machine.sh(_WORD), machine.sh(_MOVES)
    do()
    after = machine.sh(_WORD), machine.sh(_MOVES)
    faults = ["the watch's service was started"] if after[0] != words else []
    faults += ["traffic was moved"] if after[1] != moves else []
    bench.row(Row(bench.suite, bench.mode, name, 0, 0, faults=faults, connections="rest"))


def _replaced(bench: Bench) -> None:
    """Another router takes the gateway's place: same address, another NIC. Traffic waits for it."""
    machine = bench.machine
    before = machine.sh("ip netns exec lan cat /sys/class/net/lan0/address").strip()
    moves = machine.sh(_MOVES)

    def exchanged(mac: str) -> None:
        machine.sh(f"ip -n lan link set lan0 address {mac}")

    def known(mac: str) -> None:
        machine.until(
            f"ip neigh show 192.168.1.1 dev eth0 | grep -q {mac}", "gateway's new address"
        )

    other = "02:00:00:00:99:01"
    bench.measure(
        Step("gateway replaced", lambda: exchanged(other), lambda: known(other), _LIMIT),
        Step("gateway replaced: back", lambda: exchanged(before), lambda: known(before), _LIMIT),
    )
    if machine.sh(_MOVES) != moves:
        bench.rows[-1].faults.append("traffic was moved")


def _bad(bench: Bench, name: str, how: str) -> None:
    """Have what comes from the router be late or lost; tell how often traffic left it."""
    machine = bench.machine
    _restless(bench)
    said(f"{bench.suite} {bench.mode}: {name}")
    before = int(machine.sh(_LEFT))
    machine.sh(f"ip netns exec lan tc qdisc add dev port0 root {how}")
    time.sleep(_OBSERVED)
    times = int(machine.sh(_LEFT)) - before
    machine.sh("ip netns exec lan tc qdisc del dev port0 root")
    # Once is right: when it is back, it is asked with patience.
    faults = [f"left {times} times"] if times > 1 else []
    note = f"left {times} times in {_OBSERVED} s"
    bench.row(Row(bench.suite, bench.mode, name, 0, 0, faults=faults, connections=note))
    bench.settled(90)


def _proxy_arp(bench: Bench) -> None:
    """The router answers ARP for all the world, for hosts of its own LAN, too."""
    machine = bench.machine

    def answers(setting: int) -> None:
        for key in ("proxy_arp", "proxy_arp_pvlan"):
            place = f"/proc/sys/net/ipv4/conf/lan0/{key}"
            machine.sh(f"ip netns exec lan sh -c 'printf {setting} >{place}'")

    def rest() -> None:
        answers(1)
        time.sleep(10)

    _at_rest(bench, "proxy ARP at rest", rest)
    _dead(bench, "dead gateway with proxy ARP")
    answers(0)


def _crowd(bench: Bench) -> None:
    """300 busy neighbours and a scan of the LAN from here: of no concern to the watch."""
    machine = bench.machine
    machine.sh(_CROWD.format(first=0, last=_NEIGHBOURS - 1))
    machine.sh("ip route add 10.9.0.0/23 dev eth0")
    for number in (2, 3):
        machine.sh(f"printf 4096 >/proc/sys/net/ipv4/neigh/default/gc_thresh{number}")

    def busy() -> None:
        seconds = 10
        machine.sh(f"python3 -c '{_BUSY.format(seconds=seconds)}'", seconds=60)
        machine.sh(f"python3 -c '{_SCAN}'", seconds=60)
        time.sleep(5)

    def undo() -> None:
        machine.sh("ip route del 10.9.0.0/23; ip -n station address flush dev lo scope global")

    known = "ip neigh show dev eth0 | grep -c '^10\\.9\\..*lladdr'"
    _at_rest(bench, "300 busy neighbours, and a scan", busy)
    told = machine.sh(known).strip()
    undo()
    bench.rows[-1].connections = f"rest; {told} neighbours known"
    if int(told) < _NEIGHBOURS:
        bench.rows[-1].faults.append(f"only {told} neighbours answered")


def _replugged(bench: Bench) -> None:
    """The uplink itself is pulled out and plugged in: another number, the same name."""
    machine = bench.machine
    gone = "! test -e /sys/class/net/eth0"

    def out() -> None:
        machine.unplug("eth0")

    def back() -> None:
        machine.plug("eth0", "virtio-net-pci", mac="52:54:00:00:00:01")
        machine.until("test -e /sys/class/net/eth0", "an eth0 again", seconds=60)

    def left() -> None:
        machine.until(gone, "a NIC that is gone", seconds=60)
        bench.uses("wlan0")

    bench.measure(
        Step("uplink unplugged", out, left, _LIMIT, gap=True),
        Step("uplink plugged in again", back, lambda: bench.settled(120), _RETURN, gap=True),
    )
    _restless(bench)
    _dead(bench, "dead gateway after plugging in")


def _wifi(bench: Bench) -> None:
    """Wi-Fi in use, and nothing behind its access point."""
    machine = bench.machine
    machine.sh("netfail-hooks install --uplink wlan0 --uplink eth0 --yes", seconds=300)

    def by_radio() -> None:
        bench.uses("wlan0", 60)
        machine.until(_WATCHED.format("wlan0"), "gateway that is watched by Wi-Fi")

    by_radio()
    bench.measure(
        Step(
            "dead gateway behind the access point in use",
            lambda: bench.gateway("wlan0", alive=False),
            lambda: bench.uses("eth0"),
            _LIMIT,
        ),
        Step(
            "dead gateway behind the access point in use: back",
            lambda: bench.gateway("wlan0", alive=True),
            by_radio,
            _RETURN,
        ),
        ready=by_radio,
    )
    machine.sh("netfail-hooks install --uplink eth0 --uplink wlan0 --yes", seconds=300)
    bench.settled(90)
