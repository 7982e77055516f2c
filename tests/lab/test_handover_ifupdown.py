"""ifupdown has the uplinks: install takes them over live, and uninstall gives them back."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import pytest

from netfail_hooks import lab as sandbox
from tests.lab.handed import PAIR, Handed
from tests.lab.kills import points
from tests.lab.managed import Managed
from tests.lab.raised import HOTPLUG, INTERFACES, Raised, prepare
from tests.lab.suite import used, wait

_DHCP = "dhcp\n"
_BY_DHCPCD = "dhcp\n  hostname box\n"
# Of two without a metric, ifupdown would refuse to raise the second.
_STATIC = "static\n  address HOST/24\n  gateway 192.168.1.1\n  metric 10RANK\n"
_LOST = (
    40  # datagrams, a fifth of a second: ifdown puts the link down, which NetworkManager doesn't
)
_REFUSED = (
    ("  pre-up /usr/local/bin/firewall\n", "'pre-up /usr/local/bin/firewall'"),
    ("iface br0 inet dhcp\n  bridge_ports eth0\n", "br0 sits on eth0"),
)
_NO_ROUTER = """
printf 0 >/proc/sys/net/ipv6/conf/{0}/accept_ra
ip -6 route flush dev {0} proto ra; ip -6 address flush dev {0} scope global
"""


@pytest.fixture
def raised(request: pytest.FixtureRequest) -> Iterator[Raised]:
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"needs root and the real daemons: {why}", pytrace=False)
    with Raised() as lab:
        lab.start_dhcp()
        text = getattr(request, "param", _DHCP)
        lab.write_stanzas(text)
        if text == _BY_DHCPCD:
            lab.ask_by_dhcpcd()
        lab.raise_all()
        yield lab
        print(lab.journal()[-60:])


@pytest.mark.share(1)
@pytest.mark.parametrize("raised", [_DHCP, _STATIC, _BY_DHCPCD], indirect=True)
def test_uplinks_change_hands_and_back_under_traffic(raised: Raised) -> None:
    lab = raised
    before, leases = lab.settled(), lab.leases()
    there = lab.under_traffic("install", *PAIR)
    print("there", there)
    assert used(lab) == "eth0"
    assert lab.view() == ["dummy7=dummy7", "lo=lo"]
    assert lab.leases() == leases  # the same clients, with the same addresses
    again = lab.stays_installed()
    back = lab.under_traffic("uninstall", "--yes")
    print("back", back)
    lab.expect(before)
    assert lab.leases() == leases
    assert "DHCPRELEASE" not in lab.logs()
    for result in (there, again, back):
        assert result.all_alive, result
        assert result.lost() <= _LOST, result
    assert again.lost() <= 2, again


@pytest.mark.parametrize("raised", [_STATIC], indirect=True)
def test_where_no_gateway_answers_all_is_given_back(raised: Raised) -> None:
    lab = raised
    for name in lab.ports:  # whose router would have to advertise itself again
        lab.run("sh", "-c", _NO_ROUTER.format(name))
    before = lab.settled()
    assert "no gateway answered" in lab.fail_without_gateways()
    lab.expect(before)


def test_a_killed_install_is_mended_by_uninstall_and_by_the_way_back(raised: Raised) -> None:
    lab = raised
    before = lab.settled()
    calls = lab.install_traced(before)
    for at in random.sample(points(calls), 2):
        lab.kill_and_give_back(at, before)
    lab.begin_way_back(calls, "0.0.0.0/1 ")
    lab.expect(before)
    assert "DHCPRELEASE" not in lab.logs()


def test_a_boot_leaves_the_uplinks_to_networkd_and_the_rest_to_ifupdown(raised: Raised) -> None:
    lab = raised
    planned = json.loads(lab.told("install", *PAIR, "--dry-run", "--json"))
    assert any("ifdown wlan0" in command for command in planned["would"]), planned
    said = lab.told("install", *PAIR)
    assert "/etc/network/if-*.d: no longer run for eth0: mine" in said
    assert "ifupdown keeps everything but" not in said  # that is asked where nobody said --yes
    lab.systemctl("restart", "networking.service")
    lab.systemctl("restart", HOTPLUG)  # as udev does
    assert lab.view() == ["dummy7=dummy7", "lo=lo"]
    assert used(lab) == "eth0"
    assert lab.findings() == []
    lab.write(
        INTERFACES,
        lab.read(INTERFACES).replace("inet dhcp", "inet dhcp\n  dns-nameservers 192.168.1.53", 1),
    )
    assert [one.startswith(f"{INTERFACES} has changed") for one in lab.drifted()] == [True]
    lab.run("ifup", "wlan0")
    assert "foreign-manager" in lab.findings()


def test_what_would_be_lost_is_refused_by_name(raised: Raised) -> None:
    lab = raised
    text = lab.read(INTERFACES)
    for more, why in _REFUSED:
        lab.write(INTERFACES, text.replace(_DHCP, _DHCP + more, 1))
        before = lab.settled()
        for options in ((), ("--dhcp", "eth0")):
            done = lab.netfail("install", *PAIR, *options)
            assert done.returncode == 2, done.stdout + done.stderr
            assert why in done.stderr
        assert lab.state() == before


class _Both(Managed):
    """One of whose uplinks ifupdown is to have."""

    units = (*Managed.units, *Raised.units)


def test_two_uplinks_of_two_managers_change_hands_and_back() -> None:
    with _Both() as lab:
        lab.start_dhcp()
        lab.write_profiles()
        lab.write("/etc/NetworkManager/conf.d/10.conf", "[keyfile]\nunmanaged-devices=wlan0\n")
        prepare(lab)
        lab.write(INTERFACES, "auto wlan0\niface wlan0 inet dhcp\n")
        lab.systemctl("enable", "--now", "NetworkManager.service", "networking.service")
        lab.systemctl("enable", "networkd-dispatcher.service")
        wait(lambda: lab.has("eth0", "br7"), "NIC of NetworkManager's", seconds=30)
        wait(lambda: Handed.is_set_up(lab), "addresses of either", seconds=30)
        before = lab.settled()
        for words in (("install", *PAIR), ("uninstall", "--yes")):
            lab.told(*words)
        lab.expect(before)
