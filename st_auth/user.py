"""What app code holds: the person who is logged in. One-line delegations; decisions stand elsewhere."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from st_auth.errors import LoginRequired
from st_auth.grants import Grants
from st_auth.live import LiveSession
from st_auth.personal import SHARED, Personal
from st_auth.secret import AccessToken, Secret

__all__ = ["User", "UserSession"]


class UserSession(Personal):
    """How long a login lasts; both times are aware UTC."""

    __slots__ = ("_live",)

    def __init__(self, live: LiveSession) -> None:
        self._live = live

    @property
    def started_at(self) -> datetime:
        """When the person logged in."""
        return self._live.stored.card.started_at

    @property
    def expires_at(self) -> datetime:
        """When this login ends, whatever the person does."""
        return self._live.stored.expires_at

    @property
    def idle_expires_at(self) -> datetime:
        """When this login ends if the person does nothing more."""
        return self._live.idle_expires_at()

    def __repr__(self) -> str:
        return "UserSession(***)"


class User(Personal):
    """Who is logged in, for this run of the script only.

    Two users are equal when issuer and subject are. A User belongs to its session: it cannot be hashed, copied, pickled or used
    in a function that Streamlit caches for everybody, and it raises LoginRequired once its session has ended.
    """

    __slots__ = ("_facts", "_grants", "_is_shared", "_live", "_profile", "_session")

    def __init__(self, live: LiveSession, is_shared: Callable[[], bool], grants: Grants) -> None:
        self._live = live
        self._is_shared = is_shared
        self._grants = grants
        self._facts: tuple[bytes, Mapping[str, Any]] = (b"", {})
        self._profile: tuple[bytes, dict[str, Any]] = (b"", {})
        self._session = UserSession(live)

    @property
    def issuer(self) -> str:
        """The provider that says who this is: an `https` URL, compared exactly."""
        return self._here().stored.card.issuer

    @property
    def subject(self) -> str:
        """The person's id at the issuer; only issuer and subject together name a person (OpenID Connect Core section 5.7)."""
        return self._here().stored.card.subject

    @property
    def name(self) -> str:
        """What to call the person."""
        return self._here().stored.card.name

    @property
    def email(self) -> str:
        """The e-mail address, `""` if the provider gave none. Not a key: it can change, and can pass to somebody else."""
        return str(self._about().get("email") or "")

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that the provider names, mapped by its profile; empty if it names none."""
        return tuple(self._about().get("groups", ()))

    @property
    def claims(self) -> Mapping[str, Any]:
        """All claims of the ID token and of userinfo, read-only; a refresh brings them up to date."""
        written = self._here().stored.claims_json
        if self._facts[0] is not written:
            self._facts = (written, MappingProxyType(json.loads(written)))
        return self._facts[1]

    @property
    def provider(self) -> str:
        """The name of the `[auth.NAME]` section that the person logged in with; `default` for an unnamed one."""
        return self._here().stored.card.provider

    @property
    def session(self) -> UserSession:
        """How long this login lasts."""
        self._here()
        return self._session

    def token(self, *, refused: str | None = None) -> AccessToken:
        """Return the person's access token, for a request that the app makes in their name; fresh for at least a tenth of its life.

        Renews it where it must, once however many tabs, threads and processes ask. `refused` is a token that a resource has just
        answered with 401: another one is got.

        Raises LoginRequired (`grant_expired`: nothing to renew it with, or the provider renews it no more, which ends the login;
        `session_ended`), Unavailable (`provider`, `store`) or ProviderError.
        """
        tokens = self._grants.tokens(self._here(), Secret(str(refused)) if refused is not None else None)
        return AccessToken(tokens.access_token.reveal())

    def _about(self) -> dict[str, Any]:
        written = self._here().stored.profile_json
        if self._profile[0] is not written:
            self._profile = (written, json.loads(written))
        return self._profile[1]

    def _here(self) -> LiveSession:
        """The live session; every attribute passes here."""
        if self._is_shared():
            raise TypeError(SHARED)
        if self._live.ended:
            raise LoginRequired(
                "This login has ended.", code="session_ended", hint="Call st_auth.require_login() at the top of the script."
            )
        return self._live

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, User):
            return NotImplemented
        mine, theirs = self._live.stored.card, other._live.stored.card
        return (mine.issuer, mine.subject) == (theirs.issuer, theirs.subject)

    __hash__ = None

    def __repr__(self) -> str:
        return "User(***)" if self._live.ended else f"User({self._live.stored.card.name!r})"
