"""Names go on resolving: a real systemd-resolved, which asks each link's servers by that link."""

from __future__ import annotations

import itertools

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import FAR, gateway
from tests.lab import resolved
from tests.lab.conftest import MakeLab
from tests.lab.suite import Stopwatch, install, used, wait

_ADDRESS = "203.0.113.7"
# A question that is on its way when its link dies is asked again after 5 s
# (DNS_TIMEOUT_USEC in resolved-dns-transaction.c), by whom it may.
_RETRIED = 6.0
_numbers = itertools.count()


def _seconds(lab: Lab) -> float:
    """Return how long a new name takes to be resolved."""
    with Stopwatch() as watch:
        said = resolved.query(lab, "query", "-4", f"host{next(_numbers)}.example.net")
    assert said is not None, lab.logs()
    assert _ADDRESS in said
    return watch.seconds


@pytest.mark.share(1)
@pytest.mark.parametrize("apart", [False, True], ids=["one LAN", "different subnets"])
def test_who_has_name_servers_on_the_primary_alone_resolves_by_the_backup(
    make_lab: MakeLab, *, apart: bool
) -> None:
    lab = make_lab(segments={"wlan0": int(apart)}, start=False)
    server = FAR if apart else gateway(0)
    for path, text in lab.howto_files().items():
        lines = [line for line in text.splitlines() if not line.startswith("DNS=")]
        more = [f"DNS={server}"] if "eth0" in path else []
        lab.write(path, "\n".join([*lines, *more, ""]))
    with resolved.serving(lab, "example.net", _ADDRESS):
        lab.start()
        with resolved.running(lab):
            install(lab, interval=1)
            _stays_resolvable(lab)


def _stays_resolvable(lab: Lab) -> None:
    assert _seconds(lab) < 1
    with lab.timer(1):
        for lose, regain in ((lab.cable_out, lab.cable_in), (lab.dead_gateway, lab.alive_gateway)):
            lose("eth0")
            assert _seconds(lab) < _RETRIED
            wait(lambda: used(lab) == "wlan0", "traffic by wlan0")
            assert [_seconds(lab) < 1 for _ in range(3)] == [True] * 3
            regain("eth0")
            wait(lambda: used(lab) == "eth0", "traffic by eth0 again")
            assert _seconds(lab) < _RETRIED
