"""Web pages, names and programs asked through each uplink: a portal, a dead provider, a lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import FAR
from tests.lab import resolved
from tests.lab.agents import working
from tests.lab.suite import events, install, status, used, wait_used
from tests.support import certificates, web

_WEB = Path(web.__file__).read_text(encoding="utf-8")
APART = pytest.mark.parametrize("lab", [{"segments": {"wlan0": 1}}], indirect=True)
# What a hotspot's router does: the first connection to any web server ends at its own.
_PORTAL = f"""
nft add table ip portal
nft 'add chain ip portal p {{ type nat hook prerouting priority -100; }}'
nft add rule ip portal p iifname lan0 tcp dport 80 redirect to :{web.PORTAL}
"""


def _probes(lab: Lab) -> dict[str, Any]:
    """Make a round by hand; return how each uplink's went in IPv4."""
    done = lab.netfail("check", "--json")
    probes = json.loads(done.stdout)["probes"]
    return {probe["interface"]: probe for probe in probes if probe["family"] == 4}


@APART
def test_a_portal_is_no_way_out_though_it_answers_pings(lab: Lab) -> None:
    targets = f'["icmp:{FAR}", "http://up.example/204 204"]'
    with working(lab, _WEB, "80", str(web.PORTAL)), resolved.serving(lab, "up.example", FAR):
        install(lab, targets=targets, interval=1)
        with lab.timer(0.5):
            wait_used(lab, "eth0")
            assert lab.run_lan("sh", "-ec", _PORTAL).returncode == 0
            wait_used(lab, "wlan0")
            told = f"portal at {web.LOGIN}"
            assert told in lab.netfail("status").stdout
            assert told in lab.netfail("log").stdout
            assert told in lab.netfail("doctor").stdout
            (eth0, _) = status(lab)["uplinks"]
            assert told in eth0["families"][0]["reason"]
            lab.run_lan("nft", "delete", "table", "ip", "portal").check_returncode()
            wait_used(lab, "eth0", seconds=20)
    replayed = lab.netfail("replay", "/var/log/netfail-hooks/events.jsonl")
    assert replayed.returncode == 0, replayed.stdout
    assert len(events(lab)) >= 3


@APART
def test_each_uplink_asks_its_own_name_servers_through_its_own_device(lab: Lab) -> None:
    with working(lab, _WEB, "80"), resolved.serving(lab, "up.example", FAR):
        install(lab, targets=f'["http://up.example/204 204", "dns:up.example@{FAR}"]', interval=1)
        lab.dead_gateway("eth0")
        probes = _probes(lab)
        assert not probes["eth0"]["healthy"], "wlan0's name server would have known"
        assert probes["wlan0"]["healthy"], probes
        assert used(lab) == "wlan0"
        lab.dead_gateway("wlan0")
        assert not _probes(lab)["wlan0"]["healthy"]
        lab.alive_gateway("wlan0")
        assert _probes(lab)["wlan0"]["healthy"]


@APART
def test_a_name_server_that_knows_no_such_name_is_no_way_out(lab: Lab) -> None:
    with resolved.serving(lab, "up.example", FAR):
        install(lab, targets=f'["dns:down.example@{FAR}"]', interval=1)
        reason = _probes(lab)["wlan0"]["reason"]
    assert reason == f"dns:down.example@{FAR}: REFUSED"


@APART
def test_a_page_by_tls_needs_a_certificate_that_the_machine_trusts(
    lab: Lab, tmp_path: Path
) -> None:
    certificate = certificates.make(tmp_path, FAR)
    install(lab, targets=f'["https://{FAR}:8443/200/ok 200 ok"]', interval=1)
    with working(lab, _WEB, f"8443:{certificate}"):
        reason = _probes(lab)["wlan0"]["reason"]
        assert reason == f"https://{FAR}:8443: certificate: self-signed certificate"
        lab.write("/etc/ssl/certs/ca-certificates.crt", certificate.read_text(encoding="ascii"))
        assert _probes(lab)["wlan0"]["healthy"]


@APART
def test_a_program_says_which_uplink_is_well(lab: Lab) -> None:
    program = "/etc/netfail-hooks/ask"
    lab.write(program, '#!/bin/sh\ntest "$NETFAIL_INTERFACE" = wlan0\n', mode=0o700)
    install(lab, targets=f'["exec:{program}"]', interval=1)
    lab.tick()
    assert used(lab) == "wlan0"
    assert f"exec:{program}: exit status 1" in lab.netfail("status").stdout
    lab.run("chmod", "go+w", program).check_returncode()
    assert "others may change it" in _probes(lab)["wlan0"]["reason"]


@APART
@pytest.mark.parametrize(("policy", "well"), [("1", True), ("2", False)])
def test_two_of_three_targets_may_be_asked_for(lab: Lab, policy: str, *, well: bool) -> None:
    targets = f'["icmp:{FAR}", "icmp:198.51.100.98", "icmp:198.51.100.99"]\npolicy = {policy}'
    install(lab, targets=targets, interval=1)
    assert _probes(lab)["eth0"]["healthy"] is well
