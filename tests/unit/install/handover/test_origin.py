"""From where somebody came in, sudo or not, and whether that is reachable."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from netfail_hooks.install.handover.origin import origin
from netfail_hooks.paths import package_home

_ASK = (
    f"import sys; sys.path.insert(0, {package_home()!r}); "
    "from netfail_hooks.install.handover.origin import origin; print(origin())"
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
    assert _told(f"{address} 50022 192.0.2.1 22", between=between) == address


@pytest.mark.parametrize("text", ["; rm -rf / 1 2 3", "fe80::7%", "fe80::7%a/b 1 2 3", "%eth0 1"])
def test_what_is_no_address_is_none(text: str) -> None:
    assert _told(text, between=False) == origin()
