"""Routes beside the default one, rules, and what is somebody else's, on a real networkd."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import FAR, FAR6, gateway, gateway6
from tests.lab.suite import events, install, used, wait, wait_used

Fault = Callable[[Lab, str], None]
FAULTS: dict[str, tuple[Fault, Fault]] = {
    "gateway": (Lab.dead_gateway, Lab.alive_gateway),
    "cable": (Lab.cable_out, Lab.cable_in),
    "down": (Lab.link_down, Lab.link_up),
}
KERNELS = ["local", "main", "default"]  # the tables that every machine's rules look up
OURS = ("proto", "157")


def _files(lab: Lab, **more: str) -> None:
    """Write how-to's files with IPv6 in them, and ``more`` for each uplink."""
    for port in lab.ports.values():
        v4, v6 = gateway(port.segment), gateway6(port.segment)
        text = (
            f"[Match]\nName={port.name}\n\n[Network]\nAddress={port.host}/24\n"
            f"Gateway={v4}\nAddress={port.host6}/64\nGateway={v6}\nIPv6AcceptRA=no\n"
            f"LinkLocalAddressing=no\n"
        )
        lab.write(f"/etc/systemd/network/20-{port.name}.network", text + more.get(port.name, ""))


def _route(destination: str, gateway: str, more: str = "") -> str:
    return f"\n[Route]\nDestination={destination}\nGateway={gateway}\n{more}"


def _get(lab: Lab, address: str, *words: str) -> tuple[str, str]:
    """Return the gateway ("" for none) and the interface by which the kernel would send."""
    told = lab.run("ip", "route", "get", address, *words).stdout.split()
    via = told[told.index("via") + 1] if "via" in told else ""
    return via, told[told.index("dev") + 1] if "dev" in told else ""


def _ours(lab: Lab, family: int = 4) -> str:
    words = ("route", "show", "table", "all", *OURS)
    return lab.run("ip", f"-{family}", *words).stdout


def _break(lab: Lab, fault: str, name: str = "eth0") -> None:
    FAULTS[fault][0](lab, name)
    lab.tick()
    other = next(one for one in lab.ports if one != name)
    wait_used(lab, other)


def _mend(lab: Lab, fault: str, name: str = "eth0") -> None:
    FAULTS[fault][1](lab, name)
    with lab.timer(0.5):
        wait_used(lab, name)


def _lan_of(lab: Lab, name: str = "wlan0") -> int:
    return lab.ports[name].segment


BESIDE = (
    _route("10.9.0.0/16", "192.168.1.1")
    + _route("10.50.0.0/16", "192.168.1.7")
    + _route("fd50::/16", "fd00:1::7")
    + _route("10.77.0.0/16", "192.168.1.1", "Metric=20\n")
)


@pytest.mark.share(2)
@pytest.mark.parametrize("segments", [{}, {"wlan0": 1}], ids=["one LAN", "two"])
@pytest.mark.parametrize("fault", FAULTS)
def test_routes_by_a_lost_uplink_follow_and_go_back(
    make_lab: Callable[..., Lab], fault: str, segments: dict[str, int]
) -> None:
    lab = make_lab(start=False, segments=segments)
    _files(lab, eth0=BESIDE)
    lab.start()
    install(lab)
    vpn = ["ip", "route", "add", "203.0.113.4/32", "via", "192.168.1.1", "dev", "eth0"]
    lab.run(*vpn).check_returncode()
    lab.tick()
    assert _ours(lab) + _ours(lab, 6) == "" or segments
    _break(lab, fault)
    router, router6 = gateway(_lan_of(lab)), gateway6(_lan_of(lab))
    second, second6 = (router, router6) if segments else ("192.168.1.7", "fd00:1::7")
    assert _get(lab, "10.9.0.1") == (router, "wlan0")
    assert _get(lab, "10.77.0.1") == (router, "wlan0")
    assert _get(lab, "10.50.0.1") == (second, "wlan0")
    assert _get(lab, "fd50::1") == (second6, "wlan0")
    assert _get(lab, "203.0.113.4") == (router, "wlan0")
    _mend(lab, fault)
    wait(lambda: _get(lab, "fd50::1") == ("fd00:1::7", "eth0"), "IPv6 back")
    assert _get(lab, "10.50.0.1") == ("192.168.1.7", "eth0")
    assert _get(lab, "10.77.0.1") == ("192.168.1.1", "eth0")
    assert lab.run("ip", "route", "show", *OURS).stdout == ""
    assert lab.run("ip", "-6", "route", "show", *OURS).stdout == ""


def test_what_must_not_follow_stays(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(start=False)
    _files(lab, eth0=BESIDE)
    lab.start()
    install(lab)
    config = lab.read("/etc/netfail-hooks/config.toml")
    stay = 'interface = "eth0"\nstay = ["10.9.0.0/16", "10.32.0.0/11"]\n'
    lab.write("/etc/netfail-hooks/config.toml", config.replace('interface = "eth0"\n', stay))
    _break(lab, "gateway")
    assert _get(lab, "10.9.0.1") == ("192.168.1.1", "eth0")
    assert _get(lab, "10.50.0.1") == ("192.168.1.7", "eth0")
    assert _get(lab, "10.77.0.1") == ("192.168.1.1", "wlan0")


@pytest.mark.parametrize("fault", ["gateway", "cable"])
def test_dhcps_routes_follow(make_lab: Callable[..., Lab], fault: str) -> None:
    """A name server off the LAN, and classless static routes (option 121)."""
    lab = make_lab(start=False)
    lab.start_dhcp(
        "option:dns-server,198.51.100.53",
        "option:classless-static-route,0.0.0.0/0,192.168.1.1,10.50.0.0/16,192.168.1.7",
    )
    for name in lab.ports:
        text = f"[Match]\nName={name}\n\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n"
        lab.write(f"/etc/systemd/network/20-{name}.network", text)
    lab.start()
    install(lab)
    wait(lambda: _get(lab, "10.50.0.1") == ("192.168.1.7", "eth0"), "option 121")
    assert _get(lab, "198.51.100.53") == ("192.168.1.1", "eth0")
    _break(lab, fault)
    assert _get(lab, "198.51.100.53") == ("192.168.1.1", "wlan0")
    assert _get(lab, "10.50.0.1") == ("192.168.1.7", "wlan0")
    _mend(lab, fault)
    assert _get(lab, "10.50.0.1") == ("192.168.1.7", "eth0")
    assert _ours(lab) == ""


@pytest.mark.parametrize("fault", ["gateway", "cable"])
def test_routes_in_a_users_own_table_follow(make_lab: Callable[..., Lab], fault: str) -> None:
    rule = "\n[RoutingPolicyRule]\nFrom=192.168.1.252\nTable=100\n"
    way = "\n[Route]\nGateway=192.168.1.1\nTable=100\n"
    lab = make_lab(start=False)
    _files(lab, eth0=rule + way)
    lab.start()
    install(lab)
    asked = (FAR, "from", "192.168.1.252")
    wait(lambda: "lookup 100" in lab.run("ip", "rule").stdout, "the user's rule")
    _break(lab, fault)
    assert _get(lab, *asked) == ("192.168.1.1", "wlan0")
    _mend(lab, fault)
    assert _get(lab, *asked) == ("192.168.1.1", "eth0")
    assert "eth0" in lab.run("ip", "route", "show", "table", "100").stdout
    assert _ours(lab) == ""


SERVER = """
import os, socket, sys, threading
def serve(family):
    s = socket.create_server(("::" if family == socket.AF_INET6 else "0.0.0.0", 4000),
                             family=family)
    while True:
        one, _ = s.accept()
        threading.Thread(target=lambda: [one.sendall(d) for d in iter(lambda: one.recv(9), b"")],
                         daemon=True).start()
for family in (socket.AF_INET, socket.AF_INET6):
    threading.Thread(target=serve, args=(family,), daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
os._exit(0)
"""
CLIENT = """
import socket, sys
family, address = int(sys.argv[1]), sys.argv[2]
kind = socket.SOCK_DGRAM if sys.argv[3] == "udp" else socket.SOCK_STREAM
s = socket.socket(family, kind)
s.settimeout(3)
s.connect((address, 4000))
print(s.getsockname()[0], flush=True)
for line in sys.stdin:
    try:
        s.sendall(b"x" * 9)
        print("alive" if kind == socket.SOCK_DGRAM or s.recv(9) else "shut", flush=True)
    except OSError as error:
        print("silent" if isinstance(error, TimeoutError) else error.strerror, flush=True)
"""


class Connection:
    """A connection from the host to beyond the router, that speaks when told to."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.source = self._line()

    def speak(self) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().strip()


class Talks:
    """A server beyond the router, and connections to it; all end with the test."""

    def __init__(self) -> None:
        self._processes: list[subprocess.Popen[bytes]] = []

    def serve(self, lab: Lab) -> None:
        server = lab.namespaces.popen([sys.executable, "-c", SERVER], netns="lan")
        self._processes.append(server)
        assert server.stdout is not None
        assert server.stdout.readline() == b"ready\n"

    def open(self, lab: Lab, address: str, kind: str = "tcp") -> Connection:
        family = "10" if ":" in address else "2"
        client = lab.namespaces.popen([sys.executable, "-c", CLIENT, family, address, kind])
        self._processes.append(client)
        return Connection(client)

    def end(self) -> None:
        for process in self._processes:
            process.communicate()


@pytest.fixture
def talks() -> Iterator[Talks]:
    talks = Talks()
    yield talks
    talks.end()


@pytest.mark.parametrize("dhcp", [False, True], ids=["static", "dhcp"])
def test_connections_opened_over_the_backup_live_on_after_failback(
    make_lab: Callable[..., Lab], talks: Talks, *, dhcp: bool
) -> None:
    lab = make_lab(start=False, segments={"wlan0": 1})
    _files(lab)
    if dhcp:
        lab.start_dhcp(segment=1)
        text = "[Match]\nName=wlan0\n\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\n"
        lab.write("/etc/systemd/network/20-wlan0.network", text)
    lab.start()
    install(lab)
    wait_used(lab, "eth0", 6)
    talks.serve(lab)
    _break(lab, "cable")
    wait_used(lab, "wlan0", 6)
    opened = [talks.open(lab, FAR), talks.open(lab, FAR6)]
    assert [talk.speak() for talk in opened] == ["alive", "alive"]
    _mend(lab, "cable")
    with lab.timer(0.5):
        wait_used(lab, "eth0", 6)
    assert [talk.speak() for talk in opened] == ["alive", "alive"], lab.run("ip", "rule").stdout
    assert _get(lab, FAR, "from", opened[0].source) == ("10.0.1.1", "wlan0")
    fresh = talks.open(lab, FAR)
    assert (fresh.source, fresh.speak()) == ("192.168.1.252", "alive")
    assert lab.netfail("uninstall", "--yes").returncode == 0
    assert _ours(lab) + _ours(lab, 6) == ""
    rules = lab.run("ip", "rule").stdout + lab.run("ip", "-6", "rule").stdout
    assert [line.split()[-1] for line in rules.splitlines()] == [*KERNELS, *KERNELS[:2]]


def test_a_gateway_that_the_kernel_could_not_ask_is_not_watched(
    make_lab: Callable[..., Lab],
) -> None:
    """It would call it dead each second, and end what is being opened by it."""
    lab = make_lab(start=False, segments={"wlan0": 1})
    _files(lab)  # without link-local addresses
    lab.start()
    install(lab)
    wait_used(lab, "eth0", 6)

    def kept() -> list[str]:
        lines = lab.run("ip", "-d", "neigh", "show").stdout.splitlines()
        return [line.split()[0] for line in lines if "managed" in line]

    lab.tick()
    assert kept() == [gateway(0)]
    local = ("fe80::9/64", "dev", "wlan0", "nodad")
    assert lab.run("ip", "address", "add", *local).returncode == 0
    _break(lab, "cable")
    wait_used(lab, "wlan0", 6)
    assert sorted(kept()) == [gateway(1), gateway6(1)]


@pytest.mark.parametrize("lab", [{"segments": {"wlan0": 1}}], indirect=True)
def test_sockets_of_a_lost_address_end_udp_too(lab: Lab, talks: Talks) -> None:
    """A connected UDP socket has no peer any more then: the next datagram is refused."""
    install(lab)
    talks.serve(lab)
    opened = [talks.open(lab, FAR), talks.open(lab, FAR, "udp")]
    assert {talk.source for talk in opened} == {"192.168.1.252"}
    assert [talk.speak() for talk in opened] == ["alive", "alive"]
    _break(lab, "cable")
    wait(lambda: "192.168.1.252" not in lab.run("ss", "-Hntu").stdout, "ended")
    assert opened[0].speak() == "Software caused connection abort"
    assert opened[1].speak() == "Destination address required"


FOREIGN = """
ip link add vpn0 type veth peer vpn1
ip link set vpn1 up
ip link set vpn0 up
ip address add 10.8.0.2/24 dev vpn0
"""


def _default_of(lab: Lab, interface: str, family: int = 4) -> list[int]:
    shown = lab.run("ip", f"-{family}", "-json", "route", "show", "default").stdout
    return [one.get("metric", 0) for one in json.loads(shown) if one["dev"] == interface]


@pytest.mark.parametrize("metric", [50, 70])
def test_somebody_elses_default_route_keeps_its_place(lab: Lab, metric: int) -> None:
    install(lab)
    lab.run(
        "sh",
        "-ec",
        FOREIGN + f"ip route add default dev vpn0 metric {metric}\n"
        f"ip -6 route add default dev vpn0 metric {metric}",
    ).check_returncode()
    lab.dead_gateway("eth0")
    lab.tick()
    wait(lambda: "wlan0" in _ours(lab), "ours")
    assert _default_of(lab, "vpn0") == [metric] == _default_of(lab, "vpn0", 6)
    assert _default_of(lab, "wlan0") == [metric + 1, 600]
    assert used(lab) == "vpn0"
    lab.alive_gateway("eth0")
    with lab.timer(0.5):
        wait(lambda: _ours(lab) == "", "all is well")
    assert _default_of(lab, "vpn0") == [metric] == _default_of(lab, "vpn0", 6)
    assert lab.netfail("uninstall", "--yes").returncode == 0
    assert _default_of(lab, "vpn0") == [metric] == _default_of(lab, "vpn0", 6)


def test_install_refuses_where_no_place_is_free(lab: Lab) -> None:
    lab.run("sh", "-ec", FOREIGN + "ip route add default dev vpn0 metric 99").check_returncode()
    done = lab.netfail("install", "--primary", "eth0", "--backup", "wlan0", "--yes")
    assert done.returncode == 2
    assert "IPv4 default routes of others have metric 99" in done.stderr
    assert "greater metric" in done.stderr


def test_somebody_elses_address_is_neither_moved_nor_announced(lab: Lab) -> None:
    """As keepalived has it: another host takes it over at the same moment."""
    install(lab)
    virtual = ["ip", "address", "add", "192.168.1.200/24", "dev", "eth0"]
    lab.run(*virtual).check_returncode()
    lab.run("ip", "-6", "address", "add", "fd00:1::200/128", "dev", "eth0").check_returncode()
    lab.tick()
    lab.remove("eth0")
    lab.tick()
    wait_used(lab, "wlan0")
    shown = lab.run("ip", "address", "show", "dev", "wlan0").stdout
    assert "192.168.1.252/32" in shown
    assert ".200/" not in shown
    assert "::200/" not in shown
    done = [did for event in events(lab) for did in event["did"]]
    assert not [did for did in done if "200" in did]


def test_static_addresses_are_networkds_after_it_forgot_their_metric(lab: Lab) -> None:
    install(lab)
    lab.restart_networkd()
    time.sleep(1)
    lab.remove("eth0")
    lab.tick()
    wait_used(lab, "wlan0")
    assert "192.168.1.252/32" in lab.run("ip", "address", "show", "dev", "wlan0").stdout
