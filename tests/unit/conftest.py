"""Unit tests keep their files in memory: install syncs each one, and a disk takes its time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = "/dev/shm"  # noqa: S108 - a directory of our own below it
_LARGE = Path(__file__).parent / "packaging"  # environments and whole systems, too much for memory


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Return a directory that goes after the test, in memory where that can be."""
    if _LARGE in request.path.parents or not os.access(_MEMORY, os.W_OK | os.X_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(
        dir=_MEMORY, prefix="netfail-", ignore_cleanup_errors=True
    ) as name:
        yield Path(name)
