"""Nothing of ours writes a newline into a kernel's setting.

The kernel may take the value alone: 6.1.192 does, of ``ignore_routes_with_linkdown``. A shell then
writes the rest, is refused, and a script that ends by the first failure ends there.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.support import ROOT

_SETTINGS = "/proc/sys"
_COMMAND = re.compile(r"\b(?:echo|cat|tee)\b(?P<rest>[^;&|)\n]*)")
_NAMED = re.compile(r"(?:\$\{?|\{)(\w+)\}?")
_OURS = ("netfail_hooks", "hooks", "install.sh", "bench", "tests", "packaging", "examples", "docs")


def _with_newline(text: str) -> Iterator[str]:
    """Yield each command that writes a line into a setting, by its path or what stands for it."""
    below = {one for line in text.splitlines() if _SETTINGS in line for one in _assigned(line)}
    for found in _COMMAND.finditer(text):
        into = found["rest"].rpartition(">")[2] if ">" in found["rest"] else ""
        if found[0].startswith("tee"):
            into = found["rest"]
        moved = "cd " + _SETTINGS in text and into and not into.startswith(("/", "&"))
        if _SETTINGS in into or moved or below & set(_NAMED.findall(into)):
            yield found[0].strip()


def _assigned(line: str) -> list[str]:
    """Return the names that a line gives a value, in Python or shell."""
    left, equals, _ = line.partition("=")
    return re.findall(r"\w+", left) if equals else []


@pytest.mark.parametrize(
    "text",
    [
        "echo 1 >/proc/sys/net/ipv4/ip_forward",
        'place = f"/proc/sys/net/{key}"\nrun(f"echo {value} >{place}")',
        "cd /proc/sys/net/ipv6/conf; cat default/accept_ra >eth0/accept_ra; true",
        "echo 1 | tee /proc/sys/net/ipv4/ip_forward",
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
    ],
)
def test_a_line_into_a_setting_is_found(text: str) -> None:
    assert list(_with_newline(text))


def test_no_source_writes_a_line_into_a_setting() -> None:
    names = subprocess.run(
        ["git", "ls-files", "-z", *_OURS], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.split("\0")
    texts = {
        name: (ROOT / name).read_text(encoding="utf-8", errors="replace")
        for name in names
        if name and ROOT / name != ROOT / "tests/unit/test_kernel_settings.py"
    }
    assert len(texts) > 300
    found = {name: list(_with_newline(text)) for name, text in texts.items()}
    assert {name: one for name, one in found.items() if one} == {}
