"""The log: what is shown, since when, through rotation and damage."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from netfail_hooks import bundle, cli, recorder
from netfail_hooks.cli import log, parse_time
from netfail_hooks.paths import Paths
from netfail_hooks.recorder import events
from netfail_hooks.recorder import text as recorder_text
from netfail_hooks.recorder.events import Transition
from netfail_hooks.recorder.tail import Tail
from tests.support.runs import look
from tests.support.world import World, config_of

_ZONE = timezone(timedelta(hours=1))
_NOW = datetime(2026, 11, 24, 18, 30, tzinfo=_ZONE)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10 min ago", "2026-11-24T18:20:00+01:00"),
        ("10min", "2026-11-24T18:20:00+01:00"),
        ("90s", "2026-11-24T18:28:30+01:00"),
        ("90 secs ago", "2026-11-24T18:28:30+01:00"),
        ("2h", "2026-11-24T16:30:00+01:00"),
        ("2 Hours ago", "2026-11-24T16:30:00+01:00"),
        ("3 days", "2026-11-21T18:30:00+01:00"),
        ("1 week ago", "2026-11-17T18:30:00+01:00"),
        ("today", "2026-11-24T00:00:00+01:00"),
        ("yesterday", "2026-11-23T00:00:00+01:00"),
        ("2026-11-24", "2026-11-24T00:00:00+01:00"),
        (" 2026-11-24 17:00 ", "2026-11-24T17:00:00+01:00"),
        ("2026-11-24T17:00:00Z", "2026-11-24T17:00:00+00:00"),
    ],
)
def test_when(text: str, moment: str) -> None:
    assert parse_time.parse(text, _NOW) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "text", ["", "soon", "10", "ago", "10 parsecs", "24.11.2026", "999999999 weeks", "-2h"]
)
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a time: .*, try '10 min ago'"):
        parse_time.parse(text, _NOW)


@pytest.fixture
def world() -> World:
    world = World(config_of("eth0", "wlan0"))
    world.reconcile()
    return world


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the log's directory of a machine that the command then looks at."""
    monkeypatch.setattr(log, "Paths", lambda: Paths(str(tmp_path)))
    directory = Path(Paths(str(tmp_path)).log)
    directory.mkdir(parents=True)
    return directory


def _line(world: World, state: str = "no-carrier") -> str:
    return recorder.line(look(world, "eth0", state))


def _at(line: str, moment: str) -> str:
    head, _, tail = line.partition('"time":"')
    return f'{head}"time":"{moment}{tail[20:]}'


def test_a_line_tells_cause_changes_and_time(
    machine: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    (machine / "events.jsonl").write_text(_at(_line(world), "2026-11-24T18:30:00Z"))
    assert cli.entry(["log"]) == 0
    out = capsys.readouterr().out.splitlines()
    local = datetime(2026, 11, 24, 18, 30, tzinfo=UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert out[0] == (
        f"{local}  eth0 IPv4 and IPv6 down (no carrier); IPv4 and IPv6 now by wlan0 "
        "[woken by eth0 (no-carrier), acted in 7 ms]"
    )
    assert "    set default via 192.168.1.1 dev wlan0 metric 50" in out


def test_failures_are_shown() -> None:
    event = Transition(_NOW, "check", "x", ("set y",), ("set y: refused",), 3, {}, {})
    assert recorder_text.render(event).splitlines()[1:] == [
        "    set y",
        "    REFUSED: set y: refused",
    ]


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ([], [1, 2, 3]),
        (["-n", "2"], [2, 3]),
        (["-n", "0"], []),
        (["-n", "9"], [1, 2, 3]),
        (["--since", "2026-11-02T00:00:00Z"], [2, 3]),
        (["--since", "2026-11-02T00:00:00Z", "-n", "1"], [3]),
        (["--since", "2h"], []),
    ],
)
def test_the_old_file_comes_first_and_options_choose(
    machine: Path,
    world: World,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    shown: list[int],
) -> None:
    lines = [_at(_line(world), f"2026-11-0{day}T12:00:00Z") for day in (1, 2, 3)]
    (machine / "events.jsonl.1").write_text(lines[0])
    (machine / "events.jsonl").write_text(lines[1] + lines[2])
    assert cli.entry(["log", "--json", *options]) == 0
    assert capsys.readouterr().out == "".join(lines[day - 1] for day in shown)


@pytest.mark.parametrize(
    "damage",
    [
        b"{\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b"x" * 9000 + b"\n",
        b"\n",
        b'{"time":"2026-13-01T00:00:00Z"}\n',
        b"[" * 99999 + b"\n",
    ],
)
def test_damage_is_counted_and_skipped(
    machine: Path, world: World, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    good = _line(world)
    (machine / "events.jsonl").write_bytes(damage + good.encode() + damage + good[:50].encode())
    assert cli.entry(["log", "--json"]) == 0
    out, err = capsys.readouterr()
    assert out == good
    assert err == "netfail-hooks: 3 damaged lines skipped\n"


@pytest.mark.parametrize("hostile", ["\x1b]0;x\x07", "a\nb", "\u202e"])
def test_a_line_cannot_write_to_the_terminal_behind_our_back(world: World, hostile: str) -> None:
    import json

    entry = json.loads(_line(world)) | {"summary": hostile}
    with pytest.raises(ValueError, match="not printable"):
        events.parse(json.dumps(entry))


def test_no_log_is_no_failure(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.entry(["log"]) == 0
    machine.rmdir()
    assert cli.entry(["log"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    told = "one is, each time that an uplink is lost or comes back"
    assert err == f"netfail-hooks: no transitions recorded: {told}\n" * 2


def test_the_last_failover_is_the_last_that_moved_traffic(machine: Path, world: World) -> None:
    assert events.last_failover(str(machine)) is None
    moved = _at(_line(world), "2026-11-01T12:00:00Z")
    held = _at(_line(world, "routable"), "2026-11-02T12:00:00Z")
    (machine / "events.jsonl").write_text(moved + held + "damaged\n")
    found = events.last_failover(str(machine))
    assert found is not None
    assert found.time == datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (
            [("eth0", "no-carrier"), ("wlan0", "no-carrier")],
            "IPv4 and IPv6 now by no uplink",
        ),
        ([("eth0", "missing"), ("wlan0", "missing")], "IPv4 and IPv6 now by no uplink"),
        (
            [("eth0", "missing"), ("wlan0", "missing"), ("wlan0", "routable")],
            "IPv4 and IPv6 now by wlan0",
        ),
        (
            [
                ("eth0", "missing"),
                ("wlan0", "missing"),
                ("wlan0", "routable"),
                ("eth0", "routable"),
            ],
            "IPv4 and IPv6 now by wlan0",
        ),
    ],
)
def test_traffic_that_found_an_uplink_again_left_none_last(
    machine: Path, world: World, steps: list[tuple[str, str]], told: str
) -> None:
    lines = [recorder.line(look(world, name, state)) for name, state in steps]
    (machine / "events.jsonl").write_text("".join(lines))
    last = events.last_failover(str(machine))
    assert last is not None
    assert told in last.summary


def test_the_tail_survives_rotation(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with Tail(str(path)) as tail:
        assert tail.read() == []
        path.write_text("1\n2\n3")
        assert tail.read() == ["1", "2"]
        assert tail.unfinished()
        _append(path, "3\n")
        assert tail.read() == ["33"]
        _append(path, "4\n")
        os.replace(path, tmp_path / "events.jsonl.1")
        assert tail.read() == ["4"]
        path.write_text("5\n")
        assert tail.read() == ["5"]
        os.truncate(path, 0)
        assert tail.read() == []
        path.write_text("6\n")
        assert tail.read() == ["6"]


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        ({"ipv4": "eth0", "ipv6": "eth0"}, {"ipv4": "wlan0", "ipv6": "eth0"}, True),
        ({"ipv4": "eth0"}, {"ipv4": ""}, True),
        ({"ipv4": "eth0"}, {}, True),
        ({"ipv4": "", "ipv6": "eth0"}, {"ipv4": "wlan0", "ipv6": "eth0"}, False),
        ({}, {"ipv4": "eth0"}, False),
    ],
)
def test_a_failover_takes_traffic_off_an_uplink(
    before: dict[str, str], after: dict[str, str], *, moved: bool
) -> None:
    event = Transition(_NOW, "", "", (), (), 0, after, before)
    assert bool(event.left()) is moved
    assert (event.boot, event.moment) == ("", 0), "of an older line nothing more is known"


def test_a_log_that_one_may_not_read_asks_for_root() -> None:
    told = events.unreadable("/log", PermissionError(13, "Permission denied"))
    assert str(told) == "/log: Permission denied: use sudo"
    assert str(events.unreadable("/log", OSError(21, "Is a directory"))) == "/log: Is a directory"


def test_the_tail_follows_the_recorder_itself(tmp_path: Path, world: World) -> None:
    line = _line(world)
    count = 0
    with Tail(str(tmp_path / "events.jsonl")) as tail:
        for _ in range(30):
            recorder.write(str(tmp_path), line, 20_000)
            count += len(tail.read())
    assert count == 30
    assert (tmp_path / "events.jsonl.1").exists()


@pytest.fixture
def another(tmp_path: Path, world: World) -> Path:
    """Return a recording of a machine that is not this one: two transitions, long ago."""
    lines = [
        _at(_line(world, state), f"2020-06-01T12:00:{second}Z")
        for state, second in (("no-carrier", "10"), ("routable", "50"))
    ]
    recording = tmp_path / "another.jsonl"
    recording.write_text("".join(lines))
    return recording


def test_another_recording_is_shown_instead(
    machine: Path, another: Path, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("events.jsonl", "events.jsonl.1"):
        (machine / name).write_text(_line(world, "missing"))
    assert cli.entry(["log", "--json", "--file", str(another)]) == 0
    assert capsys.readouterr().out == another.read_text()
    assert cli.entry(["log", "-n", "1", "--file", str(another)]) == 0
    assert "woken by eth0 (routable)" in capsys.readouterr().out


@pytest.mark.usefixtures("machine")
def test_the_recording_in_a_bundle_is_shown(
    another: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = another.read_text()
    (tmp_path / "bug.txt").write_text(f"{bundle.HEAD}\n\n== {bundle._RECORDINGS}\n{text}")
    assert cli.entry(["log", "--json", "--file", str(tmp_path / "bug.txt")]) == 0
    assert capsys.readouterr().out == text


@pytest.mark.usefixtures("machine")
def test_a_drawing_of_another_recording_ends_with_it(
    another: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.entry(["log", "--timeline", "--file", str(another)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("2020-0")
    assert str(datetime.now().astimezone().year) not in shown
    picture = tmp_path / "it.svg"
    assert cli.entry(["log", "--file", str(another), "--svg", str(picture)]) == 0
    assert picture.read_text().startswith("<svg")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("options", "status", "why"),
    [
        (["--file", "/nowhere/events.jsonl"], 1, "/nowhere/events.jsonl: No such file"),
        (["--file", "/nowhere/events.jsonl", "-f"], 1, "/nowhere/events.jsonl: No such file"),
        (["--file", "/", "--bundle", "-"], 2, "leave --file out"),
    ],
)
def test_no_other_recording(
    options: list[str], status: int, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.entry(["log", *options]) == status
    assert why in capsys.readouterr().err


def _append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.mark.parametrize("form", [[], ["--timeline"]])
def test_a_time_in_which_nothing_happened_is_told_from_a_log_with_nothing_in_it(
    machine: Path, capsys: pytest.CaptureFixture[str], world: World, form: list[str]
) -> None:
    (machine / "events.jsonl").write_text(_at(_line(world), "2026-11-01T12:00:00Z"))
    assert cli.entry(["log", *form, "--since", "2999-01-01"]) == 0
    assert "in that time: without --since all are shown" in capsys.readouterr().err
