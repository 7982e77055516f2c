"""What pyproject.toml cannot say: our packages, the man page and the shells' completions.

The completions come from the parser, like all else that is said of the command line.
"""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import find_packages, setup

sys.path.insert(0, str(Path(__file__).parent))

from netfail_hooks.cli import completion

# Where each shell looks below a prefix, /usr/local or /usr.
COMPLETIONS = {
    "share/bash-completion/completions/netfail-hooks": completion.bash,
    "share/zsh/site-functions/_netfail-hooks": completion.zsh,
    "share/fish/vendor_completions.d/netfail-hooks.fish": completion.fish,
}

files = [("share/man/man8", ["man/netfail-hooks.8"])]
for place, make in COMPLETIONS.items():
    made = Path("build") / place
    made.parent.mkdir(parents=True, exist_ok=True)
    made.write_text("\n".join([*make(completion.grammar()), ""]), encoding="utf-8")
    files.append((str(Path(place).parent), [str(made)]))

packages = [*find_packages(include=["netfail_hooks", "netfail_hooks.*"]), "netfail_hooks.hooks"]
setup(data_files=files, packages=packages)
