"""Whether who came in by SSH is reached: asked on the real LAN."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home

_ASK = (
    f"import sys; sys.path.insert(0, {package_home()!r}); "
    "from netfail_hooks.install.handover.origin import is_reachable; "
    "print(is_reachable(sys.argv[1]))"
)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(unmanaged=True) as lab:
        lab.start()
        yield lab


def _reaches(lab: Lab, address: str) -> bool:
    done = lab.run(sys.executable, "-c", _ASK, address)
    assert done.stdout.strip() in ("True", "False"), done.stderr
    return done.stdout.strip() == "True"


def test_a_link_local_client_is_asked_by_its_interface(lab: Lab) -> None:
    client = "fe80::7"
    lab.run_lan("ip", "address", "add", f"{client}/64", "dev", "lan0", "nodad")
    assert _reaches(lab, f"{client}%eth0")
    assert _reaches(lab, f"{client}%wlan0")
    assert not _reaches(lab, "fe80::dead%eth0"), "nobody's"
    assert not _reaches(lab, f"{client}%usb9"), "of no interface"
    lab.cable_out("eth0")
    assert not _reaches(lab, f"{client}%eth0")
    assert _reaches(lab, f"{client}%wlan0")


def test_others_by_the_way_that_the_kernel_takes(lab: Lab) -> None:
    assert _reaches(lab, "192.168.1.1")
    assert not _reaches(lab, "192.168.1.77"), "a neighbour that does not answer"
    assert _reaches(lab, "198.51.100.7"), "beyond a gateway: there is a route"
    for words in (
        "tuntap add tunnel0 mode tun",
        "link set tunnel0 up",
        "route add 203.0.113.7 dev tunnel0",
    ):
        assert lab.run("ip", *words.split()).returncode == 0
    assert _reaches(lab, "203.0.113.7"), "of a tunnel nobody can be asked"
