"""Where nobody is there to ask, what asks says so before it does anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from netfail_hooks.cli import by_hand, drill, install, parser
from netfail_hooks.errors import Misuse
from netfail_hooks.paths import Paths
from tests.support.machine import Machine

_DRILL = [["--gateway"], ["--cable"], ["--json"], ["--seconds", "30"]]
_INSTALL = [["--mode", "bond"], ["--no-live"], ["--json"], ["--interval", "7"], ["--dhcp"]]


def _words(options: list[list[str]]) -> st.SearchStrategy[list[str]]:
    some = st.lists(st.sampled_from(options), unique_by=lambda one: one[0])
    return some.map(lambda chosen: [word for option in chosen for word in option])


@given(words=_words(_DRILL).filter(lambda words: not {"--gateway", "--cable"} <= set(words)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_a_drill_is_refused_before_an_uplink_is_probed(
    words: list[str], tmp_path: Path, mocker: MockerFixture
) -> None:
    mocker.patch.object(drill, "Paths", return_value=Paths(str(tmp_path)))
    mocker.patch("sys.stdin.isatty", return_value=False)
    work = [mocker.patch.object(drill, "load"), mocker.patch.object(by_hand, "look")]
    with pytest.raises(Misuse, match="nobody to ask whether to go on") as raised:
        drill.run(parser(filled=("drill",)).parse_args(["drill", *words]))
    assert "--yes" in raised.value.hint
    assert not any(one.called for one in work)


@given(words=_words(_INSTALL))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
def test_a_first_install_is_refused_before_the_machine_is_looked_at(
    words: list[str], tmp_path_factory: pytest.TempPathFactory, mocker: MockerFixture
) -> None:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    looked = mocker.patch.object(install, "prepare")
    mocker.patch("sys.stdin.isatty", return_value=False)
    with pytest.raises(Misuse, match="nobody to ask whether to go on"):
        machine.install("--primary", "eth0", "--backup", "wlan0", *words)
    assert not looked.called
