"""What an ordinary user gets to see, and may do."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import TypeVar, cast

NOBODY = 65534

T = TypeVar("T")


def as_nobody(work: Callable[[], T]) -> T:
    """Have a process of that user's do it; return what it returns, or raise what it raises."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            done: tuple[object, BaseException | None] = (work(), None)
        except BaseException as error:  # noqa: BLE001 - to the parent
            done = (None, error)
        try:
            os.write(writing, pickle.dumps(done))
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading, "rb") as file:
        value, raised = pickle.load(file)  # noqa: S301 - of our own
    if raised is not None:
        raise raised
    return cast("T", value)
