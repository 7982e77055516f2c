"""Which machines, modes and scenarios to run, and where their rows go.

    pytest tests/vm --suite bookworm --quick

Only where this folder is named: a run that happens upon it has no hour to spare.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm import handover, report
from tests.vm.handover import Handover
from tests.vm.image import RELEASED, SUITES
from tests.vm.journey import MODES, SCENARIO_NAMES, UNINSTALL, UPGRADE, Journey, journey

_JOURNEYS = pytest.StashKey[list[Journey]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("whole machines")
    group.addoption("--suite", action="append", choices=list(SUITES), help="default: each release")
    group.addoption("--mode", action="append", choices=MODES, help="default: each")
    group.addoption(
        "--scenario",
        action="append",
        choices=(*SCENARIO_NAMES, UNINSTALL, UPGRADE),
        help="default: all; again for more",
    )
    group.addoption(
        "--handover",
        action="append",
        choices=handover.STOPS,
        help="default: all; again for more",
    )
    group.addoption(
        "--manager",
        choices=handover.CHOSEN,
        help="who runs the machine that is taken over; default: NetworkManager",
    )
    group.addoption("--power-cuts", type=int, default=2, metavar="N", help="default: 2")
    group.addoption("--seed", type=int, default=0, help="of the moments of power cuts")
    group.addoption("--quick", action="store_true", help="what CI has the time for")
    group.addoption("--rows", metavar="FILE", help="keep the rows as JSON; others in it stay")
    group.addoption("--markdown", metavar="FILE", help="write docs/dev/measurements-vm.md")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    here = Path(__file__).parent
    named = (config.invocation_params.dir / arg.partition("::")[0] for arg in config.args)
    return None if any(here in (path, *path.parents) for path in named) else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    options = metafunc.config.option
    if "handing" in metafunc.fixturenames:
        known = handover.managers(options.manager)
        suites = [one for one in options.suite or ("bookworm",) if one in known]
        stops = handover.stops(suites, options.handover or ())
        metafunc.parametrize("stop", stops, ids=[f"{stop.suite}-{stop.name}" for stop in stops])
        return
    stops = journey(
        options.suite or RELEASED,
        options.mode or MODES,
        options.scenario or (),
        quick=options.quick,
    )
    ids = [f"{stop.suite}-{stop.mode}-{stop.name}" for stop in stops]
    metafunc.parametrize("stop", stops, ids=ids)


@pytest.fixture(scope="module")
def way(pytestconfig: pytest.Config) -> Iterator[Journey]:
    """Yield the journey so far; the machine that is up ends with it."""
    with Journey(upgrades=UPGRADE in (pytestconfig.option.scenario or ())) as way:
        pytestconfig.stash.setdefault(_JOURNEYS, []).append(way)
        yield way


@pytest.fixture(scope="module")
def handing(pytestconfig: pytest.Config) -> Iterator[Handover]:
    """Yield the machine that is taken over; it ends with it."""
    option = pytestconfig.option
    by = handover.managers(option.manager)
    with Handover(by, power_cuts=option.power_cuts, seed=option.seed) as handing:
        pytestconfig.stash.setdefault(_JOURNEYS, []).append(handing)
        yield handing


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each fault cost, and keep it where that is asked for."""
    config = terminalreporter.config
    if _JOURNEYS not in config.stash:
        return
    rows = [row for one in config.stash[_JOURNEYS] for row in one.rows]
    if config.option.rows:
        rows = report.merge(config.option.rows, rows)
    if config.option.markdown:
        Path(config.option.markdown).write_text(report.markdown(rows), encoding="utf-8")
    terminalreporter.section("whole machines")
    terminalreporter.line(report.table(rows))
    unwell = sum(not row.healthy for row in rows)
    terminalreporter.line(f"{len(rows)} rows, {unwell} with a fault")
