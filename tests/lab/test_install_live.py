"""install and uninstall on a running networkd: nothing is lost, and everything comes back."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import gateway6
from netfail_hooks.lab.traffic_result import Result
from tests.lab.suite import (
    FILES,
    ROUTES,
    SETTINGS,
    SETTLED,
    Stopwatch,
    events,
    install,
    measure,
    shape,
    status,
    used,
    wait,
    wait_used,
)

MakeLab = Callable[..., Lab]
TWENTY = ("eth0", "wlan0", *(f"usb{number}" for number in range(18)))
SECONDS_FOR_TWENTY = 22  # by itself 9; with a second for each whose traffic moves, more than 25
PAIR = ("--primary", "eth0", "--backup", "wlan0", "--yes")


def _run(lab: Lab, *words: str) -> None:
    done = lab.netfail(*words)
    assert done.returncode == 0, done.stdout + done.stderr


def _quietly(lab: Lab, *words: str, ipv6: bool = False) -> Result:
    """Run a command of ours under traffic; the default route must never be away."""
    with lab.watch() as watch, lab.traffic(ipv6=ipv6) as traffic:
        measure(SETTLED)
        _run(lab, *words)
        measure(1)
    assert watch.gaps(4) == []
    return traffic.result()


def test_files_modes_and_routes_come_back_and_nothing_is_lost(lab: Lab) -> None:
    before = shape(lab)
    there = _quietly(lab, "install", *PAIR)
    installed = shape(lab)
    again = _quietly(lab, "install", *PAIR)
    assert shape(lab) == installed
    back = _quietly(lab, "uninstall", "--yes")
    assert shape(lab) == before
    for result in (there, again, back):
        assert result.lost() <= 2, result
        assert result.all_alive, result
    assert again.lost() == 0, again


def test_twenty_uplinks_come_and_go_in_seconds_and_nothing_is_lost(make_lab: MakeLab) -> None:
    lab = make_lab(TWENTY)
    before = shape(lab)
    ranks = [word for name in TWENTY[1:] for word in ("--backup", name)]
    for words in (("install", "--primary", TWENTY[0], *ranks, "--yes"), ("uninstall", "--yes")):
        with Stopwatch() as watch:
            result = _quietly(lab, *words)
        assert result.lost() <= 2, result
        assert result.all_alive, result
        assert watch.seconds < SECONDS_FOR_TWENTY, words
        if words[0] == "install":
            assert [one["interface"] for one in status(lab)["uplinks"]] == list(TWENTY)
            ours = lab.run("sh", "-c", "ls /etc/systemd/network/*-netfail-*").stdout.split()
            assert len(ours) == len(TWENTY)
    assert shape(lab) == before


@pytest.mark.parametrize("name", ["wlan0", "usb0"])
def test_what_is_sent_to_a_standby_arrives_while_its_turn_comes(
    make_lab: MakeLab, name: str
) -> None:
    lab = make_lab(("eth0", "wlan0", "usb0"))
    backups = ("--backup", "wlan0", "--backup", "usb0", "--yes")
    for words in (("install", "--primary", "eth0", *backups), ("uninstall", "--yes")):
        with lab.traffic(address=lab.ports[name].host) as traffic:
            measure(SETTLED)
            _run(lab, *words)
            measure(1)
        assert traffic.result().lost() <= 2, traffic.result()
        assert traffic.result().all_alive, traffic.result()


def test_metrics_are_in_force_at_once_on_connected_routes_too(lab: Lab) -> None:
    _run(lab, "install", *PAIR)
    routes = lab.run("ip", "route").stdout
    for name, metric in (("eth0", 100), ("wlan0", 600)):
        for destination in ("default", "192.168.1.0/24"):
            lines = [
                line
                for line in routes.splitlines()
                if line.startswith(destination) and f"dev {name}" in line
            ]
            assert len(lines) == 1, routes
            assert f" metric {metric} " in lines[0] + " ", routes


def test_both_families(make_lab: MakeLab) -> None:
    lab = make_lab(start=False)
    for path, text in lab.howto_files().items():
        port = lab.ports[path.rpartition("-")[2].removesuffix(".network")]
        lab.write(path, f"{text}Address={port.host6}/64\nGateway={gateway6(port.segment)}\n")
    lab.start()
    wait(lambda: used(lab, 6) != "", "a way out for IPv6")
    before = shape(lab)
    there = _quietly(lab, "install", *PAIR, ipv6=True)
    assert used(lab, 6) == "eth0"
    back = _quietly(lab, "uninstall", "--yes", ipv6=True)
    assert shape(lab) == before
    for result in (there, back):
        assert result.lost() <= 2, result
        assert result.all_alive, result


def test_addresses_from_dhcp(make_lab: MakeLab) -> None:
    lab = make_lab(start=False)
    lab.start_dhcp()
    for name in lab.ports:
        text = f"[Match]\nName={name}\n\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n"
        lab.write(f"/etc/systemd/network/20-{name}.network", text)
    lab.start()
    there = _quietly(lab, "install", *PAIR)
    assert used(lab) == "eth0"
    back = _quietly(lab, "uninstall", "--yes")
    for result in (there, back):
        assert result.lost() <= 2, result
        assert result.all_alive, result


def test_a_new_set_up_where_networkd_had_none_comes_and_goes(make_lab: MakeLab) -> None:
    lab = make_lab(start=False)
    lab.run("sh", "-c", "rm /etc/systemd/network/*")
    lab.start(routable=False)
    _run(
        lab,
        "install",
        *PAIR,
        "--address",
        "eth0=192.168.1.252/24",
        "--address",
        "wlan0=192.168.1.25/24",
        "--gateway",
        "192.168.1.1",
        "--dns",
        "192.168.1.1",
    )
    wait_used(lab, "eth0")
    _run(lab, "install", "--yes")
    assert used(lab) == "eth0"
    done = lab.netfail("uninstall", "--yes")
    assert "sets eth0 up" in done.stderr
    assert "no way out" not in done.stderr  # networkd was not waited for: it has nothing to do
    assert not lab.run("ip", "route").stdout


def test_an_uplink_that_does_not_come_back_undoes_it_all(lab: Lab) -> None:
    _run(lab, "install", *PAIR)
    text = lab.read("/etc/systemd/network/20-eth0.network")
    # Named, and on no subnet of its own: networkd can make no route of it.
    lab.write("/etc/systemd/network/20-eth0.network", re.sub("Gateway=.*", "Gateway=9.9.9.9", text))
    before = shape(lab, FILES)
    done = lab.netfail("install", *PAIR)
    assert done.returncode == 1, done.stdout
    assert "eth0 has no way out" in done.stderr
    assert shape(lab, FILES) == before
    with lab.timer(0.5):  # it was lost for a while, so it is held down first
        wait_used(lab, "eth0")


def test_a_way_out_that_somebody_took_out_is_no_reason_to_take_an_install_back(
    lab: Lab,
) -> None:
    lab.start_dhcp()  # and a router's advertisements
    wait(lambda: lab.used_uplink(6) != "", "a way out in IPv6")
    _run(lab, "install", *PAIR)
    wait_used(lab, "eth0", 6)
    for name in ("eth0", "wlan0"):
        path = f"/etc/systemd/network/20-{name}.network"
        text = lab.read(path).replace("[Network]\n", "[Network]\nIPv6AcceptRA=no\n")
        lab.write(path, text)
    with Stopwatch() as watch:
        done = lab.netfail("install", *PAIR)
    assert done.returncode == 0, done.stderr
    assert "note: IPv6 has no way out any more: no uplink's .network file gives" in done.stderr
    assert "IPv4" not in done.stderr
    assert watch.seconds < 15  # nothing was waited for in vain
    assert not lab.run("ip", "-6", "route", "show", "default").stdout
    path = "/etc/systemd/network/20-eth0.network"
    lab.write(path, lab.read(path).replace("Gateway", "#Gateway"))
    done = lab.netfail("install", *PAIR)
    assert done.returncode == 0, done.stderr
    assert "eth0 is given neither a gateway nor DHCP" in done.stderr
    wait_used(lab, "wlan0")


def test_an_install_after_which_nothing_gets_out_is_taken_back(lab: Lab) -> None:
    path = "/etc/systemd/network/20-wlan0.network"
    ways = "[Route]\nGateway=192.168.1.1\nMetric=80\n[Route]\nDestination=0.0.0.0/0\n"
    text = lab.read(path).replace("Gateway=192.168.1.1\n", "")
    lab.write(path, f"{text}{ways}Type=unreachable\nMetric=70\n")
    lab.run("networkctl", "reload").check_returncode()
    wait(lambda: "metric 80" in lab.run("ip", "route").stdout, "the new routes")
    assert used(lab) == "eth0"  # whose route has no metric yet, so it comes first
    seen = f"find /etc -type f -exec sha256sum {{}} + | sort -k 2\n{ROUTES}{SETTINGS}"
    before = shape(lab, seen)
    done = lab.netfail("install", *PAIR)
    assert done.returncode == 1, done.stdout
    assert "IPv4 had a way out before, and has none after" in done.stderr
    assert shape(lab, seen) == before
    assert used(lab) == "eth0"


def test_why_it_failed_is_told_first_and_why_it_could_not_be_cleaned_up_beside_it(lab: Lab) -> None:
    etc = "find /etc -exec stat -c '%A %u:%g %F %N' {} + | sort"
    before = shape(lab, etc)
    lab.run("mkdir", "/var/lib/netfail-hooks")
    lab.run("mount", "-t", "tmpfs", "none", "/var/lib/netfail-hooks").check_returncode()
    in_the_way = "/etc/networkd-dispatcher/off.d/50-netfail-hooks"
    lab.run("mkdir", "-p", in_the_way).check_returncode()
    done = lab.netfail("install", *PAIR)
    assert done.returncode == 1, done.stdout
    first, *rest = [line for line in done.stderr.splitlines() if "note:" not in line]
    assert "/etc/networkd-dispatcher/off.d/" in first
    assert "Is a directory" in first
    assert [line for line in rest if "/var/lib/netfail-hooks: Device or resource busy" in line]
    lab.run("rm", "-r", in_the_way)
    assert shape(lab, etc) == before


def test_with_networkd_stopped_only_files_change_and_it_is_told(lab: Lab) -> None:
    assert lab.networkd is not None
    lab.networkd.stop_networkd()
    before = shape(lab, ROUTES + SETTINGS)
    done = lab.netfail("install", *PAIR)
    assert done.returncode == 0, done.stderr
    assert "systemd-networkd does not answer" in done.stderr
    assert "netfail" in lab.read("/etc/systemd/network/10-netfail-eth0.network")
    assert shape(lab, ROUTES + SETTINGS) == before


def test_a_hook_that_waited_while_uninstall_began_does_nothing(lab: Lab) -> None:
    install(lab)
    lab.write("/run/netfail-hooks/uninstalling", "")
    setting = "/proc/sys/net/ipv4/conf/eth0/rp_filter"
    lab.run("sh", "-ec", f"printf 0 >{setting}").check_returncode()
    known = events(lab)
    hook = ["/etc/networkd-dispatcher/routable.d/50-netfail-hooks"]
    assert lab.run(*hook, environment={"IFACE": "eth0"}).returncode == 0
    assert events(lab) == known
    assert lab.run("cat", setting).stdout == "0\n"
    install(lab, hold_down=3)  # an uninstall that was killed is no reason to do nothing for ever
    assert lab.run("cat", setting).stdout == "2\n"
    assert lab.netfail("uninstall", "--yes").returncode == 0
    assert lab.run("ls", "/run/netfail-hooks").returncode != 0


def test_uninstall_while_failed_over_leaves_a_way_out(lab: Lab) -> None:
    _run(lab, "install", *PAIR)
    lab.dead_gateway("eth0")
    lab.tick()
    wait_used(lab, "wlan0")
    with lab.watch() as watch:
        _run(lab, "uninstall", "--yes")
    assert watch.gaps(4) == []
    assert lab.run("ip", "route", "show", "proto", "157").stdout == ""
    assert "proto 157" not in lab.run("ip", "-details", "address").stdout


def test_uninstall_says_that_networkd_does_not_answer(lab: Lab) -> None:
    install(lab)
    assert lab.networkd is not None
    lab.networkd.stop_networkd()
    done = lab.netfail("uninstall", "--yes")
    assert done.returncode == 0, done.stderr
    assert "systemd-networkd does not answer" in done.stderr
    assert "systemctl restart systemd-networkd" in done.stderr
    assert "10-netfail" not in lab.run("ls", "/etc/systemd/network").stdout
