"""Network files of cloud-init, made by cloud-init itself: that of Debian 12, for each suite."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.support import packages

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
    place = packages.fetched("cloud-init", _SUITE, _PACKAGES)
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
        env={**os.environ, "PYTHONPATH": f"{place}/usr/lib/python3/dist-packages"},
    )
    made_ = (path for path in (root / renderer).rglob("*") if path.is_file())
    return {f"/{one.relative_to(root / renderer)}": one.read_text("utf-8") for one in made_}
