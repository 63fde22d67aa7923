"""Somebody without a page or a provider: for tests, and for `st-auth rules`."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from st_auth.config import Host, parse
from st_auth.core import Core, build
from st_auth.errors import PermissionDenied
from st_auth.oauth.tokens import TokenSet
from st_auth.rules_config import RULES
from st_auth.secret import Secret
from st_auth.user import User

__all__ = ["Somebody", "app_core", "everything_of", "user_of"]

T = TypeVar("T")

_SECRETS = Path(".streamlit") / "secrets.toml"
_PERSONS = ("token_from", "login")


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person for tests; has what a login has."""

    name: str = "Ada Analyst"
    email: str = "ada@example.com"
    subject: str = "ada"
    issuer: str = "https://issuer.example"
    provider: str = "default"
    groups: tuple[str, ...] = ()
    claims: Mapping[str, Any] = field(default_factory=dict)
    email_verified: bool | None = True
    sid: str | None = None

    @property
    def tokens(self) -> TokenSet:
        """Tokens that no provider has given."""
        return TokenSet(Secret("test-access-token"), "Bearer", None, None, None, ())


class _NoPage:
    """A place without a run of a script: whoever has the User is the person."""

    def is_shared(self) -> bool:
        return False

    def require(self, login_id: str) -> None:
        """Anywhere is right."""

    def wait(self, _text: str) -> AbstractContextManager[object]:
        return nullcontext()

    def refuse(self, denied: PermissionDenied) -> NoReturn:
        raise denied

    def ask_for_login(self, login_id: str, name: str, server: str) -> None:
        """Nobody can be asked."""

    def bind(self, act: Callable[..., T]) -> Callable[..., T]:
        return act


def user_of(core: Core, login: Somebody) -> User:
    """Log somebody in, and return what app code would hold of them."""
    _, stored = core.sessions.begin(login)
    return User(core.live.adopt(stored), _NoPage(), core.grants, core.pool)


def everything_of(person: Somebody, groups: Sequence[str], claims: Mapping[str, Any]) -> Somebody:
    """Return the person with further groups and claims, and with what a login says of everybody."""
    said = {"sub": person.subject, "iss": person.issuer, "name": person.name, "email": person.email, **person.claims, **claims}
    all_groups = (*person.groups, *groups)
    if all_groups:
        said.setdefault("groups", list(all_groups))
    own = {name: getattr(person, name) for name in Somebody.__dataclass_fields__}
    return Somebody(**{**own, "groups": all_groups, "claims": said})


def app_core(folder: Path, connections: Mapping[str, Mapping[str, Any]] | None = None) -> Core:
    """Build a Core with the app's rules and the connections that it may open by itself, in memory and with no provider to go to."""
    auth = {
        "redirect_uri": "http://localhost:8501/oauth2callback",
        "cookie_secret": "only for tests, only in memory, never in a file",
        "client_id": "test",
        "client_secret": "test",
        "server_metadata_url": "http://localhost:1/.well-known/openid-configuration",
    }
    ours = _connections(folder) if connections is None else connections
    secrets = {"auth": auth, "st_auth": {"store": "memory://", "absolute_timeout": "12h"}, "connections": ours}
    return build(parse(secrets, Host(port=8501, folder=_with_rules(folder)), env={}))


def _connections(folder: Path) -> dict[str, Any]:
    path = next((one / _SECRETS for one in (folder, Path.cwd()) if (one / _SECRETS).is_file()), None)
    sections = tomllib.loads(path.read_text("utf-8")).get("connections", {}) if path else {}
    return {name: section for name, section in sections.items() if isinstance(section, dict) and not set(_PERSONS) & section.keys()}


def _with_rules(folder: Path) -> Path:
    """The folder whose .streamlit has the rules: the script's, else the one that we stand in, as for a running server."""
    return next((one for one in (folder, Path.cwd()) if (one / RULES).is_file()), folder)
