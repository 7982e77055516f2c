"""Have networkd see that a bond of the user's own files is another one than before.

Of a file that did not change, networkd keeps what it once read, its reference to the bond
included. So when a bond has been made anew, its slaves wait for the old one, for ever (seen with
252; ``networkctl reconfigure`` does not help, and a second reload harms). A changed file is one
of another inode, size or time of change: ours gets another inode and stays the same else.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from netfail_hooks.install import nodes
from netfail_hooks.networkd import match
from netfail_hooks.networkd.file import settings
from netfail_hooks.networkd.takeover import is_ours
from netfail_hooks.paths import Paths


def slave_files(paths: Paths, bonds: Sequence[str]) -> list[str]:
    """Return the user's own files whose NIC is a slave of one of these bonds."""
    return [
        source.path
        for source in match.sources(paths)
        if not is_ours(source.text)
        and any(bond in bonds for bond in settings(source.sections, "Network", "Bond"))
    ]


def renew(path: str) -> None:
    """Put a file's twin in its place: same bytes, mode, owner, times. Raises OSError."""
    path = os.path.realpath(path)
    node = nodes.look(path)
    if node is None:
        return
    twin = nodes.beside(path)
    nodes.put(twin, node)
    shutil.copystat(path, twin)
    os.replace(twin, path)
