"""The machine that it was measured on, in a line."""

from __future__ import annotations

import os
import platform
import subprocess

from netfail_hooks.files import read_text


def machine() -> str:
    """Return processor, kernel and systemd."""
    named = [
        line.partition(":")[2].strip()
        for line in read_text("/proc/cpuinfo").splitlines()
        if line.startswith(("model name", "Model"))
    ]
    processor = named[0] if named else platform.machine()
    asked = ["networkctl", "--version"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split("\n")[0]
    kernel = platform.release().partition("-")[0]
    return f"{os.cpu_count()} x {processor}, Linux {kernel}, {said or 'no systemd'}"
