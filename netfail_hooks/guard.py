"""The outermost frame of everything that nobody watches: hooks and the timer's check."""

from __future__ import annotations

from netfail_hooks import journal
from netfail_hooks.errors import Problem
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def guarded(work: Callable[[], int]) -> int:
    """Return the exit status of ``work``; what it raises goes to the journal in one line."""
    try:
        return work()
    except Problem as problem:
        journal.tell(str(problem), priority=journal.ERROR)
        return problem.status
    except Exception as error:  # noqa: BLE001 - a traceback helps nobody at 3 a.m.
        journal.tell(
            f"bug: {type(error).__name__}: {error}; routes are as they were; please report it "
            "with what 'netfail-hooks log --bundle FILE' makes",
            priority=journal.ERROR,
        )
        return 1
