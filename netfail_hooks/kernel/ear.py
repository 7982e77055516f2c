"""The socket on which the service manager waits for the kernel's word: its filter, and its end.

``netfail-hooks-watch.socket`` listens to what befalls neighbours (RTMGRP_NEIGH, rtnetlink(7)). On a
busy LAN that is a lot, so a filter on the socket itself lets through what concerns us alone:

- a gateway that we keep asked (kernel/watch.py) no longer answers: RTM_NEWNEIGH with NUD_FAILED;
- such an entry is gone with its link or its carrier: RTM_DELNEIGH. The hooks hear of that from
  networkd, too; this is for when they do not. What we take away ourselves is not among it: the
  kernel takes the flag off before it tells.

It goes by the marks of the entry, its flag and our protocol number, not by addresses: so it is
right for any gateway and any interface at any time, and needs no change when these do. A filter
stays on the socket, which the service manager holds, when the process that attached it ends.
"""

from __future__ import annotations

import struct
from _socket import SOL_SOCKET, socket
from array import array
from errno import EAGAIN, ENOBUFS
from sys import byteorder

from netfail_hooks.kernel.netlink import DELNEIGH, NEWNEIGH
from netfail_hooks.kernel.watch import NDA_FLAGS_EXT, NDA_PROTOCOL, NTF_EXT_MANAGED
from netfail_hooks.policy.facts import PROTOCOL

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h
_NUD_FAILED = 0x20
# linux/filter.h, linux/bpf_common.h: load (half word, word, byte) at a place, or beyond X
_LDH, _LDB_X, _LD_X, _LD, _LDX, _LD_IMM, _TAX = 0x28, 0x50, 0x40, 0x20, 0x01, 0x00, 0x07
_JEQ, _JSET, _RET = 0x15, 0x45, 0x06
_NLATTR = (-0x1000 + 12) & 0xFFFFFFFF  # SKF_AD_OFF + SKF_AD_NLATTR: A = place of attribute X from A
# Places in a message: nlmsg_type, ndm_state, the first attribute (netlink(7), struct ndmsg)
_TYPE, _STATE, _ATTRIBUTES = 4, 24, 28
_DROP, _PASS = 0, 0xFFFFFFFF
_MOST = 4096  # messages read at a time


def program() -> list[tuple[int, int, int, int]]:
    """Return the filter: code, steps on if true, steps on if false, operand (socket(7))."""
    tests: list[tuple[int, int | str, int | str, int]] = [
        # A word of whom we keep asked, ...
        *_attribute(NDA_FLAGS_EXT, _LD_X),
        (_JSET, 0, "drop", _number(NTF_EXT_MANAGED, 4)),
        *_attribute(NDA_PROTOCOL, _LDB_X),
        (_JEQ, 0, "drop", PROTOCOL),
        # ... that it is gone, ...
        (_LDH, 0, 0, _TYPE),
        (_JEQ, "pass", 0, _number(DELNEIGH, 2)),
        # ... or that it does not answer.
        (_JEQ, 0, "drop", _number(NEWNEIGH, 2)),
        (_LDH, 0, 0, _STATE),
        (_JSET, "pass", "drop", _number(_NUD_FAILED, 2)),
        (_RET, 0, 0, _PASS),
        (_RET, 0, 0, _DROP),
    ]
    ends = {"pass": len(tests) - 2, "drop": len(tests) - 1}

    def steps(at: int, to: int | str) -> int:
        return ends[to] - at - 1 if isinstance(to, str) else to

    return [(code, steps(at, yes), steps(at, no), k) for at, (code, yes, no, k) in enumerate(tests)]


def _attribute(kind: int, load: int) -> list[tuple[int, int | str, int | str, int]]:
    """Return how to load what an attribute holds; without it there is nothing to hear."""
    return [
        (_LDX, 0, 0, kind),
        (_LD_IMM, 0, 0, _ATTRIBUTES),
        (_LD, 0, 0, _NLATTR),
        (_JEQ, "drop", 0, 0),
        (_TAX, 0, 0, 0),
        (load, 0, 0, 4),
    ]


def _number(number: int, size: int) -> int:
    """Return a number of the machine's byte order as a filter loads it: in the network's."""
    return int.from_bytes(number.to_bytes(size, byteorder), "big")


def listen(ear: socket) -> None:
    """Let through what concerns us alone, from now on. Raises OSError."""
    code = b"".join(struct.pack("=HBBI", *step) for step in program())
    held = array("B", code)
    address, size = held.buffer_info()
    ear.setsockopt(SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", size // 8, address))


def drain(ear: socket) -> bool:
    """Read all that has come; tell whether there was anything. Raises OSError.

    Where more came than the socket holds, the kernel says so once (ENOBUFS): a word all the same.
    """
    heard = False
    for _ in range(_MOST):
        try:
            ear.recv(1)
        except OSError as error:
            if error.errno == EAGAIN:
                break
            if error.errno != ENOBUFS:
                raise
        heard = True
    return heard
