"""What a person asked for by hand: written whole, read back, and left alone if damaged."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netfail_hooks.config import Order, orders
from netfail_hooks.config.cache import generation, has_ended, load
from netfail_hooks.errors import Problem
from netfail_hooks.install.transaction import remove_manifest
from netfail_hooks.paths import Paths

NAMES = ("eth0", "wlan0", "usb0")
ORDERS = st.builds(
    Order,
    st.sampled_from(("use", "disable")),
    st.sampled_from(NAMES),
    st.integers(0, 2**40),
)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    paths = Paths(str(tmp_path))
    Path(paths.config).parent.mkdir(parents=True)
    Path(paths.config).write_text("".join(f'[[uplink]]\ninterface = "{n}"\n' for n in NAMES[:2]))
    Path(paths.run).mkdir(parents=True)
    return paths


def test_an_order_is_part_of_the_config_until_it_is_taken_back(paths: Paths) -> None:
    assert load(paths).orders == ()
    orders.give(paths, Order("disable", "eth0"), keep=False)
    assert load(paths).orders == (Order("disable", "eth0"),)
    assert load(paths).ordered("disable", 5) == ["eth0"]
    assert load(paths).ordered("use", 5) == []
    orders.take_back(paths, "disable", "wlan0")
    assert load(paths).orders == (Order("disable", "eth0"),)
    orders.take_back(paths, "disable", "eth0")
    assert load(paths).orders == ()
    assert not os.path.exists(paths.orders)


def test_an_order_ends_at_its_time(paths: Paths) -> None:
    orders.give(paths, Order("use", "wlan0", until=1000), keep=False)
    config = load(paths)
    assert [config.ordered("use", now) for now in (0, 999, 1000)] == [["wlan0"], ["wlan0"], []]


@pytest.mark.parametrize("keep", [False, True])
def test_one_uplink_is_used_and_each_is_disabled_once(paths: Paths, *, keep: bool) -> None:
    orders.give(paths, Order("use", "eth0"), keep=keep)
    orders.give(paths, Order("disable", "wlan0", 7), keep=keep)
    orders.give(paths, Order("use", "wlan0"), keep=keep)
    orders.give(paths, Order("disable", "wlan0", 9), keep=keep)
    orders.give(paths, Order("disable", "eth0", 8), keep=keep)
    assert load(paths).orders == (
        Order("use", "wlan0"),
        Order("disable", "wlan0", 9),
        Order("disable", "eth0", 8),
    )


def test_one_that_ends_stands_before_one_that_is_kept(paths: Paths) -> None:
    orders.give(paths, Order("use", "eth0"), keep=True)
    orders.give(paths, Order("use", "wlan0", 9), keep=False)
    config = load(paths)
    assert [config.ordered("use", now)[0] for now in (8, 9)] == ["wlan0", "eth0"]
    orders.give(paths, Order("use", "wlan0"), keep=True)
    assert load(paths).orders == (Order("use", "wlan0"),)


def test_two_who_give_orders_at_once_are_both_heard(paths: Paths) -> None:
    given = [Order("disable", name) for name in NAMES]
    threads = [
        threading.Thread(target=orders.give, args=(paths, order), kwargs={"keep": False})
        for order in given
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(orders.read(paths.orders)) == set(given)


def test_uninstall_at_work_takes_no_order(paths: Paths) -> None:
    Path(paths.uninstalling).touch()
    with pytest.raises(Problem, match="uninstall"):
        orders.give(paths, Order("use", "eth0"), keep=True)
    assert not os.path.exists(paths.kept_orders)


def test_what_a_killed_writer_left_goes_with_the_manifest(paths: Paths) -> None:
    orders.give(paths, Order("use", "eth0"), keep=True)
    Path(f"{paths.kept_orders}.77.tmp").touch()
    remove_manifest(paths)
    assert not os.path.exists(os.path.dirname(paths.kept_orders))


def test_what_is_kept_lies_where_a_boot_leaves_it(paths: Paths) -> None:
    orders.give(paths, Order("use", "eth0"), keep=True)
    assert not os.path.exists(paths.orders)
    assert stat.S_IMODE(os.stat(paths.kept_orders).st_mode) == 0o644


def test_an_order_for_what_is_no_uplink_counts_for_nothing(paths: Paths) -> None:
    orders.give(paths, Order("disable", "usb0"), keep=False)
    assert load(paths).orders == ()


def test_a_run_that_began_before_an_order_reads_the_config_again(paths: Paths) -> None:
    load(paths)
    before = generation(paths)
    orders.give(paths, Order("disable", "eth0"), keep=False)
    during = generation(paths)
    orders.take_back(paths, "disable")
    after = generation(paths)
    assert before != during != after
    assert not has_ended(before, during)
    assert not has_ended(during, after)  # the order's file is gone, and nothing was uninstalled


@given(st.lists(ORDERS, max_size=8), st.data())
def test_whatever_is_written_is_read_back_and_no_part_of_it_is(
    tmp_path_factory: pytest.TempPathFactory, given_orders: list[Order], data: st.DataObject
) -> None:
    paths = Paths(str(tmp_path_factory.mktemp("m")))
    for order in given_orders:
        orders.give(paths, order, keep=False)
    known = orders.read(paths.orders)
    assert {o for o in known if o.kind == "disable"} <= set(given_orders)
    last_used = [o for o in given_orders if o.kind == "use"][-1:]
    assert [o for o in known if o.kind == "use"] == last_used
    if known:
        whole = Path(paths.orders).read_bytes()
        cut = data.draw(st.integers(0, len(whole) - 1))
        Path(paths.orders).write_bytes(whole[:cut])
        assert orders.read(paths.orders) == []


@pytest.mark.parametrize(
    "line", ["use", "use eth0", "obey eth0 0", "use et/h0 0", "use eth0 -1", "use eth0 x", "\xff"]
)
def test_a_damaged_file_is_none(paths: Paths, line: str) -> None:
    Path(paths.orders).write_bytes(f"{orders.FORM}\n{line}\nend\n".encode("latin-1"))
    assert load(paths).orders == ()


def test_a_file_of_somebody_else_is_none(paths: Paths) -> None:
    orders.give(paths, Order("use", "eth0"), keep=False)
    os.chmod(paths.orders, 0o666)  # noqa: S103 - just that
    assert load(paths).orders == ()
