"""Parameters in a statement: found in the style of the driver, kept as names while it is rewritten, written out again with their values.

What is bound stays bound: no value of a parameter or of a claim is ever a part of the text.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.tokenizer_core import TokenType

__all__ = ["Piece", "Style", "in_text", "is_marker", "is_ours", "mark", "marked", "marker", "ours", "pieces_of", "written"]

Style = Literal["named", "pyformat", "dollar"]  # SQLAlchemy's :name, Snowflake's %(name)s and %s, DuckDB's $name, $1 and ?
Piece = str | int  # a text, or the number of what is bound there

_MARK: Final = f"stauth{secrets.token_hex(8)}x"
_OURS: Final = f"_{secrets.token_hex(8)}"
_MARKER: Final = re.compile(rf"{_MARK}(\d+)x")
_NAMED: Final = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")  # as SQLAlchemy's text() finds them
_NAMED_ESCAPED: Final = re.compile(r"\\(:[\w$]*)(?![:\w$])")
_PYFORMAT: Final = re.compile(r"%(?:(%)|s|\((\w+)\)s|)")


def marker(number: int) -> str:
    """Return the name that stands for what is bound as this number. Nobody can guess it, so nobody can write one."""
    return f"{_MARK}{number}x"


def is_marker(node: exp.Expr) -> bool:
    """Whether a node stands for something bound."""
    return isinstance(node, exp.Column) and bool(_MARKER.fullmatch(node.name))


def ours(name: str) -> str:
    """Return a name of our own as it is until it is written for the driver: as nobody can guess it, nobody can write one."""
    return name + _OURS


def is_ours(name: str) -> bool:
    """Whether a name in a text that we have generated is one of our own."""
    return name.lower().endswith(_OURS)


def in_text(node: exp.Expr) -> bool:
    """Whether a marker stands where nothing can be bound: in a text, or as a part of a name."""
    texts = any(isinstance(value, str) and _MARK in value for value in node.args.values())
    return texts and not (isinstance(node, exp.Identifier) and node.parent is not None and is_marker(node.parent))


def mark(sql: str, params: Any, style: Style, bound: list[Any]) -> str:
    """Return the statement with a marker for each parameter, whose key in `params` is added to `bound`.

    Raises TypeError for parameters in a form that the driver does not take, ValueError where they do not fit the statement.
    """
    if params is not None and not isinstance(params, Mapping | list | tuple):
        raise TypeError("params is a dict or a sequence, as the driver of the connection has it")
    return _MARKS[style](sql, params or (), bound)


def _mark_named(sql: str, params: Any, bound: list[Any]) -> str:
    if params and not isinstance(params, Mapping):
        raise TypeError("params is a dict: its values stand for :name in the statement")

    def replaced(found: re.Match[str]) -> str:
        return _added(found[1], bound) if found[1] in params else found[0]

    return _NAMED_ESCAPED.sub(r"\1", _NAMED.sub(replaced, sql))


def _mark_pyformat(sql: str, params: Any, bound: list[Any]) -> str:
    """Python's own formatting finds them everywhere, in texts and comments too; without parameters it does not happen."""
    if not params:
        return sql
    count = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal count
        if found[1]:
            return "%"
        if found[0] == "%":
            raise ValueError("With params, write %% for a percent sign.")
        key: Any = found[2]
        if key is None:
            key, count = count, count + 1
        if (key not in params) if isinstance(params, Mapping) else (not isinstance(key, int) or key >= len(params)):
            raise ValueError("The statement asks for a parameter that params does not have.")
        return _added(key, bound)

    return _PYFORMAT.sub(replaced, sql)


def _mark_dollar(sql: str, params: Any, bound: list[Any]) -> str:
    """`?` gets its number here, by the tokens; `$1` and `$name` are found in the tree."""
    text = sql
    signs = [token for token in Dialect.get_or_raise("duckdb").tokenize(sql) if token.token_type is TokenType.PLACEHOLDER]
    for count, sign in enumerate(reversed(signs)):
        text = f"{text[: sign.start]} {marker(len(bound) + len(signs) - 1 - count)} {text[sign.end + 1 :]}"
    if signs and (isinstance(params, Mapping) or len(params) != len(signs)):
        raise ValueError(f"The statement asks for {len(signs)} parameters by “?”; params must be as many, in a list.")
    bound.extend(range(len(signs)))
    return text


def marked(tree: exp.Expr, params: Any, style: Style, bound: list[Any]) -> exp.Expr:
    """Return the tree with a marker for each parameter that only the parser finds."""
    if style != "dollar":
        return tree

    def replaced(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Placeholder) or not node.name:
            return node
        key: Any = node.name if isinstance(params, Mapping) else int(node.name) - 1 if node.name.isdecimal() else None
        if (key not in params) if isinstance(params, Mapping) else (key is None or not 0 <= key < len(params or ())):
            raise ValueError("The statement asks for a parameter that params does not have.")
        return exp.column(_added(key, bound).strip())

    return tree.transform(replaced, copy=False)


def _added(key: Any, bound: list[Any]) -> str:
    bound.append(key)
    return f" {marker(len(bound) - 1)} "


def pieces_of(text: str, style: Style) -> tuple[Piece, ...]:
    """Split what was generated at the markers in it, and write the texts between them as the driver wants them."""
    parts: list[Piece] = list(_MARKER.split(text.replace(_OURS, "")))
    escape = _ESCAPES[style] if len(parts) > 1 or style == "named" else str
    return tuple(int(part) if place % 2 else escape(str(part)) for place, part in enumerate(parts))


def written(pieces: Sequence[Piece], values: Callable[[int], tuple[Any, bool]], style: Style) -> tuple[str, dict[str, Any] | None]:
    """Return the statement for the driver, and what it binds by name; None where it binds nothing.

    `values` gives what is bound as a number, and whether that is a list whose items are bound one by one.
    """
    before, after = _SIGNS[style]
    between = f"{after}, {before}"
    given: dict[str, Any] = {}
    text: list[str] = []
    for piece in pieces:
        if isinstance(piece, str):
            text.append(piece)
            continue
        value, is_list = values(piece)
        if is_list:
            bound = {f"p{piece}_{place}": item for place, item in enumerate(value)}
            given.update(bound)
            text.append(f"{before}{between.join(bound)}{after}")
        else:
            given[name := f"p{piece}"] = value
            text.append(f"{before}{name}{after}")
    return "".join(text), given if len(pieces) > 1 else None


_MARKS: Final[Mapping[Style, Callable[[str, Any, list[Any]], str]]] = {
    "named": _mark_named,
    "pyformat": _mark_pyformat,
    "dollar": _mark_dollar,
}
_SIGNS: Final[Mapping[Style, tuple[str, str]]] = {"named": (":", ""), "pyformat": ("%(", ")s"), "dollar": ("$", "")}
_ESCAPES: Final[Mapping[Style, Callable[[str], str]]] = {
    "named": lambda text: text.replace(":", "\\:"),
    "pyformat": lambda text: text.replace("%", "%%"),
    "dollar": lambda text: text,
}
