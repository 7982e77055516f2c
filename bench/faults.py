"""What is done to the uplink that carries the traffic, and for how long we then look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netfail_hooks.lab import Lab

CABLE, DEAD, DOWN, BACK = "cable out", "dead gateway", "link down", "failback"
NAMES = (CABLE, DOWN, DEAD, BACK)  # as they are told; a failback is measured after a cable out


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault; ``waits``: nothing tells of it, so that finding out is a matter of seconds."""

    name: str
    do: Callable[[Lab, str], None]
    waits: bool = False


FAULTS = (
    Fault(CABLE, Lab.cable_out),
    Fault(DOWN, Lab.link_down),
    Fault(DEAD, Lab.dead_gateway, waits=True),
)
