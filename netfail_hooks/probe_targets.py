"""Ask something beyond the gateway: an ICMP echo, or a TCP connection.

icmplib builds and judges the ICMP packets; its ``ping()`` is not used, since it binds no
device, swallows send failures and asks one after another.
"""

from __future__ import annotations

import errno
import os
import select
import socket
from typing import Any

from icmplib import ICMPLibError, ICMPRequest, ICMPv4Socket, ICMPv6Socket

from netfail_hooks.facts import Target
from netfail_hooks.rtnetlink import packed

_ECHO_REPLIES = {4: 0, 6: 129}  # RFC 792, RFC 4443
_READS = 64  # packets at a time: a flood must not hold us


def target_wire(target: Target, interface: str) -> Echo | Connection:
    """Return the wire that asks a target through an interface. Raises OSError."""
    return Connection(target, interface) if target.port else Echo(target, interface)


class Echo:
    """An ICMP or ICMPv6 echo."""

    events = select.POLLIN

    def __init__(self, target: Target, interface: str) -> None:
        self.name = str(target)
        self._target = target
        self._address = packed(target.family, target.address)
        self._identifier = int.from_bytes(os.urandom(2), "big")  # nobody's to guess
        self._requests: list[Any] = []
        kind = ICMPv4Socket if target.family == 4 else ICMPv6Socket
        try:
            self._socket = kind(privileged=True)
        except ICMPLibError as error:  # it wraps the system's refusal
            raise PermissionError(errno.EPERM, str(error)) from None
        _bind(self._sock(), interface)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._sock().fileno()

    def ask(self) -> None:
        """Send an echo request."""
        sequence = len(self._requests)
        request = ICMPRequest(self._target.address, self._identifier, sequence)
        self._requests.append(request)
        try:
            self._socket.send(request)
        except ICMPLibError as error:
            raise OSError(errno.ENETUNREACH, str(error)) from None

    def answered(self) -> bool:
        """Tell whether the reply to one of our requests has come.

        A raw socket gets everybody's ICMP, and icmplib asks of a reply neither its sender nor
        its kind: only the target's own word counts.
        """
        for _ in range(_READS):
            try:
                reply = self._socket.receive(timeout=0.001)
            except ICMPLibError:
                return False
            if self._is_answer(reply):
                return True
        return False

    def _is_answer(self, reply: Any) -> bool:  # noqa: ANN401 - icmplib is untyped
        sender = reply.source.partition("%")[0]
        return (
            reply.type == _ECHO_REPLIES[self._target.family]
            and reply.id == self._identifier
            and reply.sequence < len(self._requests)
            and packed(self._target.family, sender) == self._address
        )

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _sock(self) -> socket.socket:
        """Return the socket within icmplib's, which only version 3 shows (Debian has 2.1)."""
        found: socket.socket = self._socket._sock  # noqa: SLF001 - see above
        return found


class Connection:
    """A TCP connection: accepted is an answer, refused is one too (somebody is there)."""

    events = select.POLLOUT

    def __init__(self, target: Target, interface: str) -> None:
        self.name = str(target)
        self._target = target
        family = socket.AF_INET if target.family == 4 else socket.AF_INET6
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        _bind(self._socket, interface)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def ask(self) -> None:
        """Begin to connect; the kernel repeats the SYN by itself."""
        code = self._socket.connect_ex((self._target.address, self._target.port))
        if code not in (0, errno.EINPROGRESS, errno.EALREADY, errno.EISCONN, errno.ECONNREFUSED):
            raise OSError(code, errno.errorcode.get(code, str(code)))

    def answered(self) -> bool:
        """Tell whether the connection's fate is a sign of life."""
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code not in (0, errno.ECONNREFUSED):
            raise OSError(code, errno.errorcode.get(code, str(code)))
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _bind(sock: socket.socket, interface: str) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
