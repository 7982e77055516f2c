"""Real dhcpcd sets uplinks up, lets go of them, and networkd sets them up alike."""

from __future__ import annotations

from collections.abc import Callable

from netfail_hooks.lab import Lab
from netfail_hooks.managers import detect, dhcpcd, release
from netfail_hooks.networkd.nic import read_nic
from tests.lab import foreign
from tests.lab.suite import wait
from tests.support.stanzas import DHCPCD, DHCPCD_FOR_ALL, own

MakeLab = Callable[..., Lab]


def test_what_dhcpcd_sets_up_networkd_does_and_dhcpcd_has_it_back(make_lab: MakeLab) -> None:
    nics = {f"u{rank}": one for rank, one in enumerate(DHCPCD)}
    segments = {nic: rank + 1 for rank, nic in enumerate(nics)}
    lab = make_lab(list(nics), segments=segments, start=False)
    lab.run("sh", "-c", "rm -f /etc/systemd/network/*; mkdir -p /var/lib/dhcpcd /run/dhcpcd")
    texts = [own(one.text, nic, segments[nic]) for nic, one in nics.items()]
    lab.write("/etc/dhcpcd.conf", "\n".join([DHCPCD_FOR_ALL, *texts]))
    foreign.serve(lab, list(segments.values()))
    foreign.run(lab, "dhcpcd", "-b")
    told = release.dhcpcd(lab.paths, list(nics))
    before, leased = {}, {}
    for number, (nic, one) in enumerate(nics.items()):
        asks, hears = "ip_address" not in one.text, "noipv6" not in one.text
        before[nic] = foreign.settled(lab, nic, leased=asks, advertised=hears)
        assert detect.manager_of(lab.paths, read_nic(nic, lab.paths)) == "dhcpcd"
        leased[nic] = foreign.leases(lab, segments[nic])
        assert len(leased[nic]) == asks, one.kind
        profile = dhcpcd.profile(lab.paths, read_nic(nic, lab.paths))
        assert profile
        foreign.write(lab, nic, profile, 100 + 500 * number)
        foreign.run_all(lab, told.release, nic)
        _wait_gone(lab, nic)
    lab.start(routable=False)
    for nic, one in nics.items():
        foreign.assert_alike(lab, nic, before[nic], one.kind)
        assert foreign.leases(lab, segments[nic]) == leased[nic], one.kind
    assert lab.networkd
    lab.networkd.stop_networkd()
    for nic, one in nics.items():
        lab.run("ip", "address", "flush", "dev", nic, "scope", "global")
        foreign.run_all(lab, told.take_back, nic)
        foreign.assert_alike(lab, nic, before[nic], one.kind)


def test_denied_on_its_command_line_it_leaves_an_uplink_and_takes_the_others(
    make_lab: MakeLab,
) -> None:
    lab = make_lab(("u0", "u1"), segments={"u0": 1, "u1": 2}, start=False)
    lab.run("sh", "-c", "rm -f /etc/systemd/network/*; mkdir -p /var/lib/dhcpcd /run/dhcpcd")
    lab.write("/etc/dhcpcd.conf", "duid\ndenyinterfaces nobody\n")
    lab.write("/etc/systemd/system/dhcpcd.service", "[Service]\nExecStart=/usr/sbin/dhcpcd -q -b\n")
    foreign.serve(lab, [1, 2])
    told = release.dhcpcd(lab.paths, ["u0"])
    (text,) = [text for path, text in told.files.items() if "/dhcpcd.service.d/" in path]
    command = text.rpartition("ExecStart=")[2].split()
    foreign.run(lab, *command)
    foreign.settled(lab, "u1", leased=True, advertised=True)
    assert foreign.shape(lab, "u0")["addresses"] == []


def _wait_gone(lab: Lab, nic: str) -> None:
    wait(lambda: not foreign.shape(lab, nic)["addresses"], f"{nic} let go")
