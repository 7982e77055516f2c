"""The hook as it is put on a machine: which interpreter starts it, and where it finds us."""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from pathlib import Path

from netfail_hooks.errors import Problem
from netfail_hooks.files import only_root_can_change
from netfail_hooks.paths import package_home

_PLACEHOLDER = b'"@PACKAGE_DIRECTORY@"'
STARTS = re.compile(rb'^exec "(\S+)" -IS ', re.MULTILINE)  # the line of a hook that starts Python
_MEND = "move netfail-hooks to a place with a plain name, such as /opt/netfail-hooks"
_LIBRARIES = ("pyroute2", "icmplib")  # what a hook imports where nothing waits


def hooks_directory() -> Path:
    """Return where the hooks' templates are: in a wheel inside the package, else beside it."""
    home = Path(package_home())
    inside = home / "netfail_hooks" / "hooks"
    return inside if inside.is_dir() else home / "hooks"


def states() -> tuple[str, ...]:
    """Return networkd's states that have a hook, each in a directory ``STATE.d``."""
    return tuple(
        sorted(
            file.name
            for file in hooks_directory().iterdir()
            if file.is_file() and file.suffix == "" and not file.name.startswith("_")
        )
    )


def base_python() -> str:
    """Return the Python to run hooks with: the virtual environment's base.

    By its unversioned name, if that is the same one: our libraries are pure Python, so a
    release upgrade that takes python3.11 away breaks the environment, and not the hooks.
    """
    base = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    plain = os.path.join(os.path.dirname(base), "python3")
    return plain if os.path.realpath(plain) == base else base


def search_path() -> tuple[str, ...]:
    """Return the directories that hold the package and its libraries. Raises Problem.

    ``-S`` leaves an environment's own out. Installed, all is in one; from a checkout it isn't.
    """
    directories = [package_home()]
    for name in _LIBRARIES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            hint = f"{sys.executable} -m pip install {name}"
            raise Problem(f"{name} is not installed", hint=hint)
        directories.append(os.path.dirname(os.path.dirname(os.path.realpath(spec.origin))))
    return tuple(dict.fromkeys(directories))


def unsafe_places(package: str = "") -> list[str]:
    """Return what a hook runs from, as root, and others may write: theirs would be the machine.

    Of a ``package`` that is not there yet, what is there of the path to it counts.
    """
    while package and not os.path.lexists(package):
        package = os.path.dirname(package)
    places = (base_python(), *((package,) if package else search_path()))
    return [place for place in places if not only_root_can_change(place)]


def hook_text(*, interpreter: str = "", package: str = "") -> bytes:
    """Return the hook, by default for this very Python and package. Raises Problem."""
    places = (package,) if package else search_path()
    program = interpreter or base_python()
    for place in (program, *places):
        refuse_odd(place)
    template = (hooks_directory() / "routable").read_bytes()
    listed = ", ".join(f'"{place}"' for place in places).encode()
    starts = STARTS.search(template)
    if not starts or _PLACEHOLDER not in template:
        raise Problem(f"{hooks_directory()}/routable: damaged", hint="install the package again")
    begin, end = starts.span(1)
    text = template[:begin] + os.fsencode(program) + template[end:]
    return text.replace(_PLACEHOLDER, listed)


def refuse_odd(path: str) -> None:
    """Refuse a path that a shell or a unit would read otherwise. Raises Problem."""
    if not path.isprintable() or any(character in path for character in " \"'`\\%$"):
        raise Problem(f"{path!r}: a hook can't be told of such a path", hint=_MEND)
