"""Our .link file changes nothing but by what one NIC wakes the machine, whatever others say."""

from __future__ import annotations

import fnmatch
import os
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from netfail_hooks.errors import Misuse
from netfail_hooks.networkd import file, link_file, match
from netfail_hooks.networkd.file import Section
from netfail_hooks.networkd.nic import Nic
from netfail_hooks.paths import Paths

_DEFAULT = "/usr/lib/systemd/network/99-default.link"
_DEFAULT_TEXT = """\
# SPDX-License-Identifier: MIT-0
[Match]
OriginalName=*

[Link]
NamePolicy=keep kernel database onboard slot path
AlternativeNamesPolicy=database onboard slot path
MACAddressPolicy=persistent
"""
_USB = "/usr/lib/systemd/network/73-usb-net-by-mac.link"
_MACS = ("52:54:00:00:00:01", "52:54:00:00:00:02", "52:54:00:00:00:03")
_NAMES = ("eth0", "eth1", "enp3s0", "wlan0")
_PATHS = ("pci-0000:03:00.0", "platform-usb-usb-0:1.1", "")
_STEMS = (
    *("05-a", "10-eth0", "10-netplan-x", "20-lan", "73-usb-net-by-mac", "99-default"),
    *("99-default-a", "99-default.b", "zz-n", "zzz", "Ä"),
)
_CONDITIONS = {
    "OriginalName": ("*", "eth*", "eth0 wlan0", "!eth1", ""),
    "PermanentMACAddress": (*_MACS, f"{_MACS[0]} {_MACS[1]}", ""),
    "Path": ("*-usb-*", "pci-*", "!*-usb-*"),
}
_LINES = (
    "NamePolicy=keep kernel mac",
    "NamePolicy=",
    "Name=lan0",
    "MACAddressPolicy=none",
    "MTUBytes=1400",
    "Description=two \\\n  # a note\n  lines",
    "WakeOnLan=off",
    "WakeOnLan=",
    "WakeOnLan=phy",
    "WakeOnLanPassword=52:54:00:aa:bb:cc",
    "; AlternativeName=no",
    "AlternativeName=lan-of-the-house\nAlternativeName=other",
    "an odd line",
    "[SR-IOV]\nVirtualFunction=0\n[SR-IOV]\nVirtualFunction=1\n[Link]",
)
_WORDS = ("magic", "off", "phy unicast magic", "broadcast arp")
_MINE = ("WakeOnLan", "WakeOnLanPassword")
_OURS = "/etc/systemd/network/99-default-netfail-eth0.link"
_NIC = Nic(
    "eth0",
    permanent_mac=_MACS[0],
    path=_PATHS[0],
    properties=(("ID_NET_LINK_FILE", _DEFAULT), ("ID_NET_DRIVER", "r8169")),
    present=True,
)


class Udev:
    """What systemd-udevd makes of the files (systemd.link(5)), by a model of these conditions."""

    def __init__(self, root: Path) -> None:
        self.files = list(self._files(Paths(str(root))))

    def _files(self, paths: Paths) -> Iterator[tuple[str, list[Section]]]:
        for path in match.listed(paths, match.DIRECTORIES, ".link"):
            text = match.read(paths, path)
            more = (match.read(paths, one) for one in match.dropins(paths, os.path.basename(path)))
            if text:
                yield path, [part for one in (text, *more) for part in file.parse(file.ended(one))]

    def taken(self, nic: Nic) -> tuple[str, list[Section]]:
        """Return the path of the file that counts for a NIC, and what it says; "" for none."""
        for path, sections in self.files:
            if self._fits(sections, nic):
                return path, sections
        return "", []

    def _fits(self, sections: list[Section], nic: Nic) -> bool:
        said = {key: file.settings(sections, "Match", key) for key in _CONDITIONS}
        macs = " ".join(said["PermanentMACAddress"]).split()
        known = {"OriginalName": nic.name, "Path": nic.path}
        others = [(known[key], lines) for key, lines in said.items() if key in known and lines]
        if not (macs or others):
            return False
        return (not macs or nic.permanent_mac in macs) and all(
            _among(text, lines) for text, lines in others
        )

    def means(self, nic: Nic) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return what is done to a NIC beside what wakes the machine by it."""
        done: list[tuple[str, list[tuple[str, str]]]] = [("Link", [])]
        for one in self.taken(nic)[1]:
            pairs = [(i.key, i.setting) for i in one.items if i.key and i.key not in _MINE]
            if one.name == "Link":
                done[0][1].extend(pairs)
            elif one.name not in ("", "Match"):
                done.append((one.name, pairs))
        return done

    def wakes(self, nic: Nic) -> tuple[set[str], list[str]]:
        said, secret = (file.settings(self.taken(nic)[1], "Link", key) for key in _MINE)
        return set(" ".join(said).split()), secret[-1:]


def _among(text: str, lines: list[str]) -> bool:
    words = [(line[:1] == "!", word) for line in lines for word in line.lstrip("!").split()]
    fits = [no for no, word in words if text and fnmatch.fnmatchcase(text, word)]
    return True not in fits and (False in fits or all(no for no, _ in words))


def _write(root: Path, path: str, text: str) -> None:
    place = Path(f"{root}{path}")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")


def _draw(root: Path, drawn: random.Random) -> None:
    for stem in drawn.sample(_STEMS, drawn.randrange(6)):
        for directory in drawn.sample(match.DIRECTORIES[:4], drawn.choice((1, 1, 2))):
            _write(root, f"{directory}/{stem}.link", _text(drawn, matched=True))
        for _ in range(drawn.choice((0, 0, 1, 2))):
            place = f"{drawn.choice(match.DIRECTORIES[:4])}/{stem}.link.d"
            name = f"{drawn.randrange(3)}.conf"
            _write(root, f"{place}/{name}", _text(drawn, matched=drawn.random() < 0.3))
    if drawn.random() < 0.7:
        _write(root, _DEFAULT, _DEFAULT_TEXT)
    if drawn.random() < 0.3:
        mask = f"{root}/etc/systemd/network/99-default.link"
        os.makedirs(os.path.dirname(mask), exist_ok=True)
        if not os.path.lexists(mask):
            os.symlink("/dev/null", mask)


def _text(drawn: random.Random, *, matched: bool) -> str:
    """Return a file's text; its last line may want its end, or go on beyond it."""
    text = drawn.choice(("", "# a file\n", "Name=in-no-section\n", "\ufeff"))
    if matched:
        text += "[Match]\n"
        for key in drawn.sample(list(_CONDITIONS), drawn.randrange(3)):
            text += f"{key}={drawn.choice(_CONDITIONS[key])}\n"
    text += "[Link]\n" + "\n".join(drawn.sample(_LINES, drawn.randrange(6)))
    return text + drawn.choice(("\n", "", "\nDescription=a\\\n"))


def _nics(drawn: random.Random) -> list[Nic]:
    """Return NICs of which several may have one address, as the ports of a switch have."""
    return [
        Nic(name, permanent_mac=drawn.choice(_MACS), path=drawn.choice(_PATHS), present=True)
        for name in _NAMES
    ]


def _as_booted(udev: Udev, nic: Nic) -> Nic:
    """Return a NIC as udev notes it."""
    path = udev.taken(nic)[0]
    noted = [("ID_NET_DRIVER", "r8169"), ("ID_NET_LINK_FILE", path)]
    return replace(nic, properties=tuple(noted[: 2 if path else 1]))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    _write(tmp_path, "/usr/lib/udev/rules.d/80-net-setup-link.rules", "IMPORT{builtin}=...\n")
    return tmp_path


def _make(root: Path, nic: Nic, words: str, secret: str = "") -> link_file.LinkFile | None:
    return link_file.make(Paths(str(root)), nic, words, secret)


@pytest.mark.parametrize("seed", range(60))
def test_nothing_but_what_wakes_the_machine_changes(root: Path, seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311 - a draw that can be made again
    _draw(root, drawn)
    udev = Udev(root)
    nics = _nics(drawn)
    before = {nic.name: (udev.taken(nic)[0], udev.means(nic), udev.wakes(nic)) for nic in nics}
    words, secret = drawn.choice(_WORDS), drawn.choice(("", "/etc/netfail-hooks/x"))
    uplink = _as_booted(udev, drawn.choice(nics))
    behind = [path for path, _ in udev.files if os.path.basename(path) > "zz-netfail-"]
    if behind and not udev.taken(uplink)[0]:
        with pytest.raises(Misuse, match="no name of ours sorts behind"):
            _make(root, uplink, words, secret)
        return
    made = _make(root, uplink, words, secret)
    if made is None:
        assert (udev.wakes(uplink), secret) == ((set(words.split()), []), "")
        return
    assert Path(made.path).name not in os.listdir(_there(root))
    _write(root, made.path, made.text)
    udev = Udev(root)
    assert udev.taken(uplink)[0] == made.path
    assert udev.wakes(uplink) == (set(words.split()), [secret] if secret else [])
    for nic in nics:
        path, means, wakes = before[nic.name]
        assert udev.means(nic) == means, made.text
        if udev.taken(nic)[0] != made.path:
            assert (udev.taken(nic)[0], udev.wakes(nic)) == (path, wakes)
        else:
            assert nic.permanent_mac == uplink.permanent_mac
            assert path == before[uplink.name][0]
    assert _make(root, _as_booted(udev, uplink), words, secret) == made, "after a boot"
    assert _make(root, Nic(uplink.name), words, secret) == made, "where it is unplugged"
    os.unlink(f"{root}{made.path}")
    stale = replace(uplink, properties=(("ID_NET_LINK_FILE", made.path),))
    assert _make(root, stale, words, secret) == made, "installed again, and not booted since"
    gone = Udev(root)
    assert {nic.name: gone.taken(nic)[0] for nic in nics} == {n: b[0] for n, b in before.items()}


def _there(root: Path) -> Path:
    directory = root / "etc/systemd/network"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def test_debians_own_are_repeated(root: Path) -> None:
    _write(root, _DEFAULT, _DEFAULT_TEXT)
    made = _make(root, _NIC, "magic")
    assert made
    assert made.path == _OURS
    assert made.text == (
        f"# netfail-hooks: in place of {_DEFAULT}; change that one and run "
        "'sudo netfail-hooks install' again, this one is written anew\n\n"
        "[Match]\nOriginalName=*\n\n"
        "[Link]\nNamePolicy=keep kernel database onboard slot path\n"
        "AlternativeNamesPolicy=database onboard slot path\nMACAddressPolicy=persistent\n\n"
        f"[Match]\nPermanentMACAddress={_MACS[0]}\n\n[Link]\nWakeOnLan=magic\n"
    )
    _write(root, _USB, "[Match]\nPath=*-usb-*\n\n[Link]\nNamePolicy=mac\n")
    usb = replace(_NIC, properties=(("ID_NET_LINK_FILE", _USB),))
    made = _make(root, usb, "magic")
    assert made
    assert made.path == "/etc/systemd/network/73-usb-net-by-mac-netfail-eth0.link"
    assert "Path=*-usb-*\n\n[Link]\nNamePolicy=mac\n" in made.text


def test_where_udev_takes_none_ours_says_no_more_and_comes_last(root: Path) -> None:
    os.makedirs(f"{root}/etc/systemd/network")
    os.symlink("/dev/null", f"{root}/etc/systemd/network/99-default.link")
    made = _make(root, replace(_NIC, properties=_NIC.properties[1:]), "magic")
    assert made
    assert made.path == "/etc/systemd/network/zz-netfail-eth0.link"
    assert made.text == (
        "# netfail-hooks: how eth0 wakes the machine; no other .link file is for it\n\n"
        f"[Match]\nPermanentMACAddress={_MACS[0]}\n\n[Link]\nWakeOnLan=magic\n"
    )


_REFUSED: Mapping[str, tuple[Nic, str]] = {
    "unplugged": (Nic("eth0"), "eth0 is not there"),
    "virtual": (replace(_NIC, kind="bond"), "by eth0 nothing can wake a machine"),
    "deaf": (replace(_NIC, deaf=True), "by eth0 nothing can wake a machine"),
    "no address": (replace(_NIC, permanent_mac=""), "hardware address that it keeps"),
    "none that counts": (replace(_NIC, permanent_mac="00:00:00:00:00:00"), "that it keeps"),
    "InfiniBand": (replace(_NIC, permanent_mac=":".join(["01"] * 20)), "that it keeps"),
    "hostile": (replace(_NIC, permanent_mac="52:54:00:00:00:01\n[Link]"), "that it keeps"),
    "no udev": (replace(_NIC, properties=()), "udev does not tell"),
    "gone": (replace(_NIC, properties=(("ID_NET_LINK_FILE", "/run/x/5-x.link"),)), "is gone"),
}


@pytest.mark.parametrize("why", _REFUSED)
def test_what_can_not_be_told_is_refused(root: Path, why: str) -> None:
    _write(root, _DEFAULT, _DEFAULT_TEXT)
    nic, said = _REFUSED[why]
    with pytest.raises(Misuse, match=said):
        _make(root, nic, "magic")


def test_what_wakes_nobody_need_not_be_told_not_to(root: Path) -> None:
    assert _make(root, replace(_NIC, deaf=True), "off") is None


def test_a_file_that_can_not_be_repeated_is_refused(root: Path) -> None:
    _write(root, _DEFAULT, _DEFAULT_TEXT)
    for text in ("[Link\nMTUBytes=1400\n", "[Link]\nDescription=\udcff\n"):
        place = Path(f"{root}/etc/systemd/network/99-default.link.d/a.conf")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(Misuse, match="or a drop-in of it can't be read"):
            _make(root, _NIC, "magic")
    os.symlink("/dev/null", f"{root}/etc/systemd/network/99-default.link")
    with pytest.raises(Misuse, match="gone or empty") as caught:
        _make(root, _NIC, "magic")
    assert caught.value.hint == "reboot, then run 'sudo netfail-hooks install' again"
    long = f"/etc/systemd/network/{'x' * 240}.link"
    _write(root, long, _DEFAULT_TEXT)
    with pytest.raises(Misuse, match="as long as"):
        _make(root, replace(_NIC, properties=(("ID_NET_LINK_FILE", long),)), "magic")


def test_rules_that_are_masked_read_no_link_file(root: Path) -> None:
    """By these some keep the kernel's names, where .link files would be read for them."""
    none = replace(_NIC, properties=_NIC.properties[1:])
    assert _make(root, none, "magic")
    os.makedirs(f"{root}/etc/udev/rules.d")
    os.symlink("/dev/null", f"{root}/etc/udev/rules.d/80-net-setup-link.rules")
    with pytest.raises(Misuse, match="udev does not tell"):
        _make(root, none, "magic")


def test_each_interface_has_its_own(root: Path) -> None:
    _write(root, _DEFAULT, _DEFAULT_TEXT)
    other = replace(_NIC, name="b-netfail-eth0")
    for nic in (_NIC, other):
        made = _make(root, nic, "magic")
        assert made
        _write(root, made.path, made.text)
        found = link_file.find(Paths(str(root)), nic.name)
        assert found
        assert found.path == made.path
    os.unlink(f"{root}{_OURS}")
    assert link_file.find(Paths(str(root)), "eth0") is None
    _write(root, "/etc/systemd/network/my-netfail-eth0.link", "[Match]\nPath=x\n")
    assert link_file.find(Paths(str(root)), "eth0") is None, "the user's own"
