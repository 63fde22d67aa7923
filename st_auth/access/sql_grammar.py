"""Judge a parsed statement: does it consist of nothing but what is known to read only the tables that it names?

A list of what may stand in it, not of what may not: a construct that we do not know, such as one of a newer parser, is refused.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlglot import exp

from st_auth.access.sql_known import BY_CLASS, BY_NAME, NODES, TABLES_BY_CLASS, TABLES_BY_NAME
from st_auth.access.sql_params import in_text, is_marker, is_ours
from st_auth.errors import PermissionDenied

__all__ = ["require_readable", "unsafe"]

_MODIFIERS: Final = frozenset({"into", "locks", "settings", "format", "options", "for_", "hint", "prewhere", "match"})
_WITHOUT: Final[Mapping[str, frozenset[str]]] = {  # nodes that are known, without these of their parts
    "CTE": frozenset({"scalar"}),
    "Except": _MODIFIERS,
    "In": frozenset(),
    "Intersect": _MODIFIERS,
    "Join": frozenset({"hint", "global_", "directed"}),
    "Lateral": frozenset(),
    "Pivot": frozenset(),
    "Select": _MODIFIERS,
    "Subquery": _MODIFIERS,
    "Table": frozenset(
        {"hints", "system_time", "version", "format", "pattern", "when", "only", "partition", "changes", "rows_from", "indexed"}
    ),
    "TableFromRows": frozenset(),
    "Union": _MODIFIERS,
    "With": frozenset({"udfs", "search"}),
}
_SAID: Final[Mapping[str, str]] = {
    "Command": "a statement that does not read",
    "Hint": "a hint to the optimizer",
    "HistoricalData": "time travel",
    "Parameter": "a session variable or a column by its number",
    "Placeholder": "a parameter that is not given",
    "SessionParameter": "a session variable",
    "ListStage": "a stage",
    "DynamicIdentifier": "a name that is put together at run time",
    "ReadCSV": "a file",
    "ReadParquet": "a file",
    "hint": "a hint to the optimizer",
    "into": "SELECT … INTO",
    "locks": "FOR UPDATE or another lock",
    "only": "ONLY",
    "partition": "a partition",
    "system_time": "time travel",
    "version": "time travel",
    "when": "time travel",
    "changes": "time travel",
    "udfs": "a function of its own",
}
_NUMBER: Final = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WORD: Final = re.compile(r"[^\W\d][\w$]*")
_KEYWORDS: Final = re.compile(r"[\w ]*")
_TYPE: Final = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*)*")
_BITS: Final = re.compile(r"[0-9A-Fa-f]*")
_QUOTES: Final = frozenset('"`\\\0')
_BREAKS_OUT: Final = re.compile(r"\\(?:'|$)|\0")
_SOURCES: Final = (exp.From, exp.Join, exp.Lateral, exp.Table, exp.TableFromRows)
_OURS: Final = "st_auth_"
_SEQUENCE: Final = frozenset({"nextval", "currval"})


def require_readable(statement: exp.Expr, dialect: str, functions: frozenset[str]) -> None:
    """Raise PermissionDenied (`statement_refused`) unless each node is known; `functions` are harmless by the rule file."""
    if not isinstance(statement, exp.Query | exp.Pivot):
        raise unsafe(_SAID["Command"], "Only statements that read can obey rules.")
    known, sources = BY_NAME[dialect] | functions, TABLES_BY_NAME.get(dialect, frozenset()) | functions
    for node in statement.walk():
        _require_known(node, known)
        if isinstance(node, exp.Func) and isinstance(node.parent, _SOURCES) and node.arg_key == "this":
            _require_source(node, sources)


def _require_known(node: exp.Expr, functions: frozenset[str]) -> None:
    name = type(node).__name__
    if isinstance(node, exp.Anonymous):
        _require_function(node, functions)
    elif isinstance(node, exp.Func) and name not in BY_CLASS:
        raise unsafe(_SAID.get(name, f"the function {node.sql_name()}"), "It may read more than the tables of the statement.")
    elif (without := _WITHOUT.get(name)) is not None:
        _require_without(node, without)
    elif name not in NODES and not isinstance(node, exp.Func):
        raise unsafe(_SAID.get(name, f"what the parser calls {name}"), "Write the statement without it.")
    if in_text(node):
        raise unsafe("a parameter inside quotes", "Parameters need no quotes: write :name, %s or ? alone.")
    if name == "Extract" or "unit" in node.args:
        _require_unit(node.args.get("this" if name == "Extract" else "unit"))
    check = _CHECKS.get(name)
    if check is not None:
        check(node)
    _require_plain(node, but="" if check is None else "kind" if name == "DataType" else "this")


def _require_function(node: exp.Anonymous, functions: frozenset[str]) -> None:
    name = node.this
    if not isinstance(name, str) or not _WORD.fullmatch(name) or name.lower() not in functions:
        hint = f'If it gives nothing but what it is given, write functions = ["{str(name).lower()}"] in [access] of rules.toml.'
        raise unsafe(f"the function {name}", f"Nobody knows here what it reads. {hint}")


def _require_source(node: exp.Func, functions: frozenset[str]) -> None:
    """What is harmless as a value may be another thing as a table: DuckDB's histogram() reads the table that a text names."""
    name = str(node.this).lower() if isinstance(node, exp.Anonymous) else ""
    if name not in functions and type(node).__name__ not in TABLES_BY_CLASS:
        raise unsafe(f"the function {name or node.sql_name()} in the place of a table", "Name a table there.")


def _require_without(node: exp.Expr, without: Iterable[str]) -> None:
    for part in without:
        if node.args.get(part):
            raise unsafe(_SAID.get(part, f"what the parser calls {part}"), "Write the statement without it.")


def _require_unit(unit: Any) -> None:
    """Whatever it was, it may be written as a word."""
    if isinstance(unit, exp.Literal | exp.Column | exp.Identifier) and not _WORD.fullmatch(unit.name):
        raise unsafe("a part of a date that is none", "Write a word such as month.")


def _require_plain(node: exp.Expr, but: str) -> None:
    """Texts in other nodes are keywords; they are written as they are."""
    for key, value in node.args.items():
        if key != but and isinstance(value, str | list):
            for word in [value] if isinstance(value, str) else value:
                if isinstance(word, str) and not _KEYWORDS.fullmatch(word):
                    raise unsafe(f"a word that is none in {type(node).__name__}", "Write the statement without it.")


def _literal(node: exp.Expr) -> None:
    if node.args.get("is_string"):
        if _BREAKS_OUT.search(node.this):
            raise unsafe("a text with a backslash before its end or before a quote", "Give it as a parameter.")
    elif not _NUMBER.fullmatch(node.this):
        raise unsafe("a number that is none", "Give it as a parameter.")


def _identifier(node: exp.Expr) -> None:
    name = node.this
    if not isinstance(name, str) or not name or (_QUOTES & set(name) if node.args.get("quoted") else not _WORD.fullmatch(name)):
        raise unsafe("a name with a quote or a sign", "Rename it, or read it by a view.")
    if name.lower().startswith(_OURS) and not is_ours(name):
        raise unsafe(f"a name that begins with {_OURS}", "Give it another one: what the rules put in is called so.")


def _var(node: exp.Expr) -> None:
    if not isinstance(node.this, str) or not _WORD.fullmatch(node.this):
        raise unsafe("a word that is none", "Write the statement without it.")


def _type(node: exp.Expr) -> None:
    """A type of the database's own is written as it is, without its quotes."""
    kind = node.args.get("kind")
    if isinstance(kind, str) and not _TYPE.fullmatch(kind):
        raise unsafe("a type whose name has a sign in it", "Cast to another type.")


def _column(node: exp.Expr) -> None:
    """`sequence.nextval` counts on."""
    if node.args.get("table") and node.name.lower() in _SEQUENCE:
        raise unsafe("a sequence", "Statements here only read.")


def _bits(node: exp.Expr) -> None:
    if not _BITS.fullmatch(str(node.this)):
        raise unsafe("a literal of bytes with a sign in it", "Give it as a parameter.")


def _raw(node: exp.Expr) -> None:
    if set(str(node.this)) & {"'", '"', "\n", "\0"} or str(node.this).endswith("\\"):
        raise unsafe("a raw text with a quote in it", "Give it as a parameter.")


def _json_key(node: exp.Expr) -> None:
    if not isinstance(node.this, str) or set(node.this) & {"'", '"', "`", "\\", "\0"}:
        raise unsafe("a path into JSON with a quote in it", "Rename the key, or read it by a view.")


def _dot(node: exp.Expr) -> None:
    """`schema.function(…)` names a function that we do not know; `value.field` stays."""
    if isinstance(node.expression, exp.Func):
        raise unsafe(f"the function {node.sql()}", "Write functions without a schema before them.")


def _in(node: exp.Expr) -> None:
    """In SQLite `x in sales` reads the table."""
    field = node.args.get("field")
    if field is not None and not is_marker(field):
        raise unsafe("IN without parentheses", "Write in (…) or in (select …).")


def _from_rows(node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Func):
        raise unsafe("a table that is put together at run time", "Name the table itself.")


def _lateral(node: exp.Expr) -> None:
    if not isinstance(node.this, exp.Func | exp.Subquery):
        raise unsafe("LATERAL before something else than a query", "Name the table without LATERAL.")


def _table(node: exp.Table) -> None:
    name = node.this
    if isinstance(name, exp.Func):
        if node.args.get("db"):
            raise unsafe(f"the function {name.sql()}", "Write functions without a schema before them.")
    elif not isinstance(name, exp.Identifier) or not all(isinstance(part, exp.Identifier) for part in node.parts):
        raise unsafe("a table without a name", "Name the table itself.")
    elif node.args.get("catalog") and len(node.parts) == 2:
        raise unsafe("two dots in a row", "Write the schema between them.")


_CHECKS: Final[Mapping[str, Any]] = {
    "BitString": _bits,
    "ByteString": _raw,
    "Column": _column,
    "DataType": _type,
    "Dot": _dot,
    "HexString": _bits,
    "Identifier": _identifier,
    "In": _in,
    "JSONPathKey": _json_key,
    "Lateral": _lateral,
    "Literal": _literal,
    "RawString": _raw,
    "Table": _table,
    "TableFromRows": _from_rows,
    "Var": _var,
}


def unsafe(what: str, mend: str) -> PermissionDenied:
    """Return the refusal of a statement that cannot be shown to obey the rules."""
    message = f"This statement holds {what}, so nobody can say that it obeys the rules."
    return PermissionDenied(message, code="statement_refused", hint=mend)
