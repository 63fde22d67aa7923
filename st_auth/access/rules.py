"""What rules.toml says about tables: who may read them, which rows, which columns. Values only; `sql` and `frames` enforce them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Protocol

from st_auth.access.permissions import Granted, covers
from st_auth.errors import PermissionDenied

__all__ = ["HIDE", "NULL", "ColumnRule", "Rules", "Scalar", "TableRule", "Viewer", "allows_any", "only", "require_table", "said", "scalars"]

HIDE: Final = "hide"
NULL: Final = "null"

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """What stands in a column's place: `otherwise` is HIDE, NULL or an SQL expression; who has the permission `needs` sees it as it is."""

    otherwise: str
    needs: str = ""


@dataclass(frozen=True, slots=True)
class TableRule:
    """One `[tables.NAME]` of rules.toml; `name` is the rule's id in the audit log. Without `rows`, all of them."""

    name: str
    needs: str = ""
    rows: str = ""
    columns: Mapping[str, ColumnRule] = field(default_factory=dict)

    def columns_for(self, granted: Granted) -> Mapping[str, str]:
        """Return what stands in the place of those columns that somebody may not see as they are."""
        return {name: column.otherwise for name, column in self.columns.items() if not (column.needs and allows_any(granted, column.needs))}


@dataclass(frozen=True, slots=True)
class Rules:
    """All tables of rules.toml; `values` says in which claim a value stands whose name is not the claim's own, `functions` which are
    harmless beside those that we know.
    """

    tables: Mapping[str, TableRule] = field(default_factory=lambda: MappingProxyType({}))
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    functions: frozenset[str] = frozenset()
    attributes: str = ""
    connection: str = ""
    schema: str = ""


class Viewer(Protocol):
    """Somebody who reads: what they may do, and what the rules may ask of them."""

    @property
    def granted(self) -> Granted: ...

    def value(self, name: str) -> Sequence[Scalar]:
        """Return the values of a claim or an attribute, at least one. Raises PermissionDenied (`claim_missing`) that names it."""
        ...


def allows_any(granted: Granted, permission: str) -> bool:
    """Whether a permission of the rule file is granted; it is an exact name there."""
    return permission in granted.permissions or any(covers(have, permission) for have in granted.permissions)


def require_table(rule: TableRule, granted: Granted) -> None:
    """Raise PermissionDenied (`permission_missing`) unless somebody may read the table."""
    if rule.needs and not allows_any(granted, rule.needs):
        message = f"Reading {rule.name} needs the permission “{rule.needs}”, which your login does not have."
        hint = "Ask whoever looks after this app or your company's logins for it."
        raise PermissionDenied(message, code="permission_missing", hint=hint, permission=rule.needs, table=rule.name)


def only(name: str, values: Sequence[Scalar]) -> Scalar:
    """Return the one value that a rule asks for. Raises PermissionDenied (`claim_missing`) where somebody has several."""
    if len(values) > 1:
        message = f"A rule asks for one “{name}”, and your login has several."
        hint = f"Whoever looks after this app can write “in (:{name})” in the rule."
        raise PermissionDenied(message, code="claim_missing", hint=hint, claim=name)
    return values[0]


def said(viewer: Viewer, what: str, name: str) -> tuple[Any, bool]:
    """Return a person's value: with `all` the list of them, else the one that there is. Raises PermissionDenied (`claim_missing`)."""
    values = viewer.value(name)
    return (values, True) if what == "all" else (only(name, values), False)


def scalars(found: Any) -> tuple[Scalar, ...]:
    """The plain values in a claim: one, or those of a list. Anything else in it is no value, and none are had from it then."""
    items = found if isinstance(found, list | tuple) else [found]
    return tuple(items) if all(isinstance(item, str | int | float) and item != "" for item in items) else ()
