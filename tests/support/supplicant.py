"""The real wpa_supplicant, which needs no radio to read its file."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.packages import program

Ask = Callable[..., str]


@contextlib.contextmanager
def read_by_the_real_one(directory: Path, text: str) -> Iterator[Ask]:
    """Start it with a file in a directory; yield what asks it. Raises AssertionError.

    The file names the socket as ours does, which becomes another one.
    """
    daemon = program("wpa_supplicant", "wpasupplicant")
    client = program("wpa_cli", "wpasupplicant")
    control = directory / "control"
    path = directory / "wpa.conf"
    told = text.replace("/run/wpa_supplicant", str(control))
    path.write_text(told, encoding="utf-8", errors="surrogateescape")
    argv = [daemon.path, "-Dnone", "-ilo", f"-c{path}"]
    environment = {**os.environ, **daemon.environment}

    def ask(*words: str) -> str:
        return subprocess.run(
            [client.path, "-p", str(control), "-i", "lo", "raw", *words],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            env={**os.environ, **client.environment},
        ).stdout

    with subprocess.Popen(
        argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            end = time.monotonic() + 10
            while not (control / "lo").exists():
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < end
                time.sleep(0.01)
            yield ask
        finally:
            process.kill()
