"""Metrics: what Prometheus is told, in its own grammar, and where it may be written."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from pytest_mock import MockerFixture

from netfail_hooks import __version__, cli, journal, metrics, reconcile
from netfail_hooks.cli import metrics as command
from netfail_hooks.config import Config, Order
from netfail_hooks.config.file import render as render_config
from netfail_hooks.files import write_whole
from netfail_hooks.metrics import text as metrics_text
from netfail_hooks.metrics.text import Known
from netfail_hooks.paths import Paths
from netfail_hooks.policy import state as state_file
from netfail_hooks.policy.state import Metered, Quality
from netfail_hooks.recorder import counters
from netfail_hooks.recorder.counters import Counter
from netfail_hooks.recorder.drills import Family, Flow, Outcome
from netfail_hooks.values import replace
from tests.support.world import SECOND, World, config_of

Samples = dict[str, float]
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_SAMPLE = re.compile(r'([a-z_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)')


def _read(text: str) -> Samples:
    """Read an exposition as Prometheus does, and hold its names against its naming rules."""
    found: Samples = {}
    kinds: dict[str, str] = {}
    lines = text.split("\n")
    assert lines.pop() == ""
    helped = ""
    for line in lines:
        if line.startswith("# HELP "):
            helped, about = line.removeprefix("# HELP ").split(" ", 1)
            assert _NAME.fullmatch(helped)
            assert about.endswith(".")
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert name == helped
            assert name not in kinds
            assert (kind == "counter") is name.endswith("_total")
            kinds[name] = kind
        else:
            matched = _SAMPLE.fullmatch(line)
            assert matched, line
            assert matched[1] == helped, "all of a metric stand together, after its HELP and TYPE"
            assert kinds[matched[1]]
            key = matched[1].removeprefix("netfail_") + (matched[2] or "")
            assert key not in found
            found[key] = float(matched[3])
    return found


def _known(world: World, counts: tuple[Counter, ...] = ()) -> Known:
    names = world.config.names()
    return Known("routes", names, world.state, counts, world.now, 1_800_000_000.0)


def _world(**more: object) -> World:
    world = World(config_of("eth0", "wlan0"), **more)  # type: ignore[arg-type]
    world.reconcile()
    return world


def test_all_well() -> None:
    world = _world(families=(4,))
    world.now += 3 * SECOND
    assert _read(metrics_text.render(_known(world), volatile=True)) == {
        f'info{{version="{__version__}",mode="routes"}}': 1,
        'uplink_rank{interface="eth0",family="ipv4"}': 1,
        'uplink_rank{interface="wlan0",family="ipv4"}': 2,
        'uplink_metered{interface="eth0",family="ipv4"}': 0,
        'uplink_metered{interface="wlan0",family="ipv4"}': 0,
        'uplink_serves{interface="eth0",family="ipv4"}': 1,
        'uplink_serves{interface="wlan0",family="ipv4"}': 1,
        'uplink_up{interface="eth0",family="ipv4"}': 1,
        'uplink_up{interface="wlan0",family="ipv4"}': 1,
        'uplink_recovering{interface="eth0",family="ipv4"}': 0,
        'uplink_recovering{interface="wlan0",family="ipv4"}': 0,
        'uplink_carries_traffic{interface="eth0",family="ipv4"}': 1,
        'uplink_carries_traffic{interface="wlan0",family="ipv4"}': 0,
        'transitions_total{interface="eth0",family="ipv4"}': 0,
        'transitions_total{interface="wlan0",family="ipv4"}': 0,
        'traffic_moves_total{family="ipv4"}': 0,
        'probe_rtt_seconds{interface="eth0",family="ipv4"}': 0.0004,
        'probe_rtt_seconds{interface="wlan0",family="ipv4"}': 0.0004,
        "check_last_run_timestamp_seconds": 1_799_999_997.0,
    }


def test_the_last_drill_is_told_wherever_it_is_written() -> None:
    families = (Family(4, "wlan0", 712, 9_000), Family(6, "wlan0", -1, -1), Family(6, "x", 0, 1))
    flows = (Flow("echo", "9.9.9.9", 400, 14, 700), Flow("tcp", "tcp:9.9.9.9:53", 1, 1, 0))
    drill = Outcome(7, "passed", "cable", "x", "eth0", 20, True, families[:2], flows)  # noqa: FBT003
    labels = 'interface="eth0",fault="cable"'
    for volatile in (True, False):
        known = replace(_known(_world()), drill=drill)
        found = _read(metrics_text.render(known, volatile=volatile))
        assert {key: number for key, number in found.items() if key.startswith("drill")} == {
            f"drill_last_run_timestamp_seconds{{{labels}}}": 7,
            f"drill_passed{{{labels}}}": 1,
            f'drill_failover_seconds{{{labels},family="ipv4"}}': 0.712,
            f'drill_echoes_lost{{{labels},target="9.9.9.9"}}': 14,
        }
    at_once = replace(drill, verdict="failed", families=families[2:])
    found = _read(metrics_text.render(replace(known, drill=at_once), volatile=False))
    assert found[f"drill_passed{{{labels}}}"] == 0
    assert found[f'drill_failover_seconds{{{labels},family="ipv6"}}'] == 0


def test_what_a_metered_uplink_carried_is_told_where_it_may_change() -> None:
    world = _world()
    world.state = replace(world.state, metered=(Metered("wlan0", 4, 20261128, 12_345, 0, 0),))
    key = 'uplink_metered_bytes_today{interface="wlan0"}'
    assert _read(metrics_text.render(_known(world), volatile=True))[key] == 12_345
    assert key not in _read(metrics_text.render(_known(world), volatile=False))


@pytest.mark.parametrize(
    ("states", "up", "held", "by"),
    [
        (["no-carrier"], 0, 0, "wlan0"),
        (["no-carrier", "routable"], 0, 1, "wlan0"),
        (["missing"], 0, 0, "wlan0"),
        ([], 1, 0, "eth0"),
    ],
)
def test_a_loss_is_told(states: list[str], up: int, held: int, by: str) -> None:
    world = _world()
    for state in states:
        world.event("eth0", state)
        world.reconcile()
    found = _read(metrics_text.render(_known(world), volatile=False))
    for family in ("ipv4", "ipv6"):
        assert found[f'uplink_up{{interface="eth0",family="{family}"}}'] == up
        assert found[f'uplink_recovering{{interface="eth0",family="{family}"}}'] == held
        assert found[f'uplink_carries_traffic{{interface="{by}",family="{family}"}}'] == 1
    assert not any(key.startswith(("probe", "check")) for key in found)


def test_an_uplink_that_never_was_is_not_up_and_a_family_that_never_was_is_left_out() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,))
    world.states["wlan0"] = "missing"
    world.reconcile()
    found = _read(metrics_text.render(_known(world), volatile=False))
    assert found['uplink_up{interface="wlan0",family="ipv4"}'] == 0
    assert 'uplink_up{interface="eth0",family="ipv6"}' not in found


def test_a_family_that_no_uplink_ever_had_is_not_missing_on_one_that_never_was() -> None:
    world = World(config_of("eth0", "wlan0"), families=(4,))
    world.states["wlan0"] = "missing"
    world.reconcile()
    assert "ipv6" not in metrics_text.render(_known(world), volatile=True)
    never = World(world.config)
    never.states.update(eth0="missing", wlan0="missing")
    never.reconcile()
    found = _read(metrics_text.render(_known(never), volatile=False))
    assert found['uplink_serves{interface="eth0",family="ipv6"}'] == 0


def test_a_poor_line_serves_though_it_is_not_up() -> None:
    uplink_states = (
        state_file.UplinkState("eth0", 4, "down", 1, reason=state_file.POOR + "30 % lost"),
        state_file.UplinkState("wlan0", 4, "down", 1, reason="no answer"),
    )
    known = Known("routes", ("eth0", "wlan0"), state_file.State(uplink_states), (), 5, 6.0)
    found = _read(metrics_text.render(known, volatile=False))
    assert found['uplink_up{interface="eth0",family="ipv4"}'] == 0
    assert found['uplink_serves{interface="eth0",family="ipv4"}'] == 1
    assert found['uplink_serves{interface="wlan0",family="ipv4"}'] == 0


def test_what_a_config_and_a_person_say_is_told_wherever_it_is_written() -> None:
    orders = (Order("disable", "eth0", 9_000), Order("disable", "eth0"), Order("use", "wlan0"))
    known = replace(_known(_world()), metered=("wlan0",), orders=orders, interval=60)
    for volatile in (True, False):
        found = _read(metrics_text.render(known, volatile=volatile))
        assert found['uplink_metered{interface="eth0",family="ipv4"}'] == 0
        assert found['uplink_metered{interface="wlan0",family="ipv4"}'] == 1
        assert {key for key in found if key.startswith("by_hand")} == {
            'by_hand{interface="eth0",order="disable"}',
            'by_hand{interface="wlan0",order="use"}',
        }
        assert found["check_interval_seconds"] == 60


def test_nothing_known_since_boot_is_no_uplink_down() -> None:
    known = Known("bond", ("eth0",), state_file.State(), (), 5, 6.0)
    assert _read(metrics_text.render(known, volatile=True)) == {
        f'info{{version="{__version__}",mode="bond"}}': 1
    }


def test_the_last_round_counts_and_only_an_answer_has_a_time() -> None:
    uplink_states = (
        state_file.UplinkState("eth0", 4, "up", 1, probed=9_000, rtt=400),
        state_file.UplinkState("wlan0", 4, "down", 1, probed=7_000, rtt=400, fails=1),
        state_file.UplinkState("usb0", 4, "up", 1),
    )
    names = ("eth0", "wlan0", "usb0")
    known = Known("routes", names, state_file.State(uplink_states), (), 10_000, 60.0)
    found = _read(metrics_text.render(known, volatile=True))
    assert {key: told for key, told in found.items() if key.startswith(("probe", "check"))} == {
        'probe_rtt_seconds{interface="eth0",family="ipv4"}': 0.0004,
        "check_last_run_timestamp_seconds": 59.0,
    }


def test_a_line_that_is_measured_is_told() -> None:
    state = state_file.State(
        qualities=(
            Quality("eth0", 4, 1, "10:8:160,10:10:200"),
            Quality("wlan0", 6, 0, "10:10:20"),
            Quality("gone0", 4, 0, "10:10:20"),
        )
    )
    known = Known("routes", ("eth0", "wlan0"), state, (), 5000, 1e9)
    lines = metrics_text.render(known, volatile=True).splitlines()
    found = [
        line.removeprefix("netfail_line_") for line in lines if line.startswith("netfail_line_")
    ]
    assert found == [
        'loss_ratio{interface="eth0",family="ipv4"} 0.1000',
        'loss_ratio{interface="wlan0",family="ipv6"} 0.0000',
        'latency_seconds{interface="eth0",family="ipv4"} 0.020000',
        'latency_seconds{interface="wlan0",family="ipv6"} 0.002000',
        'poor{interface="eth0",family="ipv4"} 1',
        'poor{interface="wlan0",family="ipv6"} 0',
    ]
    assert "line_" not in metrics_text.render(known, volatile=False)


def test_odd_names_are_escaped() -> None:
    world = World(config_of('a"b\\c'))
    world.reconcile()
    found = _read(metrics_text.render(_known(world), volatile=False))
    assert found['uplink_up{interface="a\\"b\\\\c",family="ipv4"}'] == 1


# --- counting -----------------------------------------------------------------------------------


def test_a_failover_counts_for_the_uplink_and_for_the_traffic(tmp_path: Path) -> None:
    paths = Paths(str(tmp_path))
    os.makedirs(paths.run)
    world = World(config_of("eth0", "wlan0"), families=(4,))
    began = int(time.time())
    for state in ("routable", "no-carrier", "no-carrier", "routable"):
        before = world.state
        world.event("eth0", state)
        world.reconcile()
        for _ in range(2):  # as after a kill: no more than once
            counters.note(paths, before, world.state, world.now)
        world.now += 1000
    counts = counters.load(paths)
    assert {(one.interface, one.family): one.count for one in counts} == {
        ("eth0", 4): 3,
        ("wlan0", 4): 1,
        ("", 4): 1,
    }
    assert all(began <= one.last <= time.time() for one in counts)
    found = _read(metrics_text.render(_known(world, counts), volatile=False))
    assert found['transitions_total{interface="eth0",family="ipv4"}'] == 3
    assert found['traffic_moves_total{family="ipv4"}'] == 1
    last = found['last_transition_timestamp_seconds{interface="eth0",family="ipv4"}']
    assert last == counts[0].last


@pytest.mark.parametrize(
    ("left", "taken", "moved"),
    [("eth0", "wlan0", 1), ("eth0", "eth0", 0), ("eth0", "", 0), ("", "eth0", 0), ("", "", 0)],
)
def test_traffic_moves_from_one_uplink_to_another(left: str, taken: str, moved: int) -> None:
    before, after = (
        state_file.State(active=(state_file.Active(4, name, 1),)) for name in (left, taken)
    )
    assert counters.changes(before, after) == (("", 4),) * moved


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "netfail-hooks tally 2\n7\neth0 4 1 2\n",
        "netfail-hooks tally 2\n7\neth0 5 1 2\nend\n",
        "netfail-hooks tally 2\n7\n\x1b 4 1 2\nend\n",
        "netfail-hooks tally 2\n7\neth0 4 1\nend\n",
        "netfail-hooks tally 2\n7\neth0 4 1 x\nend\n",
        "x\n7\neth0 4 7 2\nend\n",
        "netfail-hooks tally 2\nx\neth0 4 7 2\nend\n",
        "netfail-hooks tally 2\nend\n",
        "netfail-hooks tally 2\n7\neth0 4 7 2\nwlan0 4 7 2\n",
    ],
)
def test_a_damaged_tally_begins_anew(tmp_path: Path, text: str) -> None:
    paths = Paths(str(tmp_path))
    os.makedirs(paths.run)
    Path(paths.counters).write_text(text)
    assert counters.load(paths) == ()
    counters.note(paths, state_file.State(), _world().state, 7)
    assert {one.count for one in counters.load(paths)} == {1}


def test_a_tally_reads_as_it_was_written() -> None:
    counts = (Counter("eth0", 6, 3, 5), Counter("", 4, 1, 1_800_000_000))
    assert counters.parse(counters.render(counts, 7)) == (7, counts)


# --- the file -----------------------------------------------------------------------------------


_DIRECTORY = "/var/lib/prometheus/node-exporter"
_RUN, _DISK = "/run/netfail-hooks/netfail.prom", f"{_DIRECTORY}/netfail.prom"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """Return a machine whose last run left all well, and a directory that node_exporter reads."""
    paths = Paths(str(tmp_path))
    for directory in (paths.run, paths.at(_DIRECTORY)):
        os.makedirs(directory)
    reconcile.save_state(paths.run + "/state", _world().state)
    return paths


@pytest.fixture
def log(mocker: MockerFixture) -> MagicMock:
    """Return what stands for the journal's log, with its own signature."""
    return mocker.patch.object(journal, "log", autospec=True)


def _messages(log: MagicMock) -> list[str]:
    return [call.args[0] for call in log.call_args_list]


def _config(textfile: str) -> Config:
    return replace(config_of("eth0", "wlan0"), textfile=textfile)


@pytest.mark.parametrize(("path", "volatile"), [(_RUN, True), (_DISK, False)])
def test_the_file_is_whole_and_for_all_to_read(paths: Paths, path: str, *, volatile: bool) -> None:
    metrics.update(_config(path), paths)
    found = Path(paths.at(path))
    assert found.stat().st_mode & 0o777 == 0o644
    samples = _read(found.read_text())
    assert samples['uplink_up{interface="eth0",family="ipv4"}'] == 1
    assert ("check_last_run_timestamp_seconds" in samples) is volatile
    assert [one.name for one in found.parent.iterdir() if one.name.startswith("netfail")] == [
        "netfail.prom"
    ]


def test_the_file_has_what_config_and_orders_say_now(paths: Paths) -> None:
    eth0, wlan0 = _config(_RUN).uplinks
    config = replace(
        _config(_RUN),
        uplinks=(eth0, replace(wlan0, metered=True)),
        orders=(Order("use", "wlan0"), Order("disable", "eth0", 1)),  # that one is over
    )
    metrics.update(config, paths)
    samples = _read(Path(paths.at(_RUN)).read_text())
    assert samples['uplink_metered{interface="wlan0",family="ipv4"}'] == 1
    assert samples['by_hand{interface="wlan0",order="use"}'] == 1
    assert 'by_hand{interface="eth0",order="disable"}' not in samples
    assert samples["check_interval_seconds"] == config.period
    metrics.update(replace(config, mode="bond", interval=0), paths)
    samples = _read(Path(paths.at(_RUN)).read_text())
    assert samples['uplink_metered{interface="wlan0",family="ipv4"}'] == 0, "nobody counts there"
    assert "check_interval_seconds" not in samples


def test_a_check_that_finds_all_as_it_was_writes_nothing_to_a_disk(paths: Paths) -> None:
    found = Path(paths.at(_DISK))
    metrics.update(_config(_DISK), paths)
    first = found.stat()
    world = _world()
    world.now += 5 * SECOND
    world.reconcile()  # another round of probes, at another time
    reconcile.save_state(paths.run + "/state", world.state)
    metrics.update(_config(_DISK), paths)
    assert (found.stat().st_ino, found.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    world.event("eth0", "no-carrier")
    world.reconcile()
    reconcile.save_state(paths.run + "/state", world.state)
    metrics.update(_config(_DISK), paths)
    assert found.stat().st_ino != first.st_ino


def _link_away(directory: Path) -> None:
    directory.rename(directory.with_name("elsewhere"))
    directory.symlink_to("elsewhere")


SPOILT = {
    "no directory": (lambda one: one.rmdir(), "node-exporter: No such file or directory"),
    "a link": (_link_away, "node-exporter: Not a directory"),
    "a file": (lambda one: (one.rmdir(), one.touch()), "node-exporter: Not a directory"),
    "writable by others": (
        lambda one: one.chmod(0o777),
        "owned or writable by somebody else: sudo chown root ",
    ),
    "somebody else's": (lambda one: os.chown(one, 65534, 65534), "owned or writable by somebody"),
    "the file is a directory": (
        lambda one: (one / "netfail.prom").mkdir(),
        "netfail.prom: Is a directory",
    ),
}


@pytest.mark.parametrize(("spoil", "why"), SPOILT.values(), ids=SPOILT)
def test_a_place_that_won_t_do_is_told_once_and_again_after_it_did(
    paths: Paths, log: MagicMock, spoil: object, why: str
) -> None:
    directory = Path(paths.at(_DIRECTORY))
    spoil(directory)  # type: ignore[operator]
    for _ in range(3):
        metrics.update(_config(_DISK), paths)
    (message,) = _messages(log)
    assert message.startswith("cannot write metrics: /")
    assert why in message
    metrics.update(_config(_RUN), paths)
    metrics.update(_config(_DISK), paths)
    assert _messages(log) == [message] * 2


@pytest.mark.parametrize("kind", ["link", "fifo"])
def test_what_stands_in_its_place_is_replaced_not_followed(paths: Paths, kind: str) -> None:
    place, victim = Path(paths.at(_DISK)), Path(paths.root, "victim")
    victim.write_text("theirs")
    if kind == "link":
        place.symlink_to(victim)
    else:
        os.mkfifo(place)
    metrics.update(_config(_DISK), paths)
    assert victim.read_text() == "theirs"
    assert not place.is_symlink()
    assert _read(place.read_text())


def test_another_directory_put_in_its_place_meanwhile_gets_nothing(
    paths: Paths, mocker: MockerFixture
) -> None:
    directory = Path(paths.at(_DIRECTORY))
    elsewhere = directory.with_name("elsewhere")

    def swap(*arguments: Any, **options: Any) -> None:
        directory.rename(elsewhere)
        directory.mkdir()
        write_whole(*arguments, **options)

    mocker.patch.object(metrics, "write_whole", autospec=True, side_effect=swap)
    metrics.update(_config(_DISK), paths)
    assert os.listdir(directory) == []
    assert os.listdir(elsewhere) == ["netfail.prom"]


def test_what_a_killed_writer_left_is_swept(paths: Paths) -> None:
    left = Path(paths.at(f"{_DISK}.4711.tmp"))
    left.write_text("# HELP netfail_")
    metrics.update(_config(_DISK), paths)
    assert os.listdir(left.parent) == ["netfail.prom"]


def test_another_run_that_was_quicker_is_no_fault(
    paths: Paths, log: MagicMock, mocker: MockerFixture
) -> None:
    def overtaken(path: str, data: bytes, *, mode: int, directory: int) -> None:
        Path(f"/proc/self/fd/{directory}", path).write_bytes(data)
        raise FileNotFoundError(2, "No such file or directory", f"{path}.{mode}.tmp")

    mocker.patch.object(metrics, "write_whole", autospec=True, side_effect=overtaken)
    metrics.update(_config(_RUN), paths)
    log.assert_not_called()


def test_a_file_that_goes_under_our_hands_is_told_with_its_path(
    paths: Paths, log: MagicMock, mocker: MockerFixture
) -> None:
    gone = FileNotFoundError(2, "No such file or directory", "netfail.prom.1.tmp")
    mocker.patch.object(metrics, "write_whole", autospec=True, side_effect=[gone, None])
    metrics.update(_config(_DISK), paths)
    path = paths.at(_DISK)
    assert _messages(log) == [f"cannot write metrics: {path}: No such file or directory"]


def test_only_a_file_of_ours_is_removed(paths: Paths) -> None:
    place = Path(paths.at(_DISK))
    metrics.remove(str(place))
    place.write_text("# HELP node_x\n")
    metrics.remove(str(place))
    assert place.exists()
    metrics.update(_config(_DISK), paths)
    metrics.remove(str(place))
    assert not place.exists()


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def machine(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setattr(command, "Paths", lambda: paths)
    Path(paths.config).parent.mkdir(parents=True)
    Path(paths.config).write_text(render_config(config_of("eth0", "wlan0")))
    return paths


@pytest.mark.usefixtures("machine")
def test_the_command_prints_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.entry(["metrics"]) == 0
    assert "check_last_run_timestamp_seconds" in _read(capsys.readouterr().out)


def test_the_command_writes_a_file(
    machine: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(machine.at(_DIRECTORY))
    assert cli.entry(["metrics", "--textfile", "netfail.prom"]) == 0
    assert _read(Path(machine.at(_DISK)).read_text())
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("spoil", "status", "why"),
    [
        (lambda paths: Path(paths.at(_DIRECTORY)).chmod(0o777), 3, "chmod go-w"),
        (lambda paths: os.rmdir(paths.at(_DIRECTORY)), 1, "No such file or directory"),
        (
            lambda paths: Path(paths.run, "state").write_text("x"),
            1,
            "run 'sudo netfail-hooks check'",
        ),
        (lambda paths: Path(paths.run, "state").chmod(0o666), 3, "use sudo"),
        (lambda paths: os.unlink(paths.config), 2, "run 'sudo netfail-hooks install'"),
    ],
)
def test_what_is_wrong_is_told(
    machine: Paths, capsys: pytest.CaptureFixture[str], spoil: object, status: int, why: str
) -> None:
    spoil(machine)  # type: ignore[operator]
    assert cli.entry(["metrics", "--textfile", machine.at(_DISK)]) == status
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert why in err
