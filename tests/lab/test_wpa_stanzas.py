"""A stanza's wpa- options become the network that wpasupplicant's own script makes of them.

Its functions.sh tells a real wpa_supplicant, which needs no radio for that, and saves what it was
told (wpa_cli(8), save_config). README.Debian of wpasupplicant says what there is.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from netfail_hooks.files import read_text
from netfail_hooks.lab import Lab
from netfail_hooks.managers import WirelessNetwork, ifupdown, interfaces
from netfail_hooks.managers.wifi import supplicant_file
from netfail_hooks.networkd.nic import read_nic
from tests.lab.conftest import MakeLab
from tests.lab.suite import wait
from tests.support.machine import Machine

_SAVED = "/run/lab/wpa.conf"
_SOCKETS = "/run/lab/wpa"
# wpa_cli is answered at a socket of its own below /tmp.
_START = f"""
mount -t tmpfs none /tmp
printf 'ctrl_interface={_SOCKETS}\\nupdate_config=1\\n' >{_SAVED}
wpa_supplicant -B -Dwired -ieth0 -c{_SAVED}
"""
_SCRIPT = "/etc/wpa_supplicant/functions.sh"
_TELL = f"""
. {_SCRIPT}
wpa_cli remove_network all >/dev/null
conf_wpa_supplicant
wpa_cli save_config
"""
_HEX = st.text("0123456789abcdefABCDEF", min_size=64, max_size=64)
_PLAIN = "".join(chr(one) for one in range(0x21, 0x7F) if chr(one) != "\\")  # echo would heed that
# interfaces(5) has no way to say that a value begins or ends with a space, or with a backslash.
_NAME = st.tuples(
    st.sampled_from(_PLAIN.replace("#", "") + "é"),
    st.text(_PLAIN + " é", max_size=14),
    st.sampled_from(_PLAIN),
).map("".join)
_QUOTED = st.sampled_from(("{}", '"{}"'))
_SECRET = st.tuples(
    st.sampled_from(_PLAIN.replace("#", "")),
    st.text(_PLAIN + " ", min_size=6, max_size=61),
    st.sampled_from(_PLAIN),
).map("".join)
# Without freq_list, which wpa_supplicant does not save (wpa_config_write_network()).
_ONE_OF = {
    "wpa-scan-ssid": ("0", "1"),
    "wpa-priority": ("3", "77"),
    "wpa-bssid": ("02:00:00:AA:00:01",),
    "wpa-proto": ("RSN", "WPA"),
    "wpa-pairwise": ("CCMP", "TKIP"),
    "wpa-group": ("CCMP", "TKIP"),
    "wpa-scan-freq": ("5180",),
    "wpa-ap-scan": ("1",),
    "wpa-key-mgmt": ("WPA-PSK", "NONE", "SAE", "WPA-PSK SAE"),
    "wpa-driver": ("nl80211",),
}
_EAP = {
    "wpa-key-mgmt": ("WPA-EAP",),
    "wpa-eap": ("PEAP", "TTLS", "PEAP TTLS"),
    "wpa-identity": ("somebody@example.org", "a b"),
    "wpa-password": ('open "sesame" # 1',),
    "wpa-ca-cert": ("/etc/ssl/certs/home.pem",),
    "wpa-phase2": ("auth=MSCHAPV2",),
}
# Which it saves of each network, whatever that is; or does not, since it is what there is anyway.
_BY_ITSELF = ("mesh_fwding",)
_ANYWAY = {"scan_ssid": "0"}
_TEXTS = ("ssid", "identity", "password", "ca_cert", "phase2")


@st.composite
def _options(draw: st.DrawFn) -> dict[str, str]:
    """Draw what a stanza says of a Wi-Fi network, and the text of a key's file under ""."""
    said = {draw(st.sampled_from(("wpa-ssid", "wpa-essid"))): draw(_QUOTED).format(draw(_NAME))}
    if draw(st.booleans()):
        key = draw(_HEX | _SECRET)
        where = draw(st.sampled_from(("wpa-psk", "wpa-passphrase", "wpa-psk-file")))
        said[where] = "/run/lab/key" if where == "wpa-psk-file" else draw(_QUOTED).format(key)
        said |= {"": f"{key}\n"} if where == "wpa-psk-file" else {}
        more = _ONE_OF
    else:
        said |= {name: draw(st.sampled_from(texts)) for name, texts in _EAP.items()}
        more = {name: texts for name, texts in _ONE_OF.items() if name != "wpa-key-mgmt"}
    for name in draw(st.lists(st.sampled_from(sorted(more)), unique=True, max_size=5)):
        said[name] = draw(st.sampled_from(more[name]))
    raw = said.get("wpa-psk", said.get("wpa-passphrase", ""))
    if "SAE" in said.get("wpa-key-mgmt", "") and len(raw.strip('"')) == 64:
        del said["wpa-key-mgmt"]  # which wants a passphrase
    return said


def test_a_stanza_comes_to_what_the_script_tells_wpa_supplicant(make_lab: MakeLab) -> None:
    lab = make_lab(start=False)
    with tempfile.TemporaryDirectory() as root:
        machine = Machine(Path(root))
        lab.write(_SCRIPT, read_text(_SCRIPT, limit=-1))
        lab.run("sh", "-c", _START).check_returncode()
        wait(lambda: lab.run("test", "-S", f"{_SOCKETS}/eth0").returncode == 0, "wpa_supplicant")

        @given(_options(), st.booleans())
        @settings(max_examples=60, deadline=None)
        def same(said: dict[str, str], underscored: bool) -> None:  # noqa: FBT001 - drawn
            _is_the_same(lab, machine, said, "_" if underscored else "-")

        same()


def _is_the_same(lab: Lab, machine: Machine, said: dict[str, str], hyphen: str) -> None:
    options = {name: text for name, text in said.items() if name}
    lines = [f"  {name.replace('-', hyphen, 1)} {text}" for name, text in options.items()]
    text = "\n".join(["auto wlan0", "iface wlan0 inet dhcp", *lines, ""])
    machine.write("/etc/network/interfaces", text)
    if "" in said:
        for write in (machine.write, lab.write):
            write("/run/lab/key", said[""])
    found = ifupdown.profile(machine.paths, read_nic("wlan0", machine.paths))
    assert found
    (stanza,) = interfaces.read(machine.paths).stanzas
    told = {f"IF_{key.upper().replace('-', '_')}": value for key, value in stanza.options}
    environment = {"WPA_IFACE": "eth0", "WPA_CTRL_DIR": _SOCKETS, **told}
    done = lab.run("sh", "-c", _TELL, environment=environment)
    assert (done.stdout[-3:], done.stderr) == ("OK\n", ""), text + done.stdout + done.stderr
    real = supplicant_file.parse(_SAVED, lab.read(_SAVED))
    assert list(map(_meant, found.wireless)) == list(map(_meant, real.networks)), text


def _meant(one: WirelessNetwork) -> dict[str, bytes]:
    """Return what a block says, in whichever of its forms: it saves a text as digits at times."""
    return {
        key: supplicant_file.unquoted(said) if key in _TEXTS else said.strip('"').lower().encode()
        for key, said in one.block
        if key not in _BY_ITSELF and _ANYWAY.get(key) != said
    }
