"""sdist and wheel: what they hold, and a wheel at work with no checkout near."""

from __future__ import annotations

import re
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import netfail_hooks
from tests.support import ROOT
from tests.support.release import call, copied

ARCH = ROOT / "packaging/arch"
UPLINKS = ("--primary", "eth0", "--backup", "wlan0", "--dhcp", "--yes")
SHIPPED = (
    "bench",
    "docs",
    "examples",
    "hooks",
    "man",
    "netfail_hooks",
    "packaging",
    "tests",
    "tools",
)
COMPLETIONS = {
    "bash": "share/bash-completion/completions/netfail-hooks",
    "zsh": "share/zsh/site-functions/_netfail-hooks",
    "fish": "share/fish/vendor_completions.d/netfail-hooks.fish",
}


@dataclass(frozen=True)
class Dists:
    """What ``python -m build`` made: the sdist from the checkout, the wheel from the sdist."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def dists(tmp_path_factory: pytest.TempPathFactory) -> Dists:
    place = tmp_path_factory.mktemp("dist")
    checkout = place / "checkout"  # a fresh one: setuptools remembers what it once packed
    copied(ROOT, checkout)
    call([sys.executable, "-m", "build", "--outdir", str(place), str(checkout)])
    (sdist,), (wheel,) = place.glob("*.tar.gz"), place.glob("*.whl")
    return Dists(sdist, wheel)


def files(place: Path, *, beside: str = "") -> set[str]:
    """Return the files below a directory but for caches, by their path beside another."""
    return {
        str(path.relative_to(beside or place))
        for path in place.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and ".egg-info" not in str(path)
    }


def test_the_sdist_holds_the_checkout(dists: Dists) -> None:
    with tarfile.open(dists.sdist) as tar:
        held = {member.name.partition("/")[2] for member in tar if member.isfile()}
        modes = {member.name.partition("/")[2]: member.mode for member in tar}
    wanted = {path for name in SHIPPED for path in files(ROOT / name, beside=str(ROOT))}
    wanted |= {path.name for path in ROOT.glob("*.md")}
    wanted |= {"LICENSE", "MANIFEST.in", "install.sh", "pyproject.toml", "setup.py"}
    assert wanted - held == set()
    assert modes["install.sh"] & 0o111
    assert modes["packaging/deb"] & 0o111


def test_a_wheel_works_in_an_environment_with_no_checkout_near(
    dists: Dists, tmp_path: Path
) -> None:
    venv, root = tmp_path / "venv", tmp_path / "root"
    for directory in ("etc", "var/lib"):
        (root / directory).mkdir(parents=True)
    before = sorted(root.rglob("*"))
    call([sys.executable, "-m", "venv", str(venv)])
    pip = [str(venv / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
    call([*pip, str(dists.wheel)])
    command = str(venv / "bin/netfail-hooks")
    assert call([command, "--version"]) == f"netfail-hooks {netfail_hooks.__version__}\n"
    call([command, "install", "--root", str(root), *UPLINKS])
    hook = root / "etc/networkd-dispatcher/routable.d/50-netfail-hooks"
    text = hook.read_text(encoding="utf-8")
    assert f'sys.path += ["{venv}' in text
    loads = text.replace("os._exit(main())", "import icmplib, pyroute2")
    program = re.findall(r'^exec "(\S+)" -IS ', text, re.MULTILINE)
    call([*program, "-IS", "-c", loads])
    unit = (root / "etc/systemd/system/netfail-hooks-check.service").read_text(encoding="utf-8")
    assert str(venv) in unit
    assert str(ROOT) not in unit
    config = root / "etc/netfail-hooks/config.toml"
    config.write_text(config.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    call([command, "install", "--root", str(root), "--interval", "9", "--yes"])
    assert config.read_text(encoding="utf-8").endswith("# mine\n")
    call([command, "uninstall", "--root", str(root), "--yes"])
    assert sorted(root.rglob("*")) == before

    manual = (ROOT / "man/netfail-hooks.8").read_bytes()
    assert (venv / "share/man/man8/netfail-hooks.8").read_bytes() == manual
    for shell, path in COMPLETIONS.items():
        assert (venv / path).read_text(encoding="utf-8") == call([command, "completion", shell])


def test_every_package_has_the_version_of_the_program() -> None:
    version = netfail_hooks.__version__
    for path, line in (
        (ROOT / "pyproject.toml", f'version = "{version}"'),
        (ARCH / "PKGBUILD", f"pkgver={version}"),
    ):
        assert line in path.read_text(encoding="utf-8").splitlines()
    manual = (ROOT / "man/netfail-hooks.8").read_text(encoding="utf-8")
    assert re.match(rf'\.TH NETFAIL-HOOKS 8 "[0-9-]+" "netfail-hooks {version}"', manual)


def test_what_names_a_file_of_some_version_names_this_one() -> None:
    named = {}
    for place in ("docs", "examples", "packaging"):
        for path in files(ROOT / place, beside=str(ROOT)):
            text = (ROOT / path).read_text(encoding="utf-8")
            named[path] = set(re.findall(r"netfail-hooks[_-](\d+(?:\.\d+)+)", text))
    told = {path: versions for path, versions in named.items() if versions}
    assert set(told) >= {
        "examples/ansible/inventory.yml",
        "examples/ansible/roles/netfail_hooks/defaults/main.yml",
    }
    assert set().union(*told.values()) == {netfail_hooks.__version__}, told
