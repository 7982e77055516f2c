"""Probe a target beyond the gateway, by an ICMP echo or a TCP connection.

icmplib builds the ICMP packets. Its ``ping()`` is not used: it binds no device, swallows send
failures and asks one target after another.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct

from icmplib import ICMPLibError, ICMPRequest, ICMPv4Socket, ICMPv6Socket

from netfail_hooks.config import Target
from netfail_hooks.kernel.netlink import packed

_ECHO_REPLIES = {4: 0, 6: 129}  # RFC 792, RFC 4443
_ICMP = struct.Struct("!BBHHH")
_READS, _LONGEST = 64, 256  # packets at a time, as a flood must not hold us up; bytes of a packet


def target_wire(target: Target, interface: str) -> Echo | Connection:
    """Return the socket that asks a target through an interface. Raises OSError."""
    return Connection(target, interface) if target.port else Echo(target, interface)


class Echo:
    """An ICMP or ICMPv6 echo."""

    events = select.POLLIN
    repeats = True  # each question has its own answer, so it may measure a line (measure.py)

    def __init__(self, target: Target, interface: str) -> None:
        self.name = str(target)
        self._target = target
        self._address = packed(target.family, target.address)
        self._identifier = int.from_bytes(os.urandom(2), "big")  # so that nobody can guess it
        self._asked = 0
        kind = ICMPv4Socket if target.family == 4 else ICMPv6Socket
        try:
            self._socket = kind(privileged=True)
        except ICMPLibError as error:  # it wraps the system's refusal
            raise PermissionError(errno.EPERM, str(error)) from None
        _bind(self._sock(), interface)
        self._sock().settimeout(0)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._sock().fileno()

    def ask(self) -> None:
        """Send an echo request."""
        request = ICMPRequest(self._target.address, self._identifier, self._asked)
        self._asked += 1
        try:
            self._socket.send(request)
        except ICMPLibError as error:
            raise OSError(errno.ENETUNREACH, str(error)) from None

    def answered(self) -> bool:
        """Tell whether the target's reply to one of our requests has come.

        icmplib's ``receive()`` checks neither a reply's sender nor its kind, and on a busy machine
        drops a reply that it read after its time limit.
        """
        for _ in range(_READS):
            try:
                packet, (sender, *_) = self._sock().recvfrom(_LONGEST)
            except BlockingIOError:
                return False
            is_target = packed(self._target.family, sender.partition("%")[0]) == self._address
            if is_target and is_echo_reply(
                packet, self._target.family, self._identifier, self._asked
            ):
                return True
        return False

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _sock(self) -> socket.socket:
        """Return the socket within icmplib's, which only version 3 shows (Debian has 2.1)."""
        inner: socket.socket = self._socket._sock  # noqa: SLF001 - see above
        return inner


class Connection:
    """A TCP connection: both accepting and refusing it is an answer, as somebody is there."""

    events = select.POLLOUT

    def __init__(self, target: Target, interface: str) -> None:
        self.name = str(target)
        self._target = target
        self._refused = False
        self._wrong: OSError | None = None
        family = socket.AF_INET if target.family == 4 else socket.AF_INET6
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        _bind(self._socket, interface)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def ask(self) -> None:
        """Begin to connect; the kernel repeats the SYN by itself."""
        place = (self._target.address, self._target.port)
        code = self._socket.connect_ex(place)
        if code == errno.ECONNABORTED:  # so the kernel tells once of one that has failed
            code = self._socket.connect_ex(place)
        self._refused = code == errno.ECONNREFUSED  # at once, as on this machine
        if code not in (0, errno.EINPROGRESS, errno.EALREADY, errno.EISCONN, errno.ECONNREFUSED):
            self._wrong = OSError(code, errno.errorcode.get(code, str(code)))
            raise self._wrong

    def answered(self) -> bool:
        """Tell whether the connection was accepted or refused. Raises OSError if it failed."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code not in (0, errno.ECONNREFUSED):
            self._wrong = OSError(code, errno.errorcode.get(code, str(code)))
            raise self._wrong
        if code == 0 and not self._refused:
            try:  # poll(2) wakes for one that could not even begin, too, of which no error is kept
                self._socket.getpeername()
            except OSError as error:
                raise self._wrong or error from None
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def is_echo_reply(packet: bytes, family: int, identifier: int, asked: int) -> bool:
    """Tell whether a packet of a raw socket is the reply to one of our first ``asked`` echoes.

    A raw socket gets all ICMP packets; those of IPv4 with their IP header (raw(7)).
    """
    at = (packet[:1] or b"\0")[0] % 16 * 4 if family == 4 else 0
    if len(packet) < at + _ICMP.size:
        return False
    kind, code, _, echoed, sequence = _ICMP.unpack_from(packet, at)
    return (kind, code, echoed) == (_ECHO_REPLIES[family], 0, identifier) and sequence < asked


def _bind(sock: socket.socket, interface: str) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
