"""`.streamlit/rules.toml`: which claim holds people's roles, what each role grants, and who may see which rows and columns of a table."""

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from st_auth.access.permissions import Roles
from st_auth.access.rules import HIDE, NULL, ColumnRule, Rules, TableRule
from st_auth.errors import Problem

__all__ = ["RULES", "RuleFile", "read_rules"]

RULES: Final = ".streamlit/rules.toml"

_TABLES: Final = ("access", "roles", "tables")
_ACCESS: Final = ("claim", "schema", "functions", "values", "attributes", "connection")
_TABLE: Final = ("needs", "rows", "columns")
_COLUMN: Final = ("needs", "otherwise")
_PERMISSION: Final = re.compile(r"(?:[A-Za-z0-9_.-]+|\*)(?::(?:[A-Za-z0-9_.-]+|\*))*")
_EXACT: Final = re.compile(r"[A-Za-z0-9_.-]+(?::[A-Za-z0-9_.-]+)*")
_NAME: Final = re.compile(r'(?:[^".*\s]+|\*|"(?:[^"]|"")+")(?:\.(?:[^".*\s]+|\*|"(?:[^"]|"")+"))*')
_FUNCTION: Final = re.compile(r"[A-Za-z_]\w*")
_BY_PYTHON: Final = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class RuleFile:
    """What the file says: about people, and about tables."""

    roles: Roles
    rules: Rules


def read_rules(path: Path, problems: list[Problem], dialects: Collection[str] = ()) -> RuleFile | None:
    """Return what the file says, None where there is none; what is wrong with it is added to `problems`.

    Expressions in it must be such in each of `dialects`: those of the connections that obey the file.
    """
    try:
        content = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        problems.append(Problem(RULES, path.name, "cannot be read", "let the app's user read it; it is a text in UTF-8"))
        return None
    try:
        tables = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem(RULES, path.name, f"is no TOML: {error}", "mend the line"))
        return None
    reading = _Reading(tables, problems, dialects)
    return RuleFile(reading.roles(), reading.rules())


class _Reading:
    """Reads the file's tables and keeps what is wrong."""

    def __init__(self, tables: Mapping[str, Any], problems: list[Problem], dialects: Collection[str]) -> None:
        self._tables = tables
        self._problems = problems
        self._dialects = tuple(dialects) or ("",)
        self._access = self._table("access")

    def roles(self) -> Roles:
        for name in self._tables.keys() - set(_TABLES):
            self._wrong(name, "is no table of this file", _near(name, _TABLES))
        for name in self._access.keys() - set(_ACCESS):
            self._wrong(f"access.{name}", "is not known", f"known: {', '.join(_ACCESS)}")
        claim = self._access.get("claim", "groups")
        if not isinstance(claim, str) or not claim:
            mend = 'write claim = "groups", or a path such as "realm_access.roles"'
            self._wrong("access.claim", "must be the name of a claim, in quotes", mend)
            claim = "groups"
        grants = {role: self._permissions(role, given) for role, given in self._table("roles").items()}
        if not grants and not self._tables.get("tables"):
            self._wrong("roles", "is missing, so nobody may do anything", 'write [roles] and below it analyst = ["sales:read"]')
        return Roles(claim, MappingProxyType(grants))

    def rules(self) -> Rules:
        tables = {name: self._rule(name, section) for name, section in self._table("tables").items()}
        if tables:
            self._judge_expressions(tables)
        return Rules(
            MappingProxyType(tables),
            values=MappingProxyType(self._values()),
            functions=frozenset(name.lower() for name in self._functions()),
            attributes=self._attributes(),
            connection=self._text("access", self._access, "connection"),
            schema=self._text("access", self._access, "schema"),
        )

    def _rule(self, name: str, section: Any) -> TableRule:
        key = f"tables.{name}"
        if not _NAME.fullmatch(name):
            self._wrong(key, "is no name of a table", 'write [tables.sales], [tables."hr.wages"] or [tables."hr.*"]')
        if not isinstance(section, Mapping):
            self._wrong(key, "is not a table", f"write [tables.{name}] on a line of its own, and its keys below")
            return TableRule(name)
        for unknown in section.keys() - set(_TABLE):
            quoted = f'[tables."{name}.{unknown}"], with quotes' if isinstance(section[unknown], Mapping) else f"known: {', '.join(_TABLE)}"
            self._wrong(f"{key}.{unknown}", "is not known", quoted)
        columns = section.get("columns", {})
        if not isinstance(columns, Mapping):
            self._wrong(f"{key}.columns", "is not a table", f'write [tables.{name}.columns], and below it email = "hide"')
            columns = {}
        return TableRule(
            name,
            self._needs(key, section),
            self._text(key, section, "rows"),
            MappingProxyType({column: self._column(f"{key}.columns.{column}", said) for column, said in columns.items()}),
        )

    def _column(self, key: str, said: Any) -> ColumnRule:
        if isinstance(said, str) and said.strip():
            return ColumnRule(_word(said))
        if not isinstance(said, Mapping):
            self._wrong(key, "says nothing", 'write "hide", "null", an expression of SQL, or { needs = "people:read", otherwise = "null" }')
            return ColumnRule(HIDE)
        for unknown in said.keys() - set(_COLUMN):
            self._wrong(f"{key}.{unknown}", "is not known", f"known: {', '.join(_COLUMN)}")
        return ColumnRule(_word(self._text(key, said, "otherwise") or HIDE), self._needs(key, said))

    def _needs(self, key: str, section: Mapping[str, Any]) -> str:
        needs = section.get("needs", "")
        if needs == "" and "needs" not in section:
            return ""
        if isinstance(needs, str) and _EXACT.fullmatch(needs):
            return needs
        self._wrong(f"{key}.needs", "must be one exact permission, in quotes", 'write needs = "sales:read"; “*” stands in [roles] only')
        return "nobody:has:this"

    def _judge_expressions(self, tables: Mapping[str, TableRule]) -> None:
        """Parsing is what the file needs a library for that takes a while to load."""
        from st_auth.access.sql_expressions import BadRule, expression
        from st_auth.access.sql_names import twins

        for one, other in twins(tables):
            self._wrong(f"tables.{other}", f"differs from {one} in capitals alone", "leave one of them out")
        for name, rule in tables.items():
            said = {"rows": rule.rows} if rule.rows else {}
            said |= {f"columns.{column}": its.otherwise for column, its in rule.columns.items() if its.otherwise not in (HIDE, NULL)}
            for key, text in said.items():
                for dialect in self._dialects:
                    try:
                        expression(text, dialect)
                    except BadRule as error:
                        self._wrong(f"tables.{name}.{key}", str(error), 'write SQL such as "region in (:regions)"')

    def _values(self) -> dict[str, str]:
        values = self._access.get("values", {})
        if isinstance(values, Mapping) and all(isinstance(claim, str) and claim for claim in values.values()):
            return dict(values)
        self._wrong("access.values", "must say in which claim a value stands", 'write values = { regions = "https://acme.com/regions" }')
        return {}

    def _functions(self) -> list[str]:
        functions = self._access.get("functions", [])
        if isinstance(functions, list) and all(isinstance(name, str) and _FUNCTION.fullmatch(name) for name in functions):
            return functions
        self._wrong("access.functions", "must be a list of names of functions", 'write functions = ["fiscal_year"]')
        return []

    def _attributes(self) -> str:
        attributes = self._text("access", self._access, "attributes")
        if attributes and not any(sign.isspace() for sign in attributes) and not _BY_PYTHON.fullmatch(attributes):
            mend = 'write "select region as regions from people where email = :email", or "my_module:my_function"'
            self._wrong("access.attributes", "is neither a query nor the name of a function", mend)
        return attributes

    def _text(self, key: str, section: Mapping[str, Any], name: str) -> str:
        value = section.get(name, "")
        if isinstance(value, str) and (value.strip() or name not in section):
            return value
        self._wrong(f"{key}.{name}", "must be text in quotes", "write text in quotes, or leave it out")
        return ""

    def _table(self, name: str) -> Mapping[str, Any]:
        found = self._tables.get(name, {})
        if isinstance(found, Mapping):
            return found
        self._wrong(name, "is not a table", f"write [{name}] on a line of its own, and its keys below")
        return {}

    def _permissions(self, role: str, given: Any) -> frozenset[str]:
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            self._wrong(f"roles.{role}", "must be a list of permissions", f'write {role} = ["sales:read"]')
            return frozenset()
        for one in given:
            if not _PERMISSION.fullmatch(one):
                what = f"has “{one}”, which is no permission"
                self._wrong(f"roles.{role}", what, 'write words with colons between them, such as "sales:read", "sales:*" or "*"')
        return frozenset(given)

    def _wrong(self, key: str, what: str, mend: str) -> None:
        self._problems.append(Problem(RULES, key, what, mend))


def _word(said: str) -> str:
    """`hide` and `null` are words of ours, in any case."""
    return said.strip().lower() if said.strip().lower() in (HIDE, NULL) else said


def _near(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean [{near[0]}]?" if near else f"known: {', '.join(f'[{one}]' for one in known)}"
