"""Real ifupdown sets uplinks up, lets go of them, and networkd sets them up alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.managers import detect, ifupdown, interfaces, release
from netfail_hooks.networkd.nic import read_nic
from tests.lab import foreign
from tests.support.stanzas import IFUPDOWN, own

MakeLab = Callable[..., Lab]
_PLACES = "/etc/network /run/network /var/lib/dhcp /etc/dhcp /var/lib/dhcpcd /run/dhcpcd"
_SCRIPTS = "/etc/network/if-up.d /etc/network/if-down.d /etc/network/if-pre-up.d"


def _prepare(lab: Lab, text: str, segments: list[int]) -> None:
    places = f"{_PLACES} {_SCRIPTS} /etc/network/if-post-down.d"
    lab.run("sh", "-c", f"mkdir -p {places}; rm -f /etc/systemd/network/*; touch /etc/fstab")
    lab.write("/etc/dhcp/dhclient.conf", _DHCLIENT)
    lab.write("/etc/network/interfaces", text)
    foreign.serve(lab, segments)


# What Debian's isc-dhcp-client comes with, its comments left out.
_DHCLIENT = """
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
send host-name = gethostname();
request subnet-mask, broadcast-address, time-offset, routers,
        domain-name, domain-name-servers, domain-search, host-name,
        dhcp6.name-servers, dhcp6.domain-search, dhcp6.fqdn, dhcp6.sntp-servers,
        netbios-name-servers, netbios-scope, interface-mtu,
        rfc3442-classless-static-routes, ntp-servers;
"""


def test_what_ifupdown_sets_up_networkd_does_and_ifupdown_has_it_back(make_lab: MakeLab) -> None:
    nics = {f"u{rank}": one for rank, one in enumerate(IFUPDOWN)}
    segments = {nic: rank + 1 for rank, nic in enumerate(nics)}
    lab = make_lab(list(nics), segments=segments, start=False)
    texts = [own(one.text, nic, segments[nic]) for nic, one in nics.items()]
    _prepare(lab, "\n".join(texts), list(segments.values()))
    known = interfaces.read(lab.paths)
    told = release.ifupdown(lab.paths, known, list(nics))
    before, leased = {}, {}
    for number, (nic, one) in enumerate(nics.items()):  # one by one: each wants the default route
        foreign.run_all(lab, told.take_back, nic)
        assert detect.manager_of(lab.paths, read_nic(nic, lab.paths)) == "ifupdown"
        before[nic] = foreign.settled(
            lab, nic, leased="dhcp" in one.text, advertised=_hears(one.text)
        )
        leased[nic] = foreign.leases(lab, segments[nic])
        assert len(leased[nic]) == ("dhcp" in one.text), lab.read("/run/lab/manager.log")
        profile = ifupdown.profile(lab.paths, read_nic(nic, lab.paths))
        assert profile
        foreign.write(lab, nic, profile, 100 + 500 * number)
        foreign.run_all(lab, told.release, nic)
        assert not foreign.shape(lab, nic)["addresses"], one.kind
    lab.start(routable=False)
    for nic, one in nics.items():
        foreign.assert_alike(lab, nic, before[nic], one.kind)
        assert foreign.leases(lab, segments[nic]) == leased[nic], one.kind
        status = lab.run("networkctl", "status", nic).stdout
        assert all(own(word, nic, segments[nic]) in status for word in one.dns), status
    _ends_where_it_began(lab, told, list(nics))
    assert lab.networkd
    lab.networkd.stop_networkd()
    for nic, one in nics.items():
        foreign.run_all(lab, told.take_back, nic)
        foreign.settled(lab, nic, leased="dhcp" in one.text, advertised=_hears(one.text))
        assert foreign.shape(lab, nic) == before[nic], one.kind
        assert foreign.leases(lab, segments[nic]) == leased[nic], one.kind
        foreign.run_all(lab, told.release, nic)


def _hears(text: str) -> bool:
    return "inet6" not in text or "inet6 auto" in text


def _ends_where_it_began(lab: Lab, told: release.Release, nics: list[str]) -> None:
    """Assert that what networking.service runs at boot leaves the uplinks, by our file alone."""
    boot = "ifup -a --read-environment && ifup -a --read-environment --allow=hotplug"
    assert set(interfaces.read(lab.paths).raised) >= {("hotplug", nics[0]), ("auto", nics[2])}
    lab.write_files(told.files)
    (environment,) = [path for path in told.files if path.endswith(".env")]
    foreign.run(lab, "sh", "-c", f". {environment}; export EXCLUDE_INTERFACES; {boot}")
    raised = [line for line in lab.read("/run/network/ifstate").splitlines() if line]
    assert [line for line in raised if line != "lo=lo"] == []


@pytest.mark.parametrize(
    ("client", "stanza"),
    [
        ("dhclient", "iface NIC inet dhcp\n  client no\n"),
        ("dhcpcd", "iface NIC inet dhcp\n  hostname told\n"),
        ("dhcpcd", "iface NIC inet dhcp\n  client 01:02:00:00:00:00:10\n"),
    ],
)
def test_the_router_knows_it_again(make_lab: MakeLab, client: str, stanza: str) -> None:
    lab = make_lab(("eth0", "wlan0"), segments={"eth0": 1}, start=False)
    if client != "dhclient":
        lab.run("mount", "--bind", "/dev/null", "/usr/sbin/dhclient").check_returncode()
    lab.write(
        "/etc/dhcpcd.conf", "duid\npersistent\nvendorclassid\noption host_name\nslaac private\n"
    )
    _prepare(lab, "auto eth0\n" + own(stanza, "eth0", 1), [1])
    foreign.run(lab, "ifup", "eth0")
    foreign.settled(lab, "eth0", leased=True, advertised=True)
    before = foreign.leases(lab, 1)
    assert len(before) == 1
    profile = ifupdown.profile(lab.paths, read_nic("eth0", lab.paths))
    assert profile
    foreign.write(lab, "eth0", profile, 100)
    foreign.run(lab, "ifdown", "eth0")
    lab.start(routable=False)
    foreign.settled(lab, "eth0", leased=True, advertised=True)
    (address, name, identifier), (address_now, name_now, identifier_now) = (
        *before,
        *foreign.leases(lab, 1),
    )
    assert (address_now, name_now) == (address, name)
    # networkd can't be silent about who it is; by its hardware address it is the same client.
    assert identifier_now == (identifier if identifier != "*" else "01:02:00:00:00:00:10")
