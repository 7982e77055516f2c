"""What the tests of faults tell at the end: how much was tried, and what of it broke."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import settings

from tests.support import shares

Tried = Callable[[str, int], None]
_KEY = "tried"


# A shell starts what runs in the background with SIGINT ignored, and so would our children be.
signal.signal(signal.SIGINT, signal.default_int_handler)
# The same examples each time, so that CI fails for a reason; --hypothesis-profile=long looks for
# new ones.
settings.register_profile("everyday", derandomize=True, deadline=None)
settings.register_profile("long", max_examples=20_000, deadline=None)
settings.load_profile("everyday")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare what is too long for every day."""
    parser.addoption(
        "--every-kill-point",
        action="store_true",
        help="kill install and uninstall at each of their system calls; take all members of each "
        "test, not a day's share",
    )
    parser.addoption(
        "--soak-minutes",
        type=float,
        default=0,
        help="how long faults go on in the lab, instead of some seconds",
    )
    parser.addoption(
        "--races",
        type=int,
        default=2,
        help="how many rounds of install, uninstall, checks and hooks against each other",
    )
    parser.addoption(
        "--file-rounds",
        type=int,
        default=1,
        help="how many times eight .network files are drawn at random for a real networkd",
    )
    parser.addoption("--file-seed", type=int, default=0, help="what they are drawn from")
    parser.addoption("--race-seed", type=int, default=0, help="what they are drawn from")
    parser.addoption("--race-hosts", type=int, default=2, help="how many hosts race side by side")


def pytest_configure(config: pytest.Config) -> None:
    """Know what a share is (support/shares.py)."""
    shares.configure(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take today's share of what is too much for every day."""
    shares.select(config, items)


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Tried:
    """Count what a test tries, for the summary: ``tried("kill points", 57)``.

    Count as the attempts are made, not at the end: a failure then tells how far it got.
    """

    def count(what: str, number: int = 1) -> None:
        # A report carries these from a worker of pytest-xdist to the terminal.
        for at, (key, (known, before)) in enumerate(request.node.user_properties):
            if (key, known) == (_KEY, what):
                request.node.user_properties[at] = (_KEY, (what, before + number))
                return
        request.node.user_properties.append((_KEY, (what, number)))

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the sums, and how many tests that tried something failed."""
    sums: Counter[str] = Counter()
    broken = 0
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            found = [one for key, one in report.user_properties if key == _KEY]
            sums.update(dict(found))
            broken += bool(found) and outcome == "failed"
    if sums:
        terminalreporter.section("tried")
        for what, number in sorted(sums.items()):
            terminalreporter.line(f"{number:>12,}  {what}")
        terminalreporter.line(f"{broken or 'none':>12}  broken")
