"""An adapter that udev renames: the dispatcher goes on to call it what it was first called."""

from __future__ import annotations

import time

import pytest

from netfail_hooks.hook import CHANGED
from netfail_hooks.lab import Lab
from tests.lab.suite import events, install, looked, used, wait, wait_operational, wait_used


def _plug_in_as(lab: Lab, kernels: str, name: str) -> None:
    """Plug an adapter in under the kernel's name for it, and rename it once that is known."""
    port = lab.ports[name]
    lab.run(
        "sh",
        "-ec",
        f"""
        ip link add {kernels} index 40 address {port.mac} type veth \
            peer name {port.peer} index 1040 netns lan
        ip -n lan link set {port.peer} addrgenmode none master lan0 up
    """,
    ).check_returncode()
    wait(lambda: kernels in lab.run("networkctl", "list").stdout, f"networkd to see {kernels}")
    time.sleep(0.5)  # the dispatcher asks networkctl for its name
    # The lab has no udev; networkd waits for it before it sets a link up, here for us.
    lab.run("ip", "link", "set", kernels, "name", name).check_returncode()
    wait(lambda: name in lab.run("networkctl", "list").stdout, f"networkd to see {name}")
    lab.run("networkctl", "reconfigure", name).check_returncode()
    lab.wait_routable(name)


@pytest.mark.parametrize("gone", ["cable", "adapter"])
def test_a_renamed_uplink_is_looked_at_by_its_first_name(lab: Lab, gone: str) -> None:
    install(lab)
    lab.remove("eth0")
    wait_used(lab, "wlan0")
    _plug_in_as(lab, "usb9", "eth0")
    wait(lambda: any(one["trigger"] == CHANGED for one in events(lab)), "a hook for usb9")
    with lab.timer(0.5):
        wait_used(lab, "eth0")
        time.sleep(3)  # its hold-down
    assert used(lab) == "eth0"
    before = len(events(lab))
    lab.cable_out("eth0") if gone == "cable" else lab.remove("eth0")
    wait(lambda: len(events(lab)) > before, "a hook for the loss")
    last = events(lab)[-1]
    assert last["trigger"] == CHANGED
    assert last["active"]["ipv4"] == "wlan0"


def test_an_event_of_somebody_elses_interface_is_no_reason_to_look_unless_an_uplink_has_changed(
    lab: Lab,
) -> None:
    install(lab)
    lab.run("sh", "-ec", "ip link add veth7 type veth peer name veth8").check_returncode()
    assert lab.networkd is not None
    lab.networkd.stop_dispatcher()
    assert looked(lab, "eth0")
    assert not looked(lab, "veth7")
    assert not looked(lab, "veth9")  # there is none of that name
    lab.cable_out("eth0")
    wait_operational(lab, "eth0", "down")
    assert looked(lab, "v\u00e9th7;")
    last = events(lab)[-1]
    assert (last["trigger"], last["active"]["ipv4"]) == (CHANGED, "wlan0")
