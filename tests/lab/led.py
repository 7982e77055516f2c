"""A booted lab whose uplinks another manager has by DHCP: each manager there is, by its name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from netfail_hooks import lab as sandbox
from tests.lab.denied import Denied
from tests.lab.handed import Handed
from tests.lab.managed import Managed
from tests.lab.raised import Raised

MANAGERS = {"dhcpcd": Denied, "ifupdown": Raised, "NetworkManager": Managed}


@contextlib.contextmanager
def led_by(manager: str, *, shown: int) -> Iterator[Handed]:
    """Yield the lab, its uplinks up; ``shown`` lines of its journal are printed at the end."""
    why = sandbox.why_not_real()
    if why:
        pytest.fail(f"needs root and the real daemons: {why}", pytrace=False)
    with MANAGERS[manager]() as lab:
        lab.start_dhcp()
        if isinstance(lab, Denied):
            lab.write_config()
        elif isinstance(lab, Managed):
            lab.write_profiles()
        if isinstance(lab, Raised):
            lab.write_stanzas("dhcp\n")
            lab.raise_all()
        elif isinstance(lab, Denied | Managed):
            lab.start_manager()
        yield lab
        print("\n".join(lab.journal()[-shown:]))
