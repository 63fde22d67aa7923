"""Put each table's rule into a statement: every table that is read becomes a derived table with its rows and columns, its alias kept.

Names of CTEs are replaced, so that what we took for a table cannot be a CTE to the database, nor the other way round.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sqlglot import exp

from st_auth.access.permissions import Granted
from st_auth.access.rules import HIDE, NULL, TableRule, require_table
from st_auth.access.sql_expressions import BadRule, expression, placed
from st_auth.access.sql_grammar import unsafe
from st_auth.access.sql_names import TableNames, fold_column, parts_of
from st_auth.access.sql_params import marker, ours
from st_auth.errors import ConfigError, PermissionDenied, Problem

__all__ = ["Bound", "Columns", "Rewriting"]

Columns = Callable[[str], tuple[str, ...]]  # a table's name as SQL → the names of its columns, in their order
Bound = tuple[str, Any]  # ("param", its key), or ("one", name) and ("all", name) for a value of the person's
Names = Mapping[str, str]

_SOURCE: Final = ours("st_auth_t")
_CTE: Final = "st_auth_cte_"
_MOVED: Final = ("joins", "pivots", "laterals", "sample")
_RULES: Final = ".streamlit/rules.toml"


class Rewriting:
    """One statement, for people with the same permissions. `tables` are those read, as the statement names them; `rules` their rules."""

    def __init__(self, names: TableNames, dialect: str, granted: Granted, columns: Columns, bound: list[Bound]) -> None:
        self._names = names
        self._dialect = dialect
        self._granted = granted
        self._columns = columns
        self._bound = bound
        self._numbers: dict[Bound, int] = {}
        self._ctes = 0
        self._unqualified: set[tuple[str, ...]] = set()
        self._staying: set[tuple[str, ...]] = set()
        self.tables: list[str] = []
        self.rules: list[str] = []
        self.hidden: list[str] = []

    def run(self, tree: exp.Expr) -> exp.Expr:
        """Return the statement with the rules in it. Raises PermissionDenied, ConfigError."""
        columns = [column for column in tree.find_all(exp.Column) if column.args.get("db")]
        self._resolve(tree, {})
        for column in columns:
            self._shorten(column)
        for pivot in list(tree.find_all(exp.Pivot)):
            self._require_values(pivot)
            _fasten(column for column in pivot.find_all(exp.Column) if column.find_ancestor(exp.Query, exp.Pivot) is not pivot)
        return tree

    def _resolve(self, node: exp.Expr, ctes: Names) -> None:
        """Walk down with the CTEs that can be seen here."""
        children = list(node.iter_expressions())
        if (with_ := node.args.get("with_")) is not None:
            children.remove(with_)
            ctes = self._with(with_, ctes)
        for child in children:
            self._resolve(child, ctes)
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            self._table(node, ctes)

    def _with(self, with_: exp.Expr, ctes: Names) -> Names:
        """A CTE sees those before it, and itself where RECURSIVE stands."""
        for cte in with_.expressions:
            identifier = cte.args["alias"].this
            name = self._key(identifier)
            self._ctes += 1
            new = ours(f"{_CTE}{self._ctes}")
            after = {**ctes, name: new}
            self._resolve(cte.this, after if with_.args.get("recursive") else ctes)
            identifier.replace(exp.to_identifier(new))
            ctes = after
        return ctes

    def _key(self, identifier: exp.Expr) -> str:
        return parts_of(exp.Table(this=identifier.copy()), self._dialect)[0]

    def _table(self, table: exp.Table, ctes: Names) -> None:
        if not table.args.get("db") and (new := ctes.get(self._key(table.this))) is not None:
            _name_alias(table)
            table.this.replace(exp.to_identifier(new))
            return
        rule = self._rule(table)
        hidden = rule.columns_for(self._granted)
        if rule.rows or hidden:
            table.replace(self._derived(table, rule, hidden))

    def _rule(self, table: exp.Table) -> TableRule:
        parts = parts_of(table, self._dialect)
        name = ".".join(part.name for part in table.parts)
        rule = self._names.find(parts)
        if rule is None:
            raise _no_rule(name)
        require_table(rule, self._granted)
        if not rule.rows and not rule.columns_for(self._granted):
            self._staying.add(parts)
        self.tables.append(name)
        self.rules.append(rule.name)
        return rule

    def _derived(self, table: exp.Table, rule: TableRule, hidden: Mapping[str, str]) -> exp.Expr:
        """`(SELECT its columns FROM it WHERE its rows) AS its alias`, with what stood behind it."""
        _name_alias(table)
        if len(table.parts) > 1:
            self._unqualified.add(parts_of(table, self._dialect))
        moved = {key: table.args.get(key) for key in ("alias", *_MOVED) if table.args.get(key)}
        inner = exp.Table(**{key: table.args.get(key) for key in ("this", "db", "catalog")})
        seen = self._seen(inner.sql(dialect=self._dialect), rule, hidden) if hidden else [exp.Star()]
        inner.set("alias", exp.TableAlias(this=exp.to_identifier(_SOURCE)))
        select = exp.Select(expressions=seen, from_=exp.From(this=inner))
        if rule.rows:
            select.set("where", exp.Where(this=self._placed(rule.rows, rule)))
        _fasten(column for column in select.find_all(exp.Column) if column.find_ancestor(exp.Query) is not select)
        return exp.Subquery(this=select, **moved)

    def _seen(self, name: str, rule: TableRule, hidden: Mapping[str, str]) -> list[exp.Expr]:
        """The table's columns as somebody may see them, in its own order."""
        columns = self._columns(name)
        instead = {fold_column(column): what for column, what in hidden.items()}
        if unknown := instead.keys() - {fold_column(column) for column in columns}:
            mend = f"name one of: {', '.join(columns)}"
            problem = f"tables.{rule.name}.columns.{min(unknown)}"
            raise ConfigError([Problem(_RULES, problem, "is no column of the table, so nothing of it is shown", mend)])
        self.hidden += [f"{rule.name}.{column}" for column, what in hidden.items() if what == HIDE]
        seen = [self._column(column, instead.get(fold_column(column)), rule) for column in columns]
        if not any(seen):
            message = f"Every column of {rule.name} is hidden from your login."
            raise PermissionDenied(message, code="permission_missing", hint="Ask whoever looks after this app.", table=rule.name)
        return [column for column in seen if column is not None]

    def _column(self, name: str, instead: str | None, rule: TableRule) -> exp.Expr | None:
        own = exp.column(exp.to_identifier(name, quoted=True), table=_SOURCE)
        if instead is None:
            return own
        if instead == HIDE:
            return None
        # A NULL of the column's own type, so that sums and comparisons stay as they were.
        value = exp.case().when(exp.condition("1 = 0"), own) if instead == NULL else self._placed(instead, rule)
        return exp.alias_(value, exp.to_identifier(name, quoted=True))

    def _placed(self, text: str, rule: TableRule) -> exp.Expr:
        name = rule.name.rpartition(".")[2].strip('"')
        try:
            tree = expression(text, self._dialect)
        except BadRule as error:
            raise ConfigError([Problem(_RULES, f"tables.{rule.name}", f"has “{text}”, which {error}", "mend the line")]) from None
        self._staying.update(parts_of(table, self._dialect) for table in tree.find_all(exp.Table))
        return exp.Paren(this=placed(tree, _SOURCE, name, self._bind))

    def may_stay(self, table: exp.Table) -> bool:
        """Whether a table may be read as it is: it lost nothing to its rule, or a rule's own query reads it."""
        return parts_of(table, self._dialect) in self._staying

    def _bind(self, name: str, is_list: bool) -> str:
        bound = ("all" if is_list else "one", name)
        if bound not in self._numbers:
            self._numbers[bound] = len(self._bound)
            self._bound.append(bound)
        return marker(self._numbers[bound])

    def _require_values(self, pivot: exp.Pivot) -> None:
        """DuckDB looks for the values of `PIVOT … ON column` in a statement of its own, and that takes no parameters."""
        if pivot.this and not pivot.unpivot and self._bound and not all(isinstance(on, exp.In) for on in pivot.expressions):
            raise unsafe("PIVOT without its values", "Name them: PIVOT … ON column IN ('a', 'b') USING …")

    def _shorten(self, column: exp.Expr) -> None:
        """`schema.sales.amount` means nothing once the table is derived: it is `sales.amount` then."""
        table = exp.Table(this=column.args["table"].copy(), db=column.args["db"].copy())
        if catalog := column.args.get("catalog"):
            table.set("catalog", catalog.copy())
        parts = parts_of(table, self._dialect)
        if any(name[-len(parts) :] == parts for name in self._unqualified):
            column.set("db", None)
            column.set("catalog", None)


def _name_alias(table: exp.Table) -> None:
    """Keep the name by which the statement calls a table; what a pivot gives has a name of its own."""
    if not table.args.get("alias") and not table.args.get("pivots"):
        table.set("alias", exp.TableAlias(this=table.this.copy()))


def _fasten(columns: Iterable[exp.Expr]) -> None:
    """Write the qualifiers of columns so that they stay: some generators take them away, below a PIVOT or beside an UNNEST."""
    for column in [column for column in columns if column.args.get("table")]:
        parts = [part for key in ("catalog", "db", "table", "this") if (part := column.args.get(key))]
        column.replace(exp.Dot.build([part.copy() for part in parts]))


def _no_rule(name: str) -> PermissionDenied:
    key = name if name.replace("_", "").isalnum() else f'"{name}"'
    hint = f'Nobody may read it until a rule says who. The smallest, in {_RULES}:\n\n    [tables.{key}]\n    needs = "…:read"'
    return PermissionDenied(f"There is no rule for the table {name}.", code="no_rule", hint=hint, table=name)
