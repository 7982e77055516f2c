"""What the hosts of a LAN believe: behind which NIC of ours each of our addresses is.

They learn it from announcements, from answers to their own questions, and from whatever a NIC of
ours asks by ARP, which may be any of the machine's IPv4 addresses: the kernel takes the source of
the packet that waits. What is drawn at random is who speaks when, and who asks.
"""

from __future__ import annotations

from netfail_hooks.policy.sysctls import SILENT, arp_ignore
from tools.model.ghost import Ghost
from tools.model.kernel import Kernel

Key = tuple[int, str]  # a LAN, and an address of ours


class Lan:
    """All LANs that the uplinks are on, each by its number."""

    def __init__(
        self, kernel: Kernel, lans: dict[str, int], sick: set[tuple[str, int]], ghost: Ghost
    ) -> None:
        self._kernel = kernel
        self._sick = sick
        self._ghost = ghost
        self.of = lans
        self.beliefs: dict[Key, str] = {}
        # What nobody could know: announced by a NIC that was mute, or heard in IPv6, where no
        # setting silences a NIC, from one that worked for a moment between two looks.
        self.doubts: set[Key] = set()

    def hears(self, name: str, family: int) -> bool:
        """Tell whether what a NIC sends and what is sent to it arrives."""
        return self._kernel.has_carrier(name) and (name, family) not in self._sick

    def answerers(self, lan: int, family: int, address: str) -> list[str]:
        """Return the NICs that answer a question for an address, and are heard."""
        return [
            name
            for name in self.of
            if self.of[name] == lan
            and self.hears(name, family)
            and self.answers(name, family, address)
        ]

    def answers(self, name: str, family: int, address: str) -> bool:
        """Tell whether the kernel answers: IPv4 on any NIC with an address, IPv6 on its own."""
        if not self._kernel.has_carrier(name):
            return False
        here = [a for a, _ in self._kernel.addresses if (a.interface, a.family) == (name, family)]
        if family == 6:
            return any(own.address == address for own in here)
        quiet = self._kernel.sysctls[arp_ignore(name)] == SILENT
        return bool(here) and not quiet and self.is_local(address)

    def is_local(self, address: str) -> bool:
        """Tell whether an address is the machine's."""
        return any(own.address == address for own, _ in self._kernel.addresses)

    def told(self, name: str, family: int, address: str, *, known_bad: bool = False) -> None:
        """Let a NIC say that an address is behind it; unheard, that changes nothing."""
        key = self.of[name], address
        if self.hears(name, family):
            self.beliefs[key] = name
            self.doubts.discard(key)
        elif not known_bad:
            self.doubts.add(key)

    def _overheard(self, name: str, family: int, address: str) -> None:
        """Let a host learn from a NIC's own question or answer where an address is."""
        self.told(name, family, address)
        if family == 6 and self.hears(name, family) and self._ghost.is_bad(name, family):
            self.doubts.add((self.of[name], address))

    def speak(self, name: str, number: int) -> None:
        """Let a NIC that has an address ask for a neighbour, as the sender any that it may take."""
        families = {a.family for a, _ in self._kernel.addresses if a.interface == name}
        spoken = sorted(
            {
                (a.family, a.address)
                for a, _ in self._kernel.addresses
                if (a.family == 4 and 4 in families) or a.interface == name
            }
        )
        if not spoken or not self._kernel.has_carrier(name):
            return
        family, address = spoken[number % len(spoken)]
        if family == 4:
            self._kernel.resolved.add(name)
        if self.hears(name, family):
            self._overheard(name, family, address)

    def ask(self, number: int) -> None:
        """Let a host of a LAN ask for an address of ours; whose answer comes last, it believes."""
        asked = sorted({(a.family, a.address) for a, _ in self._kernel.addresses})
        if not asked:
            return
        family, address = asked[number % len(asked)]
        for lan in set(self.of.values()):
            answerers = self.answerers(lan, family, address)
            if answerers:
                self._overheard(answerers[number % len(answerers)], family, address)

    def found(self) -> set[Key]:
        """Return what is answered for by ARP, heard or not: LANs and addresses."""
        local = {own.address for own, _ in self._kernel.addresses if own.family == 4}
        return {
            (self.of[name], address)
            for name, lan in self.of.items()
            for address in local
            if address.startswith(f"192.168.{lan}.") and self.answers(name, 4, address)
        }
