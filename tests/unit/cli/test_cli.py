"""The command line: one line of error, the right status, and nothing imported in vain."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from netfail_hooks import cli
from netfail_hooks.cli import completion, log
from netfail_hooks.cli.commands import COMMANDS
from netfail_hooks.errors import Misuse, NotPermitted, Problem
from netfail_hooks.paths import Paths
from tests.support import ROOT

_MODULE = [sys.executable, "-m", "netfail_hooks"]
_NAMES = [command.name for command in COMMANDS]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        ([], "COMMAND is missing, such as status: see 'netfail-hooks --help'"),
        (["chek"], "no command 'chek': did you mean 'check'?"),
        (["check", "--jsn"], "--jsn: did you mean --json? See 'netfail-hooks check --help'"),
        (["check", "--sesame"], "no option --sesame: see 'netfail-hooks check --help'"),
        (["--quiet", "check"], "no option --quiet: see 'netfail-hooks"),
        (["--verison"], "--verison: did you mean --version? See 'netfail-hooks --help'"),
        (["status", "--wtach=5"], "--wtach=5: did you mean --watch? See"),
        (["install", "--gatway", "10.0.0.1"], "did you mean --gateway? See"),
        (["report", "--html"], "--html needs a file name: see 'netfail-hooks report --help'"),
        (["log", "-n"], "-n/--lines needs a value, N: see"),
        (["completion"], "which shell? bash, zsh or fish: see"),
        (["help", "lgo"], "no command 'lgo': did you mean 'log'?"),
        (["log", "--since", "soon"], "not a time: 'soon', try '10 min ago'"),
        (["log", "-n", "-1"], "not a number of transitions: '-1', try 5"),
        (["log", "-n", "few"], "not a number of transitions: 'few', try 5"),
        (["status", "--watch", "0"], "not a number of seconds: '0', try 2"),
        (["replay"], "EVENT|FILE is missing, events such as eth0=no-carrier or a file: see"),
        (["completion", "csh"], "shell: no 'csh', but bash, zsh or fish: see"),
        (["install", "--mode", "foo"], "--mode: no 'foo', but routes or bond: see"),
        (["install", "--interval", "x"], "--interval: not a whole number: 'x': see"),
        (["log", "--json", "--timeline"], "--timeline and --json exclude each other: see"),
        (["report"], "--html is missing, a file name: see 'netfail-hooks report --help'"),
        (["disable"], "IF is missing, an interface: see"),
        (["status", "eth0"], "not understood: eth0: see 'netfail-hooks status --help'"),
    ],
)
def test_wrong_use_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], argv: list[str], told: str
) -> None:
    assert cli.entry(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert err.startswith("netfail-hooks: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("stream", [0, 1, 2])
@pytest.mark.parametrize(
    "argv", [["--version"], ["status"], ["doctor"], ["log"], ["install", "--config", "-"]]
)
def test_a_closed_standard_stream_changes_nothing_but_what_is_told_there(
    tmp_path: Path, argv: list[str], stream: int
) -> None:
    def ran(end: str) -> tuple[int, bytes, bytes]:
        script = f'exec "$@" {stream}{end}'
        done = subprocess.run(
            ["sh", "-c", script, "sh", *_MODULE, *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return done.returncode, done.stdout, done.stderr

    assert ran(">&-" if stream else "<&-") == ran(">/dev/null" if stream else "</dev/null")


def test_programs_of_root_are_found_by_an_ordinary_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/sbin:/usr/games")
    assert cli.entry(["completion", "bash"]) == 0
    assert os.environ["PATH"] == "/usr/bin:/sbin:/usr/games:/usr/local/sbin:/usr/sbin"


@pytest.mark.parametrize("words", [[], *([name] for name in _NAMES)])
@pytest.mark.parametrize("columns", [40, 60, 100])
def test_help_fits_and_its_examples_can_be_typed(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    columns: int,
) -> None:
    shown = []
    for width in (columns, 400):
        monkeypatch.setenv("COLUMNS", str(width))
        with pytest.raises(SystemExit):
            cli.entry([*words, "--help"])
        shown.append(capsys.readouterr().out)
        with pytest.raises(SystemExit):
            cli.entry(["help", *words])
        assert capsys.readouterr().out == shown[-1]
    for line in shown[0].splitlines():  # only what is one word may be wider
        assert len(line) <= columns or len(line.removesuffix(" \\").split()) == 1
    narrow, wide = (text.partition("examples:")[2] for text in shown)
    assert _typed(narrow) == _typed(wide)
    told, meant = (" ".join(text.partition("examples:")[0].split()) for text in shown)
    assert told.replace(" | ", " ") == meant.replace(" | ", " ")
    for quoted in re.findall(r"(?<!\w)'[^'\n]{2,20}'(?!\w)", shown[1]):
        assert quoted in shown[0]  # what is to be typed is on one line


def _typed(text: str) -> list[list[str]]:
    """Return the examples' words as a shell has them; what is said of one is far to the right."""
    whole = re.sub(r"\\\n +", "", text).splitlines()
    examples = [line for line in whole if line.startswith("  netfail-hooks ")]
    return [shlex.split(line.strip().partition("   ")[0]) for line in examples]


@pytest.mark.parametrize("name", _NAMES)
def test_every_command_has_help_with_its_statuses(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.entry([name, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"netfail-hooks {name}" in text
    assert "exit status:\n  0    " in text
    assert "\n  141  whoever read" in text
    assert "examples:" in text


@pytest.mark.parametrize(
    ("raised", "status", "told"),
    [
        (Problem("broken", hint="mend it"), 1, "broken: mend it"),
        (Problem("two\nlines"), 1, "two lines"),
        (Misuse("wrong"), 2, "wrong"),
        (NotPermitted("no", hint="use sudo"), 3, "no: use sudo"),
        (PermissionError(13, "Permission denied", "/run/x"), 3, "/run/x: Permission denied"),
        (OSError(2, "No such file or directory", "/x/y"), 1, "/x/y: No such file or directory: is"),
        (OSError(30, "Read-only file system", "/x/y"), 1, "is read-only: name another place"),
        (OSError(28, "No space left on device"), 1, "No space left on device"),
        (KeyboardInterrupt(), 130, ""),
        (ZeroDivisionError("x"), 1, "ZeroDivisionError: x; please report it with the output of"),
    ],
)
def test_whatever_happens_ends_in_a_status_and_a_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    raised: BaseException,
    status: int,
    told: str,
) -> None:
    def fail(_: object) -> int:
        raise raised

    monkeypatch.setattr(log, "run", fail)
    assert cli.entry(["log"]) == status
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == (1 if told else 0)
    assert "Traceback" not in err


def test_a_bug_names_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "run", lambda _: 1 // 0)
    assert cli.entry(["log"]) == 1
    err = capsys.readouterr().err
    assert re.match(r"netfail-hooks: bug at test_cli\.py:\d+: ZeroDiv", err)
    assert err.endswith("the output of: netfail-hooks log --bundle FILE\n")
    monkeypatch.setenv("NETFAIL_HOOKS_COMMAND", "python3 -m netfail_hooks")  # as install.sh --demo
    assert cli.entry(["log"]) == 1
    assert "the output of: python3 -m netfail_hooks log --bundle" in capsys.readouterr().err


def test_help_has_no_colours_that_a_screen_would_show_escaped() -> None:
    """argparse of Python 3.14 colours it on a terminal, or where FORCE_COLOR says so."""
    for words in ([], ["install"]):
        done = subprocess.run(
            [sys.executable, "-m", "netfail_hooks", *words, "--help"],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "FORCE_COLOR": "1"},
        )
        assert "usage: netfail-hooks" in done.stdout
        assert "u001b" not in done.stdout
    assert cli.parser(filled=()).color is False  # whatever Python this is


def test_only_the_command_asked_for_is_imported() -> None:
    program = (
        "import sys\n"
        "from netfail_hooks.cli import main\n"
        "try:\n    main(['status', '--help'])\n"
        "except SystemExit:\n    pass\n"
        "print(*(name for name in sys.modules if name.startswith(('netfail', 'pyroute'))),"
        " file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = set(done.stderr.split())
    assert "netfail_hooks.cli.status" in loaded
    others = {f"netfail_hooks.cli.{command.name}" for command in COMMANDS}
    others.remove("netfail_hooks.cli.status")
    assert not loaded & (others | {"pyroute2", "netfail_hooks.lab"})


def test_ctrl_c_is_quiet() -> None:
    program = (
        "import sys, time\n"
        "from netfail_hooks.cli import entry\n"
        "sleep = time.sleep\n"
        "time.sleep = lambda seconds: (print('asleep', flush=True), sleep(60))\n"
        "sys.exit(entry(['log', '--follow']))\n"
    )
    follow = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert follow.stdout is not None
    while follow.stdout.readline() != b"asleep\n":
        assert follow.poll() is None
    follow.send_signal(signal.SIGINT)
    _, err = follow.communicate(timeout=10)
    assert follow.returncode == 130
    assert err == b""


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("eth0=no-carrier\n")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*_MODULE, "replay", str(tmp_path / "list")],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""


def test_bash_completes_commands_options_and_files(tmp_path: Path) -> None:
    script = tmp_path / "completion"
    script.write_text("\n".join(completion.bash(completion.grammar())))
    assert _complete(script, "netfail-hooks", "st") == ["status"]
    assert _complete(script, "netfail-hooks", "log", "--f") == ["--file", "--follow"]
    assert _complete(script, "netfail-hooks", "completion", "f") == ["fish"]
    assert _complete(script, "netfail-hooks", "install", "--mode", "''") == ["routes", "bond"]
    assert _complete(script, "netfail-hooks", "install", "--yes", "--mode", "b") == ["bond"]
    assert "--mode" in _complete(script, "netfail-hooks", "install", "--mode", "bond", "--")
    assert _complete(script, "netfail-hooks", "replay", "/et") == []  # bash's own files then


@pytest.mark.parametrize("make", [completion.zsh, completion.fish])
def test_every_command_and_option_is_in_every_shells_completion(make: object) -> None:
    grammar = completion.grammar()
    text = "\n".join(make(grammar))  # type: ignore[operator]
    for command, words in grammar.items():
        assert command in text
        for word in words:
            assert word.text.removeprefix("--") in text
            assert " ".join(word.choices) in text
    assert text.count("'") % 2 == 0


def _complete(script: Path, *words: str) -> list[str]:
    program = (
        f". {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; "
        '_netfail_hooks; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize("command", _NAMES)
def test_the_options_of_a_command_need_no_library(command: str) -> None:
    """install.sh asks for them before it has fetched any, packaging/deb has none at all."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import netfail_hooks.cli.{command}"
    done = subprocess.run(
        [sys.executable, "-ISB", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


_FAULTY = """\
watch = "of"

[[uplink]]
interface = "eth0"
metrik = 5
[[uplink]]
interface = "eth0"
failures = 0
[check]
interval = -1
"""
_WHERE = {1: "watch", 5: "uplink 1: metrik", 8: "uplink 2: failures", 10: "check.interval"}


@pytest.mark.parametrize(
    "words",
    [["status"], ["check"], ["doctor"], ["metrics"], ["use", "eth0"], ["install", "--config"]],
)
def test_each_fault_of_a_config_has_a_line_whoever_meets_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:
    monkeypatch.setattr(Paths, "at", lambda _, path: f"{tmp_path}{path}")
    path = Path(Paths().config)
    path.parent.mkdir(parents=True)
    path.write_text(_FAULTY)
    assert cli.entry([*words, str(path)] if words == ["install", "--config"] else words) == 2
    told = "".join(capsys.readouterr())
    for line, place in _WHERE.items():
        blank = r"\s+" if words == ["doctor"] else " "  # which breaks its lines in a pipe, too
        wanted = f"{path}: line {line}: {place}: must".replace(" ", blank)
        assert re.search(rf"^.*{wanted}|{wanted.replace('must', 'unknown')}", told, re.MULTILINE)
    assert f"editor {path}" in told or "editor /etc/netfail-hooks/config.toml" in told
