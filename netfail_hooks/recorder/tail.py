"""Follow a growing file through its rotation, as ``tail -F`` does."""

from __future__ import annotations

import os
from typing import BinaryIO, Self

from netfail_hooks.recorder.events import unreadable


class Tail:
    """New whole lines of the file at ``path``, which may come later, shrink or be replaced.

    Use it as a context manager.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._begun = b""
        self._open()

    def read(self) -> list[str]:
        """Return the lines that were ended since the last call. Raises Problem."""
        data = self._rest()
        if self._is_replaced():
            data += self._rest()  # written between our read and the rename
            self._close()
            self._open()
            data += self._rest()
        *whole, self._begun = (self._begun + data).split(b"\n")
        return [line.decode("utf-8", "replace") for line in whole]

    def unfinished(self) -> bool:
        """Tell whether the file ends in the middle of a line."""
        return bool(self._begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        try:
            self._file = open(self._path, "rb", buffering=0)  # noqa: SIM115 - stays open
        except FileNotFoundError:
            self._file = None
        except OSError as error:
            raise unreadable(self._path, error) from None

    def _rest(self) -> bytes:
        if self._file is None:
            return b""
        if self._file.tell() > os.fstat(self._file.fileno()).st_size:
            self._file.seek(0)
            self._begun = b""
        return self._file.read()

    def _is_replaced(self) -> bool:
        try:
            present = os.stat(self._path)
        except FileNotFoundError:
            return False  # rotated, and nothing new yet
        if self._file is None:
            return True
        return not os.path.samestat(present, os.fstat(self._file.fileno()))
