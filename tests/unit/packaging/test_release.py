"""packaging/release: one commit, the same bytes for whoever makes it, and nothing else in them."""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import netfail_hooks
from tests.support import ROOT
from tests.support.release import call, committed, made_odd, odd

NAME = f"netfail-hooks-{netfail_hooks.__version__}"
FILES = {
    f"{NAME}.tar.gz",
    f"{NAME}.tar.zst",
    f"{NAME}.md",
    f"netfail-hooks_{netfail_hooks.__version__}-1_all.deb",
    "PKGBUILD",
    "netfail-hooks.install",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return committed(tmp_path_factory.mktemp("release") / "checkout")


@pytest.fixture(scope="module")
def release(checkout: Path) -> Path:
    call([str(checkout / "packaging/release")])
    return checkout / "dist"


def refused(checkout: Path, *words: str) -> str:
    """Return why no release was made, or why one is none."""
    done = subprocess.run(
        [checkout / "packaging/release", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr.splitlines()[-1]


def test_the_same_commit_gives_the_same_bytes_wherever_and_whoever(
    checkout: Path, release: Path, tmp_path: Path
) -> None:
    """Another clone, under another name, by somebody with another umask, language, zone and git."""
    other = tmp_path / "another clone"
    call(["git", "clone", "--quiet", str(checkout), str(other)], umask=0o077)
    made_odd(other)
    environment = odd(tmp_path / "home")
    call([str(other / "packaging/release")], cwd=tmp_path, environment=environment, umask=0o077)
    made = {path.name: path.read_bytes() for path in (other / "dist").iterdir()}
    wanted = {path.name: path.read_bytes() for path in release.iterdir()}
    assert made.keys() == wanted.keys() == FILES | {"SHA256SUMS"}
    assert [name for name in made if made[name] != wanted[name]] == []


def test_sums_are_of_all_files_and_check_tells_which_is_another(
    checkout: Path, release: Path, tmp_path: Path
) -> None:
    call(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=release)
    sums = (release / "SHA256SUMS").read_text(encoding="utf-8")
    assert {line.split("  ")[1] for line in sums.splitlines()} == FILES
    call([str(checkout / "packaging/release"), "--check"])
    copy = tmp_path / "copy"
    shutil.copytree(release, copy)
    with open(copy / f"{NAME}.tar.gz", "ab") as file:
        file.write(b"\0")
    (copy / "PKGBUILD").unlink()
    why = refused(checkout, "--check", str(copy))
    assert why.endswith(f": {NAME}.tar.gz is another; PKGBUILD is not there"), why


def test_what_no_commit_holds_is_refused_and_nothing_is_made(
    checkout: Path, tmp_path: Path
) -> None:
    other = tmp_path / "clone"
    call(["git", "clone", "--quiet", str(checkout), str(other)])
    target = tmp_path / "target"
    stray = other / "netfail_hooks/stray.py"
    stray.touch()
    assert refused(other, str(target)) == (
        "packaging/release: not committed: netfail_hooks/stray.py; "
        "commit it, or 'git stash --include-untracked'"
    )
    stray.unlink()
    (other / "README.md").write_text("changed\n", encoding="utf-8")
    assert "not committed: README.md;" in refused(other, str(target))
    shutil.rmtree(other / ".git")
    assert "is no git checkout: a release is made of a commit" in refused(other, str(target))
    assert not target.exists()


def test_the_notes_are_the_changelogs_section_of_the_version(
    checkout: Path, release: Path, tmp_path: Path
) -> None:
    notes = (release / f"{NAME}.md").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    first = re.split(r"^## .*\n", changelog, flags=re.MULTILINE)[1]
    assert notes.partition("\n")[2].strip() == first.strip()

    other = tmp_path / "clone"
    call(["git", "clone", "--quiet", str(checkout), str(other)])
    released = f"{netfail_hooks.__version__} - 2026-12-24"
    text = changelog.replace("## Unreleased", f"## Unreleased\n\n- Later.\n\n## {released}")
    text += "\n## 0.0.9 - 2026-01-01\n\n- Earlier.\n"
    (other / "CHANGELOG.md").write_text(text, encoding="utf-8")
    identity = ["-c", "user.name=x", "-c", "user.email=x@host.invalid"]
    call(["git", "-C", str(other), *identity, "commit", "--quiet", "--all", "--message=release"])
    call([str(other / "packaging/release")])
    notes = (other / f"dist/{NAME}.md").read_text(encoding="utf-8")
    assert notes.startswith(f"# netfail-hooks {released}\n\n### Added\n")
    assert "Later." not in notes
    assert "Earlier." not in notes


def test_the_archive_holds_the_commit_and_nothing_else(checkout: Path, release: Path) -> None:
    tracked = call(["git", "-C", str(checkout), "ls-files"]).splitlines()
    with tarfile.open(release / f"{NAME}.tar.gz") as tar:
        held = {member.name for member in tar if not member.isdir()}
        modes = {member.mode & 0o777 for member in tar if member.isfile()}
    assert held == {f"{NAME}/{name}" for name in tracked}
    assert modes == {0o644, 0o755}
    other = ["zstd", "--decompress", "--quiet", "--stdout", str(release / f"{NAME}.tar.zst")]
    tar_zst = subprocess.run(other, capture_output=True, check=True).stdout
    assert gzip.decompress((release / f"{NAME}.tar.gz").read_bytes()) == tar_zst


def test_the_pkgbuild_takes_this_archive_and_no_other(release: Path) -> None:
    digest = hashlib.sha256((release / f"{NAME}.tar.gz").read_bytes()).hexdigest()
    asked = '. ./PKGBUILD; echo "${source[@]} ${sha256sums[@]} $install"'
    told = call(["bash", "-euc", asked], cwd=release)
    assert told.split() == [f"{NAME}.tar.gz", digest, "netfail-hooks.install"]


def test_sdist_and_wheel_are_the_same_bytes_too(checkout: Path, tmp_path: Path) -> None:
    other = tmp_path / "another clone"
    call(["git", "clone", "--quiet", str(checkout), str(other)], umask=0o077)
    made_odd(other)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    call([*build, str(tmp_path / "one"), str(checkout)])
    odd_one = odd(tmp_path / "home")
    call([*build, str(tmp_path / "two"), str(other)], environment=odd_one, umask=0o077)
    one, two = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("one", "two")
    )
    assert one.keys() == two.keys()
    assert len(one) == 2
    assert [name for name in one if one[name] != two[name]] == []
