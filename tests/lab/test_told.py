"""What install tells a person beforehand is what the kernel then shows."""

from __future__ import annotations

import json

import pytest

from netfail_hooks.lab import Lab

PAIR = ("--primary", "eth0", "--backup", "wlan0")


def _addresses(lab: Lab, name: str) -> list[str]:
    """Return what an uplink has of its own, by the kernel."""
    (link,) = json.loads(lab.run("ip", "-json", "-4", "address", "show", name).stdout)
    each = link["addr_info"]
    return [one["local"] for one in each if one["label"] == name and one["prefixlen"] != 32]


@pytest.mark.share(1)
@pytest.mark.parametrize("name", ["eth0", "wlan0"])
def test_of_networkds_uplinks_the_addresses_stay_as_told(lab: Lab, name: str) -> None:
    first, second = (_addresses(lab, uplink) for uplink in ("eth0", "wlan0"))
    told = lab.netfail("install", *PAIR, "--dry-run").stdout
    assert "systemd-networkd has eth0 and wlan0 already: addresses and SSH sessions stay" in told
    assert "no timer does" in told
    assert "another one carries the traffic" in told
    assert told.splitlines()[-1] == "Nothing was changed: this was a dry run."
    done = lab.netfail("install", *PAIR, "--yes")
    assert done.returncode == 0, done.stderr
    assert [_addresses(lab, uplink) for uplink in ("eth0", "wlan0")] == [first, second]

    told = lab.netfail("install", "--mode", "bond", "--dry-run").stdout
    for (address,), fate in ((first, "of eth0) stays"), (second, "of wlan0) goes")):
        assert f"{address} ({fate}" in told, told
    assert "off the network meanwhile, for a second or two" in told
    assert "A way back is armed first" in told

    lab.run("ip", "link", "set", name, "down")
    told = lab.netfail("install", "--interval", "7", "--dry-run").stdout
    assert "No uplink is set up anew" in told
    assert lab.netfail("uninstall", "--yes").returncode == 0
