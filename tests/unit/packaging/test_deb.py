"""The Debian package for real: built, installed and removed in a clean Debian 12."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from netfail_hooks import __version__
from netfail_hooks.cli.commands import COMMANDS
from netfail_hooks.install.handover.resolving import OURS, RESOLV_CONF
from tests.support import ROOT
from tests.support.debian_tree import ALSO, Tree, unpack
from tests.support.links import dead_links
from tests.support.release import call, committed
from tests.vm import image

INSTALL = "netfail-hooks install --primary eth0 --backup wlan0 --dhcp"
HOOK = "/etc/networkd-dispatcher/routable.d/50-netfail-hooks"
CHECK = "/etc/systemd/system/netfail-hooks-check.service"
CONFIG = "/etc/netfail-hooks/config.toml"

# A connection to end and a host to ask, with the libraries that this Debian has.
LIBRARIES = """
ip link set lo up
exec python3 -I - <<'END'
import socket, time
from netfail_hooks.config import Target
from netfail_hooks.kernel.connections import end
from netfail_hooks.policy.changes import CloseConnections
from netfail_hooks.probe.targets import target_wire

listener = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(listener.getsockname())
far, _ = listener.accept()
near.settimeout(5)
assert end(CloseConnections(4, "127.0.0.1")) >= 1  # the first one's reset may end the second
try:
    near.recv(1)
    raise SystemExit("the connection lives")
except (ConnectionAbortedError, ConnectionResetError):
    pass
for target in (Target(4, "127.0.0.1"), Target(6, "::1")):
    wire = target_wire(target, "lo")
    wire.ask()
    until = time.monotonic() + 5
    while not wire.answered():
        assert time.monotonic() < until, target
    wire.close()
END
"""

# As a machine without systemd-resolved is left by a takeover, for which there is nobody here.
RESOLVING = """
python3 -I - <<'END'
from netfail_hooks.install import manifest, nodes
from netfail_hooks.install.handover.resolving import resolver
from netfail_hooks.install.plan import FileChange
from netfail_hooks.install.transaction import note, write_change
from netfail_hooks.paths import Paths

paths = Paths()
known = manifest.load(paths)
for path, node in resolver(paths, resolved=False, ours=False):
    change = FileChange(path, nodes.read(path), node)
    known = note(known, (change,))
    manifest.save(paths, known)
    write_change(paths, change)
END
"""


@pytest.fixture(scope="module")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def clean(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    place = tmp_path_factory.mktemp("debian")
    tree = unpack([*depends(deb), *ALSO], place)
    (tree.root / "tmp/it.deb").write_bytes(deb.read_bytes())
    tree.sh("command -v netfail-hooks && exit 1; systemctl --version")
    return tree


@pytest.fixture
def tree(clean: Tree) -> Iterator[Tree]:
    """Return a tree with the package; afterwards it is purged, whatever the test did."""
    clean.sh("dpkg --install /tmp/it.deb")
    yield clean
    clean.run("dpkg --purge netfail-hooks")


def build(place: Path, checkout: Path = ROOT) -> Path:
    """Build the package in a directory of the test's own."""
    return Path(call([str(checkout / "packaging/deb"), str(place)]).strip())


def fish(tree: Tree, typed: str) -> list[str]:
    """Return what fish offers for the beginning of a command line."""
    offered = tree.sh(f"""HOME=/tmp fish -c 'complete -C "{typed}"'""")
    return [line.split("\t")[0] for line in offered.splitlines()]


def depends(deb: Path) -> list[str]:
    """Return the names of the packages that apt-get installs with it."""
    return [*_names(deb, "Depends"), *_names(deb, "Recommends")]


def _names(deb: Path, field: str) -> list[str]:
    done = subprocess.run(
        ["dpkg-deb", "--field", str(deb), field], capture_output=True, text=True, check=True
    )
    return [one.split()[0] for one in done.stdout.split(",")]


def test_it_depends_on_what_the_project_says(deb: Path) -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        project = tomllib.load(file)["project"]
    field = subprocess.run(
        ["dpkg-deb", "--field", str(deb), "Depends"], capture_output=True, text=True, check=True
    ).stdout
    assert f"python3 ({project['requires-python'].replace('>=', '>= ')})" in field
    for requirement in project["dependencies"]:
        name, oldest = re.fullmatch(r"([a-z0-9]+)>=([0-9.]+),.*", requirement).groups()  # type: ignore[union-attr]
        assert f"python3-{name} (>= {oldest})" in field
    assert {"systemd", "iproute2"} <= set(_names(deb, "Depends"))
    assert _names(deb, "Recommends") == ["networkd-dispatcher"]  # install --without-dispatcher
    assert deb.name == f"netfail-hooks_{project['version']}-1_all.deb"


def test_the_same_checkout_gives_the_same_bytes(deb: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == deb.read_bytes()


def test_a_release_needs_neither_git_nor_a_network(clean: Tree, tmp_path: Path) -> None:
    """Its archive, unpacked: install.sh shows what it would do, and the package is the same."""
    checkout = committed(tmp_path / "checkout")
    call([str(checkout / "packaging/release"), str(tmp_path)])
    (archive,), (made,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.deb")
    place = clean.root / "opt/release"
    place.mkdir()
    call(["tar", "--extract", "--file", str(archive), "--directory", str(place)])
    shutil.copytree(image.wheels(), clean.root / "opt/wheels")
    before = clean.files()
    clean.sh("command -v git && exit 1; true")
    words = f"--wheels /opt/wheels {INSTALL.removeprefix('netfail-hooks install')} --dry-run"
    assert f"+++ b{CONFIG}" in clean.sh(f"cd /opt/release/*/; ./install.sh {words}")
    assert clean.files() == before
    clean.sh("umask 077; /opt/release/*/packaging/deb /opt")
    other = clean.root / "opt" / made.name
    for part in ("--ctrl-tarfile", "--fsys-tarfile"):
        one, two = (
            subprocess.run(["dpkg-deb", part, str(deb)], capture_output=True, check=True).stdout
            for deb in (made, other)
        )
        assert one == two, part
    shutil.rmtree(clean.root / "opt")
    (clean.root / "opt").mkdir()


def test_it_holds_program_manual_completions_and_documents(tree: Tree) -> None:
    package = "/usr/lib/python3/dist-packages/netfail_hooks"
    ours = ROOT / "netfail_hooks"
    wanted = [f"{package}/{path.relative_to(ours)}" for path in ours.rglob("*.py")]
    wanted += [f"{package}/hooks/{path.name}" for path in (ROOT / "hooks").iterdir()]
    kinds = ("md", "svg", "json")
    documents = [path for kind in kinds for path in (ROOT / "docs").rglob(f"*.{kind}")]
    wanted += [f"/usr/share/doc/netfail-hooks/{path.relative_to(ROOT)}" for path in documents]
    examples = [path for path in (ROOT / "examples").rglob("*") if path.is_file()]
    wanted += [f"/usr/share/doc/netfail-hooks/{path.relative_to(ROOT)}" for path in examples]
    wanted += [
        "/usr/bin/netfail-hooks",
        "/usr/share/bash-completion/completions/netfail-hooks",
        "/usr/share/fish/vendor_completions.d/netfail-hooks.fish",
        "/usr/share/zsh/vendor-completions/_netfail-hooks",
        *(f"/usr/share/doc/netfail-hooks/{name}" for name in ("README.md", "copyright")),
        *(f"/usr/share/doc/netfail-hooks/changelog{kind}.gz" for kind in ("", ".Debian")),
    ]
    listed = tree.sh("dpkg --listfiles netfail-hooks").splitlines()
    assert sorted(set(wanted) - set(listed)) == []
    assert tree.sh("dpkg --verify netfail-hooks") == ""
    shown = tree.sh("man --warnings netfail-hooks | col -b")
    assert all(f"   {command.name}\n" in shown for command in COMMANDS)


def test_its_documents_lead_to_what_it_holds(deb: Path, tmp_path: Path) -> None:
    call(["dpkg-deb", "--extract", str(deb), str(tmp_path)])
    place = tmp_path / "usr/share/doc/netfail-hooks"
    documents = list(place.rglob("*.md"))
    assert place / "README.md" in documents
    dead = {str(one.relative_to(place)): dead_links(one) for one in documents}
    assert {name: links for name, links in dead.items() if links} == {}
    readme = (place / "README.md").read_text(encoding="utf-8")
    assert "](docs/use/start.md)" in readme  # what is there is a link still
    assert "CONTRIBUTING.md, SECURITY.md. MIT" in " ".join(readme.split())


def test_zsh_and_fish_complete(tree: Tree) -> None:
    zsh = "autoload -Uz compinit && compinit -D && print $_comps[netfail-hooks]"
    assert tree.sh(f"zsh -fc '{zsh}'") == "_netfail-hooks\n"
    tree.sh("zsh -n /usr/share/zsh/vendor-completions/_netfail-hooks")
    assert fish(tree, "netfail-hooks ") == sorted(command.name for command in COMMANDS)
    assert fish(tree, "netfail-hooks install --mode ") == ["bond", "routes"]
    assert fish(tree, "netfail-hooks install --dr")[0] == "--dry-run"  # fish 4 adds what is near


def test_it_works_with_the_libraries_of_this_debian(tree: Tree) -> None:
    tree.sh(LIBRARIES)


def test_it_amends_a_config_with_the_library_of_this_debian(tree: Tree) -> None:
    tree.sh(f"{INSTALL} --yes; sed -i 's/^interval = .*/interval = 5 # mine/' {CONFIG}")
    tree.sh(f"netfail-hooks install --interval 9 --yes; grep -x 'interval = 9 # mine' {CONFIG}")


def test_a_purge_leaves_the_machine_as_it_was(clean: Tree) -> None:
    before = clean.files()
    clean.sh("dpkg --install /tmp/it.deb")
    assert clean.sh("netfail-hooks --version").startswith("netfail-hooks 0.")
    assert "+++" in clean.sh(f"{INSTALL} --dry-run")
    assert HOOK not in clean.files()
    clean.sh(f"{INSTALL} --yes")
    assert "/usr/lib/python3/dist-packages" in (clean.root / HOOK[1:]).read_text(encoding="utf-8")
    clean.sh(f"IFACE=lo STATE=routable {HOOK}")

    clean.sh("dpkg --remove netfail-hooks")
    left = set(clean.files()) - set(before)
    assert left == {"/etc/netfail-hooks", "/etc/netfail-hooks/notify.d", CONFIG}
    clean.sh("dpkg --purge netfail-hooks")
    assert clean.files() == before

    clean.sh(f"dpkg --install /tmp/it.deb; {INSTALL} --yes; dpkg --purge netfail-hooks")
    assert clean.files() == before


@pytest.mark.parametrize("since", ["", f"echo nameserver 192.0.2.9 >>{OURS}"])
def test_a_purge_takes_the_name_servers_of_uplinks_that_were_taken_over(
    clean: Tree, since: str
) -> None:
    clean.sh(f"echo '# Generated by NetworkManager\nnameserver 192.0.2.1' >{RESOLV_CONF}")
    before = clean.files()
    clean.sh(f"dpkg --install /tmp/it.deb; {INSTALL} --yes; {RESOLVING}{since}")
    assert clean.sh(f"readlink {RESOLV_CONF}") == f"{OURS}\n"
    clean.sh("dpkg --purge netfail-hooks")
    assert clean.files() == before


def test_it_tells_from_which_version_to_which_and_what_stays(tree: Tree) -> None:
    tree.sh(f"{INSTALL} --yes")
    version = f"{__version__}-1"
    assert f"netfail-hooks: {version} again; " in tree.sh("dpkg --install /tmp/it.deb")
    configured = tree.sh("/var/lib/dpkg/info/netfail-hooks.postinst configure 0.0.1-1")
    assert configured.startswith(f"netfail-hooks: 0.0.1-1 -> {version}; 'sudo netfail-hooks")
    removed = tree.sh("dpkg --remove netfail-hooks")
    dispatcher = "networkd-dispatcher, for which no hook is left"
    assert f"what stays: {dispatcher}; config.toml; the flight recorder\n" in removed
    assert "to remove it: sudo apt purge netfail-hooks networkd-dispatcher\n" in removed
    tree.sh(f"dpkg --install /tmp/it.deb; {INSTALL} --yes")
    tree.sh("mkdir -p /etc/networkd-dispatcher/off.d; touch /etc/networkd-dispatcher/off.d/theirs")
    gone = tree.sh("netfail-hooks uninstall --yes --no-live; rm -r /etc/networkd-dispatcher/off.d")
    assert "what stays: the program\nto remove it: sudo apt purge netfail-hooks\n" in gone, gone


def test_what_cannot_be_uninstalled_keeps_the_package(tree: Tree) -> None:
    tree.sh(f"{INSTALL} --yes")
    manifest = tree.root / "var/lib/netfail-hooks/manifest.json"
    whole = manifest.read_bytes()
    manifest.write_bytes(b"{")
    done = tree.run("dpkg --remove netfail-hooks")
    assert done.returncode
    assert "manifest.json: cannot make sense of it" in done.stderr
    tree.sh(f"IFACE=lo STATE=routable {HOOK}")
    manifest.write_bytes(whole)
    tree.sh("dpkg --purge netfail-hooks")
    assert not (tree.root / HOOK[1:]).exists()


@pytest.mark.parametrize("without", ["", " --without-dispatcher"])
def test_what_another_copy_installed_stays(tree: Tree, without: str) -> None:
    tree.sh(f"dpkg --install /tmp/it.deb; {INSTALL} --yes{without}")
    hook = tree.root / (CHECK if without else HOOK)[1:]
    text = hook.read_text(encoding="utf-8").replace("/usr/lib/python3/dist-packages", "/opt/copy")
    hook.write_text(text, encoding="utf-8")
    tree.sh("dpkg --purge netfail-hooks")
    assert hook.exists()
    assert (tree.root / CONFIG[1:]).exists()
    tree.sh(
        "dpkg --install /tmp/it.deb; netfail-hooks uninstall --yes --no-live; rm -f "
        + HOOK
        + " "
        + CHECK
    )
