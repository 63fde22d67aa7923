"""`.streamlit/rules.toml`: which claim holds people's roles, and what each role grants."""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from st_auth.access.permissions import Roles
from st_auth.errors import Problem

__all__ = ["RULES", "read_rules"]

RULES: Final = ".streamlit/rules.toml"

_TABLES: Final = ("access", "roles")
_PERMISSION: Final = re.compile(r"(?:[A-Za-z0-9_.-]+|\*)(?::(?:[A-Za-z0-9_.-]+|\*))*")


def read_rules(path: Path, problems: list[Problem]) -> Roles | None:
    """Return what the file says, None where there is none; what is wrong with it is added to `problems`."""
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
    return _Reading(tables, problems).roles()


class _Reading:
    """Reads the file's tables and keeps what is wrong."""

    def __init__(self, tables: Mapping[str, Any], problems: list[Problem]) -> None:
        self._tables = tables
        self._problems = problems

    def roles(self) -> Roles:
        for name in self._tables.keys() - set(_TABLES):
            self._wrong(name, "is no table of this file", _near(name, _TABLES))
        access = self._table("access")
        for name in access.keys() - {"claim"}:
            self._wrong(f"access.{name}", "is not known", "known: claim")
        claim = access.get("claim", "groups")
        if not isinstance(claim, str) or not claim:
            self._wrong(
                "access.claim", "must be the name of a claim, in quotes", 'write claim = "groups", or a path such as "realm_access.roles"'
            )
            claim = "groups"
        grants = {role: self._permissions(role, given) for role, given in self._table("roles").items()}
        if not grants:
            self._wrong("roles", "is missing, so nobody may do anything", 'write [roles] and below it analyst = ["sales:read"]')
        return Roles(claim, MappingProxyType(grants))

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


def _near(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean [{near[0]}]?" if near else f"known: {', '.join(f'[{one}]' for one in known)}"
