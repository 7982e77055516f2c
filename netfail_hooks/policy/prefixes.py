"""Ask of many prefixes or addresses at once which lie in which. Pure.

Anybody on a LAN can give its hosts thousands of both (a router advertisement names what it likes),
so no two of them are compared: addresses are numbers, and a prefix is the first bits of some.
"""

from __future__ import annotations

from netfail_hooks.names import numeric
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Prefixes:
    """Prefixes, of either family; an address is ``in`` them where it lies in any."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        # By the bits that an address has in all, and those behind the prefix: which of them it is.
        self._places: dict[tuple[int, int], dict[int, int]] = {}
        for place, prefix in enumerate(prefixes):
            bits, behind, number = _split(prefix)
            self._places.setdefault((bits, behind), {}).setdefault(number >> behind, place)

    def __contains__(self, address: str) -> bool:
        if not self._places:
            return False
        bits, number = numeric(address)
        return any(
            number >> behind in places
            for (family, behind), places in self._places.items()
            if family == bits
        )

    def first_around(self, prefix: str) -> int:
        """Return the place of the first of them that a prefix is, or is a part of; -1 for none."""
        bits, inside, number = _split(prefix)
        around = (
            places[number >> behind]
            for (family, behind), places in self._places.items()
            if family == bits and behind >= inside and number >> behind in places
        )
        return min(around, default=-1)


class Addresses:
    """Addresses, of either family, to be asked whether any lies in a prefix."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._numbers = [numeric(address) for address in addresses]
        self._begins: dict[tuple[int, int], set[int]] = {}

    def any_in(self, prefix: str) -> bool:
        """Tell whether one of them lies in a prefix."""
        if not self._numbers:
            return False
        bits, behind, number = _split(prefix)
        begins = self._begins.get((bits, behind))
        if begins is None:
            begins = {one >> behind for family, one in self._numbers if family == bits}
            self._begins[bits, behind] = begins
        return number >> behind in begins


def _split(prefix: str) -> tuple[int, int, int]:
    """Return the bits of an address in all, those behind the prefix, and its first address."""
    network, _, length = prefix.partition("/")
    bits, number = numeric(network)
    return bits, bits - int(length or bits), number
