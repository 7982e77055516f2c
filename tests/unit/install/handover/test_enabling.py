"""The links by which units start at boot are those that ``systemctl enable`` makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from netfail_hooks.install.handover.enabling import is_there, links
from netfail_hooks.paths import Paths

_UNITS = "/etc/systemd/system"
_PLACES = ("/usr/lib/systemd/system", "/lib/systemd/system")
_NETWORKD = "systemd-networkd.service"


def _copy(root: Path, *patterns: str) -> None:
    place = root / "usr/lib/systemd/system"
    place.mkdir(parents=True, exist_ok=True)
    for pattern in patterns:
        for found in Path(next(p for p in _PLACES if os.path.isdir(p))).glob(pattern):
            shutil.copy(found, place)


def _made(root: Path, unit: str) -> dict[str, str]:
    """Return the links that systemctl makes below a root (systemctl(1), --root=)."""
    done = subprocess.run(
        ["systemctl", f"--root={root}", "enable", unit], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = (path for path in (root / "etc/systemd/system").rglob("*") if path.is_symlink())
    return {f"/{path.relative_to(root)}": os.readlink(path) for path in found}


@pytest.mark.parametrize("unit", [_NETWORKD, "joins@wlan0.service", "net-joins@wlan0.service"])
def test_they_are_systemds_own(tmp_path: Path, unit: str) -> None:
    _copy(tmp_path, "systemd-networkd*", "systemd-network-generator*")
    text = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
    (tmp_path / "usr/lib/systemd/system/joins@.service").write_text(text, encoding="ascii")
    # Fedora's and Arch's wpa_supplicant@.service, and whatever else a unit's own name stands for.
    alias = "Alias=multi-user.target.wants/net-joins@%i.service multi-user.target.wants/%n\n"
    alias += "Alias=%p.target.wants/net-joins@%i.service %j.target.requires/%N.service\n"
    (tmp_path / "usr/lib/systemd/system/net-joins@.service").write_text(
        text + alias, encoding="ascii"
    )
    ours = links(Paths(str(tmp_path)), unit)
    assert ours
    assert ours == _made(tmp_path, unit)


def test_what_is_masked_is_not_enabled_with_it(tmp_path: Path) -> None:
    _copy(tmp_path, "systemd-networkd*")
    mask = tmp_path / "etc/systemd/system"
    mask.mkdir(parents=True)
    (mask / "systemd-networkd-wait-online.service").symlink_to("/dev/null")
    paths = Paths(str(tmp_path))
    assert not any("wait-online" in path for path in links(paths, _NETWORKD))
    assert is_there(paths, _NETWORKD)
    assert not is_there(paths, "wpa_supplicant@wlan0.service")
