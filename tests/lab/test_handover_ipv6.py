"""IPv6 addresses stay an uplink's, whoever has it and however they came.

Two prefixes of the router's, and a lease by DHCPv6, by NetworkManager and by dhcpcd: a session by
any of these lives on, and one by what can't be kept is refused before anything is changed.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

import pytest

from netfail_hooks import lab as sandbox
from netfail_hooks.lab.topology import STATION6
from tests.lab.denied import Denied
from tests.lab.handed import HERE, PAIR, Handed
from tests.lab.managed import Managed
from tests.lab.suite import SETTLED, measure, wait
from tests.support import shares

_PREFIX = "2001:db8:5:"
_LEASES = f"{_PREFIX}:100,{_PREFIX}:1ff,slaac,64,1h"
_LEAST = 3  # of each uplink: by either prefix, and a lease
_NM = "NetworkManager: method=auto\n"
# By whom, and how it makes addresses. The first two are what a new profile has, and Debian's and
# Raspberry Pi's dhcpcd.conf; one of the others has its day.
_SECRETS = (f"{_NM}addr-gen-mode=default", "dhcpcd: slaac private")
_OTHERS = (
    f"{_NM}addr-gen-mode=stable-privacy",
    f"{_NM}addr-gen-mode=eui64",
    f"{_NM}addr-gen-mode=eui64\ntoken=::5:{{rank}}",
    "dhcpcd: slaac hwaddr",
    "dhcpcd: slaac token ::7:1",
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try those with a secret, and one of the others, or all where every kill point is wanted."""
    if metafunc.function is test_addresses_and_what_goes_by_them_stay:
        drawn = shares.todays(metafunc.config, _OTHERS, 1)
        metafunc.parametrize("handed", [*_SECRETS, *drawn], indirect=True)


@pytest.fixture
def handed(request: pytest.FixtureRequest) -> Iterator[Handed]:
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"needs root and the real daemons: {why}", pytrace=False)
    manager, _, said = request.param.partition(": ")
    with Managed() if manager == "NetworkManager" else Denied() as lab:
        lab.run_lan("ip", "address", "add", f"{_PREFIX}:1/64", "dev", "lan0", "nodad")
        lab.start_dhcp(ranges=[_LEASES])
        if isinstance(lab, Managed):
            lab.write_profiles(ipv6=said)
            lab.start_manager()
        elif isinstance(lab, Denied):
            lab.write_config(f"interface eth0\n{said}\ninterface wlan0\n{said}\n")
            lab.start_manager()
        wait(lambda: _are_all_there(lab), f"addresses {_addresses(lab)}", seconds=30)
        yield lab
        print("\n".join(lab.journal()[-60:]))


def _addresses(lab: Handed, *, temporary: bool = False) -> list[str]:
    """Return the uplinks' global IPv6 addresses, each with its uplink and length."""
    lines = lab.run("ip", "-6", "-o", "address", "show", "scope", "global").stdout.splitlines()
    words = [line.split() for line in lines]
    return sorted(
        f"{one[1]} {one[3]}"
        for one in words
        if one[1] in lab.ports and ("temporary" in one) == temporary and "tentative" not in one
    )


def _are_all_there(lab: Handed) -> bool:
    found = _addresses(lab)
    return all(sum(one.startswith(name) for one in found) >= _LEAST for name in lab.ports)


def _one_of(lab: Handed, name: str) -> str:
    found = [one.split()[1] for one in _addresses(lab) if one.startswith(name)]
    return random.sample(found, 1)[0].partition("/")[0]


def test_addresses_and_what_goes_by_them_stay(handed: Handed) -> None:
    lab = handed
    state, before = lab.settled(), _addresses(lab)
    address = _one_of(lab, "eth0")
    print("by", address, "of", before)
    with lab.traffic(ipv6=True, address6=address) as traffic:
        measure(SETTLED)
        assert _came_in_by(lab, address, "install", *PAIR) == ""
        measure(1)
    there = traffic.result()
    print("there", there)
    assert set(before) <= set(_addresses(lab))
    installed = lab.settled()
    lab.told("install", *PAIR)
    lab.expect(installed)
    with lab.traffic(ipv6=True, address6=address) as traffic:
        measure(SETTLED)
        lab.told("uninstall", "--yes")
        wait(lambda: _addresses(lab) == before, "addresses", seconds=30)
        measure(1)
    back = traffic.result()
    print("back", back)
    lab.expect(state)
    assert there.all_alive, there
    assert back.all_alive, back


def _came_in_by(lab: Handed, address: str, *words: str) -> str:
    """Run the suite for somebody who came in by an address; return why it was refused."""
    environment = {**HERE, "SSH_CONNECTION": f"{STATION6} 50022 {address} 22"}
    command = (sys.executable, "-m", "netfail_hooks", *words)
    done = lab.run(*command, seconds=120, environment=environment)
    print(done.stdout, done.stderr)
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("handed", [f"{_NM}addr-gen-mode=default\nip6-privacy=2"], indirect=True)
def test_who_came_in_by_what_goes_is_refused_or_gets_it_back(handed: Handed) -> None:
    lab = handed
    assert not lab.run("ip", "address", "add", "fd00:1::aa/64", "dev", "eth0").returncode
    wait(lambda: bool(_addresses(lab, temporary=True)), "temporary addresses", seconds=15)
    temporary = [one.split()[1] for one in _addresses(lab, temporary=True) if "eth0" in one]
    state, before = lab.settled(), _addresses(lab)
    for address in ("fd00:1::aa", temporary[0].partition("/")[0]):
        why = _came_in_by(lab, address, "install", *PAIR)
        assert f"you came in by {address}, which eth0 would have no longer" in why
        assert (lab.state(), _addresses(lab)) == (state, before)
    lab.run("ip", "address", "del", "fd00:1::aa/64", "dev", "eth0")
    leased = next(one.split()[1] for one in before if one.startswith("eth0") and "/128" in one)
    router = lab._dhcp
    assert router is not None
    router.stop()
    lab.start_dhcp(ranges=[_LEASES.replace(":1", ":2")])  # none of those that it gave
    why = _came_in_by(lab, leased.partition("/")[0], "install", *PAIR)
    assert "by which you came in, did not come back" in why
    lab.expect(state)
