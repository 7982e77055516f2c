"""However a manager is silent, each uplink is somebody's at rest, and its manager's in the end.

The machine is a model: a manager that hangs may do what it was told later, or never, and may be
started anew with all that it is told by its files, which is to have them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.install.handover.standing import Do, Standing, next_step

_STEPS = 5  # of one look
_EITHER = (False, True)
_ALL = [
    Standing(*facts)
    for facts in product(_EITHER, _EITHER, _EITHER, _EITHER, (None, False, True), _EITHER)
]


@dataclass
class Uplink:
    """An uplink, by who really has it; ``late`` is what a silent manager was told."""

    there: bool
    marked: bool
    networkds: bool
    file: bool
    theirs: bool
    late: list[bool] = field(default_factory=list)

    def is_somebodys(self) -> bool:
        return not self.there or self.theirs or (self.networkds and self.file)

    def standing(self, *, silent: bool, told: bool) -> Standing:
        theirs = None if silent else self.theirs
        begun = self.marked or theirs is False or (theirs is None and self.networkds)
        return Standing(self.there, begun, self.networkds, self.file, theirs, told)

    def tell(self, *, theirs: bool, silent: bool) -> None:
        if silent:
            self.late.append(theirs)
        else:
            self.theirs = theirs and self.there

    def wake(self, heard: list[bool]) -> None:
        """Have what was told meanwhile done, as far as it is ``heard``."""
        for theirs, is_heard in zip(self.late, heard, strict=False):
            if is_heard:
                self.theirs = theirs and self.there
        self.late.clear()


def _look(uplink: Uplink, silences: list[bool]) -> bool:
    """Do what is to be done, the manager silent or not at each word; return whether it is over."""
    told = False
    for _ in range(_STEPS):
        standing = uplink.standing(silent=silences.pop(0) if silences else False, told=told)
        step = next_step(standing)
        silent = silences.pop(0) if silences else False
        if step is Do.NOTHING:
            return not standing.begun
        if step is Do.FORGET:
            uplink.marked = uplink.file = False
            return True
        if step is Do.KEEP:
            uplink.marked = uplink.networkds = uplink.file = True
            return False
        if step is Do.PART:
            uplink.tell(theirs=False, silent=silent)
        else:
            uplink.marked, uplink.networkds, uplink.file, told = True, False, False, True
            uplink.tell(theirs=True, silent=silent)
    return False


_BOOLS = st.booleans()
_BEGINS = st.builds(
    Uplink, there=_BOOLS, marked=_BOOLS, networkds=_BOOLS, file=_BOOLS, theirs=_BOOLS
)
_LOOKS = st.lists(st.tuples(st.lists(_BOOLS, max_size=12), st.lists(_BOOLS, min_size=12)))


@given(_BEGINS, _LOOKS)
def test_once_the_manager_answers_all_is_its_own_again(
    uplink: Uplink, looks: list[tuple[list[bool], list[bool]]]
) -> None:
    uplink.marked |= not uplink.theirs or uplink.networkds  # else nobody would know of it
    if not uplink.there:
        uplink.theirs = uplink.networkds = False
    for silences, heard in looks:
        over = _look(uplink, list(silences))
        if not over and not uplink.late:
            assert uplink.is_somebodys(), uplink
        if over:
            assert uplink.theirs or not uplink.there
            return
        uplink.wake(heard)
    over = _look(uplink, []) or _look(uplink, [])
    assert over, uplink
    assert uplink.theirs or not uplink.there
    assert not (uplink.networkds and uplink.theirs)


@given(_BEGINS, st.lists(_BOOLS, max_size=4))
def test_while_it_is_silent_networkd_has_what_changed_hands(
    uplink: Uplink, silences: list[bool]
) -> None:
    """From whichever moment on it is silent, and for however long."""
    uplink.marked, uplink.there = True, True
    _look(uplink, [*silences, *[True] * 20])
    for _ in range(3):
        over = _look(uplink, [True] * 20)
        assert over or (uplink.networkds and uplink.file) or uplink.theirs, uplink


def test_nothing_is_taken_from_networkd_for_who_does_not_answer() -> None:
    for standing in _ALL:
        if standing.theirs is None or not standing.begun:
            assert next_step(standing) not in (Do.GIVE, Do.PART), standing
        if standing.begun and standing.there and standing.theirs is None:
            assert next_step(standing) in (Do.NOTHING, Do.KEEP)
            rests = standing.networkds and standing.file
            assert (next_step(standing) is Do.NOTHING) == rests


def test_one_that_its_manager_was_told_of_and_did_not_take_is_networkds_again() -> None:
    """It is given once more with the next look, and not at once: its traffic would never rest."""
    for standing in _ALL:
        if standing.begun and standing.there and standing.told and standing.theirs is False:
            rests = standing.networkds and standing.file
            assert next_step(standing) is (Do.NOTHING if rests else Do.KEEP), standing
