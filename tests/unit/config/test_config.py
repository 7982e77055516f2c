"""config.toml: what is refused, in which words, and that reading twice is reading once."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.config import RESELECT, Bond, Config, Uplink, default_metrics
from netfail_hooks.config.cache import compile_config, load, parse_compiled
from netfail_hooks.config.file import STANDARD_INPUT, parse, parse_text, read, render
from netfail_hooks.config.kinds import HOW_TARGETS, parse_target
from netfail_hooks.config.settings import BOND, SETTINGS, UPLINK
from netfail_hooks.errors import Faults, Misuse
from netfail_hooks.paths import Paths
from netfail_hooks.values import fields

names = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-_@", min_size=1, max_size=15).filter(
    lambda name: name not in (".", "..", "bond0")
)
TARGETS = [
    "icmp:192.0.2.1",
    "icmp:2001:db8::1",
    "tcp:192.0.2.1:53",
    "tcp:[2001:db8::1]:443",
    "dns:debian.org@192.0.2.1",
    "dns:_a.b-c.example.@2001:db8::1",
    "http://192.0.2.1/",
    "https://[2001:db8::1]:8443/a_b%20c?d=e,f&g 200 it's, well / ok",
    "http6://up.example/ 204",
    "https://up.example:65535/x",
    "exec:/usr/local/bin/ask+it,now",
    "exec6:/opt/ask",
]
targets = st.sampled_from(TARGETS).map(parse_target)
configs = st.builds(
    Config,
    uplinks=st.lists(names, min_size=1, max_size=5, unique=True).flatmap(
        lambda found: st.tuples(
            *(
                st.builds(
                    Uplink,
                    interface=st.just(uplink.interface),
                    metric=st.just(uplink.metric),
                    gateway=st.booleans(),
                    targets=st.lists(targets, max_size=3).map(tuple),
                    policy=st.sampled_from(["any", "all"]),
                    failures=st.integers(1, 20),
                    timeout=st.integers(50, 5000),
                    stay=st.sampled_from([(), ("10.0.0.0/8",), ("10.0.0.0/8", "fd00::/8")]),
                    follow=st.sampled_from(
                        [(), ("192.168.1.200",), ("fd00::200", "192.168.1.200")]
                    ),
                )
                for uplink in default_metrics(tuple(found))
            )
        )
    ),
    override_metric=st.integers(1, 99),
    follow_addresses=st.booleans(),
    close_connections=st.booleans(),
    multipath_tcp=st.booleans(),
    hold_down=st.integers(0, 300),
    hold_down_max=st.integers(300, 86400),
    quiet=st.integers(0, 604800),
    interval=st.integers(0, 3600),
    log_bytes=st.integers(10_000, 2**31),
    textfile=st.sampled_from(["", "/run/netfail-hooks/netfail.prom", "/run/a=b@c/n,m.prom"]),
    mode=st.just("bond"),  # only then the file has its table
    bond=st.builds(
        Bond,
        name=st.just("bond0"),
        arp_interval=st.integers(50, 5000),
        reselect=st.sampled_from(RESELECT),
        targets=st.lists(st.sampled_from(["192.0.2.1", "2001:db8::1"]), max_size=2).map(tuple),
    ),
)

UPLINKS = '[[uplink]]\ninterface = "eth0"\n[[uplink]]\ninterface = "wlan0"\n'
WRONG = [
    (
        "override_metrc = 3\n" + UPLINKS,
        "override_metrc: unknown key, did you mean override_metric?",
    ),
    (
        UPLINKS + "[hold_down]\nsecond = 1\n",
        "hold_down.second: unknown key, did you mean hold_down.seconds?",
    ),
    ('override_metric = "50"\n' + UPLINKS, "override_metric: must be a whole number, not '50'"),
    ("override_metric = true\n" + UPLINKS, "override_metric: must be a whole number, not True"),
    (
        "override_metric = 100\n" + UPLINKS,
        "override_metric: must be below the metric of every uplink, 100, not 100",
    ),
    ("close_connections = 1\n" + UPLINKS, "close_connections: must be true or false, not 1"),
    ("hold_down = 3\n" + UPLINKS, "hold_down: must be a table, [hold_down]"),
    (UPLINKS + "[hold_down]\nseconds = -1\n", "hold_down.seconds: must be 0 to 86400, not -1"),
    (
        UPLINKS + "[hold_down]\nseconds = 400\n",
        "hold_down.max: must not be below hold_down.seconds, 400, not 300",
    ),
    ('mode = "bonds"\n' + UPLINKS, 'mode: must be "routes" or "bond", not \'bonds\''),
    ("bond = 1\n" + UPLINKS, "bond: must be a table, [bond]"),
    (
        "[bond]\ninterval = 1\n" + UPLINKS,
        "bond.interval: unknown key, did you mean bond.arp_interval?",
    ),
    ("[bond]\narp_interval = 49\n" + UPLINKS, "bond.arp_interval: must be 50 to 5000, not 49"),
    ('[bond]\nname = "eth0"\n' + UPLINKS, "bond.name: eth0 is an uplink"),
    (
        '[bond]\nreselect = "never"\n' + UPLINKS,
        'bond.reselect: must be "always", "better" or "failure", not \'never\'',
    ),
    ('[bond]\ntargets = ["gateway"]\n' + UPLINKS, "bond.targets: no address: 'gateway'"),
    *[
        (UPLINKS + f"[metrics]\ntextfile = {one}\n", f"metrics.textfile: {told}")
        for one, told in (
            ("3", "must be a path, not 3"),
            ('"netfail.prom"', "must be an absolute path of plain characters, not 'netfail.prom'"),
            (
                '"/srv/a b/n.prom"',
                "must be an absolute path of plain characters, not '/srv/a b/n.prom'",
            ),
            (
                '"/srv/100%/n.prom"',
                "must be an absolute path of plain characters, not '/srv/100%/n.prom'",
            ),
            (
                '"/srv/../etc/x/n.prom"',
                "must be an absolute path of plain characters, not '/srv/../etc/x/n.prom'",
            ),
            (
                '"/srv/x\\n/n.prom"',
                "must be an absolute path of plain characters, not '/srv/x\\n/n.prom'",
            ),
            (
                '"/run/n.prom"',
                "must have a directory of its own, as in '/run/x/netfail.prom', not '/run/n.prom'",
            ),
            (
                '"/run/x/netfail.txt"',
                "must end in .prom, or node_exporter does not read it, not '/run/x/netfail.txt'",
            ),
            *(
                (
                    f'"{path}"',
                    f"must be below /run or /var/lib/prometheus, for elsewhere a write may hang and hold up a failover, not '{path}'",
                )
                for path in (
                    "/home/x/n.prom",
                    "/srv/x/n.prom",
                    "/run/user/0/n.prom",
                    "/running/x/n.prom",
                    "/var/lib/prometheus-x/n.prom",
                )
            ),
        )
    ],
    (
        UPLINKS + "[metrics]\nfile = 1\n",
        "metrics.file: unknown key, did you mean metrics.textfile?",
    ),
    ("", "uplink: name at least one, as [[uplink]] with an interface"),
    ("uplink = [3]\n", "uplink 1: must be a table, [[uplink]]"),
    ('[[uplink]]\ninterface = "a/b"\n', "uplink 1: interface: not an interface name: 'a/b'"),
    (
        f'[[uplink]]\ninterface = "{"x" * 16}"\n',
        f"uplink 1: interface: not an interface name of up to 15 characters: '{'x' * 16}'",
    ),
    (
        "[[uplink]]\nmetric = 5\n",
        "uplink 1: interface: is missing, a name such as \"eth0\" ('ip link')",
    ),
    (
        '[[uplink]]\ninterface = "eth0"\nmetric = true\n',
        "uplink 1: metric: must be a whole number, not True",
    ),
    (
        '[[uplink]]\ninterface = "eth0"\nmetrik = 5\n',
        "uplink 1: metrik: unknown key, did you mean metric?",
    ),
    (
        UPLINKS + 'targets = "icmp:1.1.1.1"\n',
        "uplink 2: targets: must be a list, not 'icmp:1.1.1.1'",
    ),
    (
        UPLINKS + 'targets = ["icmp:dns.example"]\n',
        f"uplink 2: targets: no {HOW_TARGETS}: 'icmp:dns.example'",
    ),
    (
        UPLINKS + 'policy = "most"\n',
        'uplink 2: policy: must be one of "any", "all", 1 to 100, not \'most\'',
    ),
    (
        UPLINKS + 'policy = 2\ntargets = ["icmp:1.1.1.1"]\n',
        "uplink 2: policy: must be at most its 1 target, not 2",
    ),
    (UPLINKS + "failures = 0\n", "uplink 2: failures: must be 1 to 20, not 0"),
    (UPLINKS + "timeout = 49\n", "uplink 2: timeout: must be 50 to 5000, not 49"),
    (UPLINKS + 'gateway = "no"\n', "uplink 2: gateway: must be true or false, not 'no'"),
    (
        UPLINKS + '[[uplink]]\ninterface = "eth0"\n',
        "uplink 3: interface: eth0 is that of another uplink already",
    ),
    (
        UPLINKS + '[[uplink]]\ninterface = "usb0"\nmetric = 600\n',
        "uplink 3: metric: must be greater than 600, that of wlan0 before it, not 600",
    ),
]


@pytest.mark.parametrize(("text", "complaint"), WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(Misuse) as refusal:
        read(str(path))
    told = str(refusal.value).removeprefix(f"{path}: ")
    assert re.sub(r"^line \d+: ", "", told) == f"{complaint}: mend it: sudo editor {path}"


@pytest.mark.parametrize("text", TARGETS)
def test_targets_read_as_they_are_written(text: str) -> None:
    assert str(parse_target(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "icmp:",
        "tcp:192.0.2.1",
        "tcp:192.0.2.1:0",
        "tcp:192.0.2.1:65536",
        "udp:::1:5",
        "tcp:192.0.2.1:+5",
        "192.0.2.1",
        "icmp:224.0.0.1",
        "http:192.0.2.1",
        "http://",
        "http://127.0.0.1/",
        "http6://192.0.2.1/",
        "http6://[2001:db8::1]/",
        "http://[fe80::1%eth0]/",
        "http://300.1.1.1/",
        "http://1/",
        "http://me@up.example/",
        "http://up..example/",
        "http://-up.example/",
        "http://" + 64 * "a" + ".example/",
        "http://" + 120 * "ab." + "example/",
        "http://up.example:0/",
        "http://up.example:65536/",
        "http://up.example:/",
        "http://up.example/a b",
        "http://up.example/a\n",
        'http://up.example/"',
        "http://up.example/\\",
        "http://up.example/#a",
        "http://up.example/\xe9",
        "http://up.example/ 99",
        "http://up.example/ 600",
        "http://up.example/ well",
        "http://up.example/ 200 ",
        'http://up.example/ 200 "well"',
        "ftp://up.example/",
        "dns:up.example",
        "dns:@192.0.2.1",
        "dns:up.example@dns.example",
        "dns:up example@192.0.2.1",
        "dns:up.example@127.0.0.53",
        "exec:",
        "exec:ask",
        "exec:/opt/../ask",
        "exec:/opt//ask",
        "exec:/opt/a b",
        "exec5:/opt/ask",
    ],
)
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - ipaddress words it in its own ways
        parse_target(text)


def test_all_that_is_wrong_is_told_at_once() -> None:
    config, wrong = parse(
        {"colour": 1, "close_connections": "no", "uplink": [{"interface": "eth0"}]}
    )
    assert config is None
    assert len(wrong) == 2


_GENERAL = ("colour", "override_metric", "mode", "watch", "failback")
_TABLES = ("check.interval", "check.quick", "hold_down.seconds", "bond.arp_interval", "log.bytes")
_OF_UPLINKS = ("metric", "gateway", "policy", "failures", "metrik")
_PADDING = st.sampled_from(["", "# mode = 1\n", "\n", "  \n# [check]\n"])


@st.composite
def _faulty(draw: st.DrawFn) -> tuple[str, dict[str, int]]:
    """Draw a config with faults, and the line that each is on."""
    lines: list[str] = []
    where: dict[str, int] = {}

    def add(text: str, fault: str = "") -> None:
        lines.extend(draw(_PADDING).splitlines())
        lines.append(draw(st.sampled_from(["", "  "])) + text)
        if fault:
            where[fault] = len(lines)

    for key in draw(st.lists(st.sampled_from(_GENERAL), unique=True)):
        add(f"{key} = [0]  # why = not", key)
    for name in draw(
        st.lists(st.sampled_from(("check.interval", "hold_down.seconds")), unique=True)
    ):
        add(f"{name} = [0]", name)
    for rank in range(draw(st.integers(2, 3))):
        add("[[uplink]]")
        add(f'interface = "eth{rank}"')
        for key in draw(st.lists(st.sampled_from(_OF_UPLINKS), unique=True)):
            add(f"'{key}'=[0]" if rank else f"{key} = [0]", f"uplink {rank + 1}: {key}")
    tables = draw(st.lists(st.sampled_from(_TABLES), unique=True))
    for name in tables:
        table, _, key = name.partition(".")
        if not any(one.startswith(f"{table}.") for one in where):
            add(f"[ {table} ]")
            add(f"{key} = [0]", name)
    return "\n".join([*lines, ""]), where


@given(_faulty())
def test_each_fault_is_told_in_a_line_of_its_own_with_the_line_it_is_on(
    drawn: tuple[str, dict[str, int]],
) -> None:
    text, where = drawn
    if not where:
        return
    with pytest.raises(Faults) as refusal:
        parse_text(text.encode(), "/a b/config.toml")
    *lines, last = refusal.value.lines()
    if len(where) == 1:
        lines = [last]
    found = [
        re.match(r"/a b/config.toml: line (\d+): ((?:uplink \d: )?\S+): ", one) for one in lines
    ]
    assert [(int(one[1]), one[2]) for one in found if one] == sorted(
        (line, fault) for fault, line in where.items()
    )
    assert last.endswith(": sudo editor '/a b/config.toml'")


def test_a_fault_of_no_line_is_told_without_one() -> None:
    for text in ("", "uplink = []\n", "watch = 'on'\n"):
        with pytest.raises(Faults, match=r"^x: (line 1: )?uplink: name at least one"):
            parse_text(text.encode(), "x")
    with pytest.raises(Faults, match=r"not -1: mend it where that comes from$"):
        parse_text(f"check = {{interval = -1}}\n{UPLINKS}".encode(), STANDARD_INPUT)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"\xff\xfe", 1),
        (b"# one\n# two\n\xff", 3),
        (b"a = ", 1),
        (b"b = 1\n\na = [\n1,\n", 4),
        (b"[" * 5000, 1),
        (b"a = " + b"[" * 5000, 0),
        (b"x = 1\nx = 2\n", 2),
        (UPLINKS.encode() + b"a = 1 b = 2\n", 5),
    ],
)
def test_no_toml_is_one_clear_line_with_its_place_in_front(
    tmp_path: Path, data: bytes, line: int
) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(data)
    with pytest.raises(Faults) as refusal:
        read(str(path))
    assert "\n" not in str(refusal.value)
    (fault,) = refusal.value.faults
    assert "(at " not in fault
    assert fault.startswith(f"{path}: line {line}: " if line else f"{path}: ")


def test_what_we_write_warns_of_a_wrong_one_and_names_what_checks_it() -> None:
    head = render(Config(default_metrics(("eth0",)))).partition("\n\n")[0]
    assert (
        "# While anything in here is wrong, hooks and checks do nothing: until it is mend" in head
    )
    assert "'sudo netfail-hooks doctor' checks it." in head


@given(configs)
def test_what_we_write_reads_back(config: Config) -> None:
    import tomllib

    assert parse(tomllib.loads(render(config))) == (config, [])
    assert parse_compiled(compile_config(config, "stamp"), "stamp") == config


def test_every_field_of_a_config_can_be_set() -> None:
    for holder, tables, rest in (
        (Config, {s.table for s in SETTINGS} - {BOND, UPLINK}, {"uplinks", "bond", "orders"}),
        (Bond, {BOND}, set()),
        (Uplink, {UPLINK}, set()),
    ):
        listed = [s.attribute for s in SETTINGS if s.table in tables]
        assert {*listed, *rest} == set(fields(holder))
        assert len(listed) == len(set(listed))


def _machine(root: Path) -> Paths:
    paths = Paths(str(root))
    os.makedirs(os.path.dirname(paths.config))
    Path(paths.config).write_text(UPLINKS)
    return paths


def test_a_change_of_the_file_is_seen_through_the_compiled_form(tmp_path: Path) -> None:
    paths = _machine(tmp_path)
    assert load(paths).names() == ("eth0", "wlan0")
    compiled = Path(paths.run) / "config"
    assert compiled.stat().st_mode & 0o777 == 0o600
    assert load(paths) == load(paths)
    Path(paths.config).write_text('[[uplink]]\ninterface = "usb0"\n')
    assert load(paths).names() == ("usb0",)


@pytest.mark.parametrize("damage", ["", "garbage", "netfail-hooks config 1\n", "\0" * 50])
def test_a_damaged_compiled_form_is_made_anew(tmp_path: Path, damage: str) -> None:
    paths = _machine(tmp_path)
    load(paths)
    compiled = Path(paths.run) / "config"
    compiled.write_text(damage)
    assert load(paths).names() == ("eth0", "wlan0")
    assert compiled.read_text() != damage


def test_somebody_elses_compiled_form_is_not_believed(tmp_path: Path) -> None:
    paths = _machine(tmp_path)
    load(paths)
    compiled = Path(paths.run) / "config"
    compiled.write_text(compiled.read_text().replace("eth0", "evil0"))
    compiled.chmod(0o666)
    assert load(paths).names() == ("eth0", "wlan0")


def test_no_config_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="run 'sudo netfail-hooks install'"):
        load(Paths(str(tmp_path)))


def test_a_compiled_form_of_another_version_is_made_anew(tmp_path: Path) -> None:
    """Its names may be of another kind than they look."""
    paths = _machine(tmp_path)
    load(paths)
    compiled = Path(paths.run) / "config"
    now = compiled.read_text()
    compiled.write_text(now.replace("config 7", "config 6").replace("wlan0", "wlan7"))
    assert load(paths).names() == ("eth0", "wlan0")
    assert compiled.read_text() == now


def test_the_names_for_the_shell_are_mended_alone(tmp_path: Path) -> None:
    paths = _machine(tmp_path)
    load(paths)
    compiled = Path(paths.run) / "config"
    now = compiled.read_text()
    head, _, rest = now.partition("\n")
    assert head == "netfail-hooks config 7 eth0 wlan0"
    compiled.write_text(f"{head} usb0\n{rest}")
    assert load(paths).names() == ("eth0", "wlan0")
    assert compiled.read_text() == now


def test_the_compiled_form_has_the_time_of_its_config(tmp_path: Path) -> None:
    paths = _machine(tmp_path)
    for time in (1, 1_500_000_000_123_456_789, 4_000_000_000_000_000_000):
        os.utime(paths.config, ns=(time, time))
        load(paths)
        assert os.stat(paths.compiled_config).st_mtime_ns == time
