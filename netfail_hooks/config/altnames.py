"""A config that names interfaces by alternative names, with the kernel's own (ip-link(8))."""

from __future__ import annotations

from netfail_hooks.config import Config
from netfail_hooks.errors import Misuse
from netfail_hooks.names import kernel_name
from netfail_hooks.values import replace


def by_kernel_names(config: Config) -> Config:
    """Return a config with the kernel's names. Raises Misuse for one interface named twice."""
    names = tuple(kernel_name(name) for name in config.names())
    for place, name in enumerate(names):
        if name in names[:place]:
            both = [said for said, own in zip(config.names(), names, strict=True) if own == name]
            raise Misuse(f"{' and '.join(both)} are one interface", hint="name it once")
    uplinks = (
        replace(uplink, interface=name) for uplink, name in zip(config.uplinks, names, strict=True)
    )
    return replace(config, uplinks=tuple(uplinks))
