"""Why files that are there already, and not ours, are to be others: for whoever is asked."""

from __future__ import annotations

from collections.abc import Sequence

from netfail_hooks.install import nodes
from netfail_hooks.install.handover import Handover, resolving
from netfail_hooks.install.manifest import Manifest
from netfail_hooks.install.plan import FileChange
from netfail_hooks.managers.wifi import supplicant
from netfail_hooks.paths import Paths

_CONFIG = Paths().config


def reasons(
    changes: Sequence[FileChange], known: Manifest | None, handover: Handover
) -> dict[str, str]:
    """Return a reason by path for what somebody else made, and is to be another file."""
    joining = {supplicant.path(one.interface): one for one in handover.handed}
    found = {}
    for one in changes:
        entry = known.entry(one.path) if known else None
        if one.before is None or one.after is None or (entry and entry.is_ours(one.before)):
            continue
        if one.path == resolving.RESOLV_CONF:
            found[one.path] = resolving.reason(one.before, one.after, handover.names)
        elif one.path in joining:
            had = joining[one.path]
            found[one.path] = f"{had.interface} joins by it what {had.manager} has had it join"
        elif one.path == _CONFIG:
            found[one.path] = "as you asked"
        elif entry:
            found[one.path] = "it was changed since install, and is written anew"
        elif one.before.kind != nodes.DIRECTORY:
            found[one.path] = "it is there already, and ours takes its place until 'uninstall'"
    return found
