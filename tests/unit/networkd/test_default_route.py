"""Whether a ``.network`` file names a way out; who installs one that does not is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from netfail_hooks.doctor import files as doctor_files
from netfail_hooks.doctor.facts import Finding, NetworkFile
from netfail_hooks.doctor.rules import diagnose
from netfail_hooks.errors import Misuse
from netfail_hooks.networkd.file import (
    default_route_families,
    has_default_route,
    parse,
    without_gateway,
)
from netfail_hooks.values import replace
from tests.support.machine import Machine
from tests.unit.doctor.test_rules import HEALTHY, but, routes

_STATIC = "[Network]\nAddress=192.168.1.25/24\n"
_LONG = "[Address]\nAddress=192.168.1.25/24\n"
_SHARED = "[Address]\nAddress=192.168.1.252/32\nLabel=netfail\n"
_FILE = "/etc/systemd/network/20-wlan0.network"
_PAIR = ("--primary", "eth0", "--backup", "wlan0")


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        (_STATIC, False),
        (_LONG, False),
        (_STATIC + "Gateway=192.168.1.1\n", True),
        (_STATIC + "Gateway=192.168.1.1\nGateway=\n", True),
        (_STATIC + "Gateway=fd00::1\n", False),
        (_STATIC + "IPv6AcceptRA=yes\n", False),
        (_STATIC + "DHCP=ipv4\n", True),
        (_STATIC + "DHCP=ipv6\n", False),
        ("[Network]\nDHCP=yes\nIPv6AcceptRA=no\n[DHCPv4]\nUseRoutes=no\n", False),
        ("[Network]\nDHCP=yes\nIPv6AcceptRA=no\n[DHCP]\nUseRoutes=no\n", False),
        ("[Network]\nDHCP=yes\n[DHCPv4]\nUseRoutes=no\nUseGateway=yes\n", True),
        (_STATIC + "DHCP=ipv4\n[DHCPv4]\nUseGateway=no\n", False),
        (_STATIC + "DHCP=ipv4\n[DHCPv4]\nRouteTable=7\n", False),
        (_STATIC + "DHCP=ipv4\n[DHCPv4]\nRouteTable=main\n", True),
        (_STATIC + "DHCP=ipv4\nGateway=192.168.1.1\n[DHCPv4]\nUseRoutes=no\n", True),
        ("[Network]\nIPv6AcceptRA=yes\n[IPv6AcceptRA]\nUseGateway=no\n", False),
        (_LONG + "[Route]\nDestination=0.0.0.0/0\nType=unreachable\n", False),
        (_STATIC + "DHCP=no\n", False),
        (_STATIC + "DefaultRouteOnDevice=yes\n", True),
        (_LONG + "[Route]\nGateway=192.168.1.1\n", True),
        (_LONG + "[Route]\nGateway=_dhcp4\n", True),
        (_LONG + "[Route]\nGateway=fd00::1\n", False),
        (_LONG + "[Route]\nDestination=::/0\nGateway=fd00::1\n", False),
        (_LONG + "[Route]\nDestination=default\nGateway=192.168.1.1\n", True),
        (_LONG + "[Route]\nDestination=0.0.0.0/0\nScope=link\n", True),
        (_LONG + "[Route]\nDestination=10.0.0.0/8\nGateway=192.168.1.1\n", False),
        (_LONG + "[Route]\nTable=7\nGateway=192.168.1.1\n", False),
        ("[Network]\nAddress=fd00::2/64\n", True),
        ("[Network]\nAddress=fd00::2/64\nIPv6AcceptRA=no\n", False),
        ("[Network]\nAddress=fd00::2/64\nIPv6AcceptRA=no\nGateway=fe80::1\n", True),
        ("[Network]\nDHCP=yes\n" + _SHARED, True),
        ("[Network]\nDNS=192.168.1.1\n" + _SHARED, True),
    ],
)
def test_a_way_out_is_a_gateway_dhcp_or_a_router_that_advertises(text: str, *, leads: bool) -> None:
    assert has_default_route(parse(text)) is leads


_NO_RA = "IPv6AcceptRA=no\n"


@pytest.mark.parametrize(
    ("text", "families"),
    [
        (_STATIC, {6}),
        (_STATIC + _NO_RA, set()),
        (_STATIC + _NO_RA + "Gateway=192.168.1.1\n", {4}),
        (_STATIC + _NO_RA + "Gateway=192.168.1.1\nGateway=\n", {4}),
        (_STATIC + _NO_RA + "Gateway=fe80::1\n", {6}),
        (_STATIC + _NO_RA + "DHCP=yes\n", {4}),
        (_STATIC + _NO_RA + "DHCP=yes\n[DHCPv4]\nUseRoutes=no\n", set()),
        (_STATIC + _NO_RA + "DefaultRouteOnDevice=yes\n", {4}),
        (_STATIC + "[IPv6AcceptRA]\nUseGateway=no\n", set()),
        (_STATIC + _NO_RA + "[Route]\nDestination=::/0\nGateway=fe80::1\n", {6}),
        (_STATIC + _NO_RA + "[Route]\nDestination=10.0.0.0/8\nGateway=192.168.1.1\n", set()),
        (_STATIC + _NO_RA + "[Route]\nNextHop=1\n", {4, 6}),  # who knows
    ],
)
def test_each_family_is_told_by_itself(text: str, families: set[int]) -> None:
    assert default_route_families(parse(text)) == families


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Make a machine whose Wi-Fi has an address and no gateway."""
    made = Machine(tmp_path)
    made.write(_FILE, "[Match]\nName=wlan0\n\n" + _STATIC)
    return made


_MODEM = "[Network]\nAddress=10.64.0.2/30\n"
_ON_LINK = "[Route]\nDestination=0.0.0.0/0\nScope=link\n"
_ON_LINK6 = "[Route]\nDestination=::/0\n"


@pytest.mark.parametrize(
    ("text", "families"),
    [
        (_MODEM, set()),
        (_MODEM + "Gateway=10.64.0.1\n", set()),
        (_MODEM + _ON_LINK, {4}),
        (_MODEM + _ON_LINK + _ON_LINK6, {4, 6}),
        (_MODEM + _ON_LINK + "Table=7\n", set()),
        (_MODEM + _ON_LINK + "Gateway=10.64.0.1\n", set()),
        (_MODEM + "Gateway=10.64.0.1\n" + _ON_LINK, set()),
        (_MODEM + _ON_LINK + "[Route]\nGateway=10.64.0.1\n", set()),
        (_MODEM + "DHCP=yes\n" + _ON_LINK + _ON_LINK6, {6}),
        (_MODEM + "DefaultRouteOnDevice=yes\n", {4}),
        (_MODEM + "[Route]\nGateway=0.0.0.0\n", {4}),
        (_MODEM + _ON_LINK + "NextHop=1\n", set()),
        (_MODEM + _ON_LINK + "MultiPathRoute=10.64.0.1\n", set()),
        (_MODEM + _ON_LINK + "Type=unreachable\n", set()),
        ("[Route]\nScope=link\n", set()),
    ],
)
def test_who_has_no_gateway_to_ask(text: str, families: set[int]) -> None:
    assert without_gateway(parse(text)) == families


@pytest.mark.parametrize(
    ("uplink", "told"),
    [
        ("", ["wlan0 has no gateway in IPv4, so rounds of probes have nothing to ask of it"]),
        ('targets = ["icmp:1.1.1.1"]\n', []),
        ('targets = ["icmp:2606:4700::1111"]\n', ["wlan0 has no gateway in IPv4"]),
        ("gateway = false\n", []),
        ("[check]\ninterval = 0\n", []),
    ],
)
def test_install_tells_what_is_never_asked(
    machine: Machine, uplink: str, told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    machine.write(_FILE, f"[Match]\nName=wlan0\n{_MODEM}{_ON_LINK}")
    machine.write(
        "/etc/netfail-hooks/config.toml",
        f'[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n{uplink}',
    )
    machine.install("--dry-run")
    notes = [line for line in capsys.readouterr().err.splitlines() if "in IPv" in line]
    assert len(notes) == len(told)
    for note, start in zip(notes, told, strict=True):
        assert note.startswith(f"note: {start}")


@pytest.mark.parametrize("how", ["--yes", "--dry-run"])
def test_install_tells_which_line_is_missing_where(
    machine: Machine, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.install(*_PAIR, how)
    told = [line for line in capsys.readouterr().err.splitlines() if "gateway" in line]
    assert len(told) == 1, told
    assert told[0].startswith("note: wlan0 is given neither a gateway nor DHCP")
    assert f"add the line Gateway=IP to [Network] in {_FILE}" in told[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n[DHCPv4]\nUseRoutes=no\n",
            "wlan0 asks DHCP, but UseRoutes=no in",
        ),
        ("[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n[DHCPv4]\nRouteTable=7\n", "but RouteTable=7 in"),
        ("[Network]\nDHCP=yes\n[Link]\nActivationPolicy=down\n", "wlan0 stays down till somebody"),
        ("[Network]\nDHCP=yes\n[Link]\nActivationPolicy=always-down\n", "wlan0 is kept down"),
        ("[Network]\nDHCP=yes\nBindCarrier=eth0\n", "wlan0 goes down when eth0 has no carrier"),
    ],
)
def test_install_tells_what_keeps_an_uplink_from_carrying(
    machine: Machine, text: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.write(_FILE, f"[Match]\nName=wlan0\n{text}")
    machine.install(*_PAIR, "--dry-run")
    notes = [line for line in capsys.readouterr().err.splitlines() if told in line]
    assert len(notes) == 1
    assert _FILE in notes[0]


def test_metrics_that_leave_no_room_for_a_second_router_are_refused(machine: Machine) -> None:
    ways = "".join(f"[Route]\nGateway=192.168.1.{n}\nMetric={n}\n" for n in (1, 2))
    machine.write("/etc/systemd/network/20-eth0.network", f"[Match]\nName=eth0\n{_STATIC}{ways}")
    uplinks = [
        f'[[uplink]]\ninterface = "{name}"\nmetric = {metric}\n'
        for name, metric in (("eth0", 100), ("wlan0", 101))
    ]
    machine.write("/etc/netfail-hooks/config.toml", "".join(uplinks))
    with pytest.raises(Misuse, match="eth0 has 2 default routes with metrics from 100 to 101"):
        machine.install("--yes")


def test_a_new_set_up_without_a_gateway_is_told(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.install(*_PAIR, "--yes", "--address", "wlan0=192.168.1.25/24")
    assert "nothing can fail over to it: add --gateway IP" in capsys.readouterr().err


def test_doctor_sends_a_person_to_the_file_that_lacks_it(machine: Machine) -> None:
    machine.install(*_PAIR, "--yes")
    wired, wireless = doctor_files.networks(machine.paths, ("eth0", "wlan0"), [])
    assert (wired.has_default_route, wireless.has_default_route, wireless.source) == (
        True,
        False,
        _FILE,
    )
    found = _found(wireless)
    assert found.what.endswith(f"by {_FILE}")
    assert found.fix == (
        f"editor {_FILE}  # add Gateway=IP to [Network]",
        "netfail-hooks install --yes",
    )
    (fix,) = _found(replace(wireless, source="")).fix
    assert fix == (
        "netfail-hooks install --uplink eth0 --uplink wlan0 "
        "--address wlan0=IP/LENGTH --gateway wlan0=IP"
    )
    assert _found(replace(wireless, ours=False, path="/etc/x")).fix[0].startswith("editor /etc/x ")


def _found(file: NetworkFile) -> Finding:
    ill = but(HEALTHY, observed=routes(("eth0", 100, "192.168.1.1")), networks=(file,))
    return next(one for one in diagnose(ill) if one.code == "no-gateway")
