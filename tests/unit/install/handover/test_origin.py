"""From where somebody came in, sudo or not, and whether that is reachable."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from pytest_mock import MockerFixture

from netfail_hooks.errors import Problem
from netfail_hooks.install.handover import origin as module
from netfail_hooks.install.handover.origin import await_back, origin, session
from netfail_hooks.paths import package_home

_ASK = (
    f"import sys; sys.path.insert(0, {package_home()!r}); "
    "from netfail_hooks.install.handover.origin import session; "
    "print(session().client, session().server)"
)


def _told(connection: str, *, between: bool) -> str:
    """Return what a child of a shell with that environment says; ``between`` drops the variable."""
    dropped = "unset SSH_CONNECTION; " if between else ""
    script = f'{dropped}"$1" -c "$2"; true'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, _ASK],
        env={**os.environ, "SSH_CONNECTION": connection},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7", "fe80::7%eth0"])
def test_the_client_is_found_through_who_started_us(address: str, *, between: bool) -> None:
    assert _told(f"{address} 50022 192.0.2.1 22", between=between) == f"{address} 192.0.2.1"


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),  # of a server that listens to IPv6 alone
        ("2001:DB8:0:0::1", "2001:db8::1"),  # as the kernel prints it
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("fe80::1%a/b", ""),
        ("no", ""),
    ],
)
def test_both_ends_are_as_the_kernel_has_them(said: str, known: str) -> None:
    assert _told(f"192.0.2.7 50022 {said} 22", between=False) == f"192.0.2.7 {known}".strip()
    client = known or "192.0.2.7"
    assert _told(f"{known or client} 1 {client} 22", between=False) == f"{client} {client}"


def test_an_address_that_does_not_come_back_is_no_install(mocker: MockerFixture) -> None:
    mocker.patch.object(module, "_PATIENCE", 0.3)
    there = mocker.patch.object(module, "uplink_of", side_effect=["", "", "eth0"])
    await_back("fd00::7", ("eth0",))
    assert there.call_count == 3
    there.side_effect = lambda *_: ""
    with pytest.raises(Problem, match="fd00::7, by which you came in, did not come back"):
        await_back("fd00::7", ("eth0",))


@pytest.mark.parametrize("text", ["; rm -rf / 1 2 3", "fe80::7%", "fe80::7%a/b 1 2 3", "%eth0 1"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert _told(text, between=False) == f"{session().client} {session().server}".strip()
    assert origin() == session().client
