"""Which config.toml there is to be: the one that is there, with what was asked for in it."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable

from netfail_hooks.config import Config, default_metrics
from netfail_hooks.config import file as config_file
from netfail_hooks.errors import Misuse
from netfail_hooks.install.options import InstallOptions
from netfail_hooks.paths import Paths
from netfail_hooks.values import replace

_TABLE = re.compile(r"^\s*\[", re.MULTILINE)
_UPLINK = re.compile(r"^\s*\[\[\s*uplink\s*\]\]", re.MULTILINE)
_MODE = re.compile(r"^mode\s*=\s*\"[a-z]*\"", re.MULTILINE)
_INTERVAL = re.compile(r"^(\[check\]\s*\n(?:[^\[]*\n)?\s*interval\s*=\s*)\d+", re.MULTILINE)


def choose(
    paths: Paths, asked: InstallOptions, detect: Callable[[], tuple[str, ...]]
) -> tuple[Config, str]:
    """Return the configuration and its file's text. Raises Misuse.

    An existing file is kept. Where other uplinks, or an interval, are asked for, its uplink
    tables or its interval are written anew: an uplink that stays keeps its settings, the
    metrics go by rank, and all else, comments too, stays as it is.
    """
    if not os.path.exists(paths.config):
        config = Config(uplinks=default_metrics(asked.uplinks or detect()))
        config = _with_settings(config, asked)
        return config, config_file.render(config)
    existing = config_file.read(paths.config)
    config = _with_settings(_with_uplinks(existing, asked.uplinks), asked)
    with open(paths.config, encoding="utf-8") as file:
        text = file.read()
    if config != existing:
        text = amend(text, existing, config)
        _, wrong = config_file.parse(tomllib.loads(text))
        if wrong:
            raise Misuse(f"{paths.config}: with other uplinks: " + "; ".join(wrong))
    return config, text


def _with_uplinks(config: Config, names: tuple[str, ...]) -> Config:
    if not names or names == config.names():
        return config
    known = {uplink.interface: uplink for uplink in config.uplinks}
    uplinks = tuple(
        replace(known.get(new.interface, new), metric=new.metric) for new in default_metrics(names)
    )
    return replace(config, uplinks=uplinks)


def _with_settings(config: Config, asked: InstallOptions) -> Config:
    mode = asked.mode or config.mode
    interval = config.interval if asked.interval is None else asked.interval
    return replace(config, mode=mode, interval=interval)


def amend(text: str, old: Config, new: Config) -> str:
    """Return a config.toml's text changed from ``old`` to ``new``, the rest of it as it was.

    Rendered from its values where the text has a form that we can't amend.
    """
    amended = text
    if old.mode != new.mode:
        amended, count = _MODE.subn(f'mode = "{new.mode}"', amended, count=1)
        if not count:
            amended = f'mode = "{new.mode}"\n{amended}'
    if old.interval != new.interval:
        amended, count = _INTERVAL.subn(rf"\g<1>{new.interval}", amended, count=1)
        if not count:
            return config_file.render(new)
    if old.uplinks != new.uplinks:
        kept = _without_uplinks(amended).rstrip("\n")
        lines = [
            line for uplink in new.uplinks for line in ["", *config_file.render_uplink(uplink)]
        ]
        amended = "\n".join([kept, *lines, ""])
    try:
        found, _ = config_file.parse(tomllib.loads(amended))
    except tomllib.TOMLDecodeError:
        found = None
    return amended if found == new else config_file.render(new)


def _without_uplinks(text: str) -> str:
    """Return the text without its [[uplink]] tables, each up to the next table."""
    kept, at = [], 0
    while found := _UPLINK.search(text, at):
        kept.append(text[at : found.start()])
        following = _TABLE.search(text, found.end())
        at = following.start() if following else len(text)
    return "".join([*kept, text[at:]])
