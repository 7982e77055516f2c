"""Uplinks by their alternative names: whatever a person writes, events come by the kernel's own."""

from __future__ import annotations

from netfail_hooks.lab import Lab
from tests.lab.suite import install, looked, status, used, wait, wait_used

_LONG = "wlx-with-a-name-longer-than-ever"
_CONFIG = "/etc/netfail-hooks/config.toml"


def test_an_uplink_by_another_name_fails_over(lab: Lab) -> None:
    add = "ip link property add dev"
    names = f"{add} eth0 altname enp3s0; {add} wlan0 altname {_LONG}"
    lab.run("sh", "-ec", names).check_returncode()
    done = lab.netfail("install", "--primary", "enp3s0", "--backup", _LONG, "--yes")
    assert done.returncode == 0, done.stderr
    text = lab.read(_CONFIG)
    assert [word in text for word in ('"eth0"', '"wlan0"', "enp3s0", _LONG)] == [
        True,
        True,
        False,
        False,
    ]
    other = text.replace('"eth0"', '"enp3s0"  # the one by the window')
    lab.write(_CONFIG, other)
    assert [one["interface"] for one in status(lab)["uplinks"]] == ["eth0", "wlan0"]
    assert "enp3s0" not in lab.netfail("doctor", "--json").stdout
    lab.cable_out("eth0")
    wait_used(lab, "wlan0")
    wait(lambda: "eth0 no-carrier" in lab.read("/var/log/netfail-hooks/events.jsonl"), "a hook")
    lab.cable_in("eth0")
    with lab.timer(0.5):
        wait_used(lab, "eth0", seconds=30)
    assert lab.read(_CONFIG) == other
    done = lab.netfail("install", "--yes")
    assert done.returncode == 0, done.stderr
    assert lab.read(_CONFIG) == text.replace('"eth0"', '"eth0"  # the one by the window')
    lab.write(_CONFIG, text.replace('"wlan0"', '"enp3s0"'))
    assert "eth0 and enp3s0 are one interface" in lab.netfail("check").stderr
    assert used(lab) == "eth0"


def test_an_alternative_name_is_whose_it_is_now(lab: Lab) -> None:
    """As of an adapter that .link files name, plugged in as another one: eth1, not eth0 again."""
    install(lab)
    assert lab.networkd is not None
    lab.networkd.stop_dispatcher()
    _change(lab, "link property add dev wlan0 altname enp3s0")
    lab.write(_CONFIG, lab.read(_CONFIG).replace('"wlan0"', '"enp3s0"'))
    assert _uplinks(lab) == ["eth0", "wlan0"]
    _change(lab, "link property del dev wlan0 altname enp3s0")
    assert _uplinks(lab) == ["eth0", "enp3s0"]  # nobody's
    assert looked(lab, "eth0")
    _change(lab, "link add veth7 type veth peer name veth8")
    assert not looked(lab, "veth7")
    _change(lab, "link property add dev veth7 altname enp3s0")
    assert looked(lab, "veth7")
    assert _uplinks(lab) == ["eth0", "veth7"]
    assert looked(lab, "veth7")
    assert not looked(lab, "wlan0")  # somebody else's now


def _change(lab: Lab, words: str) -> None:
    lab.run("ip", *words.split()).check_returncode()


def _uplinks(lab: Lab) -> list[str]:
    return [one["interface"] for one in status(lab)["uplinks"]]
