"""Make an uplink fail on purpose, and end that. Nothing of it outlives a boot.

Either nothing arrives by it any more, as if its router were dead: a chain of nf_tables where frames
come in (family netdev, hook ingress, nft(8)), before ARP and neighbour discovery see them. Or its
carrier goes: by the driver, if it lets one (IFLA_CARRIER), by "protodown" (ip-link(8)), or by
having the link negotiate anew (ETHTOOL_NWAY_RST, as ``ethtool -r``) before it has come to an end.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import struct
from array import array

from netfail_hooks.errors import NotPermitted, Problem
from netfail_hooks.kernel import netlink as rt

SILENCE, CARRIER, PROTODOWN, RENEGOTIATE = "silence", "carrier", "protodown", "renegotiate"

_TABLE, _CHAIN = b"netfail-hooks-drill\0", b"silence\0"
# linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h, linux/netfilter.h
_NETLINK_NETFILTER, _NFT, _NETDEV, _DROP, _ACCEPT = 12, 10, 5, 0, 1
_BATCH_BEGIN, _BATCH_END = 16, 17
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0, 2, 3, 6
_TABLE_NAME = 1
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY, _CHAIN_TYPE = 1, 3, 4, 5, 7
_HOOK_NUMBER, _HOOK_PRIORITY, _HOOK_DEVICE, _INGRESS = 1, 2, 3, 0
_RULE_TABLE, _RULE_CHAIN, _RULE_EXPRESSIONS, _ELEMENT = 1, 2, 4, 1
_EXPRESSION_NAME, _EXPRESSION_DATA, _VALUE, _VERDICT, _VERDICT_CODE = 1, 2, 1, 2, 1
_META_REGISTER, _META_KEY, _META_PROTOCOL = 1, 2, 1
_CMP_REGISTER, _CMP_OPERATION, _CMP_DATA, _EQUAL = 1, 2, 3, 0
_IMMEDIATE_REGISTER, _IMMEDIATE_DATA, _REGISTER, _REGISTER_VERDICT = 1, 2, 1, 0
_NESTED, _APPEND = 0x8000, 0x800
_FIRST = -(1 << 31)  # a priority before everybody else's, but conntrack's bare minimum
# Keys of Wi-Fi and of 802.1X are renewed at any time; without an answer the link would go.
_EAPOL = 0x888E
_SETLINK, _IFLA_CARRIER, _IFLA_PROTO_DOWN = 19, 33, 39  # linux/rtnetlink.h, linux/if_link.h
# linux/sockios.h; linux/ethtool.h, and where struct ethtool_cmd has "autoneg"
_SIOCETHTOOL, _GSET, _NWAY_RST, _AUTONEG = 0x8946, 0x1, 0x9, 18
# Once it was told of a carrier by hand, this one never looks at its ports' again
# (team_change_carrier: user_carrier_enabled).
_KEEPS_ORDERS = "team"
_HINT = "drill with --gateway, or pull the cable"

# What the kernel says where there is nothing to end: no such table or interface; of nf_tables (or
# of family netdev) none at all (nfnetlink_rcv_batch, netlink_create).
_NO_TABLE = (errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT)
_NO_LINK = (errno.ENODEV,)
# A tap of which no program has hold has no carrier anyway; the next one brings it along
# (tun_net_change_carrier, tun_attach).
_NO_CARRIER = (errno.ENODEV, errno.EPERM)
_ENDED = {SILENCE: _NO_TABLE, CARRIER: _NO_CARRIER, PROTODOWN: _NO_LINK}


def carrier_way(interface: str, driver: str) -> str:
    """Return by what an interface's carrier can be taken away. It must have one.

    Raises Problem where there is no such way: its driver can't, as that of most virtual ones.
    """
    for way in (CARRIER, PROTODOWN) if driver != _KEEPS_ORDERS else ():
        with contextlib.suppress(OSError):
            # It has one already: this only tells whether the driver could.
            _set_carrier(way, index_of(interface), present=True)
            return way
    if _negotiates(interface):
        return RENEGOTIATE
    raise Problem(f"{interface}: its driver takes no carrier away", hint=_HINT)


def begin(way: str, interface: str) -> None:
    """Have an uplink fail. Raises Problem, NotPermitted."""
    try:
        if way == SILENCE:
            _silence(interface)
        elif way == RENEGOTIATE:
            renegotiate(interface)
        else:
            _set_carrier(way, index_of(interface), present=False)
    except PermissionError as error:
        raise NotPermitted(f"{interface}: {error.strerror}", hint="use sudo") from None
    except OSError as error:
        raise not_failed(interface, error.strerror or str(error), way) from None


def not_failed(interface: str, why: str, way: str) -> Problem:
    """Return that an interface does not fail, with the next step."""
    hint = "nothing was changed; pull the cable instead" if way == SILENCE else _HINT
    return Problem(f"{interface} could not be made to fail: {why}", hint=hint)


def end(way: str, index: int) -> None:
    """Let it be as it was. Where it is so already nothing happens. Raises OSError.

    It is so where the interface is gone, or the kernel has no nf_tables. One that was renamed since
    has its ``index`` still.
    """
    try:
        if way == SILENCE:
            _batch((_DELETE_TABLE, 0, rt.attribute(_TABLE_NAME, _TABLE)))
        elif way in (CARRIER, PROTODOWN):
            _set_carrier(way, index, present=True)
    except OSError as error:
        if error.errno not in _ENDED[way]:
            raise


def index_of(interface: str) -> int:
    """Return an interface's number. Raises OSError."""
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV)) from None


def renegotiate(interface: str) -> None:
    """Have the link begin to negotiate: for a second or two it has no carrier. Raises OSError."""
    _ethtool(interface, _NWAY_RST)


def _negotiates(interface: str) -> bool:
    """Tell whether a link has agreed with the other side on its speed (struct ethtool_cmd)."""
    try:
        return bool(_ethtool(interface, _GSET)[_AUTONEG])
    except OSError:
        return False


def _ethtool(interface: str, command: int) -> bytes:
    """Ask or tell a driver something; return its answer. Raises OSError."""
    data = array("B", struct.pack("=I40x", command))
    request = struct.pack("16sP", interface.encode(), data.buffer_info()[0]).ljust(40, b"\0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as any_socket:
        fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
    return data.tobytes()


def _set_carrier(way: str, index: int, *, present: bool) -> None:
    kind, mark = (_IFLA_CARRIER, present) if way == CARRIER else (_IFLA_PROTO_DOWN, not present)
    body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + rt.attribute(kind, bytes([mark]))
    with rt.Netlink() as netlink:
        netlink.change(_SETLINK, 0, body)


def _silence(interface: str) -> None:
    hook = (
        _number(_HOOK_NUMBER, _INGRESS)
        + _number(_HOOK_PRIORITY, _FIRST)
        + rt.attribute(_HOOK_DEVICE, interface.encode() + b"\0")
    )
    chain = (
        rt.attribute(_CHAIN_TABLE, _TABLE)
        + rt.attribute(_CHAIN_NAME, _CHAIN)
        + _nested(_CHAIN_HOOK, hook)
        + _number(_CHAIN_POLICY, _DROP)
        + rt.attribute(_CHAIN_TYPE, b"filter\0")
    )
    rule = (
        rt.attribute(_RULE_TABLE, _TABLE)
        + rt.attribute(_RULE_CHAIN, _CHAIN)
        + _nested(_RULE_EXPRESSIONS, _accepted(_EAPOL))
    )
    _batch(
        (_NEW_TABLE, rt.F_CREATE | rt.F_EXCL, rt.attribute(_TABLE_NAME, _TABLE)),
        (_NEW_CHAIN, rt.F_CREATE | rt.F_EXCL, chain),
        (_NEW_RULE, rt.F_CREATE | _APPEND, rule),
    )


def _accepted(protocol: int) -> bytes:
    """Return the expressions of ``meta protocol 0x... accept``."""
    told = _number(_META_REGISTER, _REGISTER) + _number(_META_KEY, _META_PROTOCOL)
    same = (
        _number(_CMP_REGISTER, _REGISTER)
        + _number(_CMP_OPERATION, _EQUAL)
        + _nested(_CMP_DATA, rt.attribute(_VALUE, struct.pack("!H", protocol)))
    )
    verdict = _nested(_VERDICT, _number(_VERDICT_CODE, _ACCEPT))
    accept = _number(_IMMEDIATE_REGISTER, _REGISTER_VERDICT) + _nested(_IMMEDIATE_DATA, verdict)
    named = ((b"meta\0", told), (b"cmp\0", same), (b"immediate\0", accept))
    return b"".join(
        _nested(_ELEMENT, rt.attribute(_EXPRESSION_NAME, name) + _nested(_EXPRESSION_DATA, data))
        for name, data in named
    )


def _batch(*messages: tuple[int, int, bytes]) -> None:
    """Have the kernel do all of it or nothing. Raises OSError, FileNotFoundError for no table."""
    asked = len(messages)
    packed = [_message(_BATCH_BEGIN, 0, 0, struct.pack("!BBH", 0, 0, _NFT))]
    for number, (kind, flags, body) in enumerate(messages, 1):
        head = struct.pack("!BBH", _NETDEV, 0, 0)
        packed.append(_message(_NFT << 8 | kind, rt.F_ACK | flags, number, head + body))
    packed.append(_message(_BATCH_END, 0, asked + 1, struct.pack("!BBH", 0, 0, _NFT)))
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    with socket.socket(socket.AF_NETLINK, kind, _NETLINK_NETFILTER) as kernel:
        kernel.settimeout(rt.TIMEOUT)
        kernel.send(b"".join(packed))
        while asked:
            data, at = kernel.recv(1 << 16), 0
            while at < len(data):
                size, answer = struct.unpack_from("=IH", data, at)
                if answer == rt.NLMSG_ERROR:
                    (code,) = struct.unpack_from("=i", data, at + 16)
                    if code:
                        raise OSError(-code, os.strerror(-code))
                    asked -= 1
                at += size + 3 & ~3


def _message(kind: int, flags: int, number: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, rt.F_REQUEST | flags, number, 0) + body


def _nested(kind: int, data: bytes) -> bytes:
    return rt.attribute(kind | _NESTED, data)


def _number(kind: int, data: int) -> bytes:
    """Return an attribute with a 32-bit number as nf_tables has all of them: in network order."""
    return rt.attribute(kind, struct.pack("!I", data & 0xFFFFFFFF))
