"""What takes the place of one table: a SELECT of the rows and columns that its rule leaves, written on its own and put in as a text.

So nothing of the statement around it can change what it means, nor can it change the statement.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlglot import exp
from sqlglot.errors import ErrorLevel

from st_auth.access.rules import HIDE, NULL, TableRule
from st_auth.access.sql_expressions import BadRule, expression, placed
from st_auth.access.sql_names import fold_column
from st_auth.access.sql_params import marker
from st_auth.errors import ConfigError, PermissionDenied, Problem

__all__ = ["Bound", "Derived", "derived", "fasten"]

Bound = tuple[str, Any]  # ("param", its key), or ("one", name) and ("all", name) for a value of the person's

_SOURCE: Final = "st_auth_t"
_RULES: Final = ".streamlit/rules.toml"


@dataclass(frozen=True, slots=True)
class Derived:
    """A SELECT without its parentheses, and which columns it hides."""

    sql: str
    hidden: tuple[str, ...]


def derived(
    table: exp.Table,
    rule: TableRule,
    hidden: Mapping[str, str],
    columns: Callable[[str], tuple[str, ...]],
    bind: Callable[[Bound], int],
    dialect: str,
) -> Derived:
    """Write the SELECT in a table's place. `hidden` says what stands for which columns, `bind` gives what is bound a number.

    Raises PermissionDenied where every column is hidden, ConfigError for a rule that does not fit the table.
    """
    source = exp.Table(**{key: part.copy() for key in ("this", "db", "catalog") if (part := table.args.get(key))})
    rewriting = _OneTable(rule, dialect, bind)
    seen = rewriting.seen(columns(source.sql(dialect=dialect)), hidden) if hidden else [exp.Star()]
    source.set("alias", exp.TableAlias(this=exp.to_identifier(_SOURCE)))
    select = exp.Select(expressions=seen, from_=exp.From(this=source))
    if rule.rows:
        select.set("where", exp.Where(this=rewriting.placed(rule.rows)))
    fasten(column for column in select.find_all(exp.Column) if column.find_ancestor(exp.Query) is not select)
    text = select.sql(dialect=dialect, comments=False, unsupported_level=ErrorLevel.RAISE)
    return Derived(text, tuple(f"{rule.name}.{column}" for column, what in hidden.items() if what == HIDE))


class _OneTable:
    """One rule over one table."""

    def __init__(self, rule: TableRule, dialect: str, bind: Callable[[Bound], int]) -> None:
        self._rule = rule
        self._dialect = dialect
        self._bind = bind

    def seen(self, columns: tuple[str, ...], hidden: Mapping[str, str]) -> list[exp.Expr]:
        """The table's columns as somebody may see them, in its own order."""
        rule = self._rule
        instead = {fold_column(column): what for column, what in hidden.items()}
        if unknown := instead.keys() - {fold_column(column) for column in columns}:
            mend = f"name one of: {', '.join(columns)}"
            problem = f"tables.{rule.name}.columns.{min(unknown)}"
            raise ConfigError([Problem(_RULES, problem, "is no column of the table, so nothing of it is shown", mend)])
        seen = [shown for column in columns if (shown := self._column(column, instead.get(fold_column(column)))) is not None]
        if not seen:
            message = f"Every column of {rule.name} is hidden from your login."
            raise PermissionDenied(message, code="permission_missing", hint="Ask whoever looks after this app.", table=rule.name)
        return seen

    def _column(self, name: str, instead: str | None) -> exp.Expr | None:
        own = exp.column(exp.to_identifier(name, quoted=True), table=_SOURCE)
        if instead is None:
            return own
        if instead == HIDE:
            return None
        # A NULL of the column's own type, so that sums and comparisons stay as they were.
        value = exp.case().when(exp.condition("1 = 0"), own) if instead == NULL else self.placed(instead)
        return exp.alias_(value, exp.to_identifier(name, quoted=True))

    def placed(self, text: str) -> exp.Expr:
        """An expression of the rule's, over the table."""
        name = self._rule.name.rpartition(".")[2].strip('"')
        try:
            tree = expression(text, self._dialect)
        except BadRule as error:
            raise ConfigError([Problem(_RULES, f"tables.{self._rule.name}", f"has “{text}”, which {error}", "mend the line")]) from None
        return exp.Paren(this=placed(tree, _SOURCE, name, lambda name, is_list: marker(self._bind(("all" if is_list else "one", name)))))


def fasten(columns: Iterable[exp.Expr]) -> None:
    """Write the qualifiers of columns so that they stay: some generators take them away, below a PIVOT or beside an UNNEST."""
    for column in [column for column in columns if column.args.get("table")]:
        parts = [part for key in ("catalog", "db", "table", "this") if (part := column.args.get(key))]
        column.replace(exp.Dot.build([part.copy() for part in parts]))
