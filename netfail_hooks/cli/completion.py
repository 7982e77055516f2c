"""``netfail-hooks completion``: what bash, zsh and fish need to complete our command line.

Made from the parser itself, so it can't be out of date.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from netfail_hooks import cli
from netfail_hooks.cli.commands import COMMANDS

_SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True)
class Word:
    """An option by one of its spellings, or one of a fixed set of arguments."""

    text: str
    about: str = ""
    takes_value: bool = False
    choices: tuple[str, ...] = ()  # its values, where they are known


Grammar = dict[str, list[Word]]  # each command's words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shell", choices=_SHELLS, help="whose completion to print")


def run(args: argparse.Namespace) -> int:
    """Print the completion."""
    makers = {"bash": bash, "zsh": zsh, "fish": fish}
    print("\n".join(makers[args.shell](grammar())))
    return 0


def grammar() -> Grammar:
    """Return what may follow each command, from the parser."""
    parser = cli.parser(filled=[command.name for command in COMMANDS])
    return {
        name: [word for action in sub._actions for word in _words(action)]  # noqa: SLF001 - argparse has no other way to ask
        for name, sub in cli.commands_of(parser).items()
    }


def bash(words: Grammar) -> list[str]:
    """Return the lines of a bash completion, for /usr/share/bash-completion/completions."""
    cases = [
        f"        {name}) words={_quoted(' '.join(word.text for word in known))} ;;"
        for name, known in words.items()
    ]
    return [
        "_netfail_hooks() {",
        "    local words",
        f"    words={_quoted(' '.join([*words, '--help', '--version']))}",
        '    [ "$COMP_CWORD" -eq 1 ] || case ${COMP_WORDS[1]} in',
        *cases,
        "    esac",
        '    case "${COMP_WORDS[1]} ${COMP_WORDS[COMP_CWORD-1]}" in',
        *(f"        {key}) words={_quoted(' '.join(chosen))} ;;" for key, chosen in _values(words)),
        "    esac",
        '    mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")',
        "}",
        "complete -o default -F _netfail_hooks netfail-hooks",
    ]


def zsh(words: Grammar) -> list[str]:
    """Return the lines of a zsh completion, for a file _netfail-hooks in a directory of $fpath."""
    commands = " ".join(_described(command.name, command.summary) for command in COMMANDS)
    cases = [
        f"    {name}) offered=({' '.join(_described(word.text, word.about) for word in known)}) ;;"
        for name, known in words.items()
    ]
    return [
        "#compdef netfail-hooks",
        "local -a offered",
        "if (( CURRENT == 2 )); then",
        f"    offered=({commands})",
        "    _describe command offered",
        "    return",
        "fi",
        'case "${words[2]} ${words[CURRENT-1]}" in',
        *(
            f"    {key}) offered=({' '.join(chosen)}); _describe value offered; return ;;"
            for key, chosen in _values(words)
        ),
        "esac",
        'case "${words[2]}" in',
        *cases,
        "esac",
        "_describe -o option offered",
        "_files",
    ]


def fish(words: Grammar) -> list[str]:
    """Return the lines of a fish completion, for /usr/share/fish/vendor_completions.d."""
    lines = [
        f"complete -c netfail-hooks -n __fish_use_subcommand -f -a {command.name}"
        f" -d {_quoted(command.summary)}"
        for command in COMMANDS
    ]
    for name, known in words.items():
        here = f"complete -c netfail-hooks -n '__fish_seen_subcommand_from {name}'"
        for word in known:
            value = " -r" if word.takes_value else ""
            value += f" -f -a {_quoted(' '.join(word.choices))}" if word.choices else ""
            lines.append(f"{here} {_fish_word(word.text)}{value} -d {_quoted(word.about)}")
    return lines


def _values(words: Grammar) -> list[tuple[str, tuple[str, ...]]]:
    """Return which values may follow: after a command and its option, quoted as one word."""
    return [
        (_quoted(f"{command} {word.text}"), word.choices)
        for command, known in words.items()
        for word in known
        if word.choices
    ]


def _words(action: argparse.Action) -> list[Word]:
    about = (action.help or "").replace("%%", "%")
    if action.option_strings:
        takes = action.nargs not in (0, "?")
        choices = tuple(str(choice) for choice in action.choices or ())
        return [Word(text, about, takes, choices) for text in action.option_strings]
    return [Word(str(choice), about) for choice in action.choices or ()]


def _fish_word(text: str) -> str:
    if text.startswith("--"):
        return f"-l {text[2:]}"
    return f"-s {text[1:]}" if text.startswith("-") else f"-a {text}"


def _described(text: str, about: str) -> str:
    return _quoted(f"{text}:{about}" if about else text)


def _quoted(text: str) -> str:
    """Return text that all three shells read as one word: no quote or backslash in it."""
    plain = text.replace("\\", "/").replace("'", "")
    return f"'{plain}'"
