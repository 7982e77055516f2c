"""Ask a name server for an address, through an uplink's own device.

``dns:NAME@SERVER`` counts once an answer has come that has a record of the kind: A over IPv4, AAAA
over IPv6 (RFC 1035, RFC 3596). The server of a web page is looked up the same way, at the uplink's
own name servers: those that networkd and systemd-resolved have for its link. What the machine would
ask otherwise may belong to another uplink, or have the answer of another network in its cache.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from contextlib import ExitStack

from netfail_hooks.config import Target
from netfail_hooks.names import is_address
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.probe.errand import Deadline

_PORT = 53
_TYPES = {4: 1, 6: 28}  # A, AAAA
_IN = 1
_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
_RESPONSE, _RECURSE, _OPCODE, _RCODE = 0x8000, 0x0100, 0x7800, 0x000F
_RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}
_READS, _LONGEST = 64, 4096  # packets at a time, as a flood must not hold us up; bytes of a packet
_PATIENCE = 0.5  # seconds until all servers are asked again
_SERVERS = 3  # as many as resolv.conf(5) takes


class Question:
    """A name, asked of one server."""

    events = select.POLLIN
    hears_on = True  # an error may be the answer to one try, and the next one's a record

    def __init__(self, target: Target, interface: str) -> None:
        self.name = str(target)
        self._family = target.family
        self._asked = message(target.host, target.family)
        self._socket = _socket(interface, target.address)
        self.fileno = self._socket.fileno
        self.close = self._socket.close

    def ask(self) -> None:
        """Send the question."""
        self._socket.send(self._asked)

    def answered(self) -> bool:
        """Tell whether the answer has come. Raises OSError for one without a record."""
        for _ in range(_READS):
            try:
                packet = self._socket.recv(_LONGEST)
            except BlockingIOError:
                return False
            try:
                addresses_in(packet, self._asked, self._family)
            except ValueError:
                continue  # not of this question
            return True
        return False


def message(name: str, family: int) -> bytes:
    """Return a question for the addresses of a name (RFC 1035, section 4.1)."""
    identifier = int.from_bytes(os.urandom(2), "big")  # so that nobody can guess it
    labels = (label.encode("ascii") for label in name.removesuffix(".").split("."))
    encoded = b"".join(bytes([len(label)]) + label for label in labels)
    head = _HEADER.pack(identifier, _RECURSE, 1, 0, 0, 0)
    return head + encoded + b"\0" + struct.pack("!HH", _TYPES[family], _IN)


def addresses_in(packet: bytes, asked: bytes, family: int) -> list[str]:
    """Return the addresses that an answer has, at least one.

    Raises ValueError for what is no answer to what was asked, OSError for one that has none.
    """
    size = len(asked)
    if len(packet) < size or packet[:2] != asked[:2]:
        raise ValueError("not of this question")
    _, flags, questions, answers, _, _ = _HEADER.unpack_from(packet)
    same = packet[_HEADER.size : size].lower() == asked[_HEADER.size :].lower()
    if not flags & _RESPONSE or flags & _OPCODE or questions != 1 or not same:
        raise ValueError("not an answer")
    if code := flags & _RCODE:
        raise OSError(errno.EPROTO, _RCODES.get(code, f"rcode {code}"))
    try:
        found = list(_addresses(packet, size, answers, family))
    except (IndexError, struct.error):
        raise ValueError("damaged") from None
    if not found:
        raise OSError(errno.EPROTO, f"no {'A' if family == 4 else 'AAAA'} record")
    return found


def _addresses(packet: bytes, at: int, answers: int, family: int) -> list[str]:
    found = []
    length = 4 if family == 4 else 16
    for _ in range(answers):
        at = _behind_name(packet, at)
        kind, where, _, size = _RECORD.unpack_from(packet, at)
        at += _RECORD.size
        data = packet[at : at + size]
        if len(data) < size:
            raise IndexError
        if (kind, where, size) == (_TYPES[family], _IN, length):
            found.append(socket.inet_ntop(_domain(family), data))
        at += size
    return found


def _behind_name(packet: bytes, at: int) -> int:
    """Return where a name ends: by a zero, or a pointer to the rest of it (section 4.1.4)."""
    while length := packet[at]:
        if length & 0xC0:
            return at + 2
        at += 1 + length
    return at + 1


def look_up(name: str, family: int, interface: str, deadline: Deadline) -> str:
    """Return an address of a name, as an uplink's own name servers have it.

    Raises OSError where none has one, TimeoutError where nobody answers.
    """
    servers = of_link(interface)[:_SERVERS]
    if not servers:
        raise OSError(errno.EDESTADDRREQ, f"{interface} has no name server to look {name} up")
    asked = message(name, family)
    wrong: OSError | None = None
    with ExitStack() as stack:
        poll = select.poll()
        waiting = {}
        for server in servers:
            sock = stack.enter_context(_socket(interface, server))
            waiting[sock.fileno()] = sock
            poll.register(sock, select.POLLIN)
        due = 0.0
        while waiting:
            if time.monotonic() >= due:
                due = time.monotonic() + _PATIENCE
                for sock in waiting.values():
                    try:
                        sock.send(asked)
                    except OSError as error:
                        wrong = error
            rest = max(due - time.monotonic(), 0.001)
            for descriptor, _ in poll.poll(deadline.left(rest) * 1000):
                try:
                    return addresses_in(waiting[descriptor].recv(_LONGEST), asked, family)[0]
                except ValueError:
                    continue
                except OSError as error:  # also of a port where nobody listens
                    wrong = OSError(error.errno, f"{name}: {error.strerror}")
                    poll.unregister(descriptor)
                    del waiting[descriptor]
    raise wrong or TimeoutError


def of_link(interface: str) -> list[str]:
    """Return the name servers of an uplink: networkd's, and what others gave systemd-resolved.

    The first file is the one that sd-network(3) reads; where networkd has set a link up it has
    all that files, DHCP and advertisements say. Both name ADDRESS, ADDRESS:PORT, ADDRESS%LINK and
    ADDRESS#NAME; of those only ADDRESS is asked, at its usual port.
    """
    index = socket.if_nametoindex(interface)
    places = {
        f"/run/systemd/netif/links/{index}": "DNS=",
        f"/run/systemd/resolve/netif/{index}": "SERVERS=",
    }
    listed = (word for path, key in places.items() for word in _listed(path, key))
    plain = (word.partition("#")[0].partition("%")[0] for word in listed)
    return list(dict.fromkeys(filter(_is_asked, plain)))


def _listed(path: str, key: str) -> list[str]:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            lines = file.read(1 << 16).splitlines()
    except OSError:
        return []
    return [word for line in lines if line.startswith(key) for word in line[len(key) :].split()]


def _is_asked(server: str) -> bool:
    return any(is_address(family, server) for family in _TYPES) and not server.startswith("127.")


def _domain(family: int) -> socket.AddressFamily:
    return socket.AF_INET if family == 4 else socket.AF_INET6


def _socket(interface: str, server: str) -> socket.socket:
    """Return a socket through an uplink that hears one server alone. Raises OSError."""
    family = 6 if ":" in server else 4
    sock = socket.socket(_domain(family), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        sock.connect(
            (server, _PORT, 0, socket.if_nametoindex(interface))[: 4 if family == 6 else 2]
        )
    except OSError:
        sock.close()
        raise
    return sock
