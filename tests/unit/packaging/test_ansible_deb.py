"""examples/ansible with a .deb: the real Ansible, and a clean Debian 12 that is not booted.

By SSH on a machine that runs: tests/lab/test_ansible.py. What stands for ssh(1) here enters the
tree.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT
from tests.support.debian_tree import ALSO, Tree, unpack
from tests.unit.packaging.test_deb import CONFIG, HOOK, build, depends

_ENTER = """\
#!/bin/sh
while getopts Co: _; do :; done
shift "$OPTIND" # the host's name, too
exec unshare --mount --pid --fork --net --root={root} --mount-proc \\
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 sh -c "$*"
"""
_EXPECTED = "http://192.0.2.1/ 200 it's <up> & on"  # which Jinja may escape
_VARIABLES = {
    "ansible_become": False,
    "ansible_pipelining": True,
    "ansible_python_interpreter": "/usr/bin/python3",
    "ansible_remote_tmp": "/var/cache/ansible",  # its own, which it leaves
    "ansible_ssh_transfer_method": "piped",
    "netfail_hooks_uplinks": [
        "eth0",
        {"interface": "wlan0", "targets": [_EXPECTED], "metric": None},
    ],
    "netfail_hooks_settings": {
        "close_connections": False,
        "watch": None,
        "check": None,
        "log": {"max_bytes": 20000},
        "drill": {"every": None},
    },
    "netfail_hooks_options": ["--dhcp"],
}
_NEWER = """
dpkg-deb -R {old} {place}/tree
sed -i 's/^Version: .*/Version: 9.9-1/' {place}/tree/DEBIAN/control
cd {place}/tree/usr/lib/python3/dist-packages/netfail_hooks
echo >new.py
sed -i 's/"max_bytes"/"most_bytes"/' config/settings.py
dpkg-deb -Znone -b {place}/tree {new}
"""


class Controller:
    """Ansible, and the tree that it has for a machine."""

    def __init__(self, tree: Tree, deb: Path, place: Path) -> None:
        self.tree, self.place = tree, place
        enter = place / "enter"
        enter.write_text(_ENTER.format(root=tree.root), encoding="utf-8")
        enter.chmod(0o755)
        self.variables: dict[str, Any] = {
            **_VARIABLES,
            "ansible_ssh_executable": str(enter),
            "netfail_hooks_deb": str(deb),
        }

    def play(self, *words: str) -> tuple[int, str]:
        """Play once; return how many tasks changed something, and all that was told."""
        told = self.tell(*words)
        counts = re.findall(r"ok=\d+ +changed=(\d+) +unreachable=0 +failed=0", told)
        assert len(counts) == 1, told
        return int(counts[0]), told

    def tell(self, *words: str) -> str:
        """Return what a play tells, whatever comes of it."""
        hosts = {"uplinks": {"hosts": {"machine": self.variables}}}
        inventory = self.place / "inventory.json"
        inventory.write_text(json.dumps(hosts), encoding="utf-8")
        playbook = str(ROOT / "examples/ansible/playbook.yml")
        done = subprocess.run(
            ["ansible-playbook", "--inventory", str(inventory), playbook, *words],
            env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(self.place)},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return done.stdout + done.stderr

    def check(self) -> tuple[int, str]:
        """Look at what would be changed; nothing is."""
        before = self.tree.files()
        seen = self.play("--check", "--diff")
        assert self.tree.files() == before, seen[1]
        return seen


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("deb"))


@pytest.fixture
def controller(deb: Path, tmp_path: Path) -> Controller:
    return Controller(unpack([*depends(deb), *ALSO], tmp_path), deb, tmp_path)


def test_a_package_is_installed_upgraded_and_purged(controller: Controller, deb: Path) -> None:
    tree, variables = controller.tree, controller.variables
    before = tree.files()
    changed, told = controller.check()
    assert changed == 3, told  # the package would be copied; what it would do then it cannot tell
    assert '+interface = "eth0"' in told
    assert controller.play()[0] == 4
    assert _EXPECTED in (tree.root / CONFIG[1:]).read_text(encoding="utf-8")
    tree.sh(f"IFACE=lo STATE=routable {HOOK}")
    after = tree.files()
    assert controller.check()[0] == 0
    assert controller.play()[0] == 0
    assert tree.files() == after

    newer = controller.place / "newer.deb"
    script = _NEWER.format(old=deb, place=controller.place, new=newer)
    subprocess.run(["sh", "-euc", script], check=True, capture_output=True)
    variables["netfail_hooks_deb"] = str(newer)
    variables["netfail_hooks_settings"] = {"log": {"most_bytes": 30000}}  # only that one knows it
    changed, told = controller.check()
    assert changed == 2, told
    assert "\n-max_bytes = 20000\n" in told
    assert "\n+most_bytes = 30000\n" in told
    changed, told = controller.play()
    assert changed == 3, told
    assert "/usr/lib/python3/dist-packages/netfail_hooks/new.py" in tree.files()

    variables["netfail_hooks_state"] = "absent"
    changed, told = controller.check()
    assert changed == 3, told
    assert "-most_bytes" in told
    assert controller.play()[0] == 3
    assert tree.files() == before
    assert not (tree.root / "var/cache/netfail-hooks").exists()
    assert controller.play()[0] == 0


def test_a_checkout_that_is_still_to_come_is_no_failure_of_a_check(controller: Controller) -> None:
    controller.variables["netfail_hooks_deb"] = ""
    controller.variables["netfail_hooks_checkout"] = "/opt/checkout"
    changed, told = controller.check()
    assert changed == 1, told
    assert "\n+max_bytes = 20000\n" in told
    assert "there is no install.sh in /opt/checkout" in controller.tell()
    library = controller.tree.root / "usr/local/lib/netfail-hooks"
    library.mkdir()
    controller.variables["netfail_hooks_state"] = "absent"
    changed, told = controller.check()
    assert changed == 1, told
    assert "there is no install.sh in /opt/checkout" in controller.tell()
