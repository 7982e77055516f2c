"""Frozen value classes for the hot path.

``@value`` is ``@dataclass(frozen=True)`` to a type checker, which is who keeps the values
frozen. At run time it gives the class the same ``__init__``, ``__eq__``, ``__hash__`` and
``__repr__`` without importing :mod:`dataclasses`: that import alone costs a hook twice the
CPU time of an empty interpreter, and packets are lost meanwhile. Nor is an ``__init__`` written
for each class as source: to compile those took a seventh of a hook's time (docs/how/speed.md).
"""

from __future__ import annotations

# Type checkers take any name spelt so as true; importing it from typing costs 8 ms.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")

    @dataclass_transform(frozen_default=True)
    def value(cls: type[T]) -> type[T]:
        """Declare a frozen value class."""
        return cls

else:

    def value(cls: Any) -> Any:  # noqa: ANN401 - any class
        """Give ``cls`` the methods of a frozen data class, from its annotations."""
        names = tuple(cls.__annotations__)
        blank = {name: cls.__dict__.get(name) for name in names}
        known = frozenset(names)
        required = known - cls.__dict__.keys()

        def __init__(self: Any, *values: Any, **named: Any) -> None:  # noqa: ANN401, N807
            given = dict(zip(names, values), **named)  # noqa: B905 - checked in the next line
            if len(given) != len(values) + len(named) or not required <= given.keys() <= known:
                raise TypeError(f"{cls.__name__} has {', '.join(names)}")
            self.__dict__ = blank | given  # in the order of the fields

        cls.__init__ = __init__
        cls.__match_args__ = names
        cls.__eq__ = _equal
        cls.__hash__ = _hash
        cls.__repr__ = _repr
        return cls


def fields(item: object) -> tuple[str, ...]:
    """Return the names of a value's (or a value class's) fields, in order."""
    names: tuple[str, ...] = getattr(item, "__match_args__")  # noqa: B009 - mypy knows no such attribute
    return names


def replace(item: T, **changes: object) -> T:
    """Return ``item`` with some fields changed."""
    if not changes.keys() <= item.__dict__.keys():
        raise TypeError(f"{type(item).__name__} has {', '.join(fields(item))}")
    changed = object.__new__(type(item))
    changed.__dict__ = item.__dict__ | changes
    return changed


def plain(item: object) -> Any:  # noqa: ANN401 - JSON's own types
    """Return ``item`` as dicts, lists and scalars, ready for JSON."""
    if isinstance(item, (tuple, list)):
        return [plain(one) for one in item]
    if hasattr(item, "__match_args__"):
        return {name: plain(getattr(item, name)) for name in fields(item)}
    return item


def _equal(self: object, other: object) -> bool:
    return type(self) is type(other) and self.__dict__ == other.__dict__


def _hash(self: object) -> int:
    return hash(tuple(self.__dict__.values()))


def _repr(self: object) -> str:
    inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in fields(self))
    return f"{type(self).__name__}({inside})"
