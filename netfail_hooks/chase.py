"""Follow symlinks below a root as chroot(2) would: what is absolute begins there, and ends there.

As systemd does for images (``chase()`` with CHASE_PREFIX_ROOT, basic/chase.c). Left to the kernel,
a link of the image's to ``/usr/lib/...`` would lead to our own.
"""

from __future__ import annotations

import errno
import os

_MOST = 40  # links, MAXSYMLINKS in linux/namei.h


def chase(root: str, path: str, *, last: bool) -> str:
    """Return where a path of the tree below ``root`` is; with ``last`` its last link counts, too.

    What isn't there is as it is written. Raises OSError (ELOOP) for links in a circle.
    """
    done: list[str] = []
    left = path.split("/")[::-1]
    links = 0
    while left:
        name = left.pop()
        if name == "..":
            done = done[:-1]
        if name in ("", ".", ".."):
            continue
        target = ""
        if last or any(part not in ("", ".") for part in left):
            target = _target("/".join([root, *done, name]))
        if not target:
            done.append(name)
            continue
        links += 1
        if links > _MOST:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), root + path)
        if target.startswith("/"):
            done = []
        left += target.split("/")[::-1]
    return "/".join([root, *done]) + ("/" if path.endswith("/") else "")


def _target(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:  # no link, or nothing
        return ""
