"""An existing config.toml keeps whatever was not asked to change."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.config import Config, Uplink
from netfail_hooks.config import file as config_file
from netfail_hooks.errors import Misuse
from netfail_hooks.install.config import amend, choose
from netfail_hooks.install.options import InstallOptions
from netfail_hooks.paths import Paths
from netfail_hooks.values import replace

UPLINKS = '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n'
EDITED = """\
# mine
override_metric = 7
[[uplink]]  # the good one
interface = "eth0"
targets = ["icmp:1.1.1.1"]
[[uplink]]
interface = "wlan0"

[hold_down]
seconds = 3  # quick
[check]
# often
interval = 1
"""


def _choose(
    tmp_path: Path, text: str, *uplinks: str, interval: int | None = None
) -> tuple[Config, str]:
    paths = Paths(str(tmp_path))
    if text:
        os.makedirs(os.path.dirname(paths.config), exist_ok=True)
        Path(paths.config).write_bytes(text.encode())
    config, written = choose(paths, InstallOptions(uplinks, {}, interval), lambda: ("e0", "w0"))
    assert config_file.parse(tomllib.loads(written)) == (config, [])
    return config, written


def test_without_a_file_the_detected_uplinks_are_written(tmp_path: Path) -> None:
    assert _choose(tmp_path, "")[0].names() == ("e0", "w0")
    config, _ = _choose(tmp_path, "", "a", "b", "c", interval=0)
    assert (config.names(), config.interval) == (("a", "b", "c"), 0)


def test_a_file_survives_if_nothing_else_is_asked_for(tmp_path: Path) -> None:
    assert _choose(tmp_path, EDITED)[1] == EDITED
    assert _choose(tmp_path, EDITED, "eth0", "wlan0", interval=1)[1] == EDITED


def test_other_uplinks_change_the_tables_and_nothing_else(tmp_path: Path) -> None:
    config, written = _choose(tmp_path, EDITED, "usb0", "eth0")
    assert config.names() == ("usb0", "eth0")
    assert [uplink.metric for uplink in config.uplinks] == [100, 600]
    assert str(config.uplinks[1].targets[0]) == "icmp:1.1.1.1"
    assert (config.hold_down, config.interval, config.override_metric) == (3, 1, 7)
    for kept in ("# mine\n", "seconds = 3  # quick\n", "# often\n"):
        assert kept in written


def test_another_interval_changes_that_line_alone(tmp_path: Path) -> None:
    config, written = _choose(tmp_path, EDITED, interval=30)
    assert config.interval == 30
    assert written == EDITED.replace("interval = 1", "interval = 30")


@pytest.mark.parametrize(
    ("text", "amended"),
    [
        ("check.interval = 3  # mine\n", "check.interval = 9  # mine\n"),
        ("check = {interval = 2} # mine\n", "check = {interval = 9} # mine\n"),
        ("check = {successes = 2}\n", "check = {successes = 2, interval = 9}\n"),
        ("check.successes = 2 # mine\n", "check.interval = 9\ncheck.successes = 2 # mine\n"),
        ("'check' . interval=0x3#mine\n", "'check' . interval=9#mine\n"),
    ],
)
def test_an_interval_is_amended_as_it_is_written(tmp_path: Path, text: str, amended: str) -> None:
    config, written = _choose(tmp_path, text + UPLINKS, interval=9)
    assert config.interval == 9
    assert written.replace(",i", ", i") == amended + UPLINKS  # tomlkit 0.15 leaves the space out


@pytest.mark.parametrize(
    ("text", "amended"),
    [
        ("[check]  # a\n# b\nsuccesses=1\n", "[check]  # a\ninterval = 9\n# b\nsuccesses=1\n"),
        ("# a\n[check] # b", "# a\n[check] # b\ninterval = 9\n"),
        ("[check]\ninterval=5 # b", "[check]\ninterval=9 # b"),
        ("[log]\n# a", "[log]\n# a\n\n[check]\ninterval = 9\n"),
        ("# a", "# a\n\n[check]\ninterval = 9\n"),
    ],
)
def test_an_interval_is_amended_in_its_table(tmp_path: Path, text: str, amended: str) -> None:
    assert _choose(tmp_path, UPLINKS + text, interval=9)[1] == UPLINKS + amended


def test_what_a_person_wrote_is_kept_where_an_uplink_goes(tmp_path: Path) -> None:
    text = (
        'check.interval = 5  # often\n# The cable.\n[[uplink]]  # good\ninterface = "eth0"\n'
        '[[uplink]]\ninterface = "wlan0"  # slow\nmetric = 700 # mine\n[log]\n# big\n'
    )
    _, written = _choose(tmp_path, text, "wlan0", "usb0")
    new = "\n".join(config_file.render_uplink(Uplink("usb0", 600)))
    assert written == (
        "check.interval = 5  # often\n"
        '[[uplink]]\ninterface = "wlan0"  # slow\nmetric = 100 # mine\n'
        f"\n{new}\n"
        "[log]\n# big\n"
        "\n# Comments on what is no longer in this file:\n# The cable.\n# good\n"
    )
    assert _choose(tmp_path, written, "wlan0", "usb0")[1] == written
    _, again = _choose(tmp_path, written, "wlan0", "ppp0")
    assert again == written.replace('"usb0"', '"ppp0"'), "what we explain is no person's comment"


def test_an_array_of_uplinks_becomes_tables(tmp_path: Path) -> None:
    text = (
        "uplink = [ # the good one\n  {interface = 'eth0', failures = 3}, # cable\n"
        "  {interface = 'wlan0'} ]\n[check] # mine\n"
    )
    config, written = _choose(tmp_path, text, "wlan0", "eth0")
    assert [(uplink.interface, uplink.failures) for uplink in config.uplinks] == [
        ("wlan0", 2),
        ("eth0", 3),
    ]
    assert written == (
        '[check] # mine\n\n[[uplink]]\ninterface = "wlan0"\n'
        '\n[[uplink]]\ninterface = "eth0"\nfailures = 3\n'
        "\n# Comments on what is no longer in this file:\n# the good one\n# cable\n"
    )


def test_lines_end_as_they_did(tmp_path: Path) -> None:
    text = f"# mine\n{UPLINKS}".replace("\n", "\r\n")
    written = _choose(tmp_path, text, interval=9)[1]
    assert written == f"# mine\n{UPLINKS}\n[check]\ninterval = 9\n".replace("\n", "\r\n")


def test_what_cannot_be_amended_is_refused(tmp_path: Path, mocker: MockerFixture) -> None:
    failing = mocker.patch("netfail_hooks.install.config.amend", autospec=True)
    failing.side_effect = lambda text, *_: text
    with pytest.raises(Misuse, match="cannot be amended: change it by hand"):
        _choose(tmp_path, EDITED, interval=9)
    failing.assert_called_once()


def test_a_wrong_file_is_told_rather_than_replaced(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match=r"did you mean check\.interval"):
        _choose(tmp_path, "check.intervall = 3\n")


def test_uplinks_that_contradict_the_rest_are_told(tmp_path: Path) -> None:
    text = "override_metric = 300\n[[uplink]]\ninterface='a'\nmetric=500\n"
    with pytest.raises(Misuse, match="override_metric: must be below"):
        _choose(tmp_path, text, "a", "b")


def test_another_mode_changes_that_line_alone() -> None:
    for text, amended in (
        (f'mode = "routes"\n{EDITED}', f'mode = "bond"\n{EDITED}'),
        (EDITED, f'mode = "bond"\n{EDITED}'),
    ):
        old, _ = config_file.parse(tomllib.loads(text))
        assert old
        assert amend(text, old, replace(old, mode="bond")) == amended
