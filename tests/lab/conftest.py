"""Labs for the tests: the real kernel, dbus, systemd-networkd and networkd-dispatcher.

A missing part fails a test, it never skips one: a skipped lab proves nothing.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from netfail_hooks import lab as sandbox
from netfail_hooks.install import hook_file
from netfail_hooks.lab import Lab

# Debian's alone, Ubuntu's and Raspberry Pi OS's too (tests/run installs it there).
_IS_DEBIAN = os.path.exists("/etc/debian_version")
_DEBIANS = ("ifquery", "handover_ifupdown", "handover_dhcpcd", "wpa_stanzas")
collect_ignore = [] if _IS_DEBIAN else [f"test_{name}.py" for name in _DEBIANS]

MakeLab = Callable[..., Lab]
_REPORT = pytest.StashKey[bool]()
# Whose tests mostly wait for long: begun first, none of them is the last one that all wait for.
_LONG = ("handover", "hung", "kills", "races", "soak", "slow_gateways", "hostile", "drill", "watch")
_SHARED = 'scope="module"'


class Scheduling(LoadFileScheduling):  # type: ignore[misc]
    """Hands out tests one by one, but those whole whose file has fixtures of its own.

    A file that takes minutes, begun as one of the last, would be waited for by all processors.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if _is_whole(file) else nodeid


@cache
def _is_whole(file: str) -> bool:
    return _SHARED in (Path(__file__).parents[2] / file).read_text(encoding="utf-8")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Take that for ``--dist loadfile``."""
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; else leave the order as it is."""
    items.sort(key=lambda item: not item.path.stem.removeprefix("test_").startswith(_LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Remember a failure, so that the lab can then show its logs."""
    report = yield
    if report.when == "call":
        item.stash[_REPORT] = report.failed
    return report


@pytest.fixture
def make_lab(request: pytest.FixtureRequest) -> Iterator[MakeLab]:
    """Make labs, taken down after the test; ``make_lab(start=False)`` leaves networkd to the test.

    Takes Lab's own arguments. The host has how-to's plain files.
    """
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"the lab tests need root and the real daemons: {why}", pytrace=False)
    with contextlib.ExitStack() as stack:

        def make(*arguments: Any, start: bool = True, **options: Any) -> Lab:
            lab = stack.enter_context(Lab(*arguments, **options))
            stack.callback(_show_logs, lab, request.node)
            lab.write_files(lab.howto_files())
            if start:
                lab.start()
            return lab

        yield make


@pytest.fixture
def lab(make_lab: MakeLab, request: pytest.FixtureRequest) -> Lab:
    """Return a started lab; parametrize indirectly with a dict of Lab's arguments."""
    return make_lab(**getattr(request, "param", {}))


@pytest.fixture
def readable() -> Iterator[str]:
    """Yield a directory with all that our commands import, for whoever cannot read the checkout."""
    with tempfile.TemporaryDirectory() as home:
        os.chmod(home, 0o755)  # noqa: S103 - that is what it is for
        shutil.copytree(hook_file.hooks_directory(), f"{home}/hooks")
        for name in ("netfail_hooks", "pyroute2", "icmplib", "platformdirs"):
            spec = importlib.util.find_spec(name)
            assert spec is not None
            assert spec.origin is not None
            shutil.copytree(os.path.dirname(spec.origin), f"{home}/{name}")
        yield home


def _show_logs(lab: Lab, node: pytest.Item) -> None:
    if node.stash.get(_REPORT, False):
        print(lab.logs())
        print(lab.run("sh", "-c", "ip address; ip route; ip -6 route; ip neighbour").stdout)
