"""What a mutant is: one small thing of a module's source that is changed.

Not mutated: words for people (messages, hints, docstrings), types, decorators and `__all__`.
"""

import ast
import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType
from typing import Any

__all__ = ["Mutant", "mutants"]

_WORDY = {
    *("protocol_violation", "LoginRefused", "ProviderError", "Unavailable", "_mismatch", "Problem"),
    *("ValueError", "TypeError", "wrong", "refusal", "unsafe", "Unfit", "BadRule", "_wrong"),
}
_SAID = {"hint", "mend", "message"}
_FOR_PEOPLE = re.compile(r"HINT|MEND|CREDENTIALS|NOT_SECURE|ONLY_PLAIN|^(hint|message|mend|__all__)$")
_COMPARED: dict[type, tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_COUNTED: dict[type, type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
}


@dataclass(frozen=True)
class Mutant:
    """One change: the statement or expression of before and after, in the function where it is."""

    module: str
    place: str
    line: int
    before: str
    after: str
    code: CodeType
    function: str

    @property
    def name(self) -> str:
        """What documentation calls it; holds no line number, so that it outlives edits elsewhere."""
        return f"{self.module}.{self.place}: `{self.before}` → `{self.after}`"


def mutants(path: Path) -> Iterator[Mutant]:
    """Every mutant of a module, from its source."""
    tree = ast.parse(path.read_text("utf-8"))
    for trail in list(_trails(tree, ())):
        count = len(list(_changed(_at(tree, trail), trail, tree)))
        for number in range(count):
            mutated = copy.deepcopy(tree)
            node = _at(mutated, trail)
            before = _short(node)
            new = list(_changed(node, trail, mutated))[number]
            _put(mutated, trail, new)
            code = compile(ast.fix_missing_locations(mutated), str(path), "exec")
            yield Mutant(path.stem, _place(tree, trail), getattr(node, "lineno", 0), before, _short(new), code, _function(tree, trail))


Trail = tuple[tuple[str, int | None], ...]


def _trails(node: ast.AST, trail: Trail) -> Iterator[Trail]:
    """Where the nodes are that may be changed, as fields and indices from the top."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "args") and not isinstance(node, ast.Call):
            continue
        for number, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if isinstance(child, ast.AST) and not _is_for_people(node, field, number, child):
                yield (*trail, (field, number))
                yield from _trails(child, (*trail, (field, number)))


def _is_for_people(parent: ast.AST, field: str, number: int | None, child: ast.AST) -> bool:
    """Say whether something is words, types or imports: a docstring, a message, a hint, what should have been there."""
    if isinstance(child, ast.Expr):
        return isinstance(child.value, ast.Constant)
    if isinstance(child, ast.Assign):
        return any(isinstance(target, ast.Name) and _FOR_PEOPLE.search(target.id) for target in child.targets)
    if isinstance(child, ast.JoinedStr | ast.Import | ast.ImportFrom) or _is_type(parent, child):
        return True
    if isinstance(child, ast.keyword):
        return child.arg in _SAID
    first = 1 if _called(parent) in {"protocol_violation", "_mismatch"} else 0
    return _called(parent) in _WORDY and field == "args" and isinstance(child, ast.Constant | ast.BinOp) and (number or 0) >= first


def _is_type(parent: ast.AST, child: ast.AST) -> bool:
    """Say whether something is read by a type checker only: `Literal[…]`, or what a `cast` is to."""
    is_literal = isinstance(child, ast.Subscript) and isinstance(child.value, ast.Name) and child.value.id == "Literal"
    return is_literal or (_called(parent) == "cast" and isinstance(child, ast.Constant))


def _called(node: ast.AST) -> str:
    if not isinstance(node, ast.Call):
        return ""
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _changed(node: ast.AST, trail: Trail, tree: ast.AST) -> Iterator[ast.AST]:
    """What a node may become."""
    if isinstance(node, ast.Constant) and (isinstance(_at(tree, trail[:-1]), ast.JoinedStr | ast.FormattedValue) or _is_told(trail, tree)):
        return
    for kind, change in _CHANGES.items():
        if isinstance(node, kind):
            yield from change(node)


def _is_told(trail: Trail, tree: ast.AST) -> bool:
    """Say whether something stands behind the key in what is yielded of a problem: what is wrong, and how to mend it."""
    around = [_at(tree, trail[:depth]) for depth in (-1, -2)]
    return isinstance(around[0], ast.Tuple) and isinstance(around[1], ast.Yield) and trail[-1] != ("elts", 0)


def _compared(node: ast.Compare) -> Iterator[ast.AST]:
    for number, op in enumerate(node.ops):
        for other in _COMPARED.get(type(op), ()):
            yield ast.Compare(node.left, [*node.ops[:number], other(), *node.ops[number + 1 :]], node.comparators)


def _combined(node: ast.BoolOp) -> Iterator[ast.AST]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)


def _affirmed(node: ast.UnaryOp) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not):
        yield node.operand


def _counted(node: ast.BinOp) -> Iterator[ast.AST]:
    if type(node.op) in _COUNTED:
        yield ast.BinOp(node.left, _COUNTED[type(node.op)](), node.right)


def _other_constants(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
    elif isinstance(node.value, str):
        yield ast.Constant(node.value + "x")
    elif isinstance(node.value, bytes):
        yield ast.Constant(node.value + b"x")


def _returned_nothing(node: ast.Return) -> Iterator[ast.AST]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield ast.Return(ast.Constant(None))


def _left_out(node: ast.Raise | ast.Expr) -> Iterator[ast.AST]:
    if isinstance(node, ast.Raise) or isinstance(node.value, ast.Call):
        yield ast.Pass()


def _turned(node: ast.If | ast.IfExp) -> Iterator[ast.AST]:
    if not isinstance(node.test, ast.Compare | ast.UnaryOp):
        yield type(node)(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def _without_keyword(node: ast.Call) -> Iterator[ast.AST]:
    for number, keyword in enumerate(node.keywords):
        if keyword.arg is not None and keyword.arg not in _SAID and _called(node) not in _WORDY:
            yield ast.Call(node.func, node.args, [*node.keywords[:number], *node.keywords[number + 1 :]])


_CHANGES: dict[Any, Callable[[Any], Iterator[ast.AST]]] = {
    ast.Compare: _compared,
    ast.BoolOp: _combined,
    ast.UnaryOp: _affirmed,
    ast.BinOp: _counted,
    ast.Constant: _other_constants,
    ast.Return: _returned_nothing,
    (ast.Raise, ast.Expr): _left_out,
    (ast.If, ast.IfExp): _turned,
    ast.Call: _without_keyword,
}


def _at(tree: ast.AST, trail: Trail) -> ast.AST:
    node = tree
    for field, number in trail:
        node = getattr(node, field) if number is None else getattr(node, field)[number]
    return node


def _put(tree: ast.AST, trail: Trail, new: ast.AST) -> None:
    (field, number), parent = trail[-1], _at(tree, trail[:-1])
    if number is None:
        setattr(parent, field, new)
    else:
        getattr(parent, field)[number] = new


def _place(tree: ast.AST, trail: Trail) -> str:
    nodes = [_at(tree, trail[:depth]) for depth in range(1, len(trail) + 1)]
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assigned = [target.id for node in nodes if isinstance(node, ast.Assign) for target in node.targets if isinstance(target, ast.Name)]
    return ".".join(names) or "".join(assigned[:1]) or "module"


def _function(tree: ast.AST, trail: Trail) -> str:
    """The function or method whose body holds a change; empty where it is run when the module is loaded."""
    names = []
    for depth in range(1, len(trail) + 1):
        node = _at(tree, trail[:depth])
        if isinstance(node, ast.ClassDef):
            names.append(node.name)
        if isinstance(node, ast.FunctionDef):
            inside = depth < len(trail) and trail[depth][0] == "body"
            return ".".join([*names, node.name]) if inside else ""
    return ""


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(ast.fix_missing_locations(node)).split())
    return text if len(text) <= 100 else text[:97] + "…"
