"""Ask something beyond the gateway: an ICMP echo, or a TCP connection.

icmplib builds and judges the ICMP packets; its ``ping()`` is not used, since it binds no
device, swallows send failures and asks one after another.
"""

from __future__ import annotations

import errno
import itertools
import os
import select
import socket
from typing import Any

from icmplib import ICMPLibError, ICMPRequest, ICMPv4Socket, ICMPv6Socket

from netfail_hooks.facts import Target

# icmplib 3 counts for us and shows its socket as ``sock``; Debian 12 and 13 have 2.1.
_identifiers = itertools.count(os.getpid())


def target_wire(target: Target, interface: str) -> Echo | Connection:
    """Return the wire that asks a target through an interface. Raises OSError."""
    return Connection(target, interface) if target.port else Echo(target, interface)


class Echo:
    """An ICMP or ICMPv6 echo."""

    events = select.POLLIN

    def __init__(self, target: Target, interface: str) -> None:
        self.name = str(target)
        self._target = target
        self._identifier = next(_identifiers) & 0xFFFF
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
        """Tell whether the reply to one of our requests has come."""
        try:
            reply = self._socket.receive(self._requests[-1], timeout=0.001)
            reply.raise_for_status()
        except ICMPLibError:
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _sock(self) -> socket.socket:
        """Return the socket within icmplib's."""
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
