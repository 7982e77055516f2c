"""A metered uplink on a real networkd: asked seldom, counted while it carries, and told of."""

from __future__ import annotations

from typing import Any

from netfail_hooks.lab import Lab
from netfail_hooks.lab.topology import FAR
from tests.lab.suite import install, measure, status, used, wait, wait_used

_CONFIG = "/etc/netfail-hooks/config.toml"
_MARK = "/run/netfail-hooks/metered"
_TELL = '#!/bin/sh\n[ -z "$NETFAIL_METERED" ] || echo "$NETFAIL_METERED" >>/run/told\n'


def _uplink(lab: Lab, name: str) -> Any:
    return next(one for one in status(lab)["uplinks"] if one["interface"] == name)


def _asked(lab: Lab, name: str) -> int:
    """Return how many seconds ago an uplink was last asked."""
    return int(_uplink(lab, name)["families"][0]["probe"]["seconds_ago"])


def test_a_metered_uplink_is_asked_seldom_counted_and_told_of(lab: Lab) -> None:
    install(lab, targets=f'["icmp:{FAR}"]')
    last = 'interface = "wlan0"\n'
    lab.write(_CONFIG, lab.read(_CONFIG).replace(last, f"{last}metered = true\n"))
    lab.write("/etc/netfail-hooks/notify.d/tell", _TELL, mode=0o755)
    lab.netfail("check")
    with lab.timer(0.5):
        measure(4)
        assert _asked(lab, "wlan0") >= 3
        assert _asked(lab, "eth0") <= 2
        assert not lab.read(_MARK)
        with lab.traffic() as traffic:
            lab.cable_out("eth0")
            wait_used(lab, "wlan0")
            wait(lambda: lab.read(_MARK) == "wlan0\n", "the mark")
            measure(2)
            assert _asked(lab, "wlan0") <= 2
        size = sum(flow.total for flow in traffic.result().flows) * 40
        wait(lambda: _uplink(lab, "wlan0")["carried_today"] > size / 4, "what it carried")
        assert "metered, " in lab.netfail("status").stdout
        assert "netfail_uplink_metered_bytes_today" in lab.netfail("metrics").stdout
    lab.cable_in("eth0")
    said: list[str] = []

    def is_back() -> bool:
        said.append(lab.tick().stderr)
        return used(lab) == "eth0"

    wait(is_back, "eth0 in use")
    assert not lab.read(_MARK)
    assert lab.read("/run/told").startswith("wlan0\n")
    assert any("wlan0, which is metered, carried" in text for text in said), said
    carried = _uplink(lab, "wlan0")["carried_today"]
    lab.run("sh", "-c", "rm /run/netfail-hooks/*")  # as a boot does
    lab.tick()
    assert _uplink(lab, "wlan0")["carried_today"] == carried
    assert lab.netfail("uninstall", "--yes").returncode == 0
    assert lab.run("test", "-e", "/var/lib/netfail-hooks").returncode == 1
