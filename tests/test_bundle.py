"""A bug report is one file: everything in it, nothing secret, and it replays."""

from __future__ import annotations

import ipaddress
import re
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks import bundle, cli, log, match, record, replay, status
from netfail_hooks.config_file import render
from netfail_hooks.errors import Problem
from netfail_hooks.paths import Paths
from netfail_hooks.redact import Redactor
from netfail_hooks.replay_decide import again
from tests.runs import look
from tests.world import STATES, World, config_of

NETWORK = """\
[Match]
Name=eth0
[Network]
# password=hunter2 was it once
Address=81.2.69.142/24
Gateway=81.2.69.1
DNS=9.9.9.9 2620:fe::9
[DHCPv4]
Hostname=sesame \\
  street
[WireGuard]
SSID=Our House
PrivateKey=GBkBYCPjQ0wYOeRQpmyHA4mP2Q5sdv1cVqg2hGxwZ0E=
"""
SECRETS = ("hunter2", "Our House", "sesame", "street", "GBkBYCPj", "81.2.69", "2620:fe", "9.9.9.9",
           "2001:4860")  # fmt: skip


class Public(World):
    """A machine whose LANs have public addresses."""

    def subnet(self, name: str, family: int) -> str:
        rank = self.config.names().index(name) if name in self.apart else 0
        return f"81.2.{rank + 69}." if family == 4 else f"2001:4860:{rank + 1}::"


def _lines(*events: tuple[str, str], apart: tuple[str, ...] = ()) -> list[str]:
    world = Public(config_of("eth0", "wlan0"), apart=apart)
    return [record.line(look(world, *event)) for event in (("eth0", "routable"), *events)]


def _redactor() -> Redactor:
    return Redactor(b"a key")


six = st.one_of(
    st.ip_addresses(v=6),
    st.integers(0, 2**96 - 1).map(lambda host: ipaddress.IPv6Address((0x20014860 << 96) | host)),
)


@given(st.lists(st.ip_addresses(v=4) | six, min_size=2, max_size=6,
                unique=True))  # fmt: skip
def test_same_stays_same_different_different_and_near_near(
    found: list[ipaddress.IPv4Address | ipaddress.IPv6Address],
) -> None:
    redactor = _redactor()
    text = redactor.text(" ".join(map(str, found)))
    assert redactor.text(" ".join(map(str, found))) == text
    new = [ipaddress.ip_address(word) for word in text.split()]
    assert len(set(new)) == len(new)
    for old, now in zip(found, new, strict=True):
        assert old.version == now.version
        assert _is_public(old) == (old != now) or old.packed[11:13] == b"\xff\xfe"
        assert not _is_public(now)
    for (one, one_now), (two, two_now) in combinations(zip(found, new, strict=True), 2):
        known = 8 if one.version == 4 else 32
        if one.version == two.version and _is_public(one) and _is_public(two):
            assert _common(one, two) == _common(one_now, two_now) or _common(one, two) < known


def _is_public(one: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    given = int(one) >> 125 == 1 and int(one) >> 108 != 0x3FFF0
    return one.is_global and (one.version == 4 or given)


def _common(one: ipaddress.IPv4Address | ipaddress.IPv6Address,
            two: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:  # fmt: skip
    return one.max_prefixlen - (int(one) ^ int(two)).bit_length()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("192.168.1.252/24 via 10.0.0.1, fd00:1::1, fe80::1", None),
        ("2026-11-24T15:55:32Z took 10:20:30, Linux 6.1.0.18.3, ::, a::b(c)", None),
        ("81.2.69.142 in 81.2.69.0/24", r"241\.\d+\.\d+\.\d+ in 241\.\d+\.\d+\.0/24"),
        ("icmp:1.1.1.1 tcp:[2620:fe::9]:53", r"icmp:241\.[\d.]+ tcp:\[3fff:[0-9a-f:]+\]:53"),
        ("from 2620:fe::9: lost", r"from 3fff:[0-9a-f:]+: lost"),
        ("02:42:AC:11:00:02 02:42:ac:11:00:02", "02:00:00:00:00:01 02:00:00:00:00:01"),
        ("00:00:00:00:00:00 ff:ff:ff:ff:ff:ff", None),
        ("fe80::42:acff:fe11:2", r"fe80::(?!42:acff)[0-9a-f:]+"),
        ("Password=a b\nX=1", r"Password=\(redacted\)\nX=1"),
    ],
)
def test_what_is_exchanged(text: str, wanted: str | None) -> None:
    found = _redactor().text(text)
    assert re.fullmatch(re.escape(text) if wanted is None else wanted, found), found


@given(
    events=st.lists(st.tuples(st.sampled_from(["eth0", "wlan0"]), st.sampled_from(STATES)),
                    max_size=5),
    apart=st.sampled_from([(), ("wlan0",)]),
)  # fmt: skip
def test_what_was_recorded_is_decided_the_same_after_all_is_exchanged(
    events: list[tuple[str, str]], apart: tuple[str, ...]
) -> None:
    text = _redactor().text("".join(_lines(*events, apart=apart)))
    assert "81.2." not in text
    assert "2001:4860" not in text
    assert [one.text for one in again(text.splitlines()) if not one.same] == []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Return a machine with a config, two files, and a failover recorded."""
    paths = Paths(str(tmp_path / "root"))
    for module in (log, replay, status):
        monkeypatch.setattr(module, "Paths", lambda: paths)
    for place, text in (
        (paths.config, render(config_of("eth0", "wlan0"))),
        (f"{paths.network}/20-eth0.network", NETWORK),
        (f"{paths.network}/20-eth0.network.d/x.conf", "[Network]\nDNS=9.9.9.9\n"),
        (f"{paths.log}/events.jsonl", "".join(_lines(("eth0", "no-carrier")))),
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
    assert named[:3] == ["versions", "status", machine.config]
    assert named[-1] == "recordings"
    assert "/etc/systemd/network/20-eth0.network" in named
    assert any("x.conf" in name for name in named)
    assert [secret for secret in SECRETS if secret in text] == []
    capsys.readouterr()
    assert cli.entry(["replay", str(place)]) == 0
    assert capsys.readouterr().out.endswith("2 decisions, none other than recorded\n")


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

    Path(machine.config).write_text(render(config_of("eth0", "wlan0")))
    monkeypatch.setattr(match, "effective", refuse)
    monkeypatch.setattr(status, "look", refuse)
    assert cli.entry(["log", "--bundle", "-"]) == 0
    assert capfd.readouterr().out.count("cannot tell") == 3


def test_wrong_use(machine: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "link").symlink_to(victim)
    assert cli.entry(["log", "--bundle", str(tmp_path / "link")]) == 1
    assert cli.entry(["log", "--bundle", "x", "--follow"]) == 2
    assert cli.entry(["log", "--bundle", machine.root]) == 1
    assert victim.read_text() == "precious"
    assert capsys.readouterr().err.count("\n") == 3
