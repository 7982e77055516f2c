"""Any status, of routes or of a bond, drawn by hypothesis."""

from __future__ import annotations

from hypothesis import strategies as st

from netfail_hooks.kernel.lookup import RouteLookup
from netfail_hooks.status.bond import BondReport, SlaveReport
from netfail_hooks.status.values import Family, Report, UplinkReport
from tests.support.drawn_values import ADDRESSES, INTERFACES, PREFIXES, values_of

FAMILY = values_of(
    Family,
    state=st.sampled_from(["up", "down", "recovering", "absent", "unknown"]),
    addresses=st.lists(PREFIXES, max_size=3).map(tuple),
    gateway=st.just("") | ADDRESSES,
    silent=st.lists(ADDRESSES, max_size=2).map(tuple),
)
_LOOKUPS = st.lists(
    st.builds(RouteLookup, ADDRESSES, INTERFACES, st.just("") | ADDRESSES, ADDRESSES), max_size=2
).map(tuple)
REPORTS = values_of(
    Report,
    uplinks=st.lists(
        values_of(
            UplinkReport, interface=INTERFACES, families=st.lists(FAMILY, max_size=2).map(tuple)
        ),
        min_size=1,
        max_size=3,
    ).map(tuple),
    lookups=_LOOKUPS,
)
BONDS = values_of(
    BondReport,
    slaves=st.lists(values_of(SlaveReport, interface=INTERFACES), min_size=1).map(tuple),
    targets=st.lists(ADDRESSES, max_size=3).map(tuple),
    addresses=st.lists(PREFIXES, max_size=3).map(tuple),
    lookups=_LOOKUPS,
)
