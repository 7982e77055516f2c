"""What an interface has is put back as it was, by the real kernel, without anybody's help."""

from __future__ import annotations

import re
from collections.abc import Callable

from netfail_hooks.lab import Lab
from netfail_hooks.paths import package_home

_SET_UP = """
ip link add d0 type veth peer name d1
ip link set d0 up; ip link set d1 up
ip address add 10.0.0.2/24 dev d0 metric 100
ip address add 10.0.0.3/24 dev d0 valid_lft 500 preferred_lft 300
ip address add 10.9.0.3/24 dev d1
ip address add fd00::2/64 dev d0 valid_lft 1000 preferred_lft 900 nodad
ip address add fd01::2/64 dev d0 noprefixroute nodad
ip route add default via 10.0.0.1 dev d0 proto static src 10.0.0.2 metric 77 mtu 1400
ip route add 1.0.0.0/8 via 10.9.0.1 dev d1 proto static
ip route append 1.0.0.0/8 via 10.0.0.1 dev d0 proto dhcp
ip route add 2.0.0.0/8 proto static nexthop via 10.0.0.1 dev d0 weight 2 nexthop via 10.9.0.1 dev d1
ip route add 9.9.9.9 via 10.7.0.1 dev d0 onlink table 777
ip route add default via fd00::1 dev d0 proto ra metric 512 expires 600 pref high
ip route add 2001:db8::/32 via fe80::1 dev d0 proto static metric 76
ip nexthop add id 5 via 10.0.0.9 dev d0
ip route add 8.8.8.0/24 nhid 5
"""
_SPOIL = """
ip -4 address flush dev d0
ip -6 address flush dev d0 scope global
ip -6 route flush dev d0 proto static
ip -6 route flush dev d0 proto ra
ip address add 10.0.0.2/24 dev d0 metric 55
ip address add 10.77.0.2/24 dev d0
ip route add default via 10.77.0.1 dev d0 proto static metric 55
"""
_SHOW = r"""
ip -details -oneline address show d0 | sed 's/[0-9]*sec//g' | sort
ip -4 -details route show table all
ip -6 -details route show table all | sed 's/expires [0-9]*sec//' | sort
"""
_CODE = f"""
import subprocess, sys
sys.path.insert(0, {package_home()!r})
from netfail_hooks.kernel import netlink, snapshot
link = subprocess.run(["ip", "-oneline", "link", "show", "d0"], capture_output=True, text=True)
with netlink.Netlink() as kernel:
    kept = snapshot.take(kernel, int(link.stdout.partition(":")[0]))
    nothing = snapshot.put_back(kernel, kept, exactly=True)
    subprocess.run(["sh", "-ec", {_SPOIL!r}], check=True)
    lost = len(snapshot.missing(kernel, kept))
    print(nothing, lost > 5, snapshot.put_back(kernel, kept, exactly=True))
"""


def test_addresses_and_routes_come_back_as_they_were(make_lab: Callable[..., Lab]) -> None:
    lab = make_lab(unmanaged=True, start=False)
    done = lab.run("sh", "-ec", _SET_UP)
    assert done.returncode == 0, done.stderr
    before = lab.run("sh", "-c", _SHOW).stdout.splitlines()
    done = lab.run("python3", "-I", "-c", _CODE)
    assert done.stdout == "[] True []\n", done.stdout + done.stderr
    assert lab.run("sh", "-c", _SHOW).stdout.splitlines() == before


_BOND = """
ip link add d0 type veth peer name d1
ip link add e0 type veth peer name e1
ip link set d0 up; ip link set d1 up; ip link set e1 up
ip address add 10.0.0.2/24 dev d0 metric 100
ip address add fd00::2/64 dev d0 nodad
ip route add default via 10.0.0.1 dev d0 proto static src 10.0.0.2
ip route add default via fd00::1 dev d0 proto static metric 512
"""
_AS_OTHER = "(ip -4 route; ip -6 route show default; ip -oneline address show scope global) | sort"
_PUT = f"""
import subprocess, sys
sys.path.insert(0, {package_home()!r})
from netfail_hooks.config import Config, default_metrics
from netfail_hooks.install import reconfigure
kept = reconfigure.keep(Config(default_metrics(("d0",))))
subprocess.run(["ip", "link", "delete", "d0"], check=True)
reconfigure.put_back(kept, Config(default_metrics(("d0", "e0"))), ("d0",))
"""


def test_what_a_bond_had_that_is_gone_its_slave_gets(make_lab: Callable[..., Lab]) -> None:
    """No networkd answers in there; a link that was down comes up."""
    lab = make_lab(unmanaged=True, start=False)
    done = lab.run("sh", "-ec", _BOND)
    assert done.returncode == 0, done.stderr
    had = lab.run("sh", "-c", _AS_OTHER).stdout
    done = lab.run("python3", "-I", "-c", _PUT)
    assert done.returncode == 0, done.stderr
    told = [
        line.split(maxsplit=1)[-1] for line in lab.run("sh", "-c", _AS_OTHER).stdout.splitlines()
    ]
    wanted = [line.split(maxsplit=1)[-1] for line in re.sub(r"\bd0\b", "e0", had).splitlines()]
    assert told == wanted
