"""What sits on an uplink, of each kind: is what we know of it what the kernel does?"""

from __future__ import annotations

from typing import Any

import pytest

from tests.uml.boot import boot
from tests.uml.stacked import CARRIED, HOLDING


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    found = boot(tmp_path_factory.mktemp("uml"), "tests.uml.stacked")
    assert not found["errors"], "\n".join(f"{k}:\n{v}" for k, v in found["errors"].items())
    return found


@pytest.mark.parametrize("kind", CARRIED)
def test_what_stays_while_the_link_is_down_is_known(observed: Any, kind: str) -> None:
    found = observed["carried"][kind]
    assert (found["kind"], found["holds"]) == (kind, False)
    assert len(found["before"].splitlines()) == 6, found["before"]
    assert found["stays"] == (found["after"] == found["before"]), found


@pytest.mark.parametrize("kind", [*HOLDING, "hsr"])
def test_what_a_nic_is_a_part_of_is_known(observed: Any, kind: str) -> None:
    assert observed["holding"][kind] == [["on", kind, True]]


def test_a_vlan_lives_on_as_networkds_uplink_is_taken_over(observed: Any) -> None:
    found = observed["taken_over"]
    assert found["status"] == 0, found["said"]
    assert found["before"].count("\n") == 6, found["before"]
    assert found["after"] == found["before"]
    assert "eth0 is a part of vrf0 (vrf), from which" in found["refused"]
    assert "eth0" in found["held"]
