"""Every small wrong thing that could be in a module: one mutant of its syntax tree each."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
    ast.RShift: ast.LShift,
    ast.LShift: ast.RShift,
}
_NAMES = {"any": "all", "all": "any", "min": "max", "max": "min"}
_SKIPPED = (ast.Import, ast.ImportFrom, ast.Raise, ast.JoinedStr)  # what is told to people


Path = tuple[tuple[str, int | None], ...]
Change = Callable[[ast.AST], tuple[str, str]]  # changes a node; returns it before and after


@dataclass(frozen=True)
class Mutant:
    """A wrong module, named by function and by what was put in place of what."""

    name: str
    line: int
    _right: ast.Module
    _path: Path
    _change: Change

    @property
    def tree(self) -> ast.Module:
        """Return the module's syntax tree with the wrong thing in it."""
        wrong = copy.deepcopy(self._right)
        self._change(_at(wrong, self._path))
        return ast.fix_missing_locations(wrong)


def mutants(source: str, only: tuple[str, ...] = ()) -> Iterator[Mutant]:
    """Yield every mutant of a module, or of the functions named alone."""
    tree = ast.parse(source)
    observed: dict[str, int] = {}
    for where, path in _places(tree, only):
        node = _at(tree, path)
        for change in _changes(node):
            before, after = change(copy.deepcopy(node))
            name = f"{where}: {before} -> {after}"
            observed[name] = observed.get(name, 0) + 1
            if observed[name] > 1:
                name += f" ({observed[name]})"
            yield Mutant(name, getattr(node, "lineno", 0), tree, path, change)


def _places(tree: ast.Module, only: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Yield every node that runs, with the name of the function it is in."""

    def walk(node: ast.AST, where: str, path: Path) -> Iterator[tuple[str, Path]]:
        yield where, path
        for field, inner in ast.iter_fields(node):
            if field in ("annotation", "returns", "type_params", "decorator_list"):
                continue
            many = isinstance(inner, list)
            for at, one in enumerate(inner if many else [inner]):
                if not isinstance(one, ast.AST) or _is_skipped(one):
                    continue
                named = isinstance(one, ast.FunctionDef | ast.ClassDef)
                place = f"{where}.{one.name}".lstrip(".") if named else where  # type: ignore[attr-defined]
                yield from walk(one, place, (*path, (field, at if many else None)))

    for where, path in walk(tree, "", ()):
        if not only or where.partition(".")[0] in only:
            yield where or "module", path


def _is_skipped(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    return isinstance(node, _SKIPPED)


def _at(tree: ast.AST, path: Path) -> ast.AST:
    node = tree
    for field, at in path:
        inner = getattr(node, field)
        node = inner if at is None else inner[at]
    return node


def _changes(node: ast.AST) -> list[Change]:
    """Return every way to make a node wrong, one for most."""
    match node:
        case ast.Compare(ops=ops):
            return [
                _setter("ops", [*ops[:at], new(), *ops[at + 1 :]])
                for at, op in enumerate(ops)
                for new in _COMPARISONS[type(op)]
            ]
        case ast.Tuple(elts=elements) if any(isinstance(one, ast.Starred) for one in elements):
            return [
                _setter("elts", [*elements[:at], *elements[at + 1 :]], f"no {ast.unparse(one)}")
                for at, one in enumerate(elements)
            ]
    one = _change(node)
    return [one] if one else []


def _change(node: ast.AST) -> Change | None:  # noqa: PLR0911 - a table of kinds
    match node:
        case ast.BinOp(op=op):
            return _setter("op", _OPERATORS[type(op)]())
        case ast.BoolOp(op=op):
            return _setter("op", ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _setter("operand", ast.UnaryOp(ast.Not(), operand), "without not")
        case ast.Constant(value=bool() as value):
            return _setter("value", not value)
        case ast.Constant(value=int() as value):
            return _setter("value", value + 1)
        case ast.Constant(value=str() as text) if text.isdecimal():
            return _setter("value", str(int(text) + 1))
        case ast.Name(id=name) if name in _NAMES:
            return _setter("id", _NAMES[name])
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
            if not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp):
                wrong = ast.UnaryOp(ast.Not(), test)
                return _setter("test", wrong, f"if not {ast.unparse(test)}")
    return None


def _setter(field: str, wrong: object, told: str = "") -> Change:
    def change(node: ast.AST) -> tuple[str, str]:
        before = _told(node)
        setattr(node, field, copy.deepcopy(wrong))
        return before, told or _told(node)

    return change


def _told(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        return f"if {ast.unparse(node.test)}"
    return " ".join(ast.unparse(node).split())[:100]
