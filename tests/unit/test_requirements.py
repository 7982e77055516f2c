"""packaging/requirements.txt: what install.sh takes, pinned, is what pyproject.toml allows."""

from __future__ import annotations

import re
import tomllib

from tests.support import ROOT

_LINE = re.compile(r"([a-z0-9-]+)==([0-9.]+) --hash=sha256:[0-9a-f]{64}")
_RANGE = re.compile(r"([a-z0-9]+)>=([0-9.]+),<([0-9.]+)")


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def test_each_dependency_is_pinned_within_its_range_and_nothing_else() -> None:
    """After a change of dependencies run packaging/lock."""
    text = (ROOT / "packaging/requirements.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    pinned = {match[1]: _version(match[2]) for match in map(_LINE.fullmatch, lines) if match}
    assert len(pinned) == len(lines)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    ranges = [_RANGE.fullmatch(one) for one in project["dependencies"]]
    allowed = {one[1]: (_version(one[2]), _version(one[3])) for one in ranges if one}
    assert len(allowed) == len(project["dependencies"])
    assert pinned.keys() == allowed.keys()
    for name, version in pinned.items():
        oldest, too_new = allowed[name]
        assert oldest <= version < too_new, name
