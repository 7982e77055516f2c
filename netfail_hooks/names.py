"""Interface names: what the kernel takes for one, and what we refuse."""

from __future__ import annotations

_IFNAMSIZ = 16  # linux/if.h, the end of the string included
_SPECIAL = frozenset('/: %*?[]!"\\')


def is_interface_name(name: str) -> bool:
    """Tell whether the kernel would take ``name`` (``dev_valid_name()`` in net/core/dev.c).

    We are stricter: printable ASCII only, since a name goes into file names, sysctl paths and
    the journal, and nothing that means something in a [Match] (systemd.network(5): ``eth*`` would
    be all of them) or in TOML's strings.
    """
    return (
        0 < len(name) < _IFNAMSIZ
        and name not in (".", "..")
        and name.isascii()
        and name.isprintable()
        and not any(character in _SPECIAL for character in name)
    )
