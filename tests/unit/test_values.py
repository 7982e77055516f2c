"""Value classes: what a type checker believes of them must be so at run time."""

from __future__ import annotations

import pytest

from netfail_hooks.values import fields, plain, replace, value


@value
class Point:
    x: int
    y: int
    name: str = ""
    flag: bool = False


ONE = Point(1, 2, flag=True)


def test_fields_are_given_by_place_or_by_name_and_else_have_their_default() -> None:
    assert (ONE.x, ONE.y, ONE.name, ONE.flag) == (1, 2, "", True)
    assert fields(Point) == fields(ONE) == ("x", "y", "name", "flag")
    assert repr(ONE) == "Point(x=1, y=2, name='', flag=True)"


def test_equal_whatever_the_order_in_which_they_are_given() -> None:
    other = Point(flag=True, y=2, x=1)
    assert other == ONE
    assert hash(other) == hash(ONE)
    assert list(plain(other)) == ["x", "y", "name", "flag"]
    assert other != replace(ONE, flag=False)
    assert other.__eq__((1, 2, "", True)) is False


def test_replace_leaves_the_old_one_alone() -> None:
    other = replace(ONE, name="n", x=5)
    assert other == Point(5, 2, "n", flag=True)
    assert hash(other) == hash(Point(5, 2, "n", flag=True))
    assert Point(1, 2, "", flag=True) == ONE


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((), {}),
        ((1,), {}),
        ((), {"y": 1}),
        ((1, 2, "", True, 5), {}),
        ((1, 2), {"x": 1}),
        ((1, 2), {"z": 1}),
    ],
)
def test_missing_doubled_and_unknown_fields_are_refused(
    given: tuple[int, ...], named: dict[str, int]
) -> None:
    with pytest.raises(TypeError, match="Point has x, y, name, flag"):
        Point(*given, **named)  # type: ignore[arg-type]


def test_an_unknown_field_is_not_replaced() -> None:
    with pytest.raises(TypeError, match="Point has x, y, name, flag"):
        replace(ONE, z=1)
