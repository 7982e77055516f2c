"""A git checkout of the test's own, and builds of it by somebody whose machine is set up oddly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support import ROOT

_PATIENCE = 240  # seconds: PyPI, and a small machine
_LEFT = shutil.ignore_patterns(
    ".git",
    ".venv*",
    ".demo",
    ".*_cache",
    ".hypothesis",
    "*.egg-info",
    "__pycache__",
    "build",
    "dist",
)
_COMMITTED = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "somebody"),
        ("EMAIL", "somebody@host.invalid"),
        ("DATE", "2033-05-18T10:33:20+07:00"),  # this machine's clock is behind
    )
}
_SETTINGS = """\
[tar]
umask = 0077
[core]
autocrlf = true
attributesFile = {home}/attributes
"""
# The environment in which a build finds this Python and its modules.
PYTHON = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
ODD = {
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "C",
    "LANGUAGE": "de",
    "TZ": "Pacific/Kiritimati",
    "COLUMNS": "40",
    "GZIP": "-1",
    "TAR_OPTIONS": "--owner=nobody --mtime=now",
    "ZSTD_CLEVEL": "3",
    "DPKG_DEB_COMPRESSOR_LEVEL": "1",
    "DPKG_DEB_COMPRESSOR_TYPE": "gzip",
    "DPKG_DEB_THREADS_MAX": "1",
    "POSIXLY_CORRECT": "1",
    "PYTHONOPTIMIZE": "2",
}


def copied(checkout: Path, place: Path) -> None:
    """Copy a checkout as nobody has used it yet: without git, and what was built or run in it."""
    shutil.copytree(checkout, place, ignore=_LEFT, symlinks=True, dirs_exist_ok=True)


def committed(place: Path) -> Path:
    """Return a git checkout of one commit that holds what is here, changes of mine and all."""
    copied(ROOT, place)
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=all"]):
        call(["git", "-C", str(place), *words], environment=_COMMITTED)
    return place


def made_odd(clone: Path) -> None:
    """Give a clone attributes and commits of its own, which no commit holds and no clone takes."""
    text = "*.md export-ignore\n*.toml export-subst\n"
    (clone / ".git/info/attributes").write_text(text, encoding="utf-8")
    git = ["git", "-C", str(clone)]
    head = call([*git, "rev-parse", "HEAD"]).strip()
    tree = call([*git, "rev-parse", "HEAD:packaging"]).strip()
    later = {name: value.replace("2033", "2034") for name, value in _COMMITTED.items()}
    other = call([*git, "commit-tree", "-m", "other", tree], environment=later).strip()
    call([*git, "replace", head, other])


def odd(home: Path) -> dict[str, str]:
    """Return an environment, and make a home, by which careless builds differ."""
    home.mkdir()
    (home / ".gitconfig").write_text(_SETTINGS.format(home=home), encoding="utf-8")
    (home / "attributes").write_text("*.md export-ignore\n*.py eol=crlf\n", encoding="utf-8")
    temporary = home / "temporary"
    temporary.mkdir()
    temporary.chmod(0o2755)  # what is made in there has the bit, too
    return {**ODD, "HOME": str(home), "TMPDIR": str(temporary)}


def call(
    argv: Sequence[str],
    *,
    cwd: Path | str = "/",
    environment: Mapping[str, str] | None = None,
    umask: int = -1,
) -> str:
    """Return what a command prints. Raises AssertionError with all it said if it fails."""
    done = subprocess.run(
        argv,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE,
        umask=umask,
        env={**os.environ, **(environment or {})},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
