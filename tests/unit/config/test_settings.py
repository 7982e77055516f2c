"""A setting is one entry in a list: all that knows of settings is made from it."""

from __future__ import annotations

import importlib.util
import tomllib
from types import ModuleType

import pytest

from netfail_hooks.config import Target, cache, default_metrics, settings
from netfail_hooks.config.file import parse, render
from netfail_hooks.config.kinds import Number
from netfail_hooks.config.settings import UPLINK, Setting
from netfail_hooks.values import replace, value
from tests.support import ROOT
from tests.support.world import config_of

UPLINKS = '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n'
# Fields that there are, under names that no list but settings.SETTINGS knows.
NEW = Setting("hold_down", "calm", Number(0, 77), "seconds of calm", field="quiet")
NEW_OF_UPLINK = Setting(UPLINK, "patience", Number(50, 66), "milliseconds", field="timeout")


@pytest.fixture
def reference() -> ModuleType:
    """Return what makes the documents, anew: it remembers the list."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs/reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _longer_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SETTINGS", (*settings.SETTINGS, NEW, NEW_OF_UPLINK))


def test_a_new_key_is_read() -> None:
    config, wrong = parse(tomllib.loads(f"hold_down.calm = 7\n{UPLINKS}patience = 55\n"))
    assert wrong == []
    assert config
    assert (config.quiet, [uplink.timeout for uplink in config.uplinks]) == (7, [500, 55])


def test_a_new_key_is_checked() -> None:
    _, wrong = parse(tomllib.loads(f"hold_down.calm = 78\n{UPLINKS}patience = 67\n"))
    assert wrong == [
        "hold_down.calm: must be 0 to 77, not 78",
        "uplink 2: patience: must be 50 to 66, not 67",
    ]
    _, wrong = parse(tomllib.loads(f"hold_down.clam = 7\n{UPLINKS}"))
    assert wrong == ["hold_down.clam: unknown key, did you mean hold_down.calm?"]


def test_a_new_key_is_written() -> None:
    config = replace(config_of("eth0"), quiet=7)
    written = render(config).splitlines()
    assert "calm = 7  # seconds of calm" in written
    assert written.index("calm = 7  # seconds of calm") > written.index("[hold_down]")
    assert "patience = 500  # milliseconds" in written


def test_a_new_key_is_in_the_manual_and_in_the_documents(reference: ModuleType) -> None:
    assert "| `hold_down.calm` | `600` | 0 to 77 | seconds of calm |" in reference.markdown(
        "hold_down"
    )
    assert "| `patience` | `500` | 50 to 66 | milliseconds |" in reference.markdown("uplink")
    manual = reference.settings("")
    assert ".B hold_down.calm\nSeconds of calm (default 600; 0 to 77).\n" in manual
    assert ".B uplink.patience\n" in manual


@value
class Fields:
    """A field of each kind that a value class of the config may have."""

    number: int = 3
    flag: bool = True
    text: str = ""
    texts: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()


@pytest.mark.parametrize(
    "item",
    [
        Fields(),
        Fields(-1, flag=False, text="/run/a=b,c/n.prom", texts=("10.0.0.0/8", "fd00::/8")),
        Fields(texts=("a",), targets=(Target(4, "192.0.2.1"), Target(6, "::1", 53))),
    ],
)
def test_a_new_field_is_in_the_compiled_form(item: Fields) -> None:
    assert cache._parse(cache._compile(item), Fields) == item  # type: ignore[arg-type]


def test_each_field_of_the_config_has_a_kind_that_can_be_compiled() -> None:
    (uplink,) = default_metrics(("eth0",))
    config = config_of("eth0")
    nested = {"uplinks", "bond", "orders"}  # orders are not compiled
    kinds = {
        kind
        for holder in (config, config.bond, uplink)
        for name, kind in type(holder).__annotations__.items()
        if not (holder is config and name in nested)
    }
    assert kinds <= set(cache._PARSERS)
