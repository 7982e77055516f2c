"""A web server, and one that wants a login, for tests here and on the LAN's side of a lab.

    web.py PORT[:CERTIFICATE] ...     answers on these ports until its input ends

By its path a page says what it is to be: /204, /200/TEXT, /302/http/HOST/PATH, /511, /drip. A port
of PORTAL answers all with a redirection to its login.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator

PORTAL = 8080
LOGIN = "http://login.example/hotspot"


def answer(path: str, port: int) -> bytes:
    """Return what a page says, head and all."""
    if port == PORTAL:
        return _whole("302 Found", f"Location: {LOGIN}?mac=02:00:00:00:00:10\r\n", b"log in")
    _, status, *words = path.split("/")
    if status == "302":
        scheme, *place = words
        return _whole("302 Found", f"Location: {scheme}://{'/'.join(place)}\r\n", b"")
    if status == "204":
        return b"HTTP/1.1 204 No Content\r\n\r\n"
    return _whole(f"{status} Said", "", "/".join(words).encode())


def _whole(status: str, head: str, body: bytes) -> bytes:
    return f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _serve(connection: socket.socket, port: int, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError, IndexError):
        if context:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            request = b""
            while b"\r\n\r\n" not in request:
                data = connection.recv(4096)
                if not data:
                    return
                request += data
                if not request.startswith(b"GET "):
                    connection.sendall(_whole("400 What", "", b""))
                    return
            path = request.split(b" ")[1].decode()
            if path.startswith("/drip"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.05)
            connection.sendall(answer(path, port))


def listen(place: tuple[str, int], certificate: str = "") -> socket.socket:
    """Return a listening socket that is served until it is closed."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = socket.create_server(
        place, family=socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    )
    port = server.getsockname()[1]

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                one = (server.accept()[0], port, context)
                threading.Thread(target=_serve, args=one, daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    return server


@contextlib.contextmanager
def serving(host: str = "127.0.0.1", certificate: str = "") -> Iterator[int]:
    """Serve meanwhile; return the port."""
    with listen((host, 0), certificate) as server:
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)


def main() -> None:
    """Serve what the command line names."""
    servers = []
    for word in sys.argv[1:]:
        port, _, certificate = word.partition(":")
        servers.append(listen(("0.0.0.0", int(port)), certificate))  # noqa: S104 - a namespace's
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
