"""Put each table's rule into a statement: every table that is read becomes a derived table with its rows and columns, its alias kept.

Names of CTEs are replaced, so that what we took for a table cannot be a CTE to the database, nor the other way round.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from sqlglot import exp

from st_auth.access.permissions import Granted
from st_auth.access.rules import TableRule, require_table
from st_auth.access.sql_derived import Bound, derived, fasten
from st_auth.access.sql_grammar import unsafe
from st_auth.access.sql_names import TableNames, parts_of
from st_auth.access.sql_params import ours
from st_auth.errors import PermissionDenied

__all__ = ["Bound", "Columns", "Rewriting"]

Columns = Callable[[str], tuple[str, ...]]  # a table's name as SQL → the names of its columns, in their order
Names = Mapping[str, str]

_CTE: Final = "st_auth_cte_"
_SAMPLED: Final = ("alias", "pivots", "sample")
_BESIDE: Final = ("joins", "laterals")
_TABLE: Final = "st_auth_table_"
_TABLES: Final = re.compile(ours(rf"{_TABLE}(\d+)_"))
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
        self._texts: list[str] = []
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
            fasten(column for column in pivot.find_all(exp.Column) if column.find_ancestor(exp.Query, exp.Pivot) is not pivot)
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
            self._derived(table, rule, hidden)

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

    def _derived(self, table: exp.Table, rule: TableRule, hidden: Mapping[str, str]) -> None:
        """Put a name of ours in the table's place, for which the SELECT is written in the end; its alias and what stands behind it stay."""
        _name_alias(table)
        self._unqualified.add(parts_of(table, self._dialect))
        made = derived(table, rule, hidden, self._columns, self._number, self._dialect)
        self.hidden += made.hidden
        self._texts.append(made.sql)
        table.set("this", exp.to_identifier(ours(f"{_TABLE}{len(self._texts) - 1}_")))
        table.set("db", None)
        table.set("catalog", None)
        if table.args.get("sample"):
            self._sampled(table)

    @staticmethod
    def _sampled(table: exp.Table) -> None:
        """Take the sample of the rows that are left, and not of what is joined to them in the same parentheses: what stands behind a
        SELECT is written in another order than what stands behind a table, and in some dialects a sample elsewhere.
        """
        beside = {key: table.args.pop(key) for key in _BESIDE if table.args.get(key)}
        sampled = {key: table.args.pop(key) for key in _SAMPLED if table.args.get(key)}
        alias = sampled.get("alias")
        made = exp.Subquery(this=exp.select("*").from_(table.copy()), **sampled)
        if beside:
            made = exp.Subquery(this=exp.select("*").from_(made), alias=alias and alias.copy(), **beside)
        table.replace(made)

    def written(self, text: str) -> str:
        """Return what was generated with each SELECT in its place. Raises PermissionDenied unless each of them is there."""
        parts = _TABLES.split(text)
        if {*map(int, parts[1::2])} != {*range(len(self._texts))}:
            raise unsafe("something that reads in another way once it is written again", "Write it in another way.")
        return "".join(f"({self._texts[int(part)]})" if place % 2 else part for place, part in enumerate(parts))

    def may_stay(self, table: exp.Table) -> bool:
        """Whether a table may be read as it is, as it lost nothing to its rule."""
        return parts_of(table, self._dialect) in self._staying

    def _number(self, bound: Bound) -> int:
        if bound not in self._numbers:
            self._numbers[bound] = len(self._bound)
            self._bound.append(bound)
        return self._numbers[bound]

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


def _no_rule(name: str) -> PermissionDenied:
    key = name if name.replace("_", "").isalnum() else f'"{name}"'
    hint = f'Nobody may read it until a rule says who. The smallest, in {_RULES}:\n\n    [tables.{key}]\n    needs = "…:read"'
    return PermissionDenied(f"There is no rule for the table {name}.", code="no_rule", hint=hint, table=name)
