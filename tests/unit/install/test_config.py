"""An existing config.toml keeps whatever was not asked to change."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from netfail_hooks.config import Config
from netfail_hooks.config import file as config_file
from netfail_hooks.errors import Misuse
from netfail_hooks.install.config import amend, choose
from netfail_hooks.install.options import InstallOptions
from netfail_hooks.paths import Paths
from netfail_hooks.values import replace

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
        Path(paths.config).write_text(text, encoding="utf-8")
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
    "text",
    [
        "uplink = [{interface = 'eth0'}, {interface = 'wlan0'}]\ncheck.interval = 3\n",
        "check = {interval = 2}\n[[uplink]]\ninterface='eth0'\n[[uplink]]\ninterface='wlan0'\n",
        "[[uplink]]\ninterface='eth0'\ntargets=[\n'icmp:1.1.1.1',\n]\n[[uplink]]\ninterface='w'\n",
    ],
)
def test_a_form_that_cannot_be_amended_is_written_anew(tmp_path: Path, text: str) -> None:
    config, _ = _choose(tmp_path, text, "eth0", "ppp0", interval=9)
    assert (config.names(), config.interval) == (("eth0", "ppp0"), 9)


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
