"""The development provider: `oidc-provider-mock`, run in this process, without a port and with nothing to register."""

import threading
import tomllib
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2

from st_auth.errors import ConfigError, Problem, ProviderError

__all__ = ["ISSUER", "DevProvider", "Persona", "load_personas"]

ISSUER = "https://dev.st-auth.localhost"


@dataclass(frozen=True, slots=True)
class Persona:
    """Somebody to log in as. `role` may be empty; `claims` are what the provider says about them, beside `sub` and `name`."""

    subject: str
    name: str
    role: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)


PERSONAS = (
    Persona(
        "dev-ana",
        "Ana Analyst",
        "analyst",
        {"email": "ana@example.com", "email_verified": True, "roles": ["analyst"], "groups": ["analysts"], "region": "eu"},
    ),
    Persona(
        "dev-ada",
        "Ada Admin",
        "admin",
        {"email": "ada@example.com", "email_verified": True, "roles": ["admin"], "groups": ["admins"], "region": "all"},
    ),
    Persona("dev-nobody", "Noa Nobody", "", {"email": "noa@example.com", "email_verified": True, "roles": [], "groups": []}),
)


class DevProvider:
    """An OpenID provider without a door: only who holds `transport` reaches it, and who logs in is chosen on the server.

    Give `transport` to `Http`; then `Client` runs the whole protocol against it.
    """

    issuer = ISSUER

    def __init__(self, personas: tuple[Persona, ...] = PERSONAS) -> None:
        """Raises `ConfigError` if the package is not installed."""
        mock = _mock()
        users = [mock.User(sub=p.subject, claims=_claims(p)) for p in personas]
        self.personas = personas
        self.transport: httpx2.BaseTransport = _Quiet(mock.app(user_claims=users))

    def choose(self, authorization_url: str, subject: str) -> str:
        """Log `subject` in, as their click on the provider's page would, and return the callback URL with the code."""
        if subject not in [persona.subject for persona in self.personas]:
            raise ValueError("not one of the personas")
        expected = parse_qs(urlsplit(authorization_url).query).get("redirect_uri", [""])[0]
        with httpx2.Client(transport=self.transport, follow_redirects=False) as browser:
            location = browser.post(authorization_url, data={"sub": subject}).headers.get("Location", "")
        if not expected or location.partition("?")[0] != expected.partition("?")[0]:
            raise ProviderError(
                "The development provider did not take the authorization request.", parameter="Location", expected="the redirect URI"
            )
        return str(location)


class _Quiet(httpx2.WSGITransport):
    """The mock builds on parts of Authlib that are on their way out: its deprecation warnings are nobody's business here.

    One request at a time, as Python's warning filters belong to the whole process.
    """

    _lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        with self._lock, _without_deprecations():
            response = super().handle_request(request)
            response.read()
        return response


@contextmanager
def _without_deprecations() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"(authlib|oidc_provider_mock)\b")
        yield


def load_personas(path: Path | None) -> tuple[Persona, ...]:
    """Return the personas in a TOML file of `[[persona]]` tables (`sub`, `name`, `role`, and claims); three of ours without one.

    Raises `ConfigError` with all its problems.
    """
    if path is None:
        return PERSONAS
    try:
        tables = tomllib.loads(path.read_text("utf-8")).get("persona")
    except (OSError, ValueError):
        raise ConfigError([Problem(str(path), "persona", "cannot be read as TOML", "Mend the file.")]) from None
    if not isinstance(tables, list) or not tables:
        raise ConfigError([Problem(str(path), "persona", "is missing", 'Write [[persona]] with sub = "…" and name = "…".')])
    if problems := _problems(tables, path):
        raise ConfigError(problems)
    return tuple(_persona(table) for table in tables)


def _problems(tables: list[Any], path: Path) -> list[Problem]:
    problems, seen = [], set[str]()
    for number, table in enumerate(tables, start=1):
        members = table if isinstance(table, dict) else {}
        for key, required in (("sub", True), ("name", False), ("role", False)):
            if not isinstance(members.get(key, ""), str) or (required and not members.get(key)):
                problems.append(Problem(str(path), f"persona {number}.{key}", "is missing or no string", f'Write {key} = "…".'))
        subject = str(members.get("sub", ""))
        if subject in seen:
            problems.append(Problem(str(path), f"persona {number}.sub", "is there twice", "Give each its own."))
        seen.add(subject)
    return problems


def _persona(table: Mapping[str, Any]) -> Persona:
    claims = {key: value for key, value in table.items() if key not in ("sub", "name", "role")}
    return Persona(table["sub"], table.get("name", table["sub"]), table.get("role", ""), claims)


def _claims(persona: Persona) -> dict[str, Any]:
    roles = {"roles": [persona.role]} if persona.role else {}
    return {"name": persona.name, **roles, **persona.claims}


def _mock() -> ModuleType:
    try:
        with _without_deprecations():
            return import_module("oidc_provider_mock")
    except ModuleNotFoundError:
        raise ConfigError(
            [Problem("secrets.toml", "profile", "dev needs a package that is not installed", 'pip install "st-auth[dev-provider]"')]
        ) from None
