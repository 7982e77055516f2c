"""netplan's files, made by netplan itself: this machine's own, or that of Debian 13."""

from __future__ import annotations

from pathlib import Path

from tests.support import packages

OWN = ("netplan", "generate")
_SUITE = "trixie"
# What its generator needs, the C library with it: this machine's is too old for it.
_PACKAGES = (
    "netplan-generator",
    "libatomic1",
    "libblkid1",
    "libc6",
    "libffi8",
    "libglib2.0-0t64",
    "libmount1",
    "libnetplan1",
    "libpcre2-8-0",
    "libselinux1",
    "libuuid1",
    "libyaml-0-2",
    "zlib1g",
)
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def newer() -> tuple[str, ...]:
    """Return the command that generates as Debian 13's does."""
    place = packages.fetched("netplan-generator", _SUITE, _PACKAGES)
    loader = (f"{place}/usr/lib64/ld-linux-x86-64.so.2", "--library-path", f"{place}/{_LIBRARIES}")
    return (*loader, f"{place}/usr/libexec/netplan/generate")


def made(suite: str, yaml: str, root: Path) -> dict[str, str]:
    """Return the files below /run that a suite's netplan makes of YAML, by place."""
    source = root / "etc/netplan/lab.yaml"
    source.parent.mkdir(parents=True)
    source.touch(mode=0o600)
    source.write_text(yaml, encoding="utf-8")
    packages.run(*(newer() if suite == _SUITE else OWN), "--root-dir", str(root))
    found = (path for path in (root / "run").rglob("*") if path.is_file())
    return {f"/{path.relative_to(root)}": path.read_text(encoding="utf-8") for path in found}
