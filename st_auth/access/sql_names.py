"""Names of tables, in a statement and in the rule file: equal as the dialect has it, and no other."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect, NormalizationStrategy

from st_auth.access.rules import TableRule

__all__ = ["TableNames", "empty_select", "fold_column", "parts_of", "twins"]

ANY: Final = "*"
_LOWER: Final = str.maketrans({chr(upper): chr(upper + 32) for upper in range(ord("A"), ord("Z") + 1)})
_UPPER: Final = str.maketrans({chr(lower): chr(lower - 32) for lower in range(ord("a"), ord("z") + 1)})
_PART: Final = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')
_PLAIN: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_ -]*[A-Za-z0-9_])?")  # no file, snapshot, partition, metadata or many tables at once
_SYSTEM: Final = re.compile(  # what databases keep about all tables, values of their columns among it
    r"(?:pg_|sqlite_|duckdb_|pragma_|__).*|information_schema|sys|system|mysql|performance_schema|snowflake|dbstat|account_usage",
    re.IGNORECASE,
)


def fold_column(name: str) -> str:
    """Return a column's name in the form in which rules compare them: in every dialect without regard to ASCII capitals."""
    return name.translate(_LOWER)


def parts_of(table: exp.Table, dialect: str) -> tuple[str, ...]:
    """Return the parts of a table's name in a statement, folded."""
    return tuple(_folded(part.name, quoted=bool(part.args.get("quoted")), dialect=dialect) for part in table.parts)


def empty_select(dialect: str, schema: str, table: str) -> str:
    """Return a SELECT that gives a table's columns and no row; the names are as the catalogue has them."""
    return exp.select("*").from_(exp.table_(table, db=schema or None, quoted=True)).where("1 = 0").sql(dialect=dialect)


class TableNames:
    """The tables of the rule file, to be found by their names in a dialect.

    A name has as many parts as the rule's. With `schema` a table may be named with it or without it. Of two rules the one that is written
    out further counts, from the left. A `*` means no table that may be one with a rule of its own, written in another way.
    """

    def __init__(self, tables: Mapping[str, TableRule], schema: str, dialect: str) -> None:
        self._dialect = dialect
        self._schema = self._parts(schema) if schema else ()
        self._rules = {self._parts(name): rule for name, rule in tables.items()}
        self._wild = [parts for parts in self._rules if ANY in parts]
        self._exact = {self._whole(parts) for parts in self._rules if ANY not in parts}

    def find(self, name: tuple[str, ...]) -> TableRule | None:
        """Return the rule for a table, by the parts of its name as they are folded; None if there is none."""
        candidates = self._spellings(name)
        for candidate in candidates:
            if (rule := self._rules.get(candidate)) is not None and ANY not in candidate:
                return rule
        if self._may_have_its_own(self._whole(name)):
            return None
        found = [wild for wild in self._wild for candidate in candidates if _matches(wild, candidate)]
        return self._rules[max(found, key=lambda parts: [part != ANY for part in parts])] if found else None

    def named(self, text: str) -> TableRule | None:
        """Return the rule for a table whose name is given as the rule file would write it."""
        return self.find(self._parts(text))

    def _whole(self, name: tuple[str, ...]) -> tuple[str, ...]:
        """A name with what the schema leads it by, in one case."""
        missing = len(self._schema) + 1 - len(name)
        return tuple(part.translate(_LOWER) for part in (*self._schema[: max(missing, 0)], *name))

    def _may_have_its_own(self, name: tuple[str, ...]) -> bool:
        """Whether a table of a rule without `*` may be the same one: in other capitals, or with its schema left out on one side."""
        return any(one[-len(name) :] == name[-len(one) :] for one in self._exact)

    def _spellings(self, name: tuple[str, ...]) -> list[tuple[str, ...]]:
        spellings = [name]
        if (lead := name[:-1]) and lead == self._schema[-len(lead) :]:  # with what leads to it or without
            spellings.append(name[-1:])
        if len(name) == 1 and self._schema:
            spellings.append((*self._schema, *name))
        return spellings

    def _parts(self, name: str) -> tuple[str, ...]:
        parts = [(found[1].replace('""', '"'), True) if found[1] else (found[2], False) for found in _PART.finditer(name)]
        return tuple(_folded(part, quoted=quoted, dialect=self._dialect) for part, quoted in parts)


def _matches(wild: Sequence[str], name: Sequence[str]) -> bool:
    """Whether `hr.*` means this table; what is more than a table's plain name, or is the database's own, is meant by no `*`."""
    return len(wild) == len(name) and all(_is_plain(other) if one == ANY else one == other for one, other in zip(wild, name, strict=True))


def _is_plain(name: str) -> bool:
    return bool(_PLAIN.fullmatch(name)) and not _SYSTEM.fullmatch(name)


def _folded(name: str, *, quoted: bool, dialect: str) -> str:
    """Fold as the database does: ASCII alone, as no two of them agree about the rest."""
    strategy = Dialect.get_or_raise(dialect).normalization_strategy
    if strategy is NormalizationStrategy.CASE_INSENSITIVE:
        return name.translate(_LOWER)
    if quoted or strategy is NormalizationStrategy.CASE_SENSITIVE:
        return name
    return name.translate(_UPPER if strategy is NormalizationStrategy.UPPERCASE else _LOWER)


def twins(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of names in the rule file that differ in capitals alone, so that it depends on the database which of them counts."""
    seen: dict[str, str] = {}
    return [(seen[key], name) for name in names if seen.setdefault(key := name.translate(_LOWER), name) != name]
