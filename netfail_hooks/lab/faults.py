"""What can befall an uplink in the lab, and how it is put right; and a history of it.

Each returns once the kernel has done it. The history says when which uplinks were sound, so
that a measurement can tell an outage from one that nobody could have prevented.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from netfail_hooks.lab import topology
from netfail_hooks.lab.host import Host
from netfail_hooks.lab.namespaces import Namespaces
from netfail_hooks.lab.topology import Port
from netfail_hooks.lab.unmanaged import Unmanaged


class Faults(Host):
    """A host whose uplinks can be broken."""

    def __init__(
        self, namespaces: Namespaces, ports: Mapping[str, Port], unmanaged: Unmanaged | None
    ) -> None:
        super().__init__(namespaces)
        self.ports = ports
        self.unmanaged = unmanaged
        self.history: list[tuple[float, frozenset[str]]] = []
        self._faults: dict[str, set[str]] = {name: set() for name in ports}
        self._inserted = 0
        self._note()

    def cable_out(self, name: str) -> None:
        """Pull the cable: the carrier goes."""
        self._lose(name, "cable")
        self._shell(f"ip -n lan link set {self.ports[name].peer} down")
        self._enter(name, "no-carrier")

    def cable_in(self, name: str) -> None:
        """Plug the cable in again."""
        self._shell(f"ip -n lan link set {self.ports[name].peer} up")
        self._regain(name, "cable")
        self._enter(name, "routable")

    def dead_gateway(self, name: str) -> None:
        """Leave the link up with nothing behind it: no event comes."""
        self._lose(name, "gateway")
        self._shell(f"ip -n lan link set {self.ports[name].peer} master dead")

    def alive_gateway(self, name: str) -> None:
        """Put the LAN behind the link again."""
        port = self.ports[name]
        self._shell(f"ip -n lan link set {port.peer} master lan{port.segment}")
        self._regain(name, "gateway")

    def link_down(self, name: str) -> None:
        """Take the interface down, as an administrator would."""
        self._lose(name, "link")
        self._shell(f"ip link set {name} down")
        self._enter(name, "off")

    def link_up(self, name: str) -> None:
        """Take the interface up again."""
        self._shell(f"ip link set {name} up")
        self._regain(name, "link")
        self._enter(name, "routable")

    def remove(self, name: str) -> None:
        """Pull the adapter itself: the interface is gone."""
        self._lose(name, "adapter")
        self._shell(f"ip link delete {name}")
        self._enter(name, "linger")

    def insert(self, name: str) -> None:
        """Plug the adapter in again: the same hardware address, a new interface."""
        self._inserted += 1
        self._shell("\n".join(topology.connect(self.ports[name], index=self._inserted)))
        self._regain(name, "adapter")
        self._enter(name, "routable")

    def drop_address(self, name: str) -> None:
        """Take the uplink's own IPv4 address away, as an expired lease does."""
        self._lose(name, "address")
        self._shell(f"ip address delete {self.ports[name].host}/24 dev {name}")
        self._enter(name, "degraded")

    def return_address(self, name: str) -> None:
        """Give the uplink its IPv4 address back, by asking its manager to configure it."""
        if self.unmanaged is None:
            self._shell(f"networkctl reconfigure {name}")
        self._regain(name, "address")
        self._enter(name, "routable")

    def sound(self) -> frozenset[str]:
        """Return the uplinks that nothing is the matter with."""
        return frozenset(name for name, faults in self._faults.items() if not faults)

    def dark(self) -> Sequence[tuple[float, float]]:
        """Return the spans (``time.monotonic``) in which no uplink was sound."""
        ends = [when for when, _ in self.history[1:]] + [time.monotonic()]
        spans = zip(self.history, ends, strict=True)
        return [(begin, end) for (begin, sound), end in spans if not sound]

    def _lose(self, name: str, what: str) -> None:
        self._faults[name].add(what)
        self._note()

    def _regain(self, name: str, what: str) -> None:
        self._faults[name].discard(what)
        self._note()

    def _note(self) -> None:
        self.history.append((time.monotonic(), self.sound()))

    def _enter(self, name: str, state: str) -> None:
        """Let the unmanaged variant do what a network manager would."""
        if self.unmanaged is not None:
            self.unmanaged.enter(name, state)

    def _shell(self, script: str) -> None:
        self.namespaces.change(script)
