"""Ask for a web page through an uplink's own device, and tell a captive portal by its answer.

A network that wants a login answers in the place of others: by a redirection to another host, by
a page of its own where 204 (or another text) was expected, or by status 511 (RFC 6585, section 6).
That is what RFC 8910 and RFC 8952 are to replace, and what networks do. So a page over http, whose
answer nobody vouches for, can say more than that nobody answers: while a portal holds the line,
whatever else gets through (many let ICMP and DNS by) is no way out.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl
import threading
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from netfail_hooks import __version__
from netfail_hooks.config import Target
from netfail_hooks.errors import PortalError
from netfail_hooks.probe.errand import Deadline, Errand
from netfail_hooks.probe.name_server import look_up
from netfail_hooks.values import value

_PORTS = {"http": 80, "https": 443}
_LONGEST = 1 << 16  # bytes of a page that are looked through
_SHOWN = 100  # characters of what somebody else says
_REDIRECTIONS = (301, 302, 303, 307, 308)
_LOGIN_REQUIRED = 511  # RFC 6585
_EMPTY = 204


@value
class Answer:
    """What came of a request."""

    status: int
    location: str
    body: bytes


class Page:
    """A web page: an errand whose socket can be shut down."""

    def __init__(self, target: Target, interface: str, seconds: float) -> None:
        self._target = target
        self._interface = interface
        self._seconds = seconds
        self._socket: socket.socket | None = None
        self._stopped = threading.Event()

    def errand(self) -> Errand:
        """Return what asks for it."""
        return Errand(self._target.name, self._ask, self._stop, again=True)

    def _ask(self) -> None:
        deadline = Deadline(self._seconds)
        try:
            answer = self._fetch(deadline)
        except ssl.SSLCertVerificationError as error:
            raise OSError(errno.EPROTO, f"certificate: {_shown(error.verify_message)}") from None
        except ssl.SSLError as error:
            raise OSError(errno.EPROTO, f"TLS: {_shown(error.reason or '')}") from None
        except (HTTPException, ValueError):  # also a line that is no status
            raise OSError(errno.EPROTO, "no web server answers") from None
        judge(self._target, answer)

    def _fetch(self, deadline: Deadline) -> Answer:
        target = self._target
        address = target.address or look_up(target.host, target.family, self._interface, deadline)
        family = socket.AF_INET if target.family == 4 else socket.AF_INET6
        port = target.port or _PORTS[target.kind]
        with socket.socket(family, socket.SOCK_STREAM) as plain:
            self._may_be_stopped(plain)
            device = self._interface.encode() + b"\0"
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
            plain.settimeout(deadline.left())
            plain.connect((address, port))
            named = target.host or target.address
            if target.kind == "http":
                return self._get(plain, named, port, deadline)
            plain.settimeout(deadline.left())
            context = ssl.create_default_context()
            # It takes the descriptor over from the plain socket, before the handshake.
            with context.wrap_socket(
                plain, server_hostname=named, do_handshake_on_connect=False
            ) as secret:
                self._may_be_stopped(secret)
                secret.do_handshake()
                return self._get(secret, named, port, deadline)

    def _get(self, sock: socket.socket, host: str, port: int, deadline: Deadline) -> Answer:
        """Ask by HTTP/1.1. Raises HTTPException, OSError and, of what is no HTTP, ValueError."""
        sock.settimeout(deadline.left())
        connection = HTTPConnection(host, port)
        connection.default_port = _PORTS[self._target.kind]  # who asks for that needn't name it
        connection.sock = sock
        headers = {"User-Agent": f"netfail-hooks/{__version__}", "Connection": "close"}
        connection.request("GET", self._target.path, headers=headers)
        response = connection.getresponse()
        sock.settimeout(deadline.left())
        body = response.read(_LONGEST) if self._target.text else b""
        return Answer(response.status, response.getheader("Location") or "", body)

    def _may_be_stopped(self, sock: socket.socket) -> None:
        """Have a socket shut down when it is time. Raises TimeoutError if it is."""
        self._socket = sock
        if self._stopped.is_set():
            raise TimeoutError

    def _stop(self) -> None:
        self._stopped.set()
        sock = self._socket
        if sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # the socket's own, without TLS


def page_wire(target: Target, interface: str, seconds: float) -> Errand:
    """Return what asks for a page, for so many seconds."""
    return Page(target, interface, seconds).errand()


def judge(target: Target, answer: Answer) -> None:
    """Return if an answer is as expected. Raises PortalError, OSError."""
    status = answer.status
    right = status == target.status if target.status else 200 <= status < 300
    said = target.text.encode("ascii") in answer.body
    if right and said:
        return
    place = portal(target, answer)
    if place:
        raise PortalError(errno.EPROTO, f"portal at {place}")
    if right:
        raise OSError(errno.EPROTO, "another text than expected")
    raise OSError(errno.EPROTO, f"status {status}, not {target.status or '2xx'}")


def portal(target: Target, answer: Answer) -> str:
    """Return the URL of a portal that has answered, "" where it looks like none.

    What a certificate vouches for is no portal's.
    """
    if target.kind != "http":
        return ""
    if answer.status in _REDIRECTIONS:
        try:
            parts = urlsplit(answer.location)
            host = parts.hostname or ""
        except ValueError:
            return ""
        own = target.host or target.address
        if not host or host.removesuffix(".") == own.lower().removesuffix("."):
            return ""
        # Who is only sent on to another host has our own path in it, which may be a secret.
        ours = urlsplit(target.path).path.strip("/")
        place = "" if ours and ours in parts.path else parts.path
        return _shown(f"{parts.scheme or 'http'}://{parts.netloc.rpartition('@')[2]}{place}")
    wanted = target.status == _EMPTY or target.text
    if answer.status == _LOGIN_REQUIRED or (answer.status == 200 and wanted):
        return target.name
    return ""


def _shown(text: str) -> str:
    """Return what somebody else says as it can stand in a line: printable, and not too long."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else "?" for c in text)
    return plain[:_SHOWN]
