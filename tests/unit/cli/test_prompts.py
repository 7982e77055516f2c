"""What a dry run shows: the change, and nothing of what only root and networkd may read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks import cli
from netfail_hooks.bundle.network_files import hidden, hidden_settings, hidden_words
from netfail_hooks.cli import prompts
from netfail_hooks.cli.prompts import show
from netfail_hooks.install.nodes import FILE, Node
from netfail_hooks.install.plan import FileChange, diff, split
from netfail_hooks.managers import WirelessNetwork
from netfail_hooks.managers.wifi import supplicant
from tests.support.machine import Machine

PAIR = ("--primary", "eth0", "--backup", "wlan0")
NETWORK = "/etc/systemd/network/20-eth0.network"
_OPEN = """\
[Match]
Name=eth0
# where the printer is
[Network]
Address=192.168.1.252/24
Gateway=192.168.1.1
Domains=lan
# the Wi-Fi's password is sesame
[WireGuard]
PrivateKey=sesame
[WireGuardPeer]
PresharedKey = sesame \\
  sesame
[MACsecTransmitAssociation]
Key=sesame
X-Password=sesame
"""
_CLOSED = """\
[Match]
Name=eth0
# sesame
[Network]
Address=192.168.1.252/24
Gateway=192.168.1.1
DNS=192.168.1.1#sesame
Domains=sesame.example
DNS=192.168.1.2 \\
# sesame
  192.168.1.3#sesame
sesame
[Sesame]
Sesame=sesame
[DHCPv4]
ClientIdentifier=sesame
Hostname=sesame\\
sesame
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    ("text", "mode", "seen"),
    [
        (_OPEN, 0o644, ["+# where the printer is", "+Domains=lan", "+PrivateKey=(redacted)"]),
        (_CLOSED, 0o640, ["+Address=192.168.1.252/24", "+ClientIdentifier=(redacted)"]),
        (_CLOSED, 0o600, ["+# (redacted)", "+Domains=(redacted)"]),
    ],
)
def test_a_secret_is_in_the_file_and_not_in_the_dry_run(
    machine: Machine, capsys: pytest.CaptureFixture[str], text: str, mode: int, seen: list[str]
) -> None:
    text = text.replace("Address=192.168.1.252/24\nGateway=192.168.1.1\n", "", 1)
    text = text.replace("[Network]\n", "[Network]\nAddress=192.168.1.252/24\n", 1)
    machine.write(NETWORK, text, mode=mode)
    machine.install(*PAIR, "--dry-run")
    out = capsys.readouterr().out
    assert "sesame" not in out.lower().replace("[sesame]", "").replace("sesame=(redacted)", "")
    for line in seen:
        assert line in out.splitlines()
    machine.install(*PAIR, "--yes")
    assert "sesame" in machine.read("/etc/systemd/network/10-netfail-eth0.network")
    capsys.readouterr()
    machine.uninstall("--dry-run")
    out = capsys.readouterr().out
    assert "sesame" not in out.lower().replace("[sesame]", "").replace("sesame=(redacted)", "")


def test_a_tab_is_shown_as_one(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.write(NETWORK, "[Match]\nName=eth0\n[Network]\n\tDHCP=yes\n\tDomains=\x1b[2J\n")
    assert cli.entry(["install", "--root", str(machine.root), *PAIR, "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "+\tDHCP=yes\n" in shown
    assert "+\tDomains=\\u001b[2J\n" in shown


def test_another_secret_is_a_change_though_both_look_alike(
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, new = (Node(FILE, f"[X]\nKey={word}\n".encode()) for word in ("one", "two"))
    show((FileChange("/x.network", old, new),), (), as_json=False)
    out = capsys.readouterr().out.splitlines()
    at = out.index("-Key=(redacted)")
    assert out[at + 1] == "+Key=(redacted)"
    assert any(line.startswith("(redacted) below stands for") for line in out[:at])


def test_what_was_closed_before_stays_so_in_the_diff(capsys: pytest.CaptureFixture[str]) -> None:
    page = b'targets = ["https://192.0.2.1/sesame 204", "http6://up.test/a?sesame"]\n'
    old = Node(FILE, b"# sesame\n" + page, 0o640)
    new = Node(FILE, b"# sesame\nx = 1 # sesame\n", 0o644)
    for path in ("/x.network", "/config.toml"):
        show((FileChange(path, old, new),), (), as_json=False)
        out = capsys.readouterr().out
        assert "sesame" not in out
    assert '-targets = ["https://192.0.2.1/(redacted) 204", "http6://up.test/(redacted)"]' in out
    show((FileChange("/config.toml", None, new),), (), as_json=False)
    assert "+x = 1 # sesame" in capsys.readouterr().out


_WIFI = """\
# netfail-hooks: as it was found
ctrl_interface=DIR=/run/wpa_supplicant GROUP=netdev
country=GB # sesame
# sesame
network={
\tssid="house"
\tpsk="sesame"
\tkey_mgmt=WPA-PSK SAE
\tpriority=1
\tidentity="sesame"
\tprivate_key_passwd="sesame"
\twep_key0=73657361
\tbssid=02:00:00:00:01:00 # sesame
\tsesame
    sae_password=sesame\r
\tphase2="auth=MSCHAPV2 sesame"
\tproto=RSN#sesame
\tgroup="sesame"
}
blob-base64-x={
c2VzYW1lc2VzYW1l
}
"""


def test_of_a_file_with_keys_there_are_words_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    old, new = None, Node(FILE, _WIFI.encode(), 0o600)
    path = "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
    for change in (FileChange(path, old, new), FileChange(path, new, old)):
        show((change,), (), as_json=False)
        out = capsys.readouterr().out
        assert "sesame" not in out
        assert "c2VzYW1l" not in out
        shown = [line[1:] for line in out.splitlines()]
        assert "73657361" not in out
        for line in (
            "# netfail-hooks: as it was found",
            "network={",
            '\tssid="house"',
            "\tkey_mgmt=WPA-PSK SAE",
            "\tpriority=1",
            "\tpsk=(redacted)",
            "\tidentity=(redacted)",
            "\twep_key0=(redacted)",
            "\tbssid=(redacted)",
            "}",
        ):
            assert line in shown


def test_a_network_can_be_checked_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    """We write it in digits, which hold any name."""
    networks = [
        WirelessNetwork(name.encode(), key_mgmt="WPA-PSK", psk="sesame sesame")
        for name in ("the attic", "caf\u00e9", "a\nb")
    ]
    text = supplicant.config(networks, "GB")
    path = "/etc/wpa_supplicant/wpa_supplicant-wlan0.conf"
    show((FileChange(path, None, Node(FILE, text.encode(), 0o600)),), (), as_json=False)
    out = capsys.readouterr().out
    assert '+\tssid=746865206174746963  # "the attic"\n' in out
    assert '# "caf\u00e9"\n' in out
    assert "+\tssid=610a62\n" in out
    assert "+country=GB\n" in out
    assert "sesame" not in out


@given(
    st.text().map(lambda text: text.replace("=", "")), st.text("sesame\"'#\n\\= {}\r", max_size=12)
)
def test_no_value_of_an_unknown_key_is_shown(value: str, around: str) -> None:
    value = f"s3same{value}".splitlines()[0]
    lines = (f"psk={value}", f"{around}{value}", f"{around}\nidentity={value}", f"eap={value}")
    for text in (*lines, f"blob-base64-x={{\n{value}=\n{value}==\n}}"):
        assert "s3same" not in hidden_settings(text)


_WORDS = [
    "[X]",
    "Address=10.0.0.1/8",
    "Key=k",
    "# c",
    ";",
    "\\",
    "\r",
    "\f",
    "\x85",
    "\u2028",
    "=",
    "x",
]


@given(st.lists(st.sampled_from([*_WORDS, "\n", "\n", "\\\n"])).map("".join), st.booleans())
def test_each_line_has_its_own(text: str, closed: bool) -> None:  # noqa: FBT001 - drawn
    assert len(split(hidden(text, closed=closed))) == len(split(text))
    assert len(split(hidden_words(text))) == len(split(text))
    assert len(split(hidden_settings(text))) == len(split(text))
    if not closed and not re.search("key", text, re.IGNORECASE):
        assert hidden(text, closed=closed) == text


@pytest.mark.parametrize("command", ["install", "uninstall"])
@pytest.mark.parametrize("asked", [True, False])
def test_what_a_person_agreed_to_is_not_listed_again(
    machine: Machine,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    asked: bool,  # noqa: FBT001
) -> None:
    """Who was not asked, such as a script's log, sees each path; who was, how many there are."""
    monkeypatch.setattr(prompts, "_somebody_looks", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: "y")
    words = [] if asked else ["--yes"]
    if command == "uninstall":
        machine.install(*PAIR, "--yes")
        capsys.readouterr()
    else:
        words += PAIR
    assert cli.entry([command, "--root", str(machine.root), *words]) == 0
    out = capsys.readouterr().out
    done = "made" if command == "install" else "removed"
    counted = re.findall(rf"^(?:changed \d+ .*)?{done} \d+ .*directories", out, re.MULTILINE)
    listed = re.findall(r"^(?:make|write|remove) /.+", out, re.MULTILINE)
    assert (len(counted), bool(listed)) == (int(asked), not asked)
    if asked and command == "install":
        (where,) = re.findall(r"\('sudo (netfail-hooks .*)' shows them\)", out)
        assert cli.entry(where.split()[1:]) == 0
        assert "/etc/netfail-hooks/config.toml" in capsys.readouterr().out


def test_another_plan_than_was_agreed_to_is_told_in_full(
    capsys: pytest.CaptureFixture[str],
) -> None:
    changes = tuple(FileChange(f"/{at}", None, Node(FILE, b"")) for at in range(9))
    prompts.tell(changes, changes)
    assert capsys.readouterr().out == "made 9 new files\n"
    prompts.tell(changes, changes[1:])
    assert len(capsys.readouterr().out.splitlines()) == 9


@given(
    word=st.sampled_from(
        ["static:::1:2:3:4", "::9", "eui64", "prefixstable", "prefixstable:2001:db8::", "sesame"]
    ),
    closed=st.booleans(),
)
def test_half_an_address_is_no_secret_and_what_is_hidden_is_explained(
    *, word: str, closed: bool
) -> None:
    text = f"[IPv6AcceptRA]\nToken={word}\n"
    change = FileChange("/x.network", None, Node(FILE, text.encode(), 0o600 if closed else 0o644))
    out = diff((change,), hide=prompts._hide)
    told = "(redacted) below stands for what may be secret" in out
    assert ("+Token=(redacted)" in out) == told == (word == "sesame" or closed)


_CHANGED = st.lists(st.sampled_from(["make", "change", "remove"]), min_size=1, max_size=60)


@given(kinds=_CHANGED, commands=st.lists(st.sampled_from(["nmcli a b", "systemctl start x"])))
def test_a_dry_run_ends_in_short(kinds: list[str], commands: list[str]) -> None:
    """How many files, which commands and services, and that nothing was done."""
    old, new = Node(FILE, b"a"), Node(FILE, b"b")
    ends = {"make": (None, new), "change": (old, new), "remove": (old, None)}
    changes = tuple(
        FileChange(f"/etc/systemd/system/x.wants/{at}.timer", *ends[kind])
        for at, kind in enumerate(kinds)
    )
    lines = prompts.in_short(changes, commands, ["This is what becomes of it."])
    text = "\n".join(lines)
    for kind in ends:
        count = kinds.count(kind)
        assert (f"{kind} {count} " in text) == bool(count)
    assert "This is what becomes of it." in text
    for program in ("nmcli", "systemctl"):
        used = any(command.startswith(program) for command in commands)
        assert (program in text) == used
    for at, kind in enumerate(kinds):
        named = re.search(rf"Services (\w+): (?:.*, )?{at}\.timer[,.]", text)
        expected = {"make": "enabled", "change": None, "remove": "disabled"}[kind]
        assert (named[1] if named else None) == expected
    assert lines[-1] == "Nothing was changed: this was a dry run."
    assert len(lines) <= 8


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_each_dry_run_ends_so(
    machine: Machine, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    if command == "uninstall":
        machine.install(*PAIR, "--yes")
        machine.uninstall("--dry-run")
    else:
        machine.install(*PAIR, "--dry-run")
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "Nothing was changed: this was a dry run."
    assert "In short:" in lines[-6:]
    assert any("netfail-hooks-check.timer" in line for line in lines[-4:])
    if command == "uninstall":
        machine.install("--dry-run")
        assert capsys.readouterr().out.startswith("All is in place already. Nothing was changed")
