"""Pages in a real browser, where this folder is named: most machines have none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.browser import Browser


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", metavar="DIR", help="keep there what the pages look like")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    here = Path(__file__).parent
    named = (config.invocation_params.dir / arg.partition("::")[0] for arg in config.args)
    return None if any(here in (path, *path.parents) for path in named) else True


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    found = Browser(tmp_path_factory.mktemp("browser"))
    yield found
    found.close()
