"""The socket on which the service manager waits for the kernel's word: its filter, and its end.

``netfail-hooks-watch.socket`` listens to what befalls neighbours, links and addresses
(rtnetlink(7)). On a busy machine that is a lot, so a filter on the socket itself lets through what
concerns us alone:

- a gateway that we keep asked (kernel/watch.py) no longer answers: RTM_NEWNEIGH with NUD_FAILED;
- such an entry is gone with its link or its carrier: RTM_DELNEIGH. What we take away ourselves is
  not among it: the kernel takes the flag off before it tells;
- an uplink is gone, or its carrier is another than when the filter was made; or it is there, and
  was not;
- an uplink has an address more, or one less. That of ours is not among it, nor is a lifetime that
  was extended: then the address is older than that.

The hooks hear of all but the first from networkd, too; this is for when they do not. Neighbours are
known by the marks of the entry, its flag and our protocol number, not by addresses, and links by
their names, so that it is right for a NIC that was plugged in again. What it has of links, their
numbers and their carrier, changes with a word that it passes, and is set anew by whom that starts.
A filter stays on the socket, which the service manager holds, when the process that attached it
ends.
"""

from __future__ import annotations

import struct
from _socket import SOL_SOCKET, socket
from array import array
from errno import EAGAIN, ENOBUFS, ENODEV
from sys import byteorder

from netfail_hooks.kernel import netlink as rt
from netfail_hooks.kernel.netlink import DELNEIGH, NEWNEIGH
from netfail_hooks.kernel.watch import NDA_FLAGS_EXT, NDA_PROTOCOL, NTF_EXT_MANAGED
from netfail_hooks.policy.facts import PROTOCOL
from netfail_hooks.values import TYPE_CHECKING, value

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netfail_hooks.config import Config

    Step = tuple[int, int | str, int | str, int]

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_NUD_FAILED = 0x20
# linux/filter.h, linux/bpf_common.h: load (half word, word, byte) at a place, or beyond X
_LDH, _LDW, _LDB_X, _LD_X, _LD, _LDX, _LD_IMM, _TAX = 0x28, 0x20, 0x50, 0x40, 0x20, 0x01, 0x00, 0x07
_JEQ, _JEQ_X, _JSET, _RET, _AND, _ST, _LDX_MEM = 0x15, 0x1D, 0x45, 0x06, 0x54, 0x02, 0x61
_NLATTR = (-0x1000 + 12) & 0xFFFFFFFF  # SKF_AD_OFF + SKF_AD_NLATTR: A = place of attribute X from A
# Places in a message (netlink(7), struct ndmsg, ifinfomsg, ifaddrmsg): nlmsg_type, ndm_state,
# ifi_flags, ifa_index, and the first attribute of each kind
_TYPE, _STATE, _FLAGS, _INDEX = 4, 24, 24, 20
_OF_NEIGHBOUR, _OF_LINK, _OF_ADDRESS = 28, 32, 24
_CREATED, _UPDATED = 8, 12  # in struct ifa_cacheinfo (linux/if_addr.h)
_CARRIER = 0x1 | 0x40 | 0x10000 | 0x20000  # IFF_UP, _RUNNING, _LOWER_UP, _DORMANT (linux/if.h)
_DROP, _PASS = 0, 0xFFFFFFFF
_MOST = 4096  # messages read at a time
_TURNS = 9  # looks at links that change meanwhile
_UPLINKS = struct.pack("4H", rt.NEWLINK, rt.DELLINK, rt.NEWADDR, rt.DELADDR)


@value
class Known:
    """An uplink as the filter knows it: number and flags of carrier are 0 if there is none."""

    name: str
    index: int
    flags: int


def program(uplinks: Iterable[Known]) -> list[tuple[int, int, int, int]]:
    """Return the filter: code, steps on if true, steps on if false, operand (socket(7))."""
    parts = [_neighbours()]
    for uplink in uplinks:
        parts.append(_link(uplink))
        if uplink.index:
            parts.append(_addresses(uplink.index))
    return [step for part in parts for step in _placed(part)] + [(_RET, 0, 0, _DROP)]


def _placed(part: Sequence[Step]) -> list[tuple[int, int, int, int]]:
    """Return a part of the filter, its steps counted: it passes a message, or goes on."""
    ends = {"pass": len(part), "next": len(part) + 1}

    def steps(at: int, to: int | str) -> int:
        return ends[to] - at - 1 if isinstance(to, str) else to

    counted = [
        (code, steps(at, yes), steps(at, no), k) for at, (code, yes, no, k) in enumerate(part)
    ]
    return [*counted, (_RET, 0, 0, _PASS)]


def _neighbours() -> list[Step]:
    return [
        *_kinds(NEWNEIGH, DELNEIGH),
        # A word of whom we keep asked, ...
        *_attribute(NDA_FLAGS_EXT, _OF_NEIGHBOUR),
        (_LD_X, 0, 0, 4),
        (_JSET, 0, "next", _number(NTF_EXT_MANAGED, 4)),
        *_attribute(NDA_PROTOCOL, _OF_NEIGHBOUR),
        (_LDB_X, 0, 0, 4),
        (_JEQ, 0, "next", PROTOCOL),
        # ... that it is gone, ...
        (_LDH, 0, 0, _TYPE),
        (_JEQ, "pass", 0, _number(DELNEIGH, 2)),
        # ... or that it does not answer.
        (_LDH, 0, 0, _STATE),
        (_JSET, "pass", "next", _number(_NUD_FAILED, 2)),
    ]


def _link(uplink: Known) -> list[Step]:
    name = uplink.name.encode() + b"\0"
    name += bytes(-len(name) % 4)
    steps = [*_kinds(rt.NEWLINK, rt.DELLINK), *_attribute(rt.IFLA_IFNAME, _OF_LINK)]
    for place in range(0, len(name), 4):
        steps.append((_LD_X, 0, 0, 4 + place))
        steps.append((_JEQ, 0, "next", int.from_bytes(name[place : place + 4], "big")))
    return [
        *steps,
        (_LDH, 0, 0, _TYPE),
        (_JEQ, "pass", 0, _number(rt.DELLINK, 2)),
        (_LDW, 0, 0, _INDEX),
        (_JEQ, 0, "pass", _number(uplink.index, 4)),
        (_LDW, 0, 0, _FLAGS),
        (_AND, 0, 0, _number(_CARRIER, 4)),
        (_JEQ, "next", "pass", _number(uplink.flags, 4)),
    ]


def _addresses(index: int) -> list[Step]:
    return [
        *_kinds(rt.NEWADDR, rt.DELADDR),
        (_LDW, 0, 0, _INDEX),
        (_JEQ, 0, "next", _number(index, 4)),
        # Not ours; one that nobody's is has no such attribute.
        *_attribute(rt.IFA_PROTO, _OF_ADDRESS, without=3),
        (_LDB_X, 0, 0, 4),
        (_JEQ, "next", 0, PROTOCOL),
        (_LDH, 0, 0, _TYPE),
        (_JEQ, "pass", 0, _number(rt.DELADDR, 2)),
        *_attribute(rt.IFA_CACHEINFO, _OF_ADDRESS),
        (_LD_X, 0, 0, 4 + _CREATED),
        (_ST, 0, 0, 0),
        (_LD_X, 0, 0, 4 + _UPDATED),
        (_LDX_MEM, 0, 0, 0),
        (_JEQ_X, "pass", "next", 0),
    ]


def _kinds(*kinds: int) -> list[Step]:
    """Go on with messages of either type alone."""
    one, other = kinds
    return [
        (_LDH, 0, 0, _TYPE),
        (_JEQ, 1, 0, _number(one, 2)),
        (_JEQ, 0, "next", _number(other, 2)),
    ]


def _attribute(kind: int, first: int, without: int | str = "next") -> list[Step]:
    """Have X be the place of an attribute; ``without`` says where it goes on if there is none."""
    return [
        (_LDX, 0, 0, kind),
        (_LD_IMM, 0, 0, first),
        (_LD, 0, 0, _NLATTR),
        (_JEQ, without, 0, 0),
        (_TAX, 0, 0, 0),
    ]


def _number(number: int, size: int) -> int:
    """Return a number of the machine's byte order as a filter loads it: in the network's."""
    return int.from_bytes(number.to_bytes(size, byteorder), "big")


def listen(ear: socket, config: Config) -> None:
    """Let through what concerns us alone, from now on. Raises OSError.

    Links are looked at before and after: of one that changed between it would tell the wrong word.
    """
    with rt.Netlink() as netlink:
        known: list[Known] = []
        for _ in range(_TURNS):
            seen = [_known(netlink, name) for name in config.names()]
            if seen == known:
                break
            known = seen
            attach(ear, known)


def _known(netlink: rt.Netlink, name: str) -> Known:
    body = bytes(16) + rt.attribute(rt.IFLA_IFNAME, name.encode() + b"\0")
    try:
        answer = netlink.get(rt.GETLINK, body)
    except rt.NetlinkError as error:
        if error.errno == ENODEV:
            return Known(name, 0, 0)
        raise
    index, flags = struct.unpack_from("=iI", answer, 4)
    return Known(name, index, flags & _CARRIER)


def attach(ear: socket, uplinks: Iterable[Known]) -> None:
    """Give the socket a filter, in place of the one that it has. Raises OSError."""
    code = b"".join(struct.pack("=HBBI", *step) for step in program(uplinks))
    held = array("B", code)
    address, size = held.buffer_info()
    ear.setsockopt(SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", size // 8, address))


def drain(ear: socket) -> str:
    """Read all that has come; return of what it was: "uplink", "gateway" alone, or "" for nothing.

    Where more came than the socket holds, the kernel says so once (ENOBUFS): a word all the same.
    Raises OSError.
    """
    heard = ""
    for _ in range(_MOST):
        try:
            kind = ear.recv(6)[_TYPE:]
        except OSError as error:
            if error.errno == EAGAIN:
                break
            if error.errno != ENOBUFS:
                raise
            kind = _UPLINKS[:2]
        if len(kind) == 2 and kind in struct.unpack("2s2s2s2s", _UPLINKS):
            heard = "uplink"
        heard = heard or "gateway"
    return heard
