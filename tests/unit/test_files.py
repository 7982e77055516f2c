"""Files are replaced whole, and nobody else's are believed."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netfail_hooks.files import (
    read_owned,
    read_text,
    without_temporary,
    write_named,
    write_whole,
)
from tests.support.nobody import NOBODY, as_nobody


def test_the_mode_is_exact_whatever_the_umask(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    old = os.umask(0o777)
    try:
        write_whole(path, b"data", mode=0o644)
    finally:
        os.umask(old)
    assert os.stat(path).st_mode & 0o7777 == 0o644
    assert os.listdir(tmp_path) == ["file"]


def test_a_text_comes_as_it_is_whatever_its_encoding_and_none_for_what_cannot_be_read(
    tmp_path: Path,
) -> None:
    path = tmp_path / "file"
    path.write_bytes("grün ".encode() + b"gr\xfcn\n")
    assert read_text(str(path)).encode("utf-8", "surrogateescape") == path.read_bytes()
    assert read_text(str(path), errors="replace") == "grün gr\N{REPLACEMENT CHARACTER}n\n"
    assert read_text(str(path), limit=4) == "grün"
    assert read_text(str(tmp_path)) == read_text(str(tmp_path / "none")) == ""


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("/run/x/state.77.tmp", "/run/x/state"),
        ("/run/x/notify.77.78.tmp", "/run/x/notify.77"),
        ("/run/x/state", "/run/x/state"),
        ("/run/x/state.tmp", "/run/x/state.tmp"),
        ("/run/x/state.a.tmp", "/run/x/state.a.tmp"),
        ("/run/x/notify.77", "/run/x/notify.77"),
    ],
)
def test_a_temporary_file_tells_for_which_one_it_is(path: str, whole: str) -> None:
    assert without_temporary(path) == whole


def test_a_link_in_the_way_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "file").symlink_to(victim)
    write_whole(str(tmp_path / "file"), b"data")
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "file").is_symlink()


@pytest.mark.parametrize("kind", ["link", "hard link", "fifo", "file"])
def test_what_lies_at_the_temporary_files_place_is_not_written_to(
    tmp_path: Path, kind: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    aside = tmp_path / f"file.{os.getpid()}.tmp"
    if kind == "link":
        aside.symlink_to(victim)
    elif kind == "hard link":
        aside.hardlink_to(victim)
    elif kind == "fifo":
        os.mkfifo(aside)
    else:
        aside.write_bytes(b"half")
    write_whole(str(tmp_path / "file"), b"data")
    assert victim.read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["file", "victim"]


def test_a_directory_at_the_temporary_files_place_is_told(tmp_path: Path) -> None:
    (tmp_path / f"file.{os.getpid()}.tmp").mkdir()
    with pytest.raises(OSError, match="exists"):
        write_whole(str(tmp_path / "file"), b"data")


def test_what_a_killed_writer_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / "file.1.tmp").write_bytes(b"half")
    (tmp_path / "other.1.tmp").write_bytes(b"somebody's")
    write_whole(str(tmp_path / "file"), b"data")
    assert sorted(os.listdir(tmp_path)) == ["file", "other.1.tmp"]


def test_a_fifo_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "file", 0o600)
    with pytest.raises(OSError, match="not a regular file"):
        read_owned(str(tmp_path / "file"))


def test_a_full_disk_leaves_the_old_bytes(tmp_path: Path) -> None:
    """A limit on the file's size fails a write half-way, as a full disk does."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    program = (
        "import resource, signal, sys\n"
        "from netfail_hooks.files import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (100, {resource.RLIM_INFINITY}))\n"
        "try:\n    write_whole(sys.argv[1], bytes(1000))\n"
        "except OSError as error:\n    sys.exit(error.errno)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == 27  # EFBIG
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("mode", [0o622, 0o606, 0o660])
def test_a_file_that_others_may_write_is_not_read(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    path.chmod(mode)
    with pytest.raises(PermissionError):
        read_owned(str(path))


def test_a_link_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to("file")
    assert read_owned(str(tmp_path / "file")) == b"data"
    with pytest.raises(OSError, match="symbolic links"):
        read_owned(str(tmp_path / "link"))


def _full(place: Path, _: Path) -> None:
    place.mkdir()
    (place / "x").write_text("")


_MAKE: dict[str, Callable[[Path, Path], object]] = {
    "nothing": lambda _, __: None,
    "file": lambda place, _: place.write_bytes(b"old"),
    "link": lambda place, victim: place.symlink_to(victim),
    "dangling link": lambda place, victim: place.symlink_to(victim.parent / "none"),
    "link to a directory": lambda place, victim: place.symlink_to(victim.parent),
    "hard link": lambda place, victim: place.hardlink_to(victim),
    "fifo": lambda place, _: os.mkfifo(place),
    "socket": lambda place, _: os.mknod(place, stat.S_IFSOCK | 0o777),
    "directory": lambda place, _: place.mkdir(),
    "full directory": _full,
}


@dataclass(frozen=True)
class There:
    """What is at the place that a person names, and in which directory."""

    kind: str
    owner: int
    mode: int
    directory: tuple[int, int]

    def put(self, place: Path, victim: Path) -> None:
        place.parent.mkdir()
        _MAKE[self.kind](place, victim)
        if self.kind in ("file", "hard link"):
            place.chmod(self.mode)
        if self.kind != "nothing":
            os.chown(place, self.owner, self.owner, follow_symlinks=False)
        os.chown(place.parent, self.directory[0], self.directory[0])
        place.parent.chmod(self.directory[1])

    @property
    def is_replaced(self) -> bool:
        ours = self.kind in ("file", "hard link") and self.owner == 0
        return ours or self.kind == "nothing"


_OPEN = [(0, 0o755), (NOBODY, 0o1777), (NOBODY, 0o777), (0, 0o1777)]
_there = st.builds(
    There,
    st.sampled_from(list(_MAKE)),
    st.sampled_from([0, NOBODY]),
    st.integers(0, 0o777),
    st.sampled_from(_OPEN),
)


@pytest.mark.faults
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(
    _there,
    st.sampled_from([0o600, 0o640, 0o644]),
    st.booleans(),
    st.sampled_from(["uplinks.svg", "x" * 255, "ü" * 127, "-", ".x"]),
)
def test_what_a_person_names_is_a_file_of_ours_or_as_it_was(
    tmp_path: Path,
    there: There,
    mode: int,
    keep: bool,  # noqa: FBT001 - drawn
    name: str,
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path) as top:
        place, victim = Path(top, "there", name), Path(top, "victim")
        victim.write_bytes(b"precious")
        there.put(place, victim)
        before = [os.lstat(path) for path in (place, victim) if os.path.lexists(path)]
        with contextlib.suppress(OSError):
            write_named(str(place), b"data", mode=mode, keep=keep)
            assert there.is_replaced
        if there.is_replaced:
            assert place.read_bytes() == b"data"
            now = os.lstat(place)
            kept = there.mode if keep and there.kind != "nothing" else mode
            assert (now.st_mode, now.st_uid, now.st_nlink) == (0o100000 | kept, 0, 1)
        else:
            assert [os.lstat(path) for path in (place, victim)] == before
        assert victim.read_bytes() == b"precious"
        assert sorted(os.listdir(top)) == ["there", "victim"]
        assert os.listdir(place.parent) == ([name] if os.path.lexists(place) else [])


@pytest.mark.parametrize("kind", sorted({*_MAKE} - {"nothing", "file", "hard link"}))
def test_why_a_named_file_is_refused_has_its_name(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "there" / "x"
    There(kind, 0, 0, (0, 0o755)).put(place, tmp_path / "victim")
    with pytest.raises(OSError, match=r"link|regular|directory") as told:
        write_named(str(place), b"data", mode=0o600)
    assert told.value.filename == str(place)


def test_a_full_disk_leaves_what_a_person_named_as_it_was(tmp_path: Path) -> None:
    place = tmp_path / "uplinks.svg"
    place.write_bytes(b"old")
    child = os.fork()
    if not child:
        status = 99
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            write_named(str(place), b"x" * 5000, mode=0o644)
        except OSError as error:
            status = 0 if error.filename == str(place) else 98
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert place.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["uplinks.svg"]


def test_what_others_may_not_read_belongs_to_who_asked_by_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, open_ = tmp_path / "bundle", tmp_path / "page"
    for uid in (str(NOBODY), "-1", "+5", "²", ""):
        monkeypatch.setenv("SUDO_UID", uid)
        for _ in range(2):  # the second takes the place of one that is not ours any more
            write_named(str(closed), b"data", mode=0o600)
            write_named(str(open_), b"data", mode=0o644)
        assert closed.stat().st_uid == (NOBODY if uid == str(NOBODY) else 0)
        assert (closed.stat().st_mode & 0o777, open_.stat().st_uid) == (0o600, 0)
        closed.unlink()
    os.chown(open_, NOBODY, -1)
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        write_named(str(open_), b"data", mode=0o644)


def test_a_group_that_we_are_not_in_gets_nothing(tmp_path: Path) -> None:
    """The file that is replaced was given to it by root."""
    place = tmp_path / "x"
    place.write_bytes(b"old")
    os.chown(place, NOBODY, 0)
    place.chmod(0o664)
    tmp_path.chmod(0o777)
    as_nobody(lambda: write_named(str(place), b"new", mode=0o600, keep=True))
    assert place.read_bytes() == b"new"
    assert (place.stat().st_mode & 0o777, place.stat().st_gid) == (0o604, NOBODY)
