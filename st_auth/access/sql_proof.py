"""Read once more what was written, and trust that alone: whatever became of a statement in between, this is what will be run."""

from collections.abc import Callable, Iterable

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from st_auth.access.sql_grammar import require_readable, unsafe
from st_auth.access.sql_params import is_ours
from st_auth.errors import PermissionDenied

__all__ = ["require_proven"]


def require_proven(text: str, dialect: str, functions: frozenset[str], may_stay: Callable[[exp.Table], bool]) -> None:
    """Raise PermissionDenied (`statement_refused`) unless each table in the text has a name that only we can give.

    `may_stay` says which others may be read as they are. A text that cannot be read raises SqlglotError.
    """
    language = Dialect.get_or_raise(dialect)
    tokens = language.tokenize(text)
    trees = language.parser().parse(tokens, text)
    if any(token.comments for token in tokens) or len(trees) != 1 or trees[0] is None:
        raise _unproven()
    for pivot in trees[0].find_all(exp.Pivot):
        pivot.set("columns", None)  # what the parser takes for the names of its columns; it is not written
    require_readable(trees[0], dialect, functions)
    if not all(_is_ours(table) or may_stay(table) for table in _named(trees[0])):
        raise _unproven()


def _named(tree: exp.Expr) -> Iterable[exp.Table]:
    return (table for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier))


def _is_ours(table: exp.Table) -> bool:
    """What stands for the SELECT of a rule, or a CTE: names that only we can give."""
    return len(table.parts) == 1 and is_ours(table.name)


def _unproven() -> PermissionDenied:
    return unsafe("something that reads in another way once it is written again", "Write it in another way.")
