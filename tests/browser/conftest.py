"""Pages in a real browser, where this folder is named: most machines have none."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pictures", metavar="DIR", help="keep there what the pages look like")


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    here = Path(__file__).parent
    named = (config.invocation_params.dir / arg.partition("::")[0] for arg in config.args)
    return None if any(here in (path, *path.parents) for path in named) else True
