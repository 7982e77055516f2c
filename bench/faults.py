"""What is done to the uplink that carries the traffic, and for how long we then look."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from netfail_hooks.lab import Lab

CABLE, DEAD, DOWN, BACK = "cable out", "dead gateway", "link down", "failback"
IDLE, RETURN = "dead gateway, idle", "return"
# As they are told; a failback, and when it came, is measured after a cable out.
NAMES = (CABLE, DOWN, DEAD, IDLE, BACK)
TIMES = (IDLE, RETURN)  # nothing is sent, or lost: how long it takes


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault; ``waits``: nothing tells of it, so that finding out is a matter of seconds.

    ``idle``: while nobody sends anything.
    """

    name: str
    do: Callable[[Lab, str], None]
    waits: bool = False
    idle: bool = False


FAULTS = (
    Fault(CABLE, Lab.cable_out),
    Fault(DOWN, Lab.link_down),
    Fault(DEAD, Lab.dead_gateway, waits=True),
    Fault(IDLE, Lab.dead_gateway, waits=True, idle=True),
)
