"""What a way back waits for: told the journal once, and kept for whoever asks until it is over."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from netfail_hooks.files import read_text
from netfail_hooks.install import nodes
from netfail_hooks.install.nodes import Node
from netfail_hooks.journal import WARNING, log
from netfail_hooks.paths import Paths

INSTALL, UNINSTALL = "install", "uninstall"
HOW = (
    "see to that manager ('systemctl status NetworkManager'), the rest goes by itself; "
    "'journalctl -t netfail-hooks' tells the end of it"
)
_TOLD = {
    INSTALL: "install is taken back",
    UNINSTALL: "uninstall goes on",
}


def wait_for(paths: Paths, what: str, left: Sequence[str]) -> None:
    """Say which uplinks stay with networkd meanwhile, once for as long as it is these."""
    names = " and ".join(left)
    text = f"{_TOLD[what]} once who had {names} answers; until then systemd-networkd has {names}"
    if read(paths) == text:
        return
    with contextlib.suppress(OSError):
        nodes.write(paths.waits, Node(nodes.FILE, text.encode(), 0o644))
    log(text, priority=WARNING)


def read(paths: Paths) -> str:
    """Return what is waited for, "" for nothing."""
    return read_text(paths.waits)
