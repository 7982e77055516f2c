"""What a person asked for by hand: an uplink to use, or uplinks to do without, and until when.

Kept in ``/run/netfail-hooks/orders``, a ``kind interface until`` a line, and over a reboot in
``/var/lib/netfail-hooks/orders``. Written whole; a damaged or foreign file is as good as none.
"""

from __future__ import annotations

import os

from netfail_hooks.config import DISABLE, USE, Order
from netfail_hooks.errors import Problem
from netfail_hooks.files import own_directory, read_owned, write_whole
from netfail_hooks.lock import Lock
from netfail_hooks.names import is_interface_name
from netfail_hooks.paths import Paths
from netfail_hooks.values import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FORM = "netfail-hooks orders 1"


def load(paths: Paths, names: tuple[str, ...]) -> tuple[Order, ...]:
    """Return what was asked for of the uplinks of these names."""
    return tuple(order for order in given(paths) if order.interface in names)


def given(paths: Paths) -> list[Order]:
    """Return all orders, of what is no uplink any more as well; those that are kept last."""
    return [*read(paths.orders), *read(paths.kept_orders)]


def read(path: str) -> list[Order]:
    """Return all orders of a file. None is found in one that cannot be read or is damaged."""
    try:
        lines = read_owned(path, or_roots=True).decode("ascii").split("\n")
        if lines[0] != FORM or lines[-2:] != ["end", ""]:
            return []
        return [_order(line) for line in lines[1:-2]]
    except (OSError, ValueError):
        return []


def _order(line: str) -> Order:
    kind, interface, until = line.split(" ")
    if kind not in (USE, DISABLE) or not is_interface_name(interface) or int(until) < 0:
        raise ValueError("damaged")
    return Order(kind, interface, int(until))


def give(paths: Paths, order: Order, *, keep: bool) -> None:
    """Write an order down in place of what it contradicts. Raises OSError and Problem.

    There is one uplink to use, and each is disabled once. One that ends stands before one that is
    kept, which counts again after it.
    """

    def stays(path: str, old: Order) -> bool:
        same = old.kind == order.kind and (order.kind == USE or old.interface == order.interface)
        return not same or (path == paths.kept_orders and not keep)

    _amend(paths, stays, order, keep=keep)


def take_back(paths: Paths, kind: str, interface: str = "") -> None:
    """Forget the orders of a kind, of one interface or of all. Raises OSError and Problem."""
    _amend(paths, lambda _, old: old.kind != kind or interface not in ("", old.interface))


def _amend(
    paths: Paths,
    stays: Callable[[str, Order], bool],
    new: Order | None = None,
    *,
    keep: bool = False,
) -> None:
    """Write both files anew where they change. Raises Problem while uninstall is at work."""
    with Lock(paths.lock):
        if os.path.exists(paths.uninstalling):
            hint = "see 'sudo netfail-hooks status' after it"
            raise Problem("an uninstall is at work", hint=hint)
        for path in (paths.orders, paths.kept_orders):
            before = read(path)
            after = [order for order in before if stays(path, order)]
            if new and keep == (path == paths.kept_orders):
                after.append(new)
            if after and after != before:
                own_directory(os.path.dirname(path))
                lines = [f"{order.kind} {order.interface} {order.until}" for order in after]
                text = "\n".join([FORM, *lines, "end", ""])
                write_whole(path, text.encode("ascii"), mode=0o644)
            elif before and not after:
                os.unlink(path)
