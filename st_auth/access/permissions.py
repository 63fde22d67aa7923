"""From claims to roles to permissions. Pure: what a person may do follows from what their provider says now, and is kept nowhere."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Granted", "Roles", "covers", "require_exact"]

ALL: Final = "*"
_GROUPS: Final = "groups"


@dataclass(frozen=True, slots=True)
class Granted:
    """What somebody may do: their roles, in the file's order, and the permissions that these grant."""

    roles: tuple[str, ...]
    permissions: frozenset[str]

    def allows(self, permission: str) -> bool:
        """Whether one of the permissions covers this one. Raises ValueError for one with a `*`, as that asks for no single thing."""
        require_exact(permission)
        return permission in self.permissions or any(covers(granted, permission) for granted in self.permissions)


@dataclass(frozen=True, slots=True)
class Roles:
    """`[access]` and `[roles]` of rules.toml: the claim that holds a person's roles, and what each role grants."""

    claim: str
    grants: Mapping[str, frozenset[str]]

    def granted(self, claims: Mapping[str, Any], groups: Iterable[str]) -> Granted:
        """Return what a person with these claims may do. Words in the claim that are no role here grant nothing."""
        said = set(groups) if self.claim == _GROUPS else _words(claims, self.claim)
        roles = tuple(role for role in self.grants if role in said)
        return Granted(roles, frozenset().union(*(self.grants[role] for role in roles)))


def covers(granted: str, wanted: str) -> bool:
    """Whether a granted permission covers a wanted one, part by part between colons.

    `*` stands for exactly one part; as the last part it stands for all that follow, of which there is at least one.
    """
    have, want = granted.split(":"), wanted.split(":")
    if have[-1] == ALL:
        have = have[:-1]
        if len(want) <= len(have):
            return False
        want = want[: len(have)]
    return len(have) == len(want) and all(one in (ALL, other) for one, other in zip(have, want, strict=True))


def require_exact(permission: str) -> None:
    """Raise ValueError unless this is the name of one permission, TypeError unless it is a text."""
    if not isinstance(permission, str):
        raise TypeError("a permission is a text such as “sales:read”")
    if not permission or not all(part.strip() and ALL not in part for part in permission.split(":")):
        raise ValueError("a permission is asked for by its exact name, such as “sales:read”, without “*”")


def _words(claims: Mapping[str, Any], claim: str) -> set[str]:
    """The texts of a claim: by its whole name, else as a path whose steps have dots between them; a single text is a list of one."""
    found: Any = claims.get(claim) if claim in claims else _at(claims, claim.split("."))
    items = found if isinstance(found, list | tuple) else [found]
    return {item for item in items if isinstance(item, str)}


def _at(claims: Any, steps: Iterable[str]) -> Any:
    for step in steps:
        if not isinstance(claims, Mapping):
            return None
        claims = claims.get(step)
    return claims
