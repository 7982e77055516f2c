"""Keep what the demo's recorder wrote, so that anybody can try ``log`` and ``replay`` with it."""

from __future__ import annotations

import os
import shlex

from netfail_hooks.files import write_named
from netfail_hooks.recorder import FILE, OLD_FILE


def path() -> str:
    """Return the file of a user's own for the last demo (XDG Base Directory Specification)."""
    import platformdirs  # here, for install.sh checks the demo's arguments without it

    return f"{platformdirs.user_state_path('netfail-hooks')}/demo{FILE}"


def keep(log: str, place: str) -> None:
    """Replace the last demo's recording by what is in the directory ``log``. Raises OSError."""
    data = b""
    for name in (OLD_FILE, FILE):
        if os.path.exists(log + name):
            with open(log + name, "rb") as file:
                data += file.read()
    os.makedirs(os.path.dirname(place), exist_ok=True)
    write_named(place, data, mode=0o644)  # of a lab: nothing in it is anybody's


def what_to_try(place: str, command: str) -> list[str]:
    """Return lines that say where the recording is, and what can be done with it."""
    recording = shlex.quote(place)
    return [
        "",
        f"The recording is kept in {place}. Try with it:",
        f"  {command} log --file {recording} --timeline",
        f"  {command} log --file {recording} --svg demo.svg",
        f"  {command} report --html demo.html --file {recording}",
        f"  {command} replay {recording}",
    ]
