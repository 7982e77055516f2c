"""Arch's package, built by the real makepkg from a release, and what namcap would say of it.

namcap is Arch's alone. Held here is what its rules (namcap(1) 3.6, ``namcap --list``) ask of a
package such as ours; the reasons are in the wiki's "Arch package guidelines". One is known to be
broken, missing-url: nothing is published yet.
"""

from __future__ import annotations

import ast
import re
import stat
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import netfail_hooks
from tests.support import ROOT
from tests.support.links import dead_links
from tests.support.release import PYTHON, call, committed
from tests.unit.packaging.test_packages import COMPLETIONS, files

# makepkg refuses root; so it is somebody else, who may read what root may.
AS_SOMEBODY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
ARRAYS = {"arch", "license", "depends", "makedepends", "optdepends", "source", "sha256sums"}
TEXTS = {"pkgname", "pkgver", "pkgrel", "pkgdesc", "url", "install"}
# Where packages may put files (rule directoryname), as far as ours does.
PLACES = ("usr/bin/", "usr/lib/python3", "usr/share/")
ABOUT = {".BUILDINFO", ".INSTALL", ".MTREE", ".PKGINFO"}


@dataclass(frozen=True)
class Package:
    """What makepkg made: the PKGBUILD's directory, the package's members, and all unpacked."""

    build: Path
    members: list[tarfile.TarInfo]
    root: Path

    @property
    def pkgbuild(self) -> str:
        return (self.build / "PKGBUILD").read_text(encoding="utf-8")


def makepkg(build: Path, *words: str) -> str:
    """Run makepkg; it asks pacman, which Debian need not have, for no more than its version."""
    environment = {**PYTHON, "PACMAN": "true", "PKGEXT": ".pkg.tar"}
    return call([*AS_SOMEBODY, "makepkg", *words], cwd=build, environment=environment)


@pytest.fixture(scope="module")
def package() -> Iterator[Package]:
    with tempfile.TemporaryDirectory() as name:
        build, root = Path(name) / "release", Path(name) / "root"
        checkout = committed(Path(name) / "checkout")
        call([str(checkout / "packaging/release"), str(build)])
        makepkg(build, "--nodeps")
        (made,) = build.glob("*.pkg.tar")
        root.mkdir()
        with tarfile.open(made) as tar:
            members = tar.getmembers()
            tar.extractall(root)  # noqa: S202 - it is our own
        yield Package(build, members, root)


def test_it_packages_the_same(package: Package) -> None:
    held = files(package.root)
    (home,) = (package.root / "usr/lib").glob("python3*/site-packages/netfail_hooks")
    hooks = {f"hooks/{path.name}" for path in (ROOT / "hooks").iterdir()}
    assert files(home) == files(ROOT / "netfail_hooks") | hooks
    kinds = ("md", "svg", "json")
    documents = [path for kind in kinds for path in (ROOT / "docs").rglob(f"*.{kind}")]
    assert {
        *(f"usr/share/doc/netfail-hooks/{path.relative_to(ROOT)}" for path in documents),
        "usr/bin/netfail-hooks",
        "usr/share/man/man8/netfail-hooks.8.gz",
        "usr/share/licenses/netfail-hooks/LICENSE",
        "usr/share/doc/netfail-hooks/README.md",
        *(f"usr/{path}" for path in COMPLETIONS.values()),
    } <= held
    for document in (package.root / "usr/share/doc/netfail-hooks").rglob("*.md"):
        assert dead_links(document) == [], document


def test_another_archive_is_refused(package: Package, tmp_path: Path) -> None:
    for name in ("PKGBUILD", "netfail-hooks.install"):
        (tmp_path / name).write_bytes((package.build / name).read_bytes())
    archive = f"netfail-hooks-{netfail_hooks.__version__}.tar.gz"
    (tmp_path / archive).write_bytes((package.build / archive).read_bytes() + b"\0")
    with pytest.raises(AssertionError, match="did not pass the validity check"):
        makepkg(tmp_path, "--nodeps")


def _variables(build: Path) -> dict[str, list[str]]:
    """Return what makepkg reads in a PKGBUILD (``.SRCINFO``)."""
    told = makepkg(build, "--printsrcinfo")
    found: dict[str, list[str]] = {}
    for line in filter(None, told.splitlines()):
        name, _, value = line.strip().partition(" = ")
        found.setdefault(name, []).append(value)
    return found


def test_the_pkgbuild_breaks_no_rule(package: Package) -> None:
    text, values = package.pkgbuild, _variables(package.build)
    for name, value in re.findall(r"^(\w+)=(.*)", text, re.MULTILINE):
        assert name in ARRAYS | TEXTS, "extravars: one's own begin with an underscore"
        assert value.startswith("(") == (name in ARRAYS), "array"
    assert re.search(r"^# Maintainer: \S", text, re.MULTILINE), "tags"
    assert values["pkgname"] == [values["pkgname"][0].lower()], "capsnames"
    assert values["pkgdesc"], "description"
    assert values["pkgname"][0] not in values["pkgdesc"][0].lower().split(), "pkgnameindesc"
    assert values["license"] == ["MIT"], "license: as SPDX has it"
    assert values["arch"] == ["any"]
    assert not re.search(r"\b(arm|i586|i686|ppc|x86_64)\b", text), "carch"
    assert "startdir" not in text, "invalidstartdir"
    assert not re.search(r"^\s+(msg2?|warning|error|plain) ", text, re.MULTILINE), "makepkg's own"
    assert not set(values["depends"]) & set(values["makedepends"]), "redundant_makedepends"
    assert [len(one) for one in values["sha256sums"]] == [64], "checksums"
    assert len(values["source"]) == 1
    assert values["source"][0].startswith("netfail-hooks-"), "non-unique-source"
    assert "url" not in values, "published at last: missing-url is no exception any more"


def test_the_package_breaks_no_rule(package: Package) -> None:
    for member in package.members:
        name = member.name
        assert name in ABOUT or f"{name}/".startswith(PLACES) or member.isdir(), "directoryname"
        assert (member.uname, member.gname) == ("root", "root"), f"fileownership: {name}"
        assert name.isascii(), "filenames"
        assert not member.islnk(), "hardlinks"
        if not member.issym():
            assert member.mode & stat.S_IROTH, f"permissions: {name}"
            assert not member.mode & (stat.S_IWOTH | stat.S_ISUID | stat.S_ISGID), name
    names = {member.name for member in package.members}
    above = {str(Path(name).parent) for name in names}
    assert [one.name for one in package.members if one.isdir() and one.name not in above] == []
    for link in [member for member in package.members if member.issym()]:
        assert str(Path(link.name).parent / link.linkname) in names, f"symlink: {link.name}"
    times = {member.name: member.mtime for member in package.members}
    for name, when in times.items():
        module = re.fullmatch(r"(.*)/__pycache__/(.*?)\.cpython-3\d+(\.opt-\d)?\.pyc", name)
        assert not module or times[f"{module[1]}/{module[2]}.py"] <= when, "py_mtime"


def test_it_depends_on_what_it_imports_and_on_who_runs_its_scripts(package: Package) -> None:
    depends = set(_variables(package.build)["depends"])
    imported = set()
    for path in (ROOT / "netfail_hooks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").partition(".")[0])
    others = imported - sys.stdlib_module_names - {"netfail_hooks"}
    assert {f"python-{name}" for name in others} == {
        name for name in depends if name.startswith("python-")
    }
    runs = set()
    for path in package.root.rglob("*"):
        if path.is_file() and path.stat().st_mode & 0o111 and path.read_bytes()[:2] == b"#!":
            runs.add(path.read_bytes().split(b"\n")[0].decode().split()[0].rpartition("/")[2])
    assert runs <= {"sh", "python", Path(sys.executable).name}, "sh: each Arch has it, by base"
    assert "python" in depends
