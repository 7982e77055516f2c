"""Network files of cloud-init, made by cloud-init itself: that of Debian 12, for each suite."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from tests.support import packages
from tests.vm.image import cache

_SUITE = "bookworm"
# What its renderers load, and nothing of this machine's own.
_PACKAGES = (
    "cloud-init",
    "python3-certifi",
    "python3-chardet",
    "python3-configobj",
    "python3-idna",
    "python3-jinja2",
    "python3-json-pointer",
    "python3-jsonpatch",
    "python3-markupsafe",
    "python3-requests",
    "python3-six",
    "python3-urllib3",
    "python3-yaml",
)


def made(renderer: str, yaml: str, root: Path) -> dict[str, str]:
    """Return the files that a renderer, "netplan" or "networkd", makes of YAML, by place."""
    source = root / "given.yaml"
    source.write_text(yaml, encoding="utf-8")
    subprocess.run(
        [
            *("/usr/bin/python3", "-S", "-m", "cloudinit.cmd.devel.net_convert"),
            *("--network-data", str(source), "--kind", "yaml", "--distro", "debian"),
            *("--directory", str(root / renderer), "--output-kind", renderer),
        ],
        check=True,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": f"{_fetched()}/usr/lib/python3/dist-packages"},
    )
    made_ = (path for path in (root / renderer).rglob("*") if path.is_file())
    return {f"/{one.relative_to(root / renderer)}": one.read_text("utf-8") for one in made_}


def _fetched() -> Path:
    """Return where the packages are unpacked, fetched once for all tests."""
    place = Path(cache(), f"cloud-init-{_SUITE}")
    os.makedirs(cache(), exist_ok=True)
    with open(f"{cache()}/cloud-init.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.is_dir():
            aside = place.with_suffix(".new")
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir()
            packages.unpack(_SUITE, _PACKAGES, aside)
            aside.rename(place)
    return place
