"""A machine that is only files, below a temporary root, for install and uninstall."""

from __future__ import annotations

import argparse
import os
import stat
from pathlib import Path

from netfail_hooks.cli import Parser
from netfail_hooks.cli import install as cli_install
from netfail_hooks.cli import uninstall as cli_uninstall
from netfail_hooks.paths import Paths

HOWTO = """\
# the wired one
[Match]
Name={name}

[Network]
Address=192.168.1.{host}/24
Gateway=192.168.1.1
DNS=192.168.1.1
"""

Shape = dict[str, tuple[object, ...]]


class Machine:
    """How-to's two files, a user's own hook, and NICs in /sys."""

    def __init__(self, root: Path, nics: tuple[str, ...] = ("eth0", "wlan0")) -> None:
        self.root = root
        self.paths = Paths(str(root))
        os.makedirs(f"{root}/var/lib")
        for number, name in enumerate(nics):
            self.nic(name, number)
        for name, host in (("eth0", 252), ("wlan0", 25)):
            self.write(
                f"/etc/systemd/network/20-{name}.network", HOWTO.format(name=name, host=host)
            )
        self.write("/etc/networkd-dispatcher/routable.d/10-mine", "#!/bin/sh\n", mode=0o755)

    def nic(self, name: str, number: int) -> None:
        """Plug a NIC in; a name with wl is wireless."""
        mac = f"02:00:00:00:00:{number:02x}\n"
        attributes = {
            "address": mac,
            "type": "1\n",
            "ifindex": f"{number + 2}\n",
            "addr_assign_type": "0\n",
            "uevent": f"INTERFACE={name}\n",
        }
        if name.startswith("wl"):
            attributes["uevent"] = f"DEVTYPE=wlan\nINTERFACE={name}\n"
            os.makedirs(f"{self.root}/sys/class/net/{name}/phy80211")
        for key, text in attributes.items():
            self.write(f"/sys/class/net/{name}/{key}", text)
        os.makedirs(f"{self.root}/sys/class/net/{name}/device")

    def stack(self, upper: str, kind: str, below: str, *, master: bool = False) -> None:
        """Put an interface on a NIC, as the kernel shows it; as its ``master``, or carried."""
        self.write(f"/sys/class/net/{upper}/uevent", f"DEVTYPE={kind}\nINTERFACE={upper}\n")
        top = f"{self.root}/sys/class/net"
        os.symlink(f"../{upper}", f"{top}/{below}/upper_{upper}")
        os.symlink(f"../{below}", f"{top}/{upper}/lower_{below}")
        if master:
            os.symlink(f"../{upper}", f"{top}/{below}/master")

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file of the machine."""
        inside = str(self.root) + path
        os.makedirs(os.path.dirname(inside), exist_ok=True)
        Path(inside).write_text(text, encoding="utf-8")
        os.chmod(inside, mode)

    def read(self, path: str) -> str:
        """Return the text of a file of the machine."""
        return Path(str(self.root) + path).read_text(encoding="utf-8")

    def has(self, path: str) -> bool:
        """Tell whether something stands there."""
        return os.path.lexists(str(self.root) + path)

    def shape(self) -> Shape:
        """Return everything on it: kind, mode, owner and content, by path."""
        found: Shape = {}
        for folder, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                stated = os.lstat(path)
                mode = stat.filemode(stated.st_mode)
                content = b""
                if stat.S_ISLNK(stated.st_mode):
                    content = os.fsencode(os.readlink(path))
                elif stat.S_ISREG(stated.st_mode):
                    content = Path(path).read_bytes()
                found[path] = (mode, stated.st_uid, stated.st_gid, content)
        return found

    def install(self, *words: str) -> int:
        """Run install on it."""
        return cli_install.run(self.parse(cli_install.add_arguments, words))

    def uninstall(self, *words: str) -> int:
        """Run uninstall on it."""
        return cli_uninstall.run(self.parse(cli_uninstall.add_arguments, words))

    def parse(self, declare: object, words: tuple[str, ...]) -> argparse.Namespace:
        """Return what the command line makes of the words."""
        parser = Parser(prog="netfail-hooks")
        assert callable(declare)
        declare(parser)
        return parser.parse_args([f"--root={self.root}", *words])
