"""install --config on a running machine: in force at once, nothing lost, all given back."""

from __future__ import annotations

import json

from netfail_hooks.lab import Lab
from tests.lab.suite import SETTLED, measure, shape, status, wait_used

_CONFIG = "/etc/netfail-hooks/config.toml"
_FLEET = """\
# as on all machines
[hold_down]
seconds = 1
[[uplink]]
interface = "eth0"
[[uplink]]
interface = "wlan0"
targets = ["icmp:192.168.1.7"]
"""


def _install(lab: Lab, text: str, *more: str) -> bool:
    """Install by a config that comes by standard input; tell whether anything was changed."""
    words = ("install", "--config", "-", "--yes", "--json", *more)
    done = lab.netfail(*words, stdin=text)
    assert done.returncode == 0, done.stderr
    return bool(json.loads(done.stdout)["changed"])


def test_a_fleets_config_is_in_force_whichever_was_there_and_all_comes_back(lab: Lab) -> None:
    before = shape(lab)
    assert _install(lab, _FLEET, "--dry-run")
    assert shape(lab) == before
    assert _install(lab, _FLEET)
    wait_used(lab, "eth0")
    installed = shape(lab)
    wrong = lab.netfail("install", "--config", "-", "--yes", stdin=_FLEET + "metric = 1\n")
    assert (wrong.returncode, "metric" in wrong.stderr) == (2, True)
    with lab.watch() as watch, lab.traffic() as traffic:
        measure(SETTLED)
        assert not _install(lab, _FLEET)
        assert shape(lab) == installed
        lab.write(_CONFIG, "by = 'hand'\n")
        other = _FLEET.replace("eth0", "x").replace("wlan0", "eth0").replace('"x"', '"wlan0"')
        assert _install(lab, other)
        wait_used(lab, "wlan0")
        assert lab.read(_CONFIG) == other
        assert [one["interface"] for one in status(lab)["uplinks"]] == ["wlan0", "eth0"]
        assert not _install(lab, other)
        measure(1)
    assert watch.gaps(4) == []
    assert traffic.result().all_alive
    done = lab.netfail("uninstall", "--yes")
    assert done.returncode == 0, done.stderr
    assert shape(lab) == before
