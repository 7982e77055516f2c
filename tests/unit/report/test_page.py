"""The report as a page: whole, readable by all, and nothing on it but what we put there."""

from __future__ import annotations

import html
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from netfail_hooks import bundle, cli, recorder
from netfail_hooks.cli import report as cli_report
from netfail_hooks.config import Bond
from netfail_hooks.networkd import networkctl
from netfail_hooks.report import Page
from netfail_hooks.report.html import page as render
from netfail_hooks.report.style import DARK, LIGHT, STYLE
from netfail_hooks.status.bond import BondReport, SlaveReport, bond_facts, bond_is_healthy
from netfail_hooks.status.facts import facts, is_healthy
from netfail_hooks.status.text import LINKED, UNWELL
from netfail_hooks.status.values import Report
from netfail_hooks.terminal import span
from netfail_hooks.values import replace as replace_value
from tests.support.drawn_statuses import BONDS, REPORTS
from tests.support.machine import Machine
from tests.support.pages import TIME, odd_page, page, well_page, young_page
from tests.support.runs import runs
from tests.unit.test_hostile_text import _hidden, hostile

_VOID = {"br", "meta", "rect", "path"}
Tag = tuple[str, dict[str, str | None]]


class _Read(HTMLParser):
    """Tags in their order, each closed in its turn, and all that is read between them."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[Tag] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def of(self, *names: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.tags if tag in names)


PLAIN = render(page())
READ = _Read(PLAIN)


def test_it_begins_as_html_and_every_tag_is_closed() -> None:
    assert PLAIN.startswith('<!doctype html>\n<html lang="en">')
    assert PLAIN.encode("utf-8")


def test_it_has_landmarks_and_headings_in_their_order() -> None:
    names = [tag for tag, _ in READ.tags]
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert names.count(landmark) == 1
    levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_every_table_has_a_caption_and_every_head_its_scope() -> None:
    names = [tag for tag, _ in READ.tags]
    assert names.count("table") == names.count("caption") > 4
    scopes = [attributes.get("scope") for attributes in READ.of("th")]
    assert set(scopes) == {"col", "row"}
    assert scopes.count("row") == PLAIN.count('<tr><th scope="row">')


def test_every_id_is_there_once_and_every_reference_leads_to_one() -> None:
    ids = [attributes["id"] for _, attributes in READ.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in READ.tags:
        for name in ("aria-labelledby", "aria-describedby", "href"):
            for reference in (attributes.get(name) or "").split():
                assert reference.lstrip("#") in ids
    for reference in re.findall(r"url\(#(\w+)\)", STYLE):
        assert reference in ids


def test_every_picture_says_once_what_it_shows_in_whichever_width() -> None:
    pictures = [one for one in READ.of("div") if one.get("role") == "img"]
    assert len(pictures) == 3
    assert all(str(one["aria-label"]).startswith("Uplinks from 20") for one in pictures)
    drawn = [one for one in READ.of("svg") if one["class"] != "patterns"]
    assert [one["class"] for one in drawn] == ["wide", "narrow"] * 3
    assert all(one.get("aria-hidden") == "true" for one in drawn)
    assert "".join(READ.words).count("wlan0 carried ") == len(pictures)
    assert PLAIN.count("Uplinks from 20") == len(pictures)


def test_the_page_says_why_what_uplinks_carried_may_be_more_than_the_whole() -> None:
    why = "IPv4 may go by one uplink while IPv6 goes by another, and then counts for both"
    assert " ".join("".join(READ.words).split()).count(why) == 1


def test_it_fetches_nothing_and_runs_nothing() -> None:
    (policy,) = [one["content"] for one in READ.of("meta") if "http-equiv" in one]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert not list(READ.of("script", "img", "link", "iframe", "object", "form", "base"))
    for tag, attributes in READ.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
    assert all(str(one["href"]).startswith("#") for one in READ.of("a"))
    assert re.findall(r"url\((?!#)|@import|https?:", PLAIN) == []


def _luminance(colour: str) -> float:
    """As WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_of_text_has_contrast_enough(colours: tuple[str, ...]) -> None:
    back, raised, _, *texts = colours
    for ground in (back, raised):
        for text in texts:
            one, other = sorted((_luminance(ground), _luminance(text)))
            assert (other + 0.05) / (one + 0.05) >= 4.5, (ground, text)


def _plain(markup: str) -> str:
    """Return the words of it, each blank of whatever width as one."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def _rows(section: str) -> list[str]:
    table = PLAIN.partition(f'id="{section}"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    return list(map(_plain, table.split("</tr>")[:-1]))


def test_outages_are_told_with_cause_and_length() -> None:
    told = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "@", row) for row in _rows("outages")]
    assert told == [
        "eth0 @ 50 min, still no carrier",
        "eth0 @ 800 ms no answer from the gateway",
        "no way out @ 5 min 10 s no uplink had the traffic",
        "wlan0 @ 5 min 10 s no answer from the gateway",
        "eth0 @ 1 h 23 min no carrier",
        "wlan0 @ 2 h no carrier",
    ]
    assert "2 damaged lines of the log left out." in PLAIN


def test_the_last_drills_are_told_with_their_verdict_and_what_was_lost() -> None:
    told = [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "@", row) for row in _rows("drills")]
    address = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"
    lost = "echoes lost, none for"
    echo = f"{address}: 380 of 400 {lost} 19000 ms; 3 lost on the way back"
    other = f"198.51.100.1: 14 of 400 {lost} 712 ms; 0 lost on the way back"
    tcp = f"TCP to [{address}]:443 lives, its other side silent for 903 ms"
    assert told == [
        "eth0: its carrier @ cut short nobody was asked",
        f"eth0: its carrier @ failed no carrier {echo}",
        f"eth0: its router @ passed moved after 0.90 s {other}; {tcp}",
    ]
    quiet = render(replace(page(), drills=()))
    assert "None was made: <code>sudo netfail-hooks drill</code> shows whether" in quiet
    _Read(quiet)


def test_what_is_so_now_is_told_and_what_doctor_found() -> None:
    assert _rows("now") == [
        f"eth0 NOT WELL {'down for 50 min so far: no carrier ' * 2}".strip(),
        f"wlan0 ok {'up for 3 d, carries the traffic ' * 2}".strip(),
    ]
    assert "<dt>last move</dt><dd>" in PLAIN.replace("\n", "")
    assert '<b class="bad">broken</b>: the timer of the check does not run' in PLAIN
    assert "<pre>sudo systemctl enable --now netfail-hooks-check.timer</pre>" in PLAIN


def _open_part(shown: Page) -> str:
    """Return what is told of now, as markup, without what is to be opened first."""
    now = render(shown).partition('id="now"')[2].partition("</section>")[0]
    return re.sub(r"<details>.*</details>", "", now, flags=re.DOTALL)


WELL = well_page()


@settings(max_examples=60)
@given(REPORTS | BONDS)
def test_whatever_makes_a_machine_unwell_is_in_the_open(status: Report | BondReport) -> None:
    """Its uplinks are told one by one; so is each fact, those that alone make it unwell marked."""
    if isinstance(status, Report):
        status = replace_value(status, healthy=is_healthy(status))
        wells = [one.healthy for one in status.uplinks]
        told = list(facts(status))
    else:
        status = replace_value(status, healthy=bond_is_healthy(status))
        wells = [one.healthy for one in status.slaves]
        told = list(bond_facts(status))
    shown = replace(WELL, status=status)
    assert (f">{UNWELL}</b></h1>" in render(shown)) is not status.healthy
    markup = _open_part(shown)
    marks = re.findall(r'</th><td><b class="(\w+)">([\w ]+)</b>', markup.replace("\n", ""))
    assert [word == UNWELL for _, word in marks] == [not well for well in wells]
    kinds = {"ok": "good", LINKED: "good", UNWELL: "bad"}
    assert all(kind == kinds.get(word, "waiting") for kind, word in marks), marks
    bad = " ".join(map(_plain, re.findall(r'<dd class="bad">.*?</dd>', markup)))
    for fact in told:
        words = " ".join(fact.text.split())
        assert words in _plain(markup), fact
        assert not fact.unwell or words in bad, fact
    alone = any(fact.unwell for fact in told)
    assert status.healthy is not (alone or any(word == UNWELL for _, word in marks))


def test_what_alone_makes_it_unwell_is_told_first() -> None:
    labels = re.findall(r"<dt>([\w ]+)</dt>", _open_part(odd_page()))
    assert labels[:4] == ["rules", "checks", "at odds", "traffic"]
    assert {"by hand", "drill", "crowded", "files", "events"} < set(labels)


def test_a_share_is_whole_or_none_only_if_it_is() -> None:
    quiet = page()
    (day, *others) = quiet.periods
    for share, told in ((0.999999, "99.99"), (0.000001, "0.01"), (1.0, "100.00"), (0.0, "0.00")):
        way_out = replace(day.way_out, worked=share)
        shown = render(replace(quiet, periods=(replace(day, way_out=way_out), *others)))
        assert re.search(rf"any of them</th>\s*<td class=\"number\">{told}&#8239;%", shown)


def test_of_a_long_history_the_older_part_is_left_to_the_log() -> None:
    long = page()
    shown = render(replace(long, outages=long.outages * 100))
    assert f"{len(long.outages) * 100 - 100} older ones are not shown" in shown


def test_a_new_machine_has_a_page_too() -> None:
    shown = render(young_page(0))
    assert shown.count("Nothing was recorded.") == 1
    assert "The last month: none was recorded." in shown
    assert "Nothing is wrong with the set-up: 51 rules." in shown
    _Read(shown)


# Of a log, in seconds: as many of minutes as of days, and where a period is just full, or just not.
_AGES = st.one_of(
    st.integers(60, 3600),
    st.integers(3600, 86400),
    st.integers(86400, 39 * 86400),
    st.builds(int.__add__, st.sampled_from([86400, 7 * 86400, 30 * 86400]), st.integers(-2, 2)),
)


@given(_AGES)
def test_no_figure_claims_more_time_than_the_log_has(age: int) -> None:
    shown = render(young_page(age))
    _Read(shown)
    spans = {"day": 86400, "week": 7 * 86400, "month": 30 * 86400}
    named = [name for name in spans if f"<h3>The last {name}</h3>" in shown]
    assert named == [name for name, seconds in spans.items() if seconds <= age]
    young = age < max(spans.values()) and age not in spans.values()
    since = datetime.fromtimestamp(TIME - age).astimezone().isoformat(timespec="seconds")
    assert (f'<h3>The whole log, since <time datetime="{since}">' in shown) is young
    tables = re.findall(r"in figures; known of it: (.*)</caption>", shown)
    known = [spans[name] for name in named] + [age] * young
    assert [html.unescape(told).replace("\u202f", " ") for told in tables] == [
        span(seconds) for seconds in known
    ]


names = hostile.filter(lambda name: name.strip())


@given(names, names, hostile)
def test_whatever_something_is_called_the_page_is_ours(one: str, two: str, word: str) -> None:
    told = render(page(f"{one}a", f"{two}b", word or "no carrier"))
    read = _Read(told)
    squeezed = {"textlength", "lengthadjust"}
    assert [(tag, set(found) - squeezed) for tag, found in read.tags] == [
        (tag, set(found) - squeezed) for tag, found in READ.tags
    ]
    assert not _hidden(told)
    told.encode("utf-8")


MARKUP = ["</style>", "<script>x()</script>", "'", '"', "&", "<!--", "]]>", "</title>", "&#60;"]


@given(st.lists(st.sampled_from([*MARKUP, "x"]), min_size=1).map("".join))
def test_markup_in_a_name_is_text(word: str) -> None:
    read = _Read(render(page(f"{word}a", f"{word}b", word)))
    assert [tag for tag, _ in read.tags] == [tag for tag, _ in READ.tags]
    assert f"{word}a" in "".join(read.words)


def test_of_a_bond_it_shows_the_slaves() -> None:
    slaves = (
        SlaveReport(1, "eth0", True, "", "active", "up", 0, "02:00:00:00:00:01"),  # noqa: FBT003
        SlaveReport(2, "wlan0", False, "no carrier", "", "", 3, ""),  # noqa: FBT003
    )
    bond = BondReport(
        schema=2,
        time="",
        mode="bond",
        healthy=False,
        bond=Bond().name,
        kernel_mode="active-backup",
        active="eth0",
        primary="eth0",
        arp_interval=100,
        targets=("192.168.1.1",),
        addresses=("192.168.1.252/24",),
        slaves=slaves,
        lookups=(),
        last_failover=None,
        unknown=(),
    )
    shown = render(replace(page(), status=bond))
    assert ">no carrier</span></td>" in shown
    assert "active-backup" in shown
    _Read(shown)


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine(tmp_path / "root")
    found.write(
        "/etc/netfail-hooks/config.toml",
        '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n',
    )
    lines = [recorder.line(run) for run in runs(("eth0", "no-carrier"), ("eth0", "routable"))]
    found.write("/var/log/netfail-hooks/events.jsonl", "".join([*lines, "damaged\n"]))
    monkeypatch.setattr(cli_report, "Paths", lambda: found.paths)
    monkeypatch.setattr(networkctl, "states", dict)
    return found


@pytest.mark.usefixtures("machine")
def test_the_command_writes_a_page_that_others_can_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "page.html"
    place.write_text("older")
    before = os.umask(0o077)
    try:
        assert cli.entry(["report", "--html", str(place)]) == 0
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)
    assert place.stat().st_mode & 0o777 == 0o644
    text = place.read_text(encoding="utf-8")
    read = _Read(text)
    assert "eth0" in "".join(read.words)
    assert "1 damaged line of the log left out." in text
    assert capsys.readouterr() == ("", "")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["page.html", "root"]


@pytest.mark.usefixtures("machine")
def test_on_a_terminal_it_says_which_file_was_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mocker: MockerFixture
) -> None:
    place = f"{tmp_path}/page.html"
    mocker.patch.object(sys.stderr, "isatty", return_value=True)
    assert cli.entry(["report", "--html", place]) == 0
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[-1]) == ("", f"netfail-hooks: written: {place}")


@pytest.mark.usefixtures("machine")
def test_it_goes_to_standard_output_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.entry(["report", "--html", "-"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("<!doctype html>")
    _Read(out)


@pytest.mark.usefixtures("machine")
def test_a_page_is_put_nowhere_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    victim, place = tmp_path / "victim", tmp_path / "page.html"
    victim.write_text("precious")
    place.symlink_to(victim)
    assert cli.entry(["report", "--html", str(place)]) == 1
    assert "a symbolic link" in capsys.readouterr().err
    assert victim.read_text() == "precious"


# --- a recording alone ---------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return one on a machine that has no config of ours, nor anything else."""
    bare = Machine(tmp_path / "bare")
    monkeypatch.setattr(cli_report, "Paths", lambda: bare.paths)
    lines = [recorder.line(run) for run in runs(("eth0", "no-carrier"), ("eth0", "routable"))]
    place = tmp_path / "<b>.jsonl"
    place.write_text("".join([*lines, "damaged\n"]), encoding="utf-8")
    return str(place)


def test_a_recording_makes_a_page_without_config_or_root(
    recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.entry(["report", "--html", "-"]) == 2  # of this machine there is none
    capsys.readouterr()
    assert cli.entry(["report", "--html", "-", "--file", recording]) == 0
    text = capsys.readouterr().out
    read = _Read(text)
    words = "".join(read.words)
    for told in ("Uplinks of the recording <b>.jsonl", "The whole recording", "eth0 carried "):
        assert told in words
    assert "1 damaged line of the log left out." in words
    assert [one["class"] for one in read.of("svg")][1:] == ["wide", "narrow"]
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert [one["href"] for one in read.of("a")] == ["#main", "#time", "#outages"]
    for absent in ("What doctor says", "Now", "ok", "NOT WELL", "last month"):
        assert absent not in read.words
    assert {"#main", "#time", "#outages"} <= {f"#{one}" for one in ids}


def test_an_outage_of_a_recording_is_told_with_its_cause(
    recording: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.entry(["report", "--html", "-", "--file", recording]) == 0
    outages = capsys.readouterr().out.partition('id="outages"')[2]
    assert "The whole recording, the newest first" in outages
    assert ">no carrier</span>" in outages


def test_a_bundle_makes_the_same_page_as_what_is_in_it(
    recording: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Path(recording).read_text(encoding="utf-8")
    bundled = tmp_path / "bundle" / "<b>.jsonl"
    bundled.parent.mkdir()
    bundled.write_text(f"{bundle.HEAD}\n\n== recordings\n{lines}", encoding="utf-8")
    pages = []
    for place in (recording, str(bundled)):
        assert cli.entry(["report", "--html", "-", "--file", place]) == 0
        pages.append(capsys.readouterr().out)
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "No such file or directory"),
        ("", "no transitions recorded in there"),
        ("eth0=no-carrier\n{}\n", "no transitions recorded in there"),
        (f"{bundle.HEAD}\n", "no transitions recorded in there"),
    ],
)
@pytest.mark.usefixtures("machine")
def test_what_is_no_recording_makes_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, told: str
) -> None:
    place, out = tmp_path / "some.jsonl", tmp_path / "page.html"
    if text is not None:
        place.write_text(text, encoding="utf-8")
    assert cli.entry(["report", "--html", str(out), "--file", str(place)]) == 1
    assert told in capsys.readouterr().err
    assert not out.exists()


def test_a_place_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.entry(["report"]) == 2
    assert (
        "--html is missing, a file name: see 'netfail-hooks report --help'"
        in capsys.readouterr().err
    )
