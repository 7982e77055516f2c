"""What comes of a question that was asked of somebody."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netfail_hooks.probe import ProbeSocket


def told(wire: ProbeSocket, seconds: float) -> str:
    """Ask, and return "" for an answer, what is wrong, or "silence" after so long."""
    try:
        wire.ask()
        wire.ask()  # a second try begins nothing
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if wire.answered():
                return ""
            time.sleep(0.005)
    except OSError as error:
        return str(error.strerror)
    else:
        return "silence"
    finally:
        wire.close()
