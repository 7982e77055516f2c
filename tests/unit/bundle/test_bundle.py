"""A bug report is one file: everything in it, nothing secret, and it replays."""

from __future__ import annotations

import ipaddress
import os
import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks import bundle, cli, recorder, status
from netfail_hooks.bundle import network_files
from netfail_hooks.bundle.redact import Redactor
from netfail_hooks.cli import log, replay
from netfail_hooks.config.file import render
from netfail_hooks.doctor import again as doctor_again
from netfail_hooks.errors import Problem
from netfail_hooks.networkd import match
from netfail_hooks.paths import Paths
from netfail_hooks.replay.decisions import again
from tests.conftest import Tried
from tests.support.runs import look
from tests.support.world import STATES, World, config_of

USB = "enxb827eb112233"  # named after its hardware address
NETWORK = f"""\
[Match]
Name={USB}
[Link]
MACAddress=b827eb112233 b827.eb11.2233 B8:27:EB:11:22:33
Host=sesame
SSID=Our House
[Network]
# password=hunter2 was it once
; wifi password: hunter2
# key=hunter2
Address=81.2.69.142/24 # hunter2 is the password
Gateway=81.2.69.1
DNS=9.9.9.9#dns.sesame.example 2620:fe::9
DNS=9.9.9.9 \\
; at the corner of the street
  2620:fe::9#sesame
Domains=corp.sesame.example ~142.69.2.81.in-addr.arpa
Description=Our House
Password=open \\
; a comment does not end it
  sesame
hunter2=
sesame
[DHCPv4]
Hostname=sesame \\
  street
UserClass=sesame
RouteMetric=100
[MobileNetwork]
APN=sesame
[WireGuard]
Key=hunter2
PrivateKey=GBkBYCPjQ0wYOeRQpmyHA4mP2Q5sdv1cVqg2hGxwZ0E=
[hunter2]
"""
SECRETS = (
    "hunter2",
    "Our House",
    "sesame",
    "street",
    "GBkBYCPj",
    "81.2.69",
    "2620:fe",
    "9.9.9.9",
    "2001:4860",
    "b827",
    "b8:27",
)


class Public(World):
    """A machine whose LANs have public addresses."""

    def subnet(self, name: str, family: int) -> str:
        rank = self.config.names().index(name) if name in self.apart else 0
        return f"81.2.{rank + 69}." if family == 4 else f"2001:4860:{rank + 1}::"


def _lines(*events: tuple[str, str], apart: tuple[str, ...] = ()) -> list[str]:
    world = Public(config_of(USB, "wlan0"), apart=apart)
    return [recorder.line(look(world, *event)) for event in ((USB, "routable"), *events)]


def _redactor() -> Redactor:
    return Redactor(b"a key")


six = st.one_of(
    st.ip_addresses(v=6),
    st.integers(0, 2**96 - 1).map(lambda host: ipaddress.IPv6Address((0x20014860 << 96) | host)),
)


@pytest.mark.faults
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(found=st.lists(st.ip_addresses(v=4) | six, min_size=2, max_size=6, unique=True))
def test_same_stays_same_different_different_and_near_near(
    tried: Tried, found: list[ipaddress.IPv4Address | ipaddress.IPv6Address]
) -> None:
    tried("fuzz inputs: addresses to exchange", len(found))
    redactor = _redactor()
    text = redactor.text(" ".join(map(str, found)))
    assert redactor.text(" ".join(map(str, found))) == text
    new = [ipaddress.ip_address(word) for word in text.split()]
    assert len(set(new)) == len(new)
    for old, now in zip(found, new, strict=True):
        assert old.version == now.version
        assert _is_public(old) == (old != now) or _is_flipped(old)
        assert not _is_public(now)
    for (one, one_now), (two, two_now) in combinations(zip(found, new, strict=True), 2):
        known = 8 if one.version == 4 else 32
        moved = _is_public if known == 8 else _is_given
        if one.version == two.version and moved(one) and moved(two):
            assert _common(one, two) == _common(one_now, two_now) or _common(one, two) < known


def _is_public(one: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if one.version == 4:
        return one.is_global
    around = int(one) >> 32 in (0, 0xFFFF, 0x64FF9B << 64)
    return _is_given(one) or (around and ipaddress.IPv4Address(int(one) & 0xFFFFFFFF).is_global)


def _is_given(one: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    documents = int(one) >> 108 == 0x3FFF0 or int(one) >> 96 == 0x20010DB8
    return int(one) >> 125 == 1 and not documents


def _is_flipped(one: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return one.packed[11:13] == b"\xff\xfe" or int(one) >> 80 == 0x64FF9B0001


def _common(
    one: ipaddress.IPv4Address | ipaddress.IPv6Address,
    two: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> int:
    return one.max_prefixlen - (int(one) ^ int(two)).bit_length()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("192.168.1.252/24 via 10.0.0.1, fd00:1::1, fe80::1", None),
        ("2026-11-24T15:55:32Z took 10:20:30, Linux 6.1.0.18.3, ::, a::b(c)", None),
        ("81.2.69.142 in 81.2.69.0/24", r"241\.\d+\.\d+\.\d+ in 241\.\d+\.\d+\.0/24"),
        ("81.2.69.1 81.2.69.1/24", r"(241\.[\d.]+) \1/24"),
        ("icmp:1.1.1.1 tcp:[2620:fe::9]:53", r"icmp:241\.[\d.]+ tcp:\[3fff:[0-9a-f:]+\]:53"),
        ("from 2620:fe::9: lost", r"from 3fff:[0-9a-f:]+: lost"),
        ("02:42:AC:11:00:02 02:42:ac:11:00:02", "02:00:00:00:00:01 02:00:00:00:00:01"),
        ("00:00:00:00:00:00 ff:ff:ff:ff:ff:ff", None),
        ("at 81.2.69.1.", r"at 241\.\d+\.\d+\.\d+\."),
        ("x81.2.69.142", r"x241\.[\d.]+"),
        ("81.2.69.142_a", r"241\.[\d.]+_a"),
        ("081.2.69.142 81.2.69.142", r"(241\.[\d.]+) \1"),
        ("3fff::1 3fff:fff::1 2001:db8::1", None),
        ("3fff:1000::1", r"3fff:0:[0-9a-f:]+"),
        ("::81.2.69.142 ::5102:458e", r"::241\.[\d.]+ ::f1[0-9a-f:]+"),
        ("64:ff9b::81.2.69.142 ::ffff:81.2.69.142", r"64:ff9b::241\.[\d.]+ ::ffff:241\.[\d.]+"),
        ("64:ff9b::5102:458e 64:ff9b::5102:458e/96", r"(64:ff9b::f1[0-9a-f:]+) \1/96"),
        ("64:ff9b:1:5102:45:8e00::", r"64:ff9b:1:(?!5102)[0-9a-f:]+"),
        ("2001:0:5102:458e:: 2002:5102:458e::1", r"3fff:[0-9a-f:]+ 3fff:1:[0-9a-f:]+"),
        ("at 2001:4860::8888.5 s", r"at \(redacted\).* s"),
        ("c2620:fe::9", r"c3fff:[0-9a-f:]+"),
        (USB, "enx020000000001"),
        (f"10-{USB}.network b8:27:eb:11:22:33", "10-enx020000000001.network 02:00:00:00:00:01"),
        ("b8:27:eb:11:22:33: lost", "02:00:00:00:00:01: lost"),
        ("0011.2233.4455", "0200.0000.0001"),
        ("00:11:22:33:44:55:66:77", "02:00:00:00:00:00:00:01"),
        ("# old wifi password=hunter2", r"# old wifi password=\(redacted\)"),
        ("# wifi password: hunter2", r"# wifi password:\(redacted\)"),
        ("Key=abcd", r"Key=\(redacted\)"),
        ("hooks start /home/alice.smith/acme/bin/python", r"hooks start /home/\(redacted\)/acme.*"),
        ("http://user:pass@host/", r"http://\(redacted\)@host/"),
        ('"http6://up.example/ping/abc 204"', r'"http6://up.example/\(redacted\) 204"'),
        ('"path":"/ping/abc","status"', r'"path":"/\(redacted\)","status"'),
        ("https://up.example/", None),
        ("fe80::42:acff:fe11:2", r"fe80::(?!42:acff)[0-9a-f:]+"),
        ("Password=a b\nX=1", r"Password=\(redacted\)\nX=1"),
    ],
)
def test_what_is_exchanged(text: str, wanted: str | None) -> None:
    found = _redactor().text(text)
    assert re.fullmatch(re.escape(text) if wanted is None else wanted, found), found


KEYS = [bytes([number]) for number in range(20)]


@pytest.mark.parametrize(
    ("text", "heads"),
    [
        ("80.2.69.142 81.2.69.142 82.2.69.142 80.3.3.3", ["241.", "242.", "243.", "241."]),
        (
            "2001:4860::1 2001:4861::1 2001:4862::1 2001:4860:1::",
            ["3fff:0:", "3fff:1:", "3fff:2:", "3fff:0:"],
        ),
        ("fe80::42:acff:fe11:2 fd00:1::42:acff:fe11:2", ["fe80:0:0:0:", "fd00:1:0:0:"]),
        (
            " ".join(f"{head}.2.69.142" for head in range(60, 80)),
            [f"{241 + number % 14}." for number in range(20)],
        ),
    ],
)
def test_placeholders_begin_as_none_does_that_is_in_use(text: str, heads: list[str]) -> None:
    for key in KEYS:
        words = Redactor(key).text(text).split()
        whole = [
            re.sub("(^|:)0+(?=[0-9a-f])", r"\1", ipaddress.ip_address(word).exploded)
            for word in words
        ]
        assert all(one.startswith(head) for one, head in zip(whole, heads, strict=True))


def test_a_bit_that_differs_says_nothing_of_those_after_it() -> None:
    differing = set()
    for key in KEYS:
        one, two = Redactor(key).text("81.2.69.1 81.2.69.129").split()
        last = int(one.rpartition(".")[2]) ^ int(two.rpartition(".")[2])
        assert last & 128
        differing.add(last & 64)
    assert differing == {0, 64}


@pytest.mark.faults
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(
        st.tuples(st.sampled_from([USB, "wlan0"]), st.sampled_from(STATES)), max_size=5
    ),
    apart=st.sampled_from([(), ("wlan0",)]),
)
def test_what_was_recorded_is_decided_the_same_after_all_is_exchanged(
    tried: Tried, events: list[tuple[str, str]], apart: tuple[str, ...]
) -> None:
    tried("replays of what was exchanged", 1)
    text = _redactor().text("".join(_lines(*events, apart=apart)))
    assert [secret for secret in ("81.2.", "2001:4860", "b827") if secret in text] == []
    assert [one.text for one in again(text.splitlines()) if not one.same] == []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Return a machine with a config, two files, and a failover recorded."""
    paths = Paths(str(tmp_path / "root"))
    for module in (log, replay, status):
        monkeypatch.setattr(module, "Paths", lambda: paths)
    for place, text in (
        (paths.config, f"# wifi password: hunter2\n{render(config_of(USB, 'wlan0'))}# sesame"),
        (f"{paths.network}/20-{USB}.network", NETWORK),
        (f"{paths.network}/20-{USB}.network.d/x.conf", "[Network]\nDNS=9.9.9.9\n"),
        (f"{paths.network}/30-wlan0.network", "[Match]\nName=wlan0\n[Network]\nDHCP=yes\n"),
        (f"{paths.log}/events.jsonl", "".join(_lines((USB, "no-carrier")))),
    ):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
        Path(place).write_text(text, encoding="utf-8")
    return paths


def test_one_file_holds_it_all_but_secrets_and_replays(
    machine: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "report"
    assert cli.entry(["log", "--bundle", str(place)]) == 0
    assert place.stat().st_mode & 0o777 == 0o600
    text = place.read_text(encoding="utf-8")
    named = re.findall(r"^== (.*)$", text, re.MULTILINE)
    assert named[:4] == ["versions", "doctor", "status", machine.config]
    assert named[-1] == "recordings"
    assert "/etc/systemd/network/20-enx020000000001.network" in named
    macs = " ".join(["02:00:00:00:00:01"] * 3)
    for line in (
        "Name=enx020000000001",
        f"MACAddress={macs}",
        "Domains=(redacted)",
        "RouteMetric=100",
        "DHCP=yes",
    ):
        assert f"\n{line}\n" in text
    assert "\nhook-missing: " in text
    assert any("x.conf" in name for name in named)
    assert [secret for secret in SECRETS if secret in text] == []
    capsys.readouterr()
    assert cli.entry(["replay", str(place)]) == 0
    assert capsys.readouterr().out.endswith("2 decisions, none other than recorded\n")


def test_of_a_network_file_sections_and_keys_are_shown() -> None:
    text = "Name=x\n[Network]\nDHCP=\nDomains=\nDomains=sesame\n[Route]\nMetric=5\n"
    shown = network_files.shown(text).splitlines()
    assert shown == [
        "Name=x",
        "[Network]",
        "DHCP=",
        "Domains=",
        "Domains=(redacted)",
        "[Route]",
        "Metric=5",
    ]


def test_what_cannot_be_had_is_told_in_the_bundle(
    machine: Paths, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    Path(machine.config).write_text("nonsense")
    assert cli.entry(["log", "--bundle", "-", "-n", "1"]) == 0
    shown = capfd.readouterr().out
    assert shown.startswith(bundle.HEAD)
    assert "== no config" in shown
    assert len(bundle.recordings(shown) or ()) == 1

    def refuse(*_: object) -> None:
        raise Problem("cannot tell")

    Path(machine.config).write_text(render(config_of(USB, "wlan0")))
    monkeypatch.setattr(match, "effective", refuse)
    monkeypatch.setattr(status, "collect", refuse)
    assert cli.entry(["log", "--bundle", "-"]) == 0
    assert capfd.readouterr().out.count("cannot tell") == 3


@pytest.mark.usefixtures("machine")
def test_a_report_survives_a_bug_in_what_looks_for_bugs(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Paths) -> None:
        raise PermissionError("/home/alice")

    monkeypatch.setattr(doctor_again, "gather", broken)
    assert cli.entry(["log", "--bundle", "-"]) == 0
    assert "== doctor\ncannot look: PermissionError\n" in capfd.readouterr().out


def test_wrong_use(machine: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "link").symlink_to(victim)
    assert cli.entry(["log", "--bundle", str(tmp_path / "link")]) == 1
    assert cli.entry(["log", "--bundle", "x", "--follow"]) == 2
    assert cli.entry(["log", "--bundle", machine.root]) == 1
    assert victim.read_text() == "precious"
    assert capsys.readouterr().err.count("\n") == 3


@pytest.mark.usefixtures("machine")
def test_a_file_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    place = tmp_path / "report"
    place.write_text("x" * 1_000_000)
    place.chmod(0o644)
    assert cli.entry(["log", "--bundle", str(place)]) == 0
    assert place.stat().st_mode & 0o777 == 0o600
    assert "xxx" not in place.read_text(encoding="utf-8")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a file somebody else's")
@pytest.mark.usefixtures("machine")
def test_what_is_no_file_of_ours_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    theirs = tmp_path / "theirs"
    theirs.write_text("precious")
    os.chown(theirs, 12345, 12345)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    for place in (tmp_path / "pipe", theirs, Path(os.devnull)):
        assert cli.entry(["log", "--bundle", str(place)]) != 0
    assert os.read(reader, 100) == b""
    os.close(reader)
    assert theirs.read_text() == "precious"
    assert cli.entry(["log", "--bundle", str(tmp_path / "pipe")]) != 0
    assert capsys.readouterr().err.count("\n") == 4
