"""Web pages asked for: what counts as an answer, and what is a portal's."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.config import Target
from netfail_hooks.config.kinds import parse_target
from netfail_hooks.errors import PortalError
from netfail_hooks.probe import name_server
from netfail_hooks.probe.errand import Deadline, Errand
from netfail_hooks.probe.web import Answer, judge, page_wire, portal
from tests.support import certificates, web, wires


def told(target: str | Target, seconds: float = 3) -> str:
    """Return what comes of asking for a page through lo: "", what is wrong, or "silence"."""
    wanted = parse_target(target) if isinstance(target, str) else target
    return wires.told(page_wire(wanted, "lo", seconds), seconds + 1)


def page(place: str, path: str, *expected: str, port: int, scheme: str = "http") -> Target:
    """Return a page on lo, which no config may name."""
    words = " ".join([f"{scheme}://192.0.2.1:{port}/{path}", *expected])
    return Target(**{**vars(parse_target(words)), "address": place})


@pytest.mark.parametrize(
    ("path", "expected", "wrong"),
    [
        ("204", (), ""),
        ("204", ("204",), ""),
        ("200/ok", (), ""),
        ("200/all-is-well", ("200", "is-well"), ""),
        ("302/http/elsewhere/x", ("302",), ""),
        ("404/not", (), "status 404, not 2xx"),
        ("204", ("200",), "status 204, not 200"),
        ("503/is-well", ("200", "is-well"), "status 503, not 200"),
        ("200/log-in", ("204",), "portal at http://192.0.2.1:{}"),
        ("200/log-in", ("200", "is-well"), "portal at http://192.0.2.1:{}"),
        ("511/log-in", (), "portal at http://192.0.2.1:{}"),
        ("302/http/login.example/a?mac=1", (), "portal at http://login.example/a"),
        ("302/http/me:pw@login.example/a", (), "portal at http://login.example/a"),
        ("302/https/127.0.0.1/a", (), "status 302, not 2xx"),
    ],
)
def test_a_page_counts_if_it_is_as_expected(
    path: str, expected: tuple[str, ...], wrong: str
) -> None:
    with web.serving() as port:
        target = page("127.0.0.1", path, *expected, port=port)
        found = told(target).replace("//127.0.0.1:", "//192.0.2.1:")
    assert found == wrong.format(port)


def test_a_page_is_asked_for_in_ipv6_too() -> None:
    with web.serving("::1") as port:
        target = parse_target(f"http://[2001:db8::1]:{port}/204 204")
        assert told(Target(**{**vars(target), "address": "::1"})) == ""


def test_a_port_where_nobody_listens_is_told() -> None:
    with web.serving() as port:
        pass
    assert told(page("127.0.0.1", "204", port=port)) == "Connection refused"


def test_a_server_that_is_started_again_meanwhile_is_asked_again() -> None:
    with web.serving() as port:
        pass
    wire = page_wire(page("127.0.0.1", "204", port=port), "lo", 3)
    wire.ask()
    with pytest.raises(ConnectionRefusedError):
        _await(wire)
    with web.listen(("127.0.0.1", port)):
        assert not wire.answered()
        wire.ask()
        assert _await(wire)
    wire.close()


def _await(wire: Errand) -> bool:
    until = time.monotonic() + 3
    while time.monotonic() < until:
        if wire.answered():
            return True
        time.sleep(0.005)
    return False


@pytest.mark.parametrize("silent", [True, False], ids=["handshake", "page"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_who_is_given_up_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, *, silent: bool
) -> None:
    certificate = certificates.make(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with contextlib.ExitStack() as stack:
        if silent:
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = server.getsockname()[1]
        else:
            cert = str(certificate) if scheme == "https" else ""
            port = stack.enter_context(web.serving(certificate=cert))
        wire = page_wire(page("127.0.0.1", "drip", port=port, scheme=scheme), "lo", 20)
        wire.ask()
        time.sleep(0.3)
        (asking,) = (one for one in threading.enumerate() if "(_run)" in one.name)
        wire.close()
        asking.join(2)
        assert not asking.is_alive()


@given(
    st.from_regex(r"[a-z0-9/_.-]{8,30}", fullmatch=True),
    st.integers(100, 599),
    st.sampled_from(("http://other.example/", "https://other.example/x/", "")),
)
def test_no_reason_tells_a_pages_path(path: str, status: int, place: str) -> None:
    """Some services know who asks by it."""
    secret = f"Secret{path}"
    target = parse_target(f"http://up.example/{secret} 204 text")
    location = f"{place}{secret}?{secret}" if place else ""
    with pytest.raises(OSError, match=r".") as raised:
        judge(target, Answer(status, location, b""))
    assert "Secret" not in str(raised.value)
    assert target.name == "http://up.example"
    assert str(target) == f"http://up.example/{secret} 204 text", "but the configuration has it"


@pytest.mark.parametrize("seconds", [0.3])
def test_who_says_it_a_byte_at_a_time_is_given_up(seconds: float) -> None:
    with web.serving() as port:
        began = time.monotonic()
        assert told(page("127.0.0.1", "drip", port=port), seconds) == "silence"
    assert time.monotonic() - began < seconds + 2


def test_a_certificate_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = certificates.make(tmp_path, "127.0.0.1")
    other = certificates.make(tmp_path, "up.example")
    bundle = tmp_path / "all.pem"
    bundle.write_bytes(good.read_bytes() + other.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with web.serving(certificate=str(good)) as port:
        asked = page("127.0.0.1", "200/ok", "200", "ok", port=port, scheme="https")
        assert told(asked) == ""
        moved = page("127.0.0.1", "302/http/login.example", port=port, scheme="https")
        assert told(moved) == "status 302, not 2xx", "who has the certificate is no portal"
        monkeypatch.setenv("SSL_CERT_FILE", "/dev/null")
        assert told(asked).startswith("certificate: self-signed")
    with web.serving(certificate=str(other)) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        asked = page("127.0.0.1", "200/ok", port=port, scheme="https")
        assert told(asked).startswith("certificate: IP address mismatch")
    with web.serving() as port:
        asked = page("127.0.0.1", "200/ok", port=port, scheme="https")
        assert told(asked).startswith("TLS: ")


def test_a_name_is_looked_up_at_the_uplinks_own_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.unit.probe.test_name_server import answering

    with web.serving() as port, answering("up.example", "127.0.0.1") as server:
        monkeypatch.setattr(name_server, "_PORT", server)
        monkeypatch.setattr(name_server, "of_link", lambda _: ["127.0.0.1"])
        assert told(f"http://up.example:{port}/204 204") == ""
        assert told(f"http://down.example:{port}/204") == "down.example: NXDOMAIN"
        monkeypatch.setattr(name_server, "of_link", lambda _: [])
        assert "lo has no name server" in told(f"http://up.example:{port}/204")


_statuses = st.integers(100, 599)
_pages = st.builds(
    Target,
    st.just(4),
    st.just(""),
    kind=st.sampled_from(("http", "https")),
    host=st.just("up.example"),
    path=st.just("/"),
    status=st.sampled_from((0, 200, 204, 302)),
    text=st.sampled_from(("", "well")),
)


@given(_pages, st.builds(Answer, _statuses, st.text(max_size=300), st.binary(max_size=50)))
def test_whatever_is_said_is_told_in_one_short_plain_line(target: Target, answer: Answer) -> None:
    as_expected = (
        answer.status == target.status or (not target.status and answer.status // 100 == 2)
    ) and target.text.encode() in answer.body
    try:
        judge(target, answer)
    except PortalError as error:
        assert target.kind == "http"
        line = str(error.strerror)
        assert line.startswith("portal at ")
        assert not as_expected
    except OSError as error:
        line = str(error.strerror)
        assert not as_expected
    else:
        assert as_expected
        return
    assert line.isascii()
    assert line.isprintable()
    assert len(line) <= 120


@pytest.mark.parametrize("location", ["", "/login", "https://UP.example./x", "http://[", "//"])
def test_a_move_on_the_same_host_is_no_portals(location: str) -> None:
    target = parse_target("http://up.example/ 204")
    assert portal(target, Answer(302, location, b"")) == ""


def test_a_deadline_ends() -> None:
    deadline = Deadline(0.05)
    assert 0 < deadline.left() <= 0.05
    assert deadline.left(0.01) == 0.01
    time.sleep(0.06)
    with pytest.raises(TimeoutError):
        deadline.left()
