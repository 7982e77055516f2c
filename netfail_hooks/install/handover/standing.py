"""What is done of an uplink on its way back to its manager. Pure: no clock, no file, no process.

Decided by who has it at this moment, never by what was done before: a manager that was silent may
have done what it was told meanwhile, or a part, or nothing. Whoever looks again until each is
``over`` leads all of them back, whenever a manager was silent, and for however long.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Do(Enum):
    """What to do of an uplink next."""

    NOTHING = "nothing"
    KEEP = "have networkd have it, by our file"
    PART = "have its manager let go of it: networkd has it, too"
    GIVE = "take it from networkd, and have its manager have it"
    FORGET = "remove our file, and what tells that it changed hands"


@dataclass(frozen=True, slots=True)
class Standing:
    """Who has an uplink.

    ``there``: it is plugged in. ``begun``: it may have changed hands. ``networkds``: networkd has
    it, for as long as it runs; ``file``: and would have it again, since our file is in place.
    ``theirs``: its manager says that it has it; None where that does not answer, or does not run.
    ``told``: it was told to, since this look began.
    """

    there: bool
    begun: bool
    networkds: bool
    file: bool
    theirs: bool | None
    told: bool = False


def next_step(standing: Standing) -> Do:
    """Return what to do of an uplink that is to be its manager's again.

    Who can't take it is given none; what nobody has is networkd's until its manager takes it.
    """
    if not standing.begun:
        return Do.NOTHING  # its manager has had it all along
    if not standing.there:
        return Do.FORGET  # whoever plugs it in has its manager find it
    if standing.theirs:
        both = standing.networkds and not standing.told  # told, it would be told for ever
        return Do.PART if both else Do.FORGET
    if standing.theirs is None or standing.told:
        return Do.NOTHING if standing.networkds and standing.file else Do.KEEP
    return Do.GIVE
