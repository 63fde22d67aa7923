"""Functions of texts, by code points and without any language's own rules; LIKE as a search that holds no sign of a pattern's language."""

import re
from collections.abc import Callable
from typing import Final

import narwhals as nw

from st_auth.access.frame_numbers import Fault, nothing_where
from st_auth.access.frame_values import NULL, WORDS, Const, Engine, Operand, Truth, Unfit, Value, chosen, denied

__all__ = ["TextFunction", "applied", "joined", "like", "lower"]

TextFunction = Callable[[Value, Engine, Fault], Value]

# What polars writes large as two signs or more, and databases as one: they keep it, or have one of their own.
_SPECIAL_CAPITALS: Final = (
    r"[\x{df}\x{149}\x{1f0}\x{390}\x{3b0}\x{587}\x{1e96}-\x{1e9a}\x{1f50}\x{1f52}\x{1f54}\x{1f56}\x{1f80}-\x{1faf}"
    r"\x{1fb2}-\x{1fb4}\x{1fb6}\x{1fb7}\x{1fbc}\x{1fc2}-\x{1fc4}\x{1fc6}\x{1fc7}\x{1fcc}\x{1fd2}\x{1fd3}\x{1fd6}\x{1fd7}"
    r"\x{1fe2}-\x{1fe4}\x{1fe6}\x{1fe7}\x{1ff2}-\x{1ff4}\x{1ff6}\x{1ff7}\x{1ffc}\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}]"
)


def applied(function: TextFunction, value: Operand, engine: Engine, fault: Fault) -> Operand:
    """Return what a function gives for a text; for one that is known, at once."""
    if value.kind == "null":
        return NULL
    if value.kind != "text":
        raise (
            value.unfit("text")
            if isinstance(value, Const)
            else Unfit(f"has {WORDS[value.kind]} where a text belongs; write cast(… as text)")
        )
    if isinstance(value, Value):
        return function(value, engine, fault)
    import pyarrow as pa

    one = nw.from_native(pa.table({"text": pa.array([value.value], pa.string())}))
    found = function(Value("text", nw.col("text"), nw.String), "arrow", fault)
    return Const(found.kind, one.select(found.expr).item())


def lower(value: Value, engine: Engine, _: Fault) -> Value:
    """LOWER: sign by sign. Polars knows two signs whose small form depends on what stands around them, or is more than one."""
    expr = value.expr
    if engine == "polars":
        expr = expr.str.replace_all("\u03a3", "\u03c3", literal=True).str.replace_all("\u0130", "i", literal=True)
    return _text(expr.str.to_lowercase())


def upper(value: Value, engine: Engine, fault: Fault) -> Value:
    """UPPER: sign by sign, and in polars nothing for what it does otherwise."""
    capitals = _text(value.expr.str.to_uppercase())
    return (
        nothing_where(value.expr.str.contains(_SPECIAL_CAPITALS).fill_null(value=False), capitals, fault)
        if engine == "polars"
        else capitals
    )


def trimmed(value: Value, _: Engine, __: Fault) -> Value:
    """TRIM: spaces alone."""
    return _text(value.expr.str.strip_chars(" "))


def length(value: Value, _: Engine, __: Fault) -> Value:
    """LENGTH in code points."""
    return Value("int", value.expr.str.len_chars().cast(nw.Int64), nw.Int64, 2**31)


def sliced(start: int, count: int | None) -> TextFunction:
    """SUBSTRING from `start`, which is 1 or more."""
    return lambda value, _, __: _text(value.expr.str.slice(start - 1, count))


def last(count: int) -> TextFunction:
    """RIGHT."""
    return lambda value, _, __: _text(value.expr.str.slice(-count, count) if count else value.expr.str.slice(0, 0))


def replaced(old: str, new: str) -> TextFunction:
    """REPLACE; nothing is nowhere to be found."""
    return lambda value, _, __: _text(value.expr.str.replace_all(old, new, literal=True)) if old else value


def _text(expr: nw.Expr) -> Value:
    return Value("text", expr, nw.String)


def joined(values: list[Operand], *, skip: bool) -> Operand:
    """`||`, and CONCAT, which may skip what is null."""
    if skip:
        values = [chosen([(denied(value.null()), value)], Const("text", "")) for value in values]
    if any(value.kind == "null" for value in values):
        return NULL
    for value in values:
        if value.kind != "text":
            raise value.unfit("text") if isinstance(value, Const) else Unfit(f"joins {WORDS[value.kind]} to a text; write cast(… as text)")
    if all(isinstance(value, Const) for value in values):
        return Const("text", "".join(value.value for value in values if isinstance(value, Const)), _claim(values))
    return _text(nw.concat_str([nw.lit(value.value) if isinstance(value, Const) else value.expr for value in values]))


def _claim(values: list[Operand]) -> str:
    return next((value.claim for value in values if isinstance(value, Const) and value.claim), "")


def like(value: Operand, pattern: Operand, escape: str) -> Truth:
    """LIKE: `%` is any signs, `_` is one, and the sign after `escape` is itself."""
    if value.kind == "null":
        return Truth(yes=False, no=False)
    if not isinstance(pattern, Const) or pattern.kind != "text":
        raise pattern.unfit("text") if isinstance(pattern, Const) else Unfit("has LIKE with a pattern that is no text")
    if value.kind != "text":
        raise value.unfit("text") if isinstance(value, Const) else Unfit(f"has LIKE on {WORDS[value.kind]}")
    pieces = _pieces(pattern, escape)
    if isinstance(value, Const):
        pattern_of = "".join({"%": ".*", "_": "."}[piece] if sign else re.escape(piece) for piece, sign in pieces)
        matches = re.fullmatch(pattern_of, value.value, re.DOTALL) is not None
        return Truth(matches, not matches)
    found = _search(value.expr, pieces)
    return Truth(found, ~found)


def _pieces(pattern: Const, escape: str) -> list[tuple[str, bool]]:
    """The pattern's parts: a text that stands for itself, or one of the two signs."""
    pieces: list[tuple[str, bool]] = []
    signs = iter(pattern.value)
    for sign in signs:
        if sign == escape:
            if (after := next(signs, None)) is None:
                raise pattern.unfit("text")
            pieces.append((after, False))
        else:
            pieces.append((sign, sign in "%_"))
    return pieces


def _search(expr: nw.Expr, pieces: list[tuple[str, bool]]) -> nw.Expr:
    """The plain forms go the plain way; otherwise every sign of a text stands by its number."""
    core = pieces[1:] if pieces[:1] == [("%", True)] else pieces
    body = core[:-1] if core[-1:] == [("%", True)] else core
    if any(sign for _, sign in body):
        written = "".join({"%": ".*", "_": "."}[piece] if sign else f"\\x{{{ord(piece):x}}}" for piece, sign in pieces)
        return expr.str.contains(rf"(?s)\A{written}\z")
    text = "".join(piece for piece, _ in body)
    starts, ends = core is not pieces, body is not core
    if starts and ends:
        return expr.str.contains(text, literal=True)
    if not starts and not ends:
        return _eq(expr, text)
    return expr.str.ends_with(text) if starts else expr.str.starts_with(text)


def _eq(expr: nw.Expr, text: str) -> nw.Expr:
    found: nw.Expr = expr == text
    return found
