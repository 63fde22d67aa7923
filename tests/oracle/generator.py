"""Statements made up at random, the same for the same seed: each with its parameters and the names of the constructs that are in it.

Every answer is determined as a multiset: what limits, or takes one of many, orders by everything first.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from tests.oracle.tables import COLUMNS, KINDS, REGIONS

NUMBER, TEXT, DAY = "number", "text", "day"
_PLACE = "\N{REPLACEMENT CHARACTER}"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PORTABLE = _words(
    """
    join_inner join_left join_right join_full join_cross join_natural join_using join_comma lateral lateral_left nested cte cte_chain
    cte_recursive cte_shadow cte_in_subquery cte_quoted cte_columns cte_sees_table union union_all intersect intersect_all except
    except_all correlated exists not_exists in_subquery any_subquery scalar_subquery aggregate aggregate_filter group_by having rollup
    cube grouping_sets window window_named distinct distinct_on star star_of_table column_aliases values limit param_named schema_table
    schema_column other_case name_of_another parentheses whole_row
    """
)
DUCKDB_ONLY = _words(
    """
    union_by_name qualify pivot pivot_statement pivot_dynamic unpivot unpivot_statement star_exclude star_replace columns from_first
    group_by_all param_question param_number join_semi join_anti join_asof catalog_table
    """
)
CONSTRUCTS: Mapping[str, Sequence[str]] = {"duckdb": PORTABLE + DUCKDB_ONLY, "postgres": PORTABLE}
_SETS = {"union": "union", "union_all": "union all", "intersect": "intersect", "intersect_all": "intersect all", "except": "except"}
_SET_KEYWORDS = {**_SETS, "except_all": "except all", "union_by_name": "union all by name"}
_HOME = {"duckdb": "main", "postgres": "public"}
_ENDS = _words(
    """
    pivot pivot_statement pivot_dynamic unpivot unpivot_statement star_exclude star_replace columns star star_of_table whole_row join_semi
    join_anti join_asof
    """
)


def schedule(dialect: str) -> Sequence[str]:
    """The constructs in their turns; those that stand in no other's statement three times as often."""
    ends = [name for name in CONSTRUCTS[dialect] if name in _ENDS]
    return (*CONSTRUCTS[dialect], *ends, *ends)


@dataclass(frozen=True)
class Statement:
    """What an author writes, and what it is made of."""

    sql: str
    params: Any
    used: frozenset[str]


@dataclass(frozen=True)
class Column:
    """A column as it is written where it is read."""

    text: str
    kind: str


@dataclass
class Scope:
    """What stands in a FROM: its text, and the columns that can be read there by the name of each source."""

    text: str
    sources: dict[str, dict[str, str]] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    prefix: dict[str, str] = field(default_factory=dict)

    def columns(self) -> list[Column]:
        found = [
            Column(f"{self.prefix.get(source, source)}.{name}", kind)
            for source, names in self.sources.items()
            for name, kind in names.items()
        ]
        counts = [name for names in self.sources.values() for name in names]
        bare = [Column(name, kind) for names in self.sources.values() for name, kind in names.items() if counts.count(name) == 1]
        return [*found, *bare, *(Column(name, kind) for name, kind in self.merged.items())]


class Generator:
    """One dialect's statements from one seed."""

    def __init__(self, seed: int, dialect: str) -> None:
        self._random = random.Random(seed)
        self._dialect = dialect
        self._is_duckdb = dialect == "duckdb"
        self._colon = ":" if self._is_duckdb else "\\:"  # SQLAlchemy takes :none for a parameter in a text too

    def statement(self, focus: str) -> Statement:
        """Return a statement that has the construct `focus` in it, among others."""
        self._focus = focus
        self._used: set[str] = set()
        self._names = 0
        self._values: list[Any] = []
        self._ctes: dict[str, dict[str, str]] = {}
        self._with: list[str] = []
        self._style = self._param_style(focus)
        text = self._ending(focus) if focus in _ENDS else self._top()
        sql, params = self._numbered(text)
        return Statement(sql, params, frozenset(self._used))

    # -- parameters --------------------------------------------------------------------------------------------------------

    def _param_style(self, focus: str) -> str:
        if focus.startswith("param_"):
            return focus
        if focus == "pivot_dynamic" or self._random.random() < 0.5:
            return ""
        return self._random.choice(("param_named", "param_question", "param_number")) if self._is_duckdb else "param_named"

    def _value(self, kind: str, *, bindable: bool = True) -> str:
        """A value in the text or as a parameter."""
        chosen = self._chosen_value(kind)
        if bindable and self._style and (self._random.random() < 0.5 or not self._values):
            self._values.append(chosen)
            return f"{_PLACE}{len(self._values) - 1}{_PLACE}"
        if kind == DAY:
            return f"date '{chosen}'"
        return str(chosen) if kind == NUMBER else f"'{chosen}'"

    def _chosen_value(self, kind: str) -> Any:
        if kind == NUMBER:
            return self._random.randint(1, 9)
        if kind == DAY:
            return date(2026, 1, 1) + timedelta(days=self._random.randint(0, 90))
        return self._random.choice([*REGIONS, *KINDS, "zürich: 50%?"])

    def _numbered(self, text: str) -> tuple[str, Any]:
        parts = text.split(_PLACE)
        order = [int(part) for part in parts[1::2]]
        if not order:
            return text, None
        self._used.add(self._style)
        write: dict[str, Callable[[int], str]] = {
            "param_named": lambda number: f"{'$' if self._is_duckdb else ':'}x{number}",
            "param_question": lambda _: "?",
            "param_number": lambda number: f"${sorted(set(order)).index(number) + 1}",
        }
        sql = "".join(write[self._style](int(part)) if place % 2 else part for place, part in enumerate(parts))
        if self._style == "param_named":
            return sql, {f"x{number}": self._values[number] for number in order}
        return sql, [self._values[number] for number in (order if self._style == "param_question" else sorted(set(order)))]

    # -- choices -----------------------------------------------------------------------------------------------------------

    def _take(self, name: str, chance: float, depth: int = 1) -> bool:
        """Whether to use a construct here: where it is the focus and is not there yet, or by chance."""
        if name not in CONSTRUCTS[self._dialect]:
            return False
        taken = (name == self._focus and name not in self._used) or (depth > 0 and self._random.random() < chance)
        if taken:
            self._used.add(name)
        return taken

    def _one_of(self, names: Sequence[str], chance: float, depth: int = 1) -> str:
        """One of several constructs, or none."""
        known = [name for name in names if name in CONSTRUCTS[self._dialect]]
        if self._focus in known and self._focus not in self._used:
            self._used.add(self._focus)
            return self._focus
        if depth > 0 and known and self._random.random() < chance:
            self._used.add(name := self._random.choice(known))
            return name
        return ""

    def _fresh(self, stem: str) -> str:
        self._names += 1
        return f"{stem}{self._names}"

    # -- statements --------------------------------------------------------------------------------------------------------

    def _top(self) -> str:
        sql, columns = self._query(2, None)
        if self._take("limit", 0.15):
            limit = f"limit {self._value(NUMBER, bindable=False)}{self._random.choice(('', ' offset 1'))}"
            sql = f"select * from ({sql}) {self._fresh('q')} order by {self._all(len(columns))} {limit}"
        return sql

    def _all(self, count: int) -> str:
        if self._is_duckdb and self._random.random() < 0.5:
            return "all"
        return ", ".join(str(place + 1) for place in range(count))

    def _query(self, depth: int, kinds: Sequence[str] | None) -> tuple[str, dict[str, str]]:
        """A query with WITH and set operations; `kinds` are what its columns must be."""
        before = dict(self._ctes)
        ctes = self._with_clause(depth)
        wanted = list(kinds or self._random.choices((NUMBER, TEXT, DAY), weights=(5, 4, 1), k=self._random.randint(1, 4)))
        sql, columns = self._select(depth, wanted)
        if name := self._one_of(tuple(_SET_KEYWORDS), 0.22, depth):
            sql = self._set_operation(name, sql, columns, depth)
        self._ctes = before
        return f"{ctes}{sql}", columns

    def _set_operation(self, name: str, left: str, columns: Mapping[str, str], depth: int) -> str:
        """Two arms; in `by name` the second has its columns in another order."""
        wanted = list(columns.items())
        if name == "union_by_name":
            self._random.shuffle(wanted)
        right, _ = self._select(depth - 1, [kind for _, kind in wanted], [name for name, _ in wanted])
        if self._random.random() < 0.3:
            self._used.add("parentheses")
            return f"({left}) {_SET_KEYWORDS[name]} ({right})"
        return f"{left} {_SET_KEYWORDS[name]} {right}"

    # -- WITH --------------------------------------------------------------------------------------------------------------

    def _with_clause(self, depth: int) -> str:
        parts: list[str] = []
        recursive = self._take("cte_recursive", 0.06, depth)
        if recursive:
            parts.append(self._recursive())
        if self._take("cte_shadow", 0.08, depth):
            parts.append(self._shadow("cte_shadow"))
        elif not recursive and self._take("cte_sees_table", 0.06, depth):
            parts.append(self._shadow("cte_sees_table"))
        if self._take("cte_chain", 0.08, depth):
            parts += [self._cte(depth), self._cte(depth, [*self._ctes][-1])]
        if self._take("cte", 0.15, depth):
            parts.append(self._cte(depth))
        return f"with {'recursive ' if recursive else ''}{', '.join(parts)} " if parts else ""

    def _cte(self, depth: int, source: str = "") -> str:
        body, columns = self._select(depth - 1, [NUMBER, TEXT, TEXT], source=source)
        name = self._fresh("w")
        written = name
        if self._take("cte_quoted", 0.2):
            name = f'"{name.capitalize()} Ä"'
            written = name
        renamed = ""
        if self._take("cte_columns", 0.2):
            columns = {self._fresh("k"): kind for kind in columns.values()}
            renamed = f"({', '.join(columns)})"
        self._ctes[name] = columns
        return f"{written}{renamed} as {self._random.choice(('', 'materialized ', 'not materialized '))}({body})"

    def _shadow(self, why: str) -> str:
        """A CTE of a table's name: its body is of another table, or of the table itself, which it hides afterwards."""
        hidden = self._random.choice(("sales", "people", "items"))
        source = hidden if why == "cte_sees_table" else self._random.choice(("regions", "lake.events"))
        known = {name: columns for name, columns in self._ctes.items() if name.lower().strip('"') != hidden}
        self._ctes = known
        body, columns = self._select(0, [NUMBER, TEXT, TEXT], source=source)
        written = self._random.choice((hidden, hidden.upper(), f'"{hidden}"'))
        self._ctes = {**known, hidden: columns}
        return f"{written} as ({body})"

    def _recursive(self) -> str:
        name = self._fresh("r")
        if self._random.random() < 0.5:
            self._ctes[name] = {"id": NUMBER, "region": TEXT, "steps": NUMBER}
            people, boss = self._home_table("people"), self._home_table("people")
            return (
                f"{name}(id, region, steps) as (select a.id, a.region, 0 from {boss} a where a.boss is null union all "
                f"select b.id, b.region, {name}.steps + 1 from {people} b join {name} on b.boss = {name}.id where {name}.steps < 5)"
            )
        self._ctes[name] = {"n": NUMBER, "region": TEXT}
        start = f"select min(id), min(region) from {self._home_table('sales')}"
        return f"{name}(n, region) as ({start} union select n + 1, region from {name} where n < 8)"

    def _home_table(self, name: str) -> str:
        """A table by a name that no CTE can hide."""
        return f"{_HOME[self._dialect]}.{name}"

    # -- SELECT ------------------------------------------------------------------------------------------------------------

    def _select(
        self, depth: int, kinds: Sequence[str], names: Sequence[str] = (), source: str = "", outer: Sequence[Column] = ()
    ) -> tuple[str, dict[str, str]]:
        scope = self._from(depth, source)
        named = list(names) or [self._fresh("c") for _ in kinds]
        where = self._where(scope, depth, outer)
        columns = dict(zip(named, kinds, strict=True))
        grouped = self._one_of(("group_by", "having", "rollup", "cube", "grouping_sets", "group_by_all", "aggregate_filter"), 0.2, depth)
        if grouped:
            return self._grouped(grouped, scope, columns, where), columns
        if self._take("aggregate", 0.08, depth):
            selected = self._listed({name: self._aggregate(scope, kind) for name, kind in columns.items()})
            return f"select {selected} from {scope.text}{where}", columns
        return self._plain(scope, columns, where, depth), columns

    def _listed(self, selected: Mapping[str, str]) -> str:
        return ", ".join(f"{text} as {name}" for name, text in selected.items())

    def _plain(self, scope: Scope, columns: Mapping[str, str], where: str, depth: int) -> str:
        selected = {name: self._expression(scope, kind, depth) for name, kind in columns.items()}
        tail = ""
        if (number := next((name for name, kind in columns.items() if kind == NUMBER), None)) is not None:
            if self._take("window_named", 0.06, depth):
                by = self._column(scope, TEXT)
                selected[number] = f"rank() over w1 + {self._random.randint(0, 3)}"
                tail = f" window w1 as (partition by {by} order by {self._column(scope, NUMBER)})"
            elif self._take("window", 0.1, depth):
                selected[number] = self._window(scope)
            if self._take("qualify", 0.06, depth):
                over = f"partition by {self._column(scope, TEXT)} order by {self._column(scope, NUMBER)}"
                tail += f" qualify rank() over ({over}) <= {self._random.randint(2, 5)}"
        distinct = ""
        if self._take("distinct_on", 0.05, depth):
            first, *rest = selected.values()
            if _PLACE not in "".join(selected.values()) and "over" not in first:
                order = ", ".join([first, *rest])
                chosen = f"select distinct on ({first}) {self._listed(selected)} from {scope.text}{where}{tail} order by {order}"
                return f"select * from ({chosen}) {self._fresh('q')}"
            self._used.discard("distinct_on")
        elif self._take("distinct", 0.1, depth):
            distinct = "distinct "
        if self._take("from_first", 0.15, depth):
            if scope.text.startswith("(values"):
                self._used.add("values_first")
            return f"from {scope.text} select {distinct}{self._listed(selected)}{where}{tail}"
        return f"select {distinct}{self._listed(selected)} from {scope.text}{where}{tail}"

    def _window(self, scope: Scope) -> str:
        over = f"partition by {self._column(scope, TEXT)} order by {self._column(scope, NUMBER)}"
        return self._random.choice(
            (
                f"rank() over ({over})",
                f"dense_rank() over (order by {self._column(scope, TEXT)})",
                f"sum({self._column(scope, NUMBER)}) over ({over})",
                f"count(*) over (partition by {self._column(scope, TEXT)})",
                f"max({self._column(scope, NUMBER)}) over ({over} range between unbounded preceding and current row)",
                f"count(*) filter (where {self._predicate(scope, 0)}) over ({over})",
            )
        )

    def _grouped(self, kind: str, scope: Scope, columns: Mapping[str, str], where: str) -> str:
        """Text columns are what is grouped by, the others are aggregated."""
        keys = {name: self._column(scope, TEXT) for name, of in columns.items() if of == TEXT}
        selected = {name: keys.get(name) or self._aggregate(scope, of, filtered=kind == "aggregate_filter") for name, of in columns.items()}
        if not keys:
            keys = {"": self._column(scope, TEXT)}
        listed = ", ".join(keys.values())
        if kind == "aggregate_filter" and len(selected) == len([name for name in keys if name]):
            self._used.discard(kind)
        by = {
            "rollup": f"rollup ({listed})",
            "cube": f"cube ({listed})",
            "grouping_sets": f"grouping sets (({listed}), ())",
            "group_by_all": "all" if "" not in keys else listed,
        }.get(kind, listed)
        having = f" having count(*) > {self._random.randint(0, 1)}" if kind == "having" or self._random.random() < 0.2 else ""
        if having:
            self._used.add("having")
        return f"select {self._listed(selected)} from {scope.text}{where} group by {by}{having}"

    def _aggregate(self, scope: Scope, kind: str, *, filtered: bool = False) -> str:
        column = self._column(scope, kind)
        options = [f"min({column})", f"max({column})"]
        if kind == NUMBER:
            options += [
                "count(*)",
                f"count({self._column(scope, TEXT)})",
                f"sum({column})",
                f"count(distinct {self._column(scope, TEXT)})",
                f"avg({column})",
            ]
        if kind == TEXT:
            options.append(f"string_agg({column}, '|' order by {column})")
        chosen = self._random.choice(options)
        if filtered or self._random.random() < 0.15:
            self._used.add("aggregate_filter")
            return f"{chosen} filter (where {self._predicate(scope, 0)})"
        return chosen

    # -- FROM --------------------------------------------------------------------------------------------------------------

    def _from(self, depth: int, source: str = "") -> Scope:
        scope = self._source(depth, source)
        if self._take("name_of_another", 0.04, depth):
            return self._swapped()
        merging = self._one_of(("join_natural", "join_using"), 0.1, depth)
        if merging:
            scope = self._merged(merging, scope)
        kinds = ("join_inner", "join_left", "join_right", "join_full", "join_cross", "join_comma", "lateral", "lateral_left")
        for _ in range(2 if depth > 1 else 1):
            if name := self._one_of(kinds, 0.35, depth):
                scope = self._joined(name, scope, depth)
        return scope

    def _swapped(self) -> Scope:
        """Each of two tables goes by the name of the other."""
        scope = Scope("sales people join people sales on sales.id = people.person_id")
        if {"sales", "people"} & {name.lower().strip('"') for name in self._ctes}:
            home = self._home_table
            scope = Scope(f"{home('sales')} people join {home('people')} sales on sales.id = people.person_id")
        scope.sources = {"sales": dict(COLUMNS["people"]), "people": dict(COLUMNS["sales"])}
        return scope

    def _source(self, depth: int, source: str = "") -> Scope:
        if source:
            return self._table(source) if source in COLUMNS else self._read_cte(source)
        if self._take("schema_column", 0.03):
            return self._by_schema()
        if self._ctes and self._random.random() < 0.6:
            return self._read_cte(self._random.choice(list(self._ctes)))
        if self._take("nested", 0.15, depth) or (self._focus == "cte_in_subquery" and self._focus not in self._used):
            return self._nested(depth)
        return self._made_up() if self._take("values", 0.05) else self._table(self._random.choice(list(COLUMNS)))

    def _nested(self, depth: int) -> Scope:
        if self._take("cte_in_subquery", 0.2):
            return self._with_inside(depth)
        return self._derived(*self._query(max(depth - 1, 0), [NUMBER, TEXT, TEXT]))

    def _made_up(self) -> Scope:
        name = self._fresh("v")
        rows = ", ".join(f"({self._value(NUMBER, bindable=False)}, {self._value(TEXT, bindable=False)})" for _ in range(4))
        return Scope(f"(values {rows}) as {name}(n, region)", {name: {"n": NUMBER, "region": TEXT}})

    def _with_inside(self, depth: int) -> Scope:
        before = dict(self._ctes)
        cte = self._shadow("cte_sees_table")
        sql, columns = self._select(depth - 1, [NUMBER, TEXT], source=[*self._ctes][-1])
        self._ctes = before
        return self._derived(f"with {cte} {sql}", columns)

    def _derived(self, sql: str, columns: Mapping[str, str]) -> Scope:
        name = self._fresh("d")
        return Scope(f"({sql}) as {name}", {name: dict(columns)})

    def _read_cte(self, cte: str) -> Scope:
        columns = self._ctes[cte]
        name = self._fresh("t")
        written = self._random.choice((cte, cte.upper())) if '"' not in cte else cte
        return Scope(f"{written} {name}", {name: dict(columns)})

    def _by_schema(self) -> Scope:
        table = self._random.choice(("sales", "lake.events"))
        full = table if "." in table else self._home_table(table)
        return Scope(full, {table.rpartition(".")[2]: dict(COLUMNS[table])}, prefix={table.rpartition(".")[2]: full})

    def _table(self, table: str) -> Scope:
        """A table of the schema, in one of the spellings that mean it."""
        written, columns = table, dict(COLUMNS[table])
        shadowed = table in {name.lower().strip('"') for name in self._ctes}
        if self._take("catalog_table", 0.04) and "." not in table:
            written = f"memory.main.{table}"
        elif shadowed or (self._take("schema_table", 0.12) and "." not in table):
            written = self._home_table(table)
        elif self._take("other_case", 0.12):
            written = self._random.choice((table.upper(), table.title(), ".".join(f'"{part}"' for part in table.split("."))))
        name = self._fresh("t")
        if self._take("column_aliases", 0.06):
            first = list(columns)[:2]
            columns = {
                **{self._fresh("k"): columns[one] for one in first},
                **{key: kind for key, kind in columns.items() if key not in first},
            }
            return Scope(f"{written} as {name}({', '.join(list(columns)[:2])})", {name: columns})
        return Scope(f"{written} {self._random.choice(('as ', ''))}{name}", {name: columns})

    def _merged(self, name: str, scope: Scope) -> Scope:
        """NATURAL and USING: what both sides have is one column then."""
        other = self._table(self._random.choice(("regions", "sales", "people")) if name == "join_using" else "regions")
        (mine,), (theirs,) = scope.sources.values(), other.sources.values()
        if "region" not in mine or "region" not in theirs or (name == "join_natural" and set(mine) & set(theirs) != {"region"}):
            scope = self._table("people" if name == "join_using" else "sales")
            (mine,) = scope.sources.values()
            other = self._table("regions")
            (theirs,) = other.sources.values()
            if "region" not in mine or "region" not in theirs:
                self._used.discard(name)
                return scope
        how = self._random.choice(("", "left ", "right ", "full "))
        text = (
            f"{scope.text} natural {how}join {other.text}"
            if name == "join_natural"
            else f"{scope.text} {how}join {other.text} using (region)"
        )
        return (
            Scope(text, {**scope.sources, **other.sources}, {"region": TEXT}, {**scope.prefix, **other.prefix})
            if not scope.prefix
            else self._dropped(name, scope)
        )

    def _dropped(self, name: str, scope: Scope) -> Scope:
        self._used.discard(name)
        return scope

    def _joined(self, name: str, scope: Scope, depth: int) -> Scope:
        if name.startswith("lateral"):
            sql, columns = self._select(0, [NUMBER, TEXT], outer=scope.columns())
            other = self._fresh("l")
            text = f"cross join lateral ({sql}) as {other}" if name == "lateral" else f"left join lateral ({sql}) as {other} on true"
            return self._plus(scope, f"{scope.text} {text}", {other: columns}, {})
        other_scope = self._source(depth - 1)
        if set(other_scope.sources) & set(scope.sources):
            other_scope = self._table("regions")
        if name in ("join_cross", "join_comma"):
            between = " cross join " if name == "join_cross" or scope.merged else ", "
            if name == "join_comma" and between != ", ":
                self._used.discard(name)
            return self._plus(scope, f"{scope.text}{between}{other_scope.text}", other_scope.sources, other_scope.prefix)
        on = self._on(scope, other_scope)
        return self._plus(
            scope, f"{scope.text} {name.removeprefix('join_')} join {other_scope.text} on {on}", other_scope.sources, other_scope.prefix
        )

    def _plus(self, scope: Scope, text: str, sources: Mapping[str, dict[str, str]], prefix: Mapping[str, str]) -> Scope:
        return replace(scope, text=text, sources={**scope.sources, **sources}, prefix={**scope.prefix, **prefix})

    def _on(self, one: Scope, other: Scope) -> str:
        kind = self._random.choice((TEXT, TEXT, NUMBER))
        return f"{self._qualified(one, kind)} = {self._qualified(other, kind)}"

    def _qualified(self, scope: Scope, kind: str) -> str:
        found = [
            f"{scope.prefix.get(source, source)}.{name}"
            for source, names in scope.sources.items()
            for name, of in names.items()
            if of == kind
        ]
        telling = [name for name in found if name.endswith((".region", ".kind", ".id", "_id"))]
        return self._random.choice(telling or found) if found else self._column(scope, kind)

    # -- expressions -------------------------------------------------------------------------------------------------------

    def _column(self, scope: Scope, kind: str) -> str:
        found = [column.text for column in scope.columns() if column.kind == kind]
        if scope.merged:
            found = [text for text in found if text != "region" or "region" in scope.merged]
        frequent = [text for text in found if not text.endswith("note") or self._random.random() < 0.1]
        if not frequent:
            return {NUMBER: "0 + 1", TEXT: "'a' || 'b'", DAY: "date '2026-02-01' + 1"}[kind]
        return self._random.choice(frequent)

    def _expression(self, scope: Scope, kind: str, depth: int) -> str:
        if kind == NUMBER and self._take("scalar_subquery", 0.05, depth):
            return self._scalar(scope)
        column, text = self._column(scope, kind), self._column(scope, TEXT)
        options = [column, column]
        if kind == NUMBER:
            options += [f"{column} + {self._value(NUMBER)}", f"coalesce({column}, 0)", f"abs({column} - {self._column(scope, NUMBER)})"]
            options += [f"case when {self._predicate(scope, 0)} then {column} else 0 end", f"length({text})"]
        elif kind == TEXT:
            options += [f"upper({column})", f"{column} || '-' || {text}", f"substring({column} from 1 for 2)"]
            options += [f"coalesce({column}, {self._value(TEXT)})"]
            options += [f"case when {self._predicate(scope, 0)} then {column} else '{self._colon}none' end"]
        else:
            options += [f"{column} + 1", f"coalesce({column}, {self._value(DAY)})"]
        return self._random.choice(options)

    def _scalar(self, scope: Scope) -> str:
        inner = self._inner_table()
        link = ""
        if self._take("correlated", 0.5):
            link = f" where {self._qualified(inner, TEXT)} = {self._column(scope, TEXT)}"
        return f"(select {self._random.choice(('count(*)', f'max({self._column(inner, NUMBER)})'))} from {inner.text}{link})"

    def _inner_table(self) -> Scope:
        return self._source(0)

    def _where(self, scope: Scope, depth: int, outer: Sequence[Column]) -> str:
        parts = []
        if outer:
            kind = TEXT
            theirs = [column.text for column in outer if column.kind == kind and "." in column.text and not column.text.endswith("note")]
            if theirs:
                parts.append(f"({self._qualified(scope, kind)} = {self._random.choice(theirs)} or {self._predicate(scope, 0)})")
        if self._random.random() < 0.7 or self._asks_for_predicate() or (self._style and not self._values):
            parts.append(self._predicate(scope, depth))
        return f" where {' and '.join(parts)}" if parts else ""

    def _asks_for_predicate(self) -> bool:
        return self._focus in {"correlated", "exists", "not_exists", "in_subquery", "any_subquery"} and self._focus not in self._used

    def _predicate(self, scope: Scope, depth: int) -> str:
        if depth > 0 and (name := self._one_of(("exists", "not_exists", "in_subquery", "any_subquery", "correlated"), 0.3)):
            return (
                f"({self._with_subquery(name, scope)} or {self._simple(scope)})"
                if self._random.random() < 0.5
                else self._with_subquery(name, scope)
            )
        if self._random.random() < 0.25:
            return f"({self._simple(scope)} {self._random.choice(('or', 'or', 'and'))} {self._simple(scope)})"
        return self._simple(scope)

    def _simple(self, scope: Scope) -> str:
        number, text, value = self._column(scope, NUMBER), self._column(scope, TEXT), self._value(NUMBER)
        options = (
            f"{number} >= {value}",
            f"{number} <> {value}",
            f"{number} between 0 and {value} + 40",
            f"{text} in ({', '.join(self._value(TEXT) for _ in range(3))})",
            f"{text} <> {self._value(TEXT)}",
            f"{text} like '%{self._random.choice('aeusü')}%'",
            f"{text} is not null",
            f"not {number} = {value}",
            f"{text} is distinct from {self._value(TEXT)}",
            f"(({number} > 3) = ({text} is not null) or {text} is null)",
        )
        chosen = self._random.choice(options)
        return chosen if not self._style or self._values or _PLACE in chosen else f"{number} <> {value}"

    def _with_subquery(self, name: str, scope: Scope) -> str:
        inner = self._inner_table()
        kind = self._random.choice((TEXT, TEXT, NUMBER))
        mine, theirs = self._column(scope, kind), self._qualified(inner, kind)
        if name in ("exists", "not_exists", "correlated"):
            self._used.add("correlated")
            self._used.add("exists" if name == "correlated" else name)
            found = f"exists (select 1 from {inner.text} where {theirs} = {mine} and {self._simple(inner)})"
            return f"not {found}" if name == "not_exists" else found
        if name == "in_subquery":
            return f"{mine} in (select {theirs} from {inner.text})"
        return f"{mine} {self._random.choice(('=', '>=', '<>'))} any (select {theirs} from {inner.text} where {self._simple(inner)})"

    # -- what ends a statement, as its columns are not known beforehand ----------------------------------------------------

    def _ending(self, name: str) -> str:
        self._used.add(name)
        sql = _ENDINGS[name](self)
        if (
            self._style
            and not self._values
            and self._random.random() < 0.5
            and name not in ("pivot_statement", "pivot_dynamic", "unpivot_statement")
        ):
            return f"select * from ({sql}) as whole where {self._value(NUMBER)} > 0"
        return sql

    def _some_table(self, *among: str) -> tuple[str, Scope]:
        scope = self._table(self._random.choice(among or tuple(COLUMNS)))
        return next(iter(scope.sources)), scope

    def _star(self, what: str) -> str:
        """A star over one table or over a join of two."""
        name, scope = self._some_table("sales", "people", "lake.events")
        text = scope.text
        joined = ""
        if self._random.random() < 0.5:
            _, other = self._some_table("items", "regions")
            joined = f" {self._random.choice(('left', 'inner'))} join {other.text} on {self._on(scope, other)}"
        listed = {
            "star": "*",
            "star_of_table": f"{name}.*",
            "whole_row": f"count(distinct {name}), count({name})",
            "columns": "columns('k.*|.*_id|region')",
        }
        listed["star_exclude"] = f"* exclude ({'region' if 'region' in scope.sources[name] else next(iter(scope.sources[name]))})"
        listed["star_replace"] = f"* replace ({self._simple(scope)} as {list(scope.sources[name])[2]})"
        if what in ("star_exclude", "star_replace"):
            joined = ""
        return f"select {listed[what]} from {text}{joined}{self._where(scope, 1, ())}"

    def _other_join(self, what: str) -> str:
        name, scope = self._some_table("sales", "lake.events")
        other, second = self._some_table("people", "sales")
        if what == "join_asof":
            days = f"select max(day) as m, day from {self._random.choice(('sales', 'main.sales', 'SALES'))} group by day"
            text = f"{scope.text} asof join ({days}) {other} on {name}.day >= {other}.day"
            return f"select {name}.person_id, {name}.day, {other}.m from {text}{self._where(scope, 1, ())}"
        on = self._on(scope, second)
        return f"select * from {scope.text} {what.removeprefix('join_')} join {second.text} on {on}{self._where(scope, 1, ())}"

    def _pivot(self, what: str) -> str:
        table = self._random.choice(("sales", "main.sales", "SALES"))
        kinds = ", ".join(f"'{kind}'" for kind in KINDS[:3])
        using = self._random.choice(("sum(qty)", "count(*)", "max(amount)", "sum(qty) as s, count(*) as n"))
        if what == "pivot_statement":
            source = self._random.choice((table, f"(select kind, region, qty, amount from {table} s where s.qty > 1)"))
            head = ""
            if self._random.random() < 0.3:
                head, source = f"with SaLes as (select kind, region, qty, amount from {table}) ", "sales"
            return f"{head}pivot {source} on kind in ({kinds}) using {using} group by region"
        if what == "pivot_dynamic":
            return self._random.choice(
                (
                    f"pivot {table} on kind using {using} group by region",
                    "pivot regions on region using sum(target)",
                    "pivot items on kind using count(*)",
                )
            )
        source = self._random.choice(
            (table, f"(select x.kind, x.region, x.qty, x.amount from {table} as x where x.qty <> {self._value(NUMBER)})")
        )
        return f"from {source} pivot ({using} for kind in ({kinds}) group by region){self._random.choice(('', ' as p'))}"

    def _unpivot(self, what: str) -> str:
        source = self._random.choice(
            ("sales", "main.sales", f"(select id, person_id, qty, region from sales where qty > {self._random.randint(0, 2)})")
        )
        if what == "unpivot_statement":
            return f"unpivot {source} on qty, person_id into name what value much"
        source = f"(select id, qty, person_id, region from {source} as x)"
        nulls, alias = self._random.choice(("", "include nulls ")), self._random.choice(("", " as u"))
        return f"select * from {source} unpivot {nulls}(much for what in (qty, person_id)){alias}"


_ENDINGS: Mapping[str, Callable[[Generator], str]] = {
    **{
        name: lambda self, name=name: self._star(name)
        for name in ("star", "star_of_table", "star_exclude", "star_replace", "columns", "whole_row")
    },
    **{name: lambda self, name=name: self._other_join(name) for name in ("join_semi", "join_anti", "join_asof")},
    **{name: lambda self, name=name: self._pivot(name) for name in ("pivot", "pivot_statement", "pivot_dynamic")},
    **{name: lambda self, name=name: self._unpivot(name) for name in ("unpivot", "unpivot_statement")},
}
