"""Mode bond and a networkd that hangs: nothing is taken away that nobody gives back."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.uml.boot import boot

pytestmark = pytest.mark.faults
# Seconds, in there, where all takes long: 30 for a gateway that might yet answer, 10 for each look
# at networkd.
_LIMIT = 300


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = boot(tmp_path_factory.mktemp("uml"), "tests.uml.hung")
    assert not found["errors"], "\n".join(f"{k}:\n{v}" for k, v in found["errors"].items())
    for name in ("before_install", "amid_install", "before_uninstall", "amid_uninstall"):
        print(name, found[name])
    return found


@pytest.mark.parametrize("moment", ["before", "amid"])
def test_install_leaves_all_as_it_was(observed: Any, moment: str) -> None:
    found = observed[f"{moment}_install"]
    assert found["status"] != 0
    assert found["files"]
    before, after = found["ways"]
    assert sorted(after.splitlines()) == sorted(before.splitlines())
    assert found["reached"]
    assert not found["bond"]
    assert found["seconds"] < _LIMIT


@pytest.mark.parametrize("moment", ["before", "amid"])
def test_uninstall_leaves_a_way_out(observed: Any, moment: str) -> None:
    found = observed[f"{moment}_uninstall"]
    assert found["status"] == 0
    assert re.search("does not answer|no answer", found["said"])
    assert found["reached"]
    assert found["bond"] == (moment == "before")
    assert found["seconds"] < _LIMIT
