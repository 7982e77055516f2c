"""Where tables and comments stand in a TOML text, so that a person's file can be changed by parts.

tomlkit changes a key within a table and leaves the rest as it was. A whole file is too much for
it: ``[[uplink]]`` tables with another table between them come out in another order.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

from netfail_hooks.errors import Problem
from netfail_hooks.values import value


@value
class Layout:
    """The offsets at which tables begin, and the comments, each with its ``#``."""

    headers: tuple[int, ...]
    comments: tuple[str, ...]


def layout(text: str) -> Layout:
    """Return the layout of a TOML text, which must be a valid one."""
    headers, comments = [], []
    at = depth = 0
    starts = True  # nothing but blanks, so far, on this line
    while at < len(text):
        character = text[at]
        if character == "#":
            end = _end_of_line(text, at)
            comments.append(text[at:end].rstrip())
            at = end
            continue
        if character in "\"'":
            at = _end_of_string(text, at)
            starts = False
            continue
        if character == "[" and starts and not depth:
            headers.append(text.rfind("\n", 0, at) + 1)
        depth += (character in "[{") - (character in "]}")
        starts = character == "\n" or (starts and character in " \t\r")
        at += 1
    return Layout(tuple(headers), tuple(comments))


def split(text: str) -> list[str]:
    """Return the text in parts: what is above all tables (maybe ""), then each table.

    A comment goes with the table whose header is on the next line.
    """
    starts = [_with_lead(text, header) for header in layout(text).headers]
    edges = [0, *starts, len(text)]
    return [text[start:end] for start, end in pairwise(edges)]


_HEADER = re.compile(r"\s*\[\[?\s*([\w.\"'-]+)\s*\]")


def line_of(text: str, table: str, number: int, key: str) -> int:
    """Return the number of the line on which a key stands, else its table's header; 0 for neither.

    ``table`` is "" above all tables, else the ``number``-th of its name. Told to people alone: a
    text with a table's header within a string may lead it astray.
    """
    found, here, count = 0, "", {"": 1}
    dotted = f"{table}.{key}" if table else key
    for line, content in enumerate(text.split("\n"), start=1):
        if header := _HEADER.match(content):
            here = header[1].strip("\"'")
            count[here] = count.get(here, 0) + 1
            found = line if (here, count[here]) == (table, number) else found
            continue
        word = content.partition("=")[0].replace('"', "").replace("'", "").strip()
        inside = (here, count[here]) == (table, number) and word == key
        if inside or (not here and word == dotted):
            return line
        if not here and word == table:  # table = { key = ... }
            found = line
    return found


def with_key(text: str, path: tuple[str | int, ...], item: object) -> str:
    """Return a text with a key set, in whichever way it is written."""
    document = table = _document(text)
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = item
    return str(document.as_string())


def without_key(text: str, key: str) -> str:
    """Return a text without a key above all tables, and the comments in it."""
    document = _document(text)
    document.remove(key)
    return str(document.as_string())


def is_inline(text: str, table: str) -> bool:
    """Tell whether a table is written as ``table = {...}``."""
    from tomlkit.items import InlineTable

    return isinstance(_document(text)[table], InlineTable)


def ended(text: str) -> str:
    """Return a text with an end to its last line."""
    return text if not text or text.endswith("\n") else text + "\n"


def _document(text: str) -> Any:  # noqa: ANN401 - whatever the text holds
    try:
        import tomlkit  # here: install.sh and packages make the command line's parser without it
    except ModuleNotFoundError:
        hint = "name interfaces as the kernel does in it: ip link"
        raise Problem("tomlkit is not here, by which a config is amended", hint=hint) from None
    return tomlkit.parse(text)


def _with_lead(text: str, header: int) -> int:
    """Return where the lines of nothing but a comment begin that lead to a header."""
    while header:
        above = text.rfind("\n", 0, header - 1) + 1
        if not text[above:header].lstrip().startswith("#"):
            break
        header = above
    return header


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _end_of_string(text: str, at: int) -> int:
    """Return the offset after the string that begins at an offset (TOML 1.0, String)."""
    quote = text[at]
    end = quote * 3 if text.startswith(quote * 3, at) else quote
    at += len(end)
    while not text.startswith(end, at):
        at += 2 if quote == '"' and text[at] == "\\" else 1
    at += len(end)
    # Of up to five quotes at the end of a multi-line string, the first ones are its content.
    while len(end) == 3 and text.startswith(quote, at):
        at += 1
    return at
