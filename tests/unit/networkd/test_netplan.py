"""Of what netplan makes, the YAML is named that a person edits: by what netplan itself makes."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.errors import Misuse
from netfail_hooks.managers import keyfile
from netfail_hooks.networkd import netplan, takeover
from netfail_hooks.networkd.match import Source
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths
from tests.support.netplan import made

_ALL = """\
network:
  version: 2
  renderer: {renderer}
  ethernets:
    # usb0: is in no use
    eth0:
      dhcp4: true
    eth0-lan: {{match: {{macaddress: "02:00:00:00:00:07"}}, dhcp4: true}}
    "eth1":
      addresses: [192.168.1.5/24]
  wifis:
    wlan0:
      dhcp4: true
      access-points:
        "home-a b/c: x":
          password: sesame12
"""
_IDS = ("eth0", "eth0-lan", "eth1", "wlan0")
_RENDERERS = ("networkd", "NetworkManager")


@functools.cache
def _made(renderer: str) -> tuple[str, ...]:
    """Return the places of the files that netplan makes."""
    with tempfile.TemporaryDirectory() as root:
        found = made("bookworm", _ALL.format(renderer=renderer), Path(root))
    return tuple(path for path in found if netplan.sources(Paths(root), path))


def _machine(root: Path, texts: dict[str, str]) -> Paths:
    for path, text in texts.items():
        place = Path(f"{root}{path}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return Paths(str(root))


def _with(identifier: str) -> str:
    """Return YAML of that interface alone, quoted or not, in whichever way it is written."""
    return f"network:\n  ethernets: {{{identifier}: {{dhcp6: true}}}}\n"


@pytest.mark.parametrize("renderer", _RENDERERS)
def test_every_file_of_netplans_is_known_with_its_yaml(tmp_path: Path, renderer: str) -> None:
    paths = _machine(tmp_path, {"/etc/netplan/50-cloud-init.yaml": _ALL.format(renderer=renderer)})
    files = _made(renderer)
    assert len(files) == len(_IDS)
    for path in files:
        assert netplan.sources(paths, path) == ("/etc/netplan/50-cloud-init.yaml",), path
        assert "50-cloud-init.yaml" in netplan.told(paths, path)
        assert netplan.sources(Paths(f"{tmp_path}/none"), path) == (netplan.ANYWHERE,)
    for path in ("/etc/systemd/network/10-netplan-eth0.network", "/run/x", "the settings of x"):
        assert netplan.sources(paths, path) == ()
        assert netplan.told(paths, path) == path


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(_RENDERERS),
    st.lists(
        st.tuples(
            st.sampled_from(["/etc/netplan", "/run/netplan", "/usr/lib/netplan"]),
            st.sampled_from(["00-a", "50-b", "90-NM-c"]),
            st.sampled_from(_IDS),
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_of_several_files_those_are_named_that_have_the_interface(
    renderer: str, drawn: list[tuple[str, str, str]]
) -> None:
    order = ["/usr/lib/netplan", "/etc/netplan", "/run/netplan"]
    by_name: dict[str, tuple[str, str]] = {}
    texts = {f"{place}/{name}.yaml": _with(one) for place, name, one in drawn}
    last = {(place, name): one for place, name, one in drawn}
    for (place, name), one in sorted(last.items(), key=lambda item: order.index(item[0][0])):
        by_name[name] = (place, one)
    with tempfile.TemporaryDirectory() as root:
        paths = _machine(Path(root), texts)
        for path in _made(renderer):
            stem = path.partition("netplan-")[2]
            own = max((one for one in _IDS if stem.startswith(one)), key=len)
            having = [
                f"{place}/{name}.yaml"
                for name, (place, one) in sorted(by_name.items())
                if one == own
            ]
            found = netplan.sources(paths, path)
            if having:
                assert list(found) == having
            elif own != "eth0-lan":  # whose first part may be another's name
                assert found == (netplan.ANYWHERE,)


@pytest.mark.parametrize("renderer", _RENDERERS)
def test_our_file_names_the_yaml_and_goes_on_to_be_known(tmp_path: Path, renderer: str) -> None:
    paths = _machine(tmp_path, {"/etc/netplan/50-cloud-init.yaml": _ALL.format(renderer=renderer)})
    (path,) = (one for one in _made(renderer) if "-eth0." in one)
    source = Source(path, "[Network]\nDHCP=yes\n")
    text = takeover.take_over(Nic("eth0"), source, 100, paths=paths)
    assert takeover.of_whom(text) == path
    assert takeover.made_of(text) == source.fingerprint
    first = text.partition("\n")[0]
    assert "; change /etc/netplan/50-cloud-init.yaml, of which netplan makes that, run " in first
    other = Source("/etc/systemd/network/20-x.network", source.text)
    assert "; change that one and run " in takeover.take_over(Nic("eth0"), other, 100, paths=paths)


def test_what_cannot_be_taken_over_names_the_yaml(tmp_path: Path) -> None:
    paths = _machine(tmp_path, {"/etc/netplan/a.yaml": _ALL.format(renderer="networkd")})
    path = "/run/systemd/network/10-netplan-eth0.network"
    with pytest.raises(Misuse, match=r"which netplan makes of /etc/netplan/a\.yaml: Unmanaged=yes"):
        takeover.take_over(Nic("eth0"), Source(path, "[Link]\nUnmanaged=yes\n"), 1, paths=paths)
    told = netplan.told(paths, "/run/NetworkManager/system-connections/netplan-eth0.nmconnection")
    text = "[connection]\nid=x\ntype=vpn\n"
    with pytest.raises(Misuse, match=r"which netplan makes of /etc/netplan/a\.yaml: profile 'x': "):
        keyfile.translate("/run/x", text, Nic("eth0"), told=told)
