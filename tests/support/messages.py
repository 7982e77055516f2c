"""The kernel's messages, written and read by pyroute2, and a kernel that answers with them."""

from __future__ import annotations

import errno
import struct
from typing import Any, cast

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from netfail_hooks.config import Config
from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel import observe
from netfail_hooks.policy.facts import Observation
from tests.support.world import config_of

CONFIG = config_of("eth0", "wlan0")
ETH, WLAN, OTHER = 3, 4, 9  # interface numbers
KIND = {4: 2, 6: 10}
MAC = "02:00:00:00:00:03"
UP, LOWER_UP = 0x1, 0x10000  # linux/if.h


def body_of(message: Any, attributes: dict[str, Any], **fields: int) -> bytes:
    """Return what stands below the head of a message."""
    for name, number in fields.items():
        message[name] = number
    message["attrs"] = list(attributes.items())
    message.encode()
    return bytes(message.data)[16:]


def said(message: Any, body: bytes) -> dict[str, Any]:
    """Return what a message says: its fields that are not zero, and its attributes."""
    read = message(struct.pack("=IHHII", 16 + len(body), 0, 0, 0, 0) + body)
    read.decode()
    fields = {name: read[name] for name, _ in message.fields if read[name]}
    return fields | {name: value for name, value, *_ in read["attrs"]}


def link_of(name: str, index: int, flags: int = UP | LOWER_UP, state: str = "UP") -> bytes:
    """Return a link as the kernel tells of it."""
    attributes = {
        "IFLA_IFNAME": name,
        "IFLA_OPERSTATE": state,
        "IFLA_ADDRESS": MAC,
        "IFLA_CARRIER_DOWN_COUNT": 7,
    }
    return body_of(ifinfmsg(), attributes, index=index, flags=flags)


def address_of(
    address: str = "192.168.1.252",
    index: int = ETH,
    *,
    scope: int = 0,
    flags: int = 0,
    **more: Any,
) -> bytes:
    """Return an address as the kernel tells of it."""
    six = ":" in address
    cache = {"ifa_preferred": 50, "ifa_valid": 60, "cstamp": 1, "tstamp": 2}
    attributes = {"IFA_ADDRESS": address, "IFA_FLAGS": flags, "IFA_CACHEINFO": cache}
    attributes |= {} if six else {"IFA_LOCAL": address, "IFA_RT_PRIORITY": 100}
    return body_of(
        ifaddrmsg(),
        {**attributes, **more},
        family=KIND[6 if six else 4],
        prefixlen=64 if six else 24,
        flags=flags & 0xFF,
        scope=scope,
        index=index,
    )


class Kernel:
    """Answers what it was given; every request is noted."""

    def __init__(self, **dumps: list[bytes]) -> None:
        self.links = {"eth0": link_of("eth0", ETH), "wlan0": link_of("wlan0", WLAN)}
        self.dumps = dumps
        self.refuses = 0  # to dump routes: the error
        self.asked: list[tuple[int, bytes]] = []
        self.changed: list[tuple[int, int, bytes]] = []

    def get(self, kind: int, body: bytes) -> bytes:
        self.asked.append((kind, body))
        for name, answer in self.links.items():
            if body == body_of(ifinfmsg(), {"IFLA_IFNAME": name}):
                if not answer:
                    raise rt.NetlinkError(errno.EPERM, "refused")
                return answer
        raise rt.NetlinkError(errno.ENODEV, "no such device")

    def dump(self, kind: int, body: bytes, **_: object) -> list[bytes]:
        self.asked.append((kind, body))
        if kind == rt.GETROUTE and self.refuses:
            raise rt.NetlinkError(self.refuses, "refused")
        name = {
            rt.GETADDR: "addresses",
            rt.GETROUTE: "routes",
            rt.GETNEIGH: "neighbours",
            rt.GETRULE: "rules",
        }[kind]
        found = self.dumps.get(name, [])
        return [one for one in found if kind != rt.GETROUTE or one[0] == body[0]]

    def change(self, kind: int, flags: int, body: bytes) -> None:
        self.changed.append((kind, flags, body))

    def observed(self, config: Config = CONFIG) -> Observation:
        return observe.observe(config, cast("rt.Netlink", self))
