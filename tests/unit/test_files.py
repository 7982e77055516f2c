"""Files are replaced whole, and nobody else's are believed."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from netfail_hooks.files import read_owned, read_text, without_temporary, write_whole


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
