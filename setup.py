"""What pyproject.toml cannot say: our packages, the man page and the shells' completions.

The completions come from the parser, like all else that is said of the command line. The same
commit gives the same bytes: a wheel heeds SOURCE_DATE_EPOCH, an sdist needs some help.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tarfile
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.sdist import sdist

sys.path.insert(0, str(Path(__file__).parent))

from netfail_hooks.cli import completion

os.umask(0o022)
DATE = subprocess.check_output([Path(__file__).parent / "packaging/date"], text=True).strip()
os.environ["SOURCE_DATE_EPOCH"] = DATE

# Where each shell looks below a prefix, /usr/local or /usr.
COMPLETIONS = {
    "share/bash-completion/completions/netfail-hooks": completion.bash,
    "share/zsh/site-functions/_netfail-hooks": completion.zsh,
    "share/fish/vendor_completions.d/netfail-hooks.fish": completion.fish,
}


class Sdist(sdist):
    """The sdist with nobody's name, umask or clock in it."""

    def make_archive(self, base_name: str, *_: object, **named: str) -> str:
        """Write the one kind of archive that there is (PEP 517: .tar.gz); return its name."""
        name = f"{base_name}.tar.gz"
        with (
            open(name, "wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            base = Path(named["base_dir"])
            for path in sorted([base, *base.rglob("*")]):
                tar.add(path, recursive=False, filter=_anybodys)
        return name


def _anybodys(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = int(DATE)
    member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member


files = [("share/man/man8", ["man/netfail-hooks.8"])]
for place, make in COMPLETIONS.items():
    made = Path("build") / place
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text("\n".join([*make(completion.grammar()), ""]), encoding="utf-8")
    files.append((str(Path(place).parent), [str(made)]))

packages = [*find_packages(include=["netfail_hooks", "netfail_hooks.*"]), "netfail_hooks.hooks"]
setup(cmdclass={"sdist": Sdist}, data_files=files, packages=packages)
