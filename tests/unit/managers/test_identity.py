"""By what a DHCP server knows the machine."""

from __future__ import annotations

import pytest

from netfail_hooks.errors import Misuse
from netfail_hooks.managers.nm import identity
from netfail_hooks.managers.nm.identity import Asked, Machine

_MAC, _OWN = "02:00:00:00:00:11", "02:00:00:00:00:10"
_MACHINE = Machine("u2", _MAC, _OWN, "0123456789abcdef0123456789abcdef")


def test_the_hash_is_siphash() -> None:
    """Its authors' own vector (SipHash: a fast short-input PRF, appendix A)."""
    assert identity.siphash24(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5


@pytest.mark.parametrize(
    ("asked", "iaid"),
    [
        # As NetworkManager 1.42 sent it for an interface of this name.
        ("", 0xFECA5D5D),
        ("ifname", 0xFECA5D5D),
        ("mac", 0x11),
        ("perm-mac", 0x10),
        ("7", 7),
        ("0x1234", 0x1234),
        ("00:00:12:34", 0x1234),
    ],
)
def test_iaids(asked: str, iaid: int) -> None:
    assert dict(identity.over_ipv6(Asked(iaid6=asked), _MACHINE))["IAID"] == str(iaid)


@pytest.mark.parametrize("asked", ["stable", "-1", "4294967296", "x"])
def test_iaids_that_nobody_knows(asked: str) -> None:
    with pytest.raises(Misuse):
        identity.over_ipv6(Asked(iaid6=asked), _MACHINE)


@pytest.mark.parametrize(
    ("asked", "kind", "data"),
    [
        ("ll", "link-layer", "00:01:02:00:00:00:00:11"),
        ("00:03:00:01:0a:0b:0c:0d:0e:0f", "link-layer", "00:01:0a:0b:0c:0d:0e:0f"),
        ("0:1:0:1:1:2:3:4:a:b:c:d:e:f", "link-layer-time", "00:01:01:02:03:04:0a:0b:0c:0d:0e:0f"),
    ],
)
def test_duids(asked: str, kind: str, data: str) -> None:
    found = dict(identity.over_ipv6(Asked(duid=asked), _MACHINE))
    assert (found["DUIDType"], found["DUIDRawData"]) == (kind, data)


@pytest.mark.parametrize("asked", ["llt", "stable-ll", "00:04:01", "00:09:01:02", "00:03:00:01"])
def test_duids_that_networkd_would_not_take(asked: str) -> None:
    with pytest.raises(Misuse):
        identity.over_ipv6(Asked(duid=asked), _MACHINE)


def test_a_permanent_address_that_is_not_in_use_cannot_be_sent() -> None:
    with pytest.raises(Misuse, match="perm-mac"):
        identity.over_ipv4(Asked(client_id="perm-mac"), _MACHINE)


def test_a_machine_without_an_id() -> None:
    nobody = Machine("u2", _MAC, _OWN, "")
    assert [key for key, _ in identity.over_ipv6(Asked(), nobody)] == ["IAID"]
