"""What is remembered, as text. That it is read as it was written is shown by tests/model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.memory import Memory, parse, render


@given(st.text(max_size=300))
def test_a_damaged_memory_is_refused_not_believed(garbage: str) -> None:
    for text in (garbage, render(Memory())[:-4] + garbage + "\nend\n"):
        try:
            found = parse(text)
        except ValueError:
            continue
        assert isinstance(found, Memory)
