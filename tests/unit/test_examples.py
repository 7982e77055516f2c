"""The examples for notify.d: real programs, and servers of the test's own that they tell."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

import pytest

from netfail_hooks.reconcile.notify import PATIENCE, gist
from tests.support import ROOT

_PLACE = ROOT / "examples/notify.d"
_NAMES = sorted(path.name for path in _PLACE.iterdir())
_HOST = os.uname().nodename
_SENSOR = "".join(c if (c.isalnum() and c.isascii()) or c in "_-" else "_" for c in _HOST)
_SUMMARY = 'eth0 IPv4 down (no "carrier" \\ ü); IPv4 now by wlan0'
_SECRET = "s3cr3t-of-the-test"  # noqa: S105 - nobody's


def _event(active: str = "wlan0", summary: str = _SUMMARY) -> dict[str, str]:
    """Return the environment that notify.d has for an event."""
    line = {
        "summary": summary,
        "trigger": "eth0 no-carrier",
        "active": {"ipv4": active, "ipv6": active},
        "took_ms": 4,
    }
    return gist(json.dumps(line).encode())


def _run(name: str, config: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run an example as notify.d would, in the time that it has there."""
    environment = {**_event(), "NETFAIL_NOTIFY_CONFIG": str(config), **more}
    return subprocess.run(
        ["sh", str(_PLACE / name)],
        env=environment,
        cwd="/",
        input="{}",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def _secret(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def _shown() -> list[str]:
    """Return the command lines in which everybody could read the secret now."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes().decode(errors="replace"))
    return [line for line in lines if _SECRET in line]


class _Web:
    """A web server: what it was asked, and what it answers, one after another (the last on)."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.asked: list[dict[str, Any]] = []
        told, rest = self.asked, list(answers)

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                assert not _shown()
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size).decode()
                told.append({"path": self.path, "headers": dict(self.headers), "body": body})
                status, text = rest.pop(0) if len(rest) > 1 else rest[0]
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_POST = _answer  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_ntfy_is_told_and_asked_again_where_it_fails_at_first(tmp_path: Path) -> None:
    with _Web((503, "later"), (200, "{}")) as web:
        text = f'url = "{web.url}/topic"\nheader = "Authorization: Bearer {_SECRET}"\n'
        done = _run("ntfy", _secret(tmp_path / "ntfy", text))
    assert (done.returncode, done.stdout) == (0, "")
    assert len(web.asked) == 2
    asked = web.asked[-1]
    assert (asked["path"], asked["body"]) == ("/topic", f"{_SUMMARY}\n")
    assert asked["headers"]["Authorization"] == f"Bearer {_SECRET}"
    assert asked["headers"]["Title"] == f"{_HOST}: uplink wlan0"


def test_telegram_has_chat_and_text(tmp_path: Path) -> None:
    with _Web((200, "{}")) as web:
        text = f'url = "{web.url}/bot{_SECRET}/sendMessage"\ndata-urlencode = "chat_id=42"\n'
        done = _run("telegram", _secret(tmp_path / "telegram", text))
    assert done.returncode == 0, done.stderr
    assert web.asked[0]["path"] == f"/bot{_SECRET}/sendMessage"
    form = parse_qs(web.asked[0]["body"])
    assert form == {"chat_id": ["42"], "text": [f"{_HOST}: {_SUMMARY}\n"]}


def test_ddns_is_told_of_each_uplink_once_and_its_refusal_is_told(tmp_path: Path) -> None:
    told = tmp_path / "told"
    with _Web((200, "good 192.0.2.1"), (200, "badauth")) as web:
        text = f'url = "{web.url}/nic/update?hostname=home.example.org"\nuser = "me:{_SECRET}"\n'
        config = _secret(tmp_path / "ddns", text)
        for _ in range(2):
            done = _run("ddns", config, NETFAIL_NOTIFY_TOLD=str(told))
            assert done.returncode == 0, done.stderr
        assert len(web.asked) == 1
        assert web.asked[0]["path"] == "/nic/update?hostname=home.example.org"
        kind, _, word = web.asked[0]["headers"]["Authorization"].partition(" ")
        assert (kind, base64.b64decode(word).decode()) == ("Basic", f"me:{_SECRET}")
        back = {"NETFAIL_NOTIFY_TOLD": str(told), "NETFAIL_IPV4": "eth0"}
        done = _run("ddns", config, **back)
    assert (done.returncode, done.stderr) == (1, "the service says: badauth\n")
    assert told.read_text(encoding="utf-8") == "wlan0\n"  # so the next event tries again


class _Mail(socketserver.StreamRequestHandler):
    """A mail server as RFC 5321 has it, as far as msmtp needs it."""

    def handle(self) -> None:
        said: list[str] = self.server.said  # type: ignore[attr-defined]
        assert not _shown()
        self._say("220 here")
        while line := self.rfile.readline().decode().rstrip("\r\n"):
            said.append(line)
            match line.split(" ")[0].upper():
                case "EHLO":
                    self._say("250-here", "250 AUTH PLAIN")
                case "AUTH":
                    self._say("235 welcome")
                case "DATA":
                    self._say("354 go on")
                    while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                        said.append(text)
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 good")

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


def test_mail_is_sent_by_msmtp_to_whom_the_file_says(tmp_path: Path) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mail) as server:
        said: list[str] = []
        server.said = said  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        text = (
            "# to: admin@example.org\naccount default\nhost 127.0.0.1\n"
            f"port {server.server_address[1]}\nauth plain\ntls off\nfrom gateway@example.org\n"
            f"user me\npassword {_SECRET}\ntimeout 4\n"
        )
        done = _run("mail", _secret(tmp_path / "mail", text))
        server.shutdown()
    assert done.returncode == 0, done.stderr
    assert base64.b64encode(f"\0me\0{_SECRET}".encode()).decode() in " ".join(said)
    assert any(line.startswith("RCPT TO:<admin@example.org>") for line in said)
    assert f"Subject: {_HOST}: uplink IPv4 wlan0, IPv6 wlan0" in said
    assert _SUMMARY in said
    assert "Cause: eth0 no-carrier. It took 4 ms." in said


@contextlib.contextmanager
def _broker(place: Path) -> Iterator[int]:
    """Run mosquitto with one user, who is asked for a password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    words = _secret(place / "words", f"me:{_SECRET}\n")
    subprocess.run(["mosquitto_passwd", "-U", words], check=True, capture_output=True)
    shutil.chown(words, "mosquitto")
    place.chmod(0o755)
    config = f"listener {port} 127.0.0.1\npassword_file {words}\nallow_anonymous false\n"
    program = shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin") or "mosquitto"
    command = [program, "-c", str(_secret(place / "broker.conf", config))]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as broker:
        try:
            until = time.monotonic() + 10
            while time.monotonic() < until:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                time.sleep(0.02)
            yield port
        finally:
            broker.terminate()


def test_home_assistant_finds_its_sensors_by_mqtt(tmp_path: Path) -> None:
    options = tmp_path / "mqtt/mosquitto_pub"
    with _broker(tmp_path) as port:
        login = ["-h", "127.0.0.1", "-p", str(port), "-u", "me"]
        lines = "".join(f"{a} {b}\n" for a, b in zip(login[::2], login[1::2], strict=True))
        _secret(options, f"{lines}-P {_SECRET}\n")
        done = _run("mqtt", options.parent)
        assert done.returncode == 0, done.stderr
        asking = ["mosquitto_sub", *login, "-P", _SECRET, "-W", "2", "-C", "5", "-t", "#", "-v"]
        kept = subprocess.run(asking, capture_output=True, text=True, check=False).stdout
    told = {topic: text for topic, _, text in (m.partition(" ") for m in _messages(kept))}
    assert told[f"netfail/{_SENSOR}/ipv4"] == told[f"netfail/{_SENSOR}/ipv6"] == "wlan0"
    last = json.loads(told[f"netfail/{_SENSOR}/last"])
    assert last == {"summary": _SUMMARY, "trigger": "eth0 no-carrier", "took_ms": "4"}
    sensor = json.loads(told[f"homeassistant/sensor/netfail_{_SENSOR}/ipv4/config"])
    assert sensor["state_topic"] == f"netfail/{_SENSOR}/ipv4"
    assert sensor["json_attributes_topic"] == f"netfail/{_SENSOR}/last"


def _messages(text: str) -> list[str]:
    """Return the messages, each with its topic: one of several lines is one."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(("netfail/", "homeassistant/")):
            lines.append(line)
        else:
            lines[-1] += line
    return lines


_WG = """#!/bin/sh
[ "$*" = "show interfaces" ] && echo wg0 wg1 || echo "$*" >>"$0.said"
"""


def test_wireguards_names_are_looked_up_again(tmp_path: Path) -> None:
    """With a stand-in for wg, which needs a kernel that has WireGuard."""
    wg = tmp_path / "wg"
    wg.write_text(_WG, encoding="utf-8")
    wg.chmod(0o755)
    _secret(
        tmp_path / "wg0.conf",
        f"[Interface]\nPrivateKey = {_SECRET}\n[Peer]\nPublicKey = AAA=\n"
        "Endpoint = vpn.example.org:51820 # ours\n[Peer]\nEndpoint=abc.de:1\nPublicKey=BBB=\n"
        "[Peer]\nPublicKey = CCC=\nEndpoint = 192.0.2.1:51820\n"
        "[Peer]\nPublicKey = DDD=\nEndpoint = [2001:db8::1]:51820\n[Peer]\nPublicKey = EEE=\n",
    )
    done = _run("wireguard", tmp_path, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "wg.said").read_text(encoding="utf-8").splitlines() == [
        "set wg0 peer AAA= endpoint vpn.example.org:51820",
        "set wg0 peer BBB= endpoint abc.de:1",
    ]


@pytest.mark.parametrize("name", ["ddns", "mail", "ntfy", "telegram"])
def test_without_a_way_out_nothing_is_tried(tmp_path: Path, name: str) -> None:
    gone = _event("", "IPv4 now by no uplink")
    with _Web((200, "good")) as web:
        config = _secret(tmp_path / name, f'url = "{web.url}"\n')
        done = _run(name, config, **gone)
    assert (done.returncode, done.stdout, done.stderr, web.asked) == (0, "", "", [])


@pytest.mark.parametrize("name", [name for name in _NAMES if name != "wireguard"])
def test_a_secret_that_others_may_read_is_refused(tmp_path: Path, name: str) -> None:
    config = _secret(tmp_path / name / "mosquitto_pub", "x\n")
    config.chmod(0o640)
    told = tmp_path / "told"
    place = config.parent if name == "mqtt" else config
    done = _run(name, place, NETFAIL_NOTIFY_TOLD=str(told))
    assert done.returncode == 1
    assert "chmod 600" in done.stderr
    assert not told.exists()


@pytest.mark.parametrize("name", ["ddns", "mail", "mqtt", "ntfy", "telegram"])
def test_whoever_does_not_answer_keeps_nobody_waiting(tmp_path: Path, name: str) -> None:
    """Each has ten seconds in notify.d, and is killed then, without a word of its own."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        port = deaf.getsockname()[1]
        texts = {
            "mail": f"# to: a@example.org\naccount default\nhost 127.0.0.1\nport {port}\n"
            "from b@example.org\ntls off\ntimeout 4\n",
            "mqtt": f"-h 127.0.0.1\n-p {port}\n",
        }
        text = texts.get(name, f'url = "http://127.0.0.1:{port}/"\n')
        config = _secret(tmp_path / name / "mosquitto_pub", text)
        place = config.parent if name == "mqtt" else config
        done = _run(name, place, NETFAIL_NOTIFY_TOLD=str(tmp_path / "told"))
    assert done.returncode != 0


def test_each_example_is_named_in_the_documents() -> None:
    text = (ROOT / "docs/use/configuration.md").read_text(encoding="utf-8")
    assert [name for name in _NAMES if f"`{name}`" not in text] == []
