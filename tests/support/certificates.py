"""Certificates that nobody but a test trusts, by openssl."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make(directory: Path, name: str, *, days: int = 2) -> Path:
    """Return a file with a key and a self-signed certificate, for a host or an address."""
    path = directory / f"{name.replace(':', '_')}.pem"
    kind = "IP" if name[-1].isdigit() or ":" in name else "DNS"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", str(days), "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName={kind}:{name}", "-keyout", "-", "-out", "-"]
    done = subprocess.run(command, check=True, capture_output=True)
    path.write_bytes(done.stdout)
    return path
