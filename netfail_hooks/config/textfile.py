"""Which file of metrics there may be: one that the sandboxed check can write. Pure."""

from __future__ import annotations

import os
import re

_PLAIN = re.compile(r"/[A-Za-z0-9_./+@,=-]{1,200}")  # what a unit and a state file take as it is
_HIDDEN = ("/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/", "/dev/", "/proc/", "/sys/")  # noqa: S108 - refused


def wrong_textfile(found: object) -> str:
    """Return what is wrong with the setting, "" for nothing."""
    if not isinstance(found, str):
        return f"must be a path, not {found!r}"
    shown = repr(found[:60])
    complaints = (
        (not _PLAIN.fullmatch(found) or os.path.normpath(found) != found,
         f"must be an absolute path of plain characters, not {shown}"),
        (found.count("/") < 3,
         f"must have a directory of its own, as in '/run/x/netfail.prom', not {shown}"),
        (not found.endswith(".prom"),
         f"must end in .prom, or node_exporter does not read it, not {shown}"),
        (found.startswith(_HIDDEN),
         f"the check can't write below {_top(found)}; try '/run/netfail-hooks/netfail.prom'"),
    )  # fmt: skip
    return next((told for wrong, told in complaints if found and wrong), "")


def _top(path: str) -> str:
    return next((one.rstrip("/") for one in _HIDDEN if path.startswith(one)), "")
