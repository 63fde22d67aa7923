"""What app code holds: the person who is logged in. One-line delegations; decisions stand elsewhere."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from st_auth import audit
from st_auth.access.permissions import Granted
from st_auth.access.rules import Viewer
from st_auth.connections.handle import Frame, Handle, handle_of, viewer_of
from st_auth.connections.place import Place
from st_auth.connections.pool import Pool
from st_auth.connections.preview import Preview
from st_auth.errors import ConfigError, LoginRequired, PermissionDenied, Problem
from st_auth.grants import Grants
from st_auth.live import LiveSession
from st_auth.personal import SHARED, Personal
from st_auth.secret import AccessToken, Secret

__all__ = ["User", "UserSession"]

T = TypeVar("T")


class UserSession(Personal):
    """How long a login lasts; both times are aware UTC."""

    __slots__ = ("_live",)

    def __init__(self, live: LiveSession) -> None:
        self._live = live

    @property
    def login_id(self) -> str:
        """The random handle of this login, as the audit lines have it; it opens nothing."""
        return self._live.login_id

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

    __slots__ = ("_facts", "_grants", "_live", "_place", "_pool", "_profile", "_session")

    def __init__(self, live: LiveSession, place: Place, grants: Grants, pool: Pool) -> None:
        self._live = live
        self._place = place
        self._grants = grants
        self._pool = pool
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
    def roles(self) -> tuple[str, ...]:
        """The roles of rules.toml that the person has by their claims now, in the file's order. Raises ConfigError without that file."""
        return self._allowed().roles

    @property
    def permissions(self) -> frozenset[str]:
        """What these roles grant, as it is written there: `*` may stand in it. Raises ConfigError without that file."""
        return self._allowed().permissions

    def can(self, permission: str) -> bool:
        """Whether a role of the person's grants this permission, by the claims as they are now.

            if user.can("sales:export"):
                st.download_button(...)

        `permission` is an exact name. Raises ConfigError where there is no rules.toml, ValueError for a name with `*`.
        """
        return self._allowed().allows(permission)

    def require(self, permission: str) -> None:
        """Go on only for somebody who may do this: others see what they lack and whom to ask, and the script stops.

        Elsewhere than in the script's own thread, such as in a bound function or a test, it raises PermissionDenied with `.permission`.
        """
        if self.can(permission):
            return
        card = self._live.stored.card
        audit.record("permission_denied", login_id=card.login_id, issuer=card.issuer, subject=card.subject, permission=permission)
        hint = "Ask whoever looks after this app or your company's logins for it."
        message = f"This needs the permission “{permission}”, which your login does not have."
        self._place.refuse(PermissionDenied(message, code="permission_missing", hint=hint, permission=permission))

    @property
    def provider(self) -> str:
        """The name of the `[auth.NAME]` section that the person logged in with; `default` for an unnamed one."""
        return self._here().stored.card.provider

    @property
    def session(self) -> UserSession:
        """How long this login lasts."""
        self._here()
        return self._session

    def is_linked(self, provider: str) -> bool:
        """Whether `token(provider)` has an account to speak for: the one of this login, or one that the person linked to it."""
        return self._grants.is_linked(self._here(), provider)

    def token(self, provider: str | None = None, *, resource: str = "", exchange: bool = False, refused: str | None = None) -> AccessToken:
        """Return the person's access token, for a request that the app makes in their name; fresh for at least a tenth of its life.

        `provider` names another one whose account the person has linked (`st_auth.link`). With `resource` the token is for that API
        alone (RFC 8707). With `exchange` the provider is asked to give, for the token of this login, one for `resource` (RFC 8693, or
        on-behalf-of); an audience that is no URL may stand there too. Such tokens are kept for this login and this process only.

        Renews it where it must, once however many tabs, threads and processes ask. `refused` is a token that a resource has just
        answered with 401: another one is got.

        Raises LoginRequired (`grant_expired`: nothing to renew it with, or the provider renews it no more, which ends the login;
        `not_linked`; `session_ended`), Unavailable (`provider`, `store`) or ProviderError.
        """
        if exchange and not resource:
            raise ValueError("exchange=True needs resource=…: what the token is for.")
        live, refusal = self._here(), None if refused is None else Secret(str(refused))
        if resource:
            tokens = self._grants.tokens_for(live, provider, resource, exchange=exchange, refused=refusal)
        else:
            tokens = self._grants.tokens(live, provider, refused=refusal)
        return AccessToken(tokens.access_token.reveal())

    def connection(self, name: str | None = None, *, role: str | None = None) -> Handle:
        """Return this person's connection: `[connections.NAME]`, or the one with `default = true`, or the only one.

        It opens at its first use, with this person's token where the section says so, and closes when the login ends. `role` is in
        place of the configured one. Raises ConfigError for a name that is not configured; `Handle` says what its uses raise.
        """
        return handle_of(self._here(), self._pool.config(name), role, self._pool, self._place)

    def query(self, sql: str, params: Any = None, *, ttl: str | float | timedelta | None = None, as_: Frame = "pandas") -> Any:
        """Return the rows of a statement on the default connection; see `SQLHandle.query`."""
        return self.connection().query(sql, params, ttl=ttl, as_=as_)

    def visible(self, frame: T, table: str) -> T:
        """Return what this person may see of a frame, by the rule of a table in rules.toml: the same rows and columns as `query` gives.

            shown = user.visible(pd.read_parquet("sales.parquet"), "sales")

        `frame` is of pandas, polars or pyarrow, or a relation of DuckDB's; what comes back is of the same kind, with its types. Raises
        PermissionDenied (`no_rule`, `permission_missing`, `claim_missing`), ConfigError for a rule that frames have no equivalent of.
        """
        return self._pool.ruling.visible(frame, table, self._viewer())

    def preview(self, groups: Iterable[str] = (), **claims: Any) -> Preview:
        """Return the data as somebody with these groups and claims would see it, for people who look after the rules.

            shown = user.preview(groups=["analysts"], regions=["eu"]).query("select * from sales")

        Needs the permission “rules:preview”. Each query says in its audit line who asked and as whom. Works where the rule file decides.
        Raises PermissionDenied (`permission_missing`).
        """
        return Preview(self._here(), self._pool, self._place, groups, claims, lambda: self.require("rules:preview"))

    def bind(self, act: Callable[..., T]) -> Callable[..., T]:
        """Return `act` for a thread of your own, such as one of a pool: there it may use this person's connections, and nobody else's.

            with ThreadPoolExecutor() as pool:
                frames = list(pool.map(user.bind(load), regions))

        Raises CrossSessionError where this is not a run of this person's.
        """
        self._place.require(self._here().login_id)
        return self._place.bind(act)

    def _allowed(self) -> Granted:
        viewer = self._viewer()
        if self._pool.ruling.roles is None:
            raise _no_rules()
        return viewer.granted

    def _viewer(self) -> Viewer:
        return viewer_of(self._here(), self._pool, self._place)

    def _about(self) -> dict[str, Any]:
        written = self._here().stored.profile_json
        if self._profile[0] is not written:
            self._profile = (written, json.loads(written))
        return self._profile[1]

    def _here(self) -> LiveSession:
        """The live session; every attribute passes here."""
        if self._place.is_shared():
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


def _no_rules() -> ConfigError:
    smallest = '[access]\n    claim = "groups"\n\n    [roles]\n    analysts = ["sales:read"]'
    mend = f"write it, and see docs/permissions.md:\n\n    {smallest}\n"
    return ConfigError([Problem(".streamlit/rules.toml", "[roles]", "is not there, so nothing says who may do what", mend)])
