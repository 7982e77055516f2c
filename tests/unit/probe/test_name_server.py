"""Name servers asked: what counts as an answer, and whose servers are asked."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netfail_hooks.config import Target, Uplink
from netfail_hooks.policy.facts import Result
from netfail_hooks.probe import ProbeTarget, name_server, results
from netfail_hooks.probe.errand import Deadline
from netfail_hooks.probe.name_server import Question, addresses_in, look_up, message

KINDS = {4: 1, 6: 28}


def reply(
    asked: bytes, *records: tuple[int, bytes], flags: int = 0x8180, name: bytes = b"\xc0\x0c"
) -> bytes:
    """Return an answer with records, each of a type with its data."""
    head = asked[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
    body = b"".join(
        name + struct.pack("!HHIH", kind, 1, 60, len(data)) + data for kind, data in records
    )
    return head + asked[12:] + body


def packed(address: str) -> tuple[int, bytes]:
    """Return a record of an address."""
    if ":" in address:
        return 28, socket.inet_pton(socket.AF_INET6, address)
    return 1, socket.inet_pton(socket.AF_INET, address)


@contextlib.contextmanager
def answering(
    name: str, address: str, *, lost: int = 0, failed: int = 0, port: int = 0
) -> Iterator[int]:
    """Answer meanwhile on lo for one name; return the port.

    The first questions are ``lost``, and the next get SERVFAIL.
    """
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", port))
    wanted = message(name, 4)[12:-4].lower()

    def run() -> None:
        left = lost
        with contextlib.suppress(OSError):
            while True:
                asked, place = server.recvfrom(512)
                if not asked:
                    return
                left -= 1
                if left >= 0:
                    continue
                same = asked[12:-4].lower() == wanted
                said = reply(asked, packed(address)) if same else reply(asked, flags=0x8183)
                if left >= -failed:
                    said = reply(asked, flags=0x8182)
                server.sendto(reply(asked, flags=0x0100), place)  # no answer at all
                server.sendto(said, place)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with server:
        yield server.getsockname()[1]
        server.sendto(b"", server.getsockname())
        thread.join(2)


def told(target: Target, port: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what comes of a question through lo: "", what is wrong, or "silence"."""
    monkeypatch.setattr(name_server, "_PORT", port)
    wire = Question(target, "lo")
    try:
        for _ in range(3):
            wire.ask()
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                if wire.answered():
                    return ""
    except OSError as error:
        return str(error.strerror)
    finally:
        wire.close()
    return "silence"


def test_a_record_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering("up.example", "192.0.2.7", lost=1) as port:
        for name in ("UP.example", "up.example."):
            assert told(Target(4, "127.0.0.1", 0, "dns", name), port, monkeypatch) == ""
        down = Target(4, "127.0.0.1", 0, "dns", "down.example")
        assert told(down, port, monkeypatch) == "NXDOMAIN"


def _round(port: int, monkeypatch: pytest.MonkeyPatch, tries: int) -> Result:
    monkeypatch.setattr(name_server, "_PORT", port)
    target = Target(4, "127.0.0.1", 0, "dns", "up.example")
    uplink = Uplink("lo", 100, targets=(target,), failures=tries, timeout=300)
    (result,) = results([ProbeTarget(uplink, 4, [Question(target, "lo")])])
    return result


@pytest.mark.parametrize(("failed", "healthy"), [(0, True), (1, True), (2, True), (3, False)])
def test_a_servers_hiccup_is_one_lost_try(
    failed: int, monkeypatch: pytest.MonkeyPatch, *, healthy: bool
) -> None:
    with answering("up.example", "192.0.2.7", failed=failed) as port:
        result = _round(port, monkeypatch, 3)
    told = "" if healthy else "dns:up.example@127.0.0.1: SERVFAIL"
    assert (result.healthy, result.tries, result.reason) == (healthy, min(failed + 1, 3), told)


@contextlib.contextmanager
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        monkeypatch.setattr(name_server, "_PORT", server.getsockname()[1])
        yield server


def test_an_error_that_comes_after_the_next_question_is_not_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with _by_hand(monkeypatch) as server:

        def run() -> None:
            asked, _ = server.recvfrom(512)
            _, place = server.recvfrom(512)
            server.sendto(reply(asked, flags=0x8182), place)
            time.sleep(0.05)
            server.sendto(reply(asked, packed("192.0.2.7")), place)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert _round(server.getsockname()[1], monkeypatch, 2).healthy
        thread.join(2)


def test_a_flood_neither_holds_us_nor_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    with _by_hand(monkeypatch) as server:
        wire = Question(Target(4, "127.0.0.1", 0, "dns", "up.example"), "lo")
        wire.ask()
        asked, place = server.recvfrom(512)
        for _ in range(100):
            server.sendto(b"noise", place)
        server.sendto(reply(asked, packed("192.0.2.7")), place)
        assert not wire.answered()
        assert wire.answered()
        wire.close()


def test_three_servers_are_asked_and_no_fourth(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    monkeypatch.setattr(name_server, "of_link", lambda _: [*silent, "127.0.0.1"])
    with answering("up.example", "192.0.2.7") as port:
        monkeypatch.setattr(name_server, "_PORT", port)
        with pytest.raises(ConnectionRefusedError):
            look_up("up.example", 4, "lo", Deadline(1))


class Counted(Deadline):
    """One that counts how often it is looked at."""

    looks = 0

    def left(self, most: float = 3600) -> float:
        self.looks += 1
        return super().left(most)


def test_it_waits_for_an_answer_and_does_not_turn_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_server, "of_link", lambda _: ["127.0.0.1"])
    deadline = Counted(0.6)
    with _by_hand(monkeypatch), pytest.raises(TimeoutError):
        look_up("up.example", 4, "lo", deadline)
    assert deadline.looks <= 5


def test_a_question_is_as_rfc_1035_has_it() -> None:
    head = b"\1\0" + b"\0\1" + b"\0\0" * 3
    assert message("a.bcd.", 4)[2:] == head + b"\1a\3bcd\0" + b"\0\1\0\1"
    assert message("a.bcd", 6)[2:] == head + b"\1a\3bcd\0" + b"\0\x1c\0\1"
    assert name_server._PORT == 53


@pytest.mark.parametrize(
    "name",
    [
        b"\xc0\x0c",
        b"\1a\xc0\x0c",
        b"\3www\2up\0",
        b"\2up\xc0\x0c",
        b"\0",
        b"\x3f" + b"x" * 63 + b"\0",
    ],
)
def test_a_records_name_is_passed_over_however_it_is_written(name: bytes) -> None:
    asked = message("up.example", 4)
    records = [packed("192.0.2.7"), packed("192.0.2.8")]
    found = addresses_in(reply(asked, *records, name=name), asked, 4)
    assert found == ["192.0.2.7", "192.0.2.8"]


def test_a_server_that_is_started_again_meanwhile_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with answering("up.example", "192.0.2.7") as port:
        pass
    with contextlib.ExitStack() as stack:
        server = answering("up.example", "192.0.2.7", port=port)
        timer = threading.Timer(0.1, stack.enter_context, [server])
        timer.start()
        result = _round(port, monkeypatch, 2)
        timer.join()
    assert (result.healthy, result.tries) == (True, 2)


def test_who_says_nonsense_is_asked_no_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(2)

        def run() -> None:
            with contextlib.suppress(OSError):
                while True:
                    question, place = server.recvfrom(512)
                    if not question:
                        return
                    asked.append(question)
                    server.sendto(reply(question, flags=0x0100), place)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        monkeypatch.setattr(name_server, "_PORT", server.getsockname()[1])
        monkeypatch.setattr(name_server, "_PATIENCE", 0.2)
        monkeypatch.setattr(name_server, "of_link", lambda _: ["127.0.0.1"])
        with pytest.raises(TimeoutError):
            look_up("up.example", 4, "lo", Deadline(0.5))
        server.sendto(b"", server.getsockname())
        thread.join(2)
    assert 2 <= len(asked) <= 3


def test_a_name_is_looked_up_though_a_packet_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_server, "_PATIENCE", 0.1)
    with answering("up.example", "192.0.2.7", lost=2) as port:
        monkeypatch.setattr(name_server, "_PORT", port)
        monkeypatch.setattr(name_server, "of_link", lambda _: ["127.0.0.1"])
        assert look_up("up.example", 4, "lo", Deadline(3)) == "192.0.2.7"


def test_where_nobody_answers_that_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering("up.example", "192.0.2.7", lost=99) as port:
        monkeypatch.setattr(name_server, "_PORT", port)
        monkeypatch.setattr(name_server, "of_link", lambda _: ["127.0.0.1"])
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            look_up("up.example", 4, "lo", Deadline(0.3))
        assert time.monotonic() - began < 2


def test_a_server_that_refuses_leaves_the_word_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with answering("up.example", "192.0.2.7") as port:
        monkeypatch.setattr(name_server, "_PORT", port)
        monkeypatch.setattr(name_server, "of_link", lambda _: ["::1", "127.0.0.1"])
        assert look_up("up.example", 4, "lo", Deadline(3)) == "192.0.2.7"


@pytest.mark.parametrize(("family", "address"), [(4, "192.0.2.7"), (6, "2001:db8::7")])
def test_addresses_of_the_family_count_alone(family: int, address: str) -> None:
    asked = message("up.example", family)
    other = packed("2001:db8::9" if family == 4 else "192.0.2.9")
    alias = (5, b"\1a\xc0\x0c")
    assert addresses_in(reply(asked, alias, other, packed(address)), asked, family) == [address]
    for records in ([], [other], [alias], [(KINDS[family], b"abc")]):
        with pytest.raises(OSError, match="no A"):
            addresses_in(reply(asked, *records), asked, family)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (1, "FORMERR"),
        (2, "SERVFAIL"),
        (3, "NXDOMAIN"),
        (4, "NOTIMP"),
        (5, "REFUSED"),
        (9, "rcode 9"),
    ],
)
def test_an_error_is_no_answer(code: int, word: str) -> None:
    asked = message("up.example", 4)
    with pytest.raises(OSError, match=word):
        addresses_in(reply(asked, packed("192.0.2.7"), flags=0x8180 | code), asked, 4)


def test_what_is_of_another_question_is_not_heard() -> None:
    asked = message("up.example", 4)
    good = reply(asked, packed("192.0.2.7"))
    others = [
        b"",
        good[:11],
        bytes([good[0] ^ 1]) + good[1:],
        reply(asked, packed("192.0.2.7"), flags=0x0180),  # a question
        reply(asked, packed("192.0.2.7"), flags=0x0181),
        reply(asked, packed("192.0.2.7"), flags=0x8980),  # another opcode
        good[:2] + reply(message("no.example", 4), packed("192.0.2.7"))[2:],
        good[:4] + b"\0\2" + good[6:],
        good[:-1],
        good[:12] + asked[12:-4] + struct.pack("!HH", 28, 1) + good[len(asked) :],
    ]
    for packet in others:
        with pytest.raises(ValueError):  # noqa: PT011 - no person reads it
            addresses_in(packet, asked, 4)


@pytest.mark.faults
@given(st.binary(max_size=200), st.integers(0, 100))
@example(b"\xc0\x0c" * 50, 29)
def test_no_packet_breaks_it(noise: bytes, at: int) -> None:
    asked = message("up.example", 4)
    whole = reply(asked, packed("192.0.2.7"), (5, b"\1a\xc0\x0c"))
    packet = whole[:at] + noise + whole[at + len(noise) :]
    with contextlib.suppress(OSError, ValueError):
        assert all(socket.inet_aton(one) for one in addresses_in(packet, asked, 4))


def test_an_uplinks_own_servers_are_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = socket.if_nametoindex("lo")
    texts = {
        f"/run/systemd/netif/links/{index}": "ADMIN_STATE=configured\nDNS=192.0.2.1#dns.example "
        "fe80::1%lo 127.0.0.53 192.0.2.9:5353 \xff\n",
        f"/run/systemd/resolve/netif/{index}": "SERVERS=192.0.2.1 2001:db8::1\n",
    }
    for path, text in texts.items():
        place = tmp_path / path[1:]
        place.parent.mkdir(parents=True)
        place.write_text(text, encoding="latin-1")
    real = open

    def opened(path: str, *arguments: Any, **more: Any) -> Any:
        inside = path in texts and os.path.exists(f"{tmp_path}{path}")
        return real(f"{tmp_path}{path}" if inside else path, *arguments, **more)

    monkeypatch.setattr("builtins.open", opened)
    assert name_server.of_link("lo") == ["192.0.2.1", "fe80::1", "2001:db8::1"]
    texts.clear()
    assert name_server.of_link("lo") == []
