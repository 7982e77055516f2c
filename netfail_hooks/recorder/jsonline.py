"""Write our plain values as JSON on one line, the very bytes that :mod:`json` would write.

Importing that costs more than Python's own start (docs/how/speed.md). A hook that has just failed
over would pay for it, while the dispatcher's next hook waits.
"""

from __future__ import annotations

_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f", "\b": "\\b"}


def dumps(item: object) -> str:
    """Return what ``json.dumps(plain(item), separators=(",", ":"))`` does, all of it ASCII.

    Takes text, whole numbers, bool, None, lists and tuples, dicts with text as keys, and value
    classes. Raises TypeError for anything else.
    """
    if isinstance(item, str):
        return _text(item)
    if isinstance(item, bool):
        return "true" if item else "false"
    if isinstance(item, int):
        return int.__repr__(item)
    if isinstance(item, (tuple, list)):
        return "[" + ",".join([dumps(each) for each in item]) + "]"
    if item is None:
        return "null"
    if isinstance(item, dict):
        members = item
    elif hasattr(item, "__match_args__"):
        members = vars(item)  # in the order of the fields (values.py)
    else:
        raise TypeError(f"{type(item).__name__} is no plain value")
    return "{" + ",".join([f"{_text(key)}:{dumps(each)}" for key, each in members.items()]) + "}"


def _text(text: str) -> str:
    # Of ASCII, isprintable() is true of " " to "~" alone.
    if not (text.isascii() and text.isprintable()) or '"' in text or "\\" in text:
        text = "".join([_escaped(character) for character in text])
    return '"' + text + '"'


def _escaped(character: str) -> str:
    """Return a character as JSON has it between quotes (RFC 8259, section 7)."""
    if character in _SHORT:
        return _SHORT[character]
    if " " <= character <= "~":
        return character
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000  # two halves, as UTF-16 has it
    return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"
