"""The words that events are written in."""

from __future__ import annotations

import pytest

from netfail_hooks.errors import Misuse
from netfail_hooks.replay import events
from netfail_hooks.replay.events import STATES, Event


@pytest.mark.parametrize(
    ("word", "step"),
    [
        ("eth0=no-carrier", Event("eth0", "no-carrier")),
        ("a=b=off", Event("a=b", "off")),
        ("eth0=configured", Event("eth0", "configured", wait=0)),
        ("+12s", Event(wait=12)),
    ],
)
def test_words(word: str, step: Event) -> None:
    assert events.parse([word], states=STATES) == (step,)
    assert str(step) == word


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("eth0", "not an event: 'eth0': write INTERFACE=STATE"),
        ("=off", "not an event"),
        ("a/b=off", "not an event"),
        ("x" * 16 + "=off", "not an event"),
        ("eth0=", "no state ''"),
        ("eth0=no-carier", "no state 'no-carier': did you mean eth0=no-carrier?"),
        ("eth0=OFF\n", "no state"),
        ("eth0=dead", "no state 'dead'"),
        ("+12", "not an event"),
        ("+999999s", "not an event"),
    ],
)
def test_wrong_words(word: str, told: str) -> None:
    with pytest.raises(Misuse) as wrong:
        events.parse([word], states=STATES)
    assert told in str(wrong.value)
    assert "\n" not in str(wrong.value)


def test_a_plain_list_may_have_comments_and_many_words_a_line() -> None:
    text = "# begin\neth0=no-carrier wlan0=routable # both\n\n+3s\n"
    found = events.read(text, states=STATES)
    assert [str(step) for step in found] == ["eth0=no-carrier", "wlan0=routable", "+3s"]


def test_one_word_may_be_a_file_and_several_are_events() -> None:
    assert events.are_words(["eth0=off"])
    assert events.are_words(["+3s"])
    assert events.are_words(["recorded", "eth0=off"])
    assert not events.are_words(["recorded"])


def test_interfaces_are_named_once_in_order() -> None:
    text = "wlan0=off +3s eth0=off wlan0=routable"
    assert events.interfaces(events.read(text, states=STATES)) == ("wlan0", "eth0")
