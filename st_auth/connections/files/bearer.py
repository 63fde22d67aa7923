"""The token that opens Google Cloud Storage: the person's own access token, or what workload identity federation gives for their login."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from google.auth.exceptions import GoogleAuthError, OAuthError
from google.auth.identity_pool import Credentials, SubjectTokenSupplier
from google.auth.transport.requests import Request

from st_auth.connections.opening import Opening, Stale, failure, reason
from st_auth.errors import ConnectionFailed, LoginRequired
from st_auth.secret import Secret

__all__ = ["Bearer"]

_AGAIN: Final = 5.0
_MARGIN: Final = timedelta(minutes=5)
_SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
_KINDS: Final = {"id": "urn:ietf:params:oauth:token-type:id_token", "access": "urn:ietf:params:oauth:token-type:jwt"}
_STS: Final = "https://sts.googleapis.com"
_IAM: Final = "https://iamcredentials.googleapis.com"


class Bearer:
    """One person's token for the storage, renewed by itself; for the drivers' event loop, which never waits for the provider."""

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._federation = "workload_identity" in opening.options
        self._token: Secret[str] | None = None
        self._until = 0.0
        self._in_vain: tuple[Secret[str] | None, float] = (None, 0.0)
        self._turn: asyncio.Lock | None = None

    @property
    def held(self) -> Secret[str] | None:
        """The token of now."""
        return self._token

    def begin(self) -> None:
        """Get the first token. Raises ConnectionFailed or Stale."""
        self._take(self._opening)

    async def token(self, refused: Secret[str] | None = None) -> Secret[str] | None:
        """Return a token that is fresh, and not the one that was `refused`; None where there is no other."""
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            is_refused = refused is not None and refused == self._token
            if is_refused and refused == self._in_vain[0] and time.monotonic() < self._in_vain[1]:
                return None
            if is_refused or time.monotonic() >= self._until:
                await asyncio.to_thread(self._renew, self._token if is_refused else None)
            return None if refused is not None and self._token == refused else self._token

    def in_vain(self, token: Secret[str] | None) -> None:
        """The server did not take this one either, which was got in place of another: the provider is not asked for five seconds."""
        self._in_vain = token, time.monotonic() + _AGAIN

    def _renew(self, refused: Secret[str] | None) -> None:
        """Get another token; with federation, the login's token is another one only where this one is not taken."""
        opening = self._opening.renewed(None if self._federation else refused)
        failed = self._tried(opening)
        if failed is not None and (another := self._another(opening)) is not None:
            failed = self._tried(another)
        if failed is not None:
            raise failed

    def _tried(self, opening: Opening) -> ConnectionFailed | None:
        """Take the token that an opening is worth; return what to say where the login's own is not taken."""
        try:
            self._take(opening)
        except Stale as stale:
            return stale.failed
        return None

    def _another(self, opening: Opening) -> Opening | None:
        """The opening with another token, if there is one; the handle asks whether the login is over."""
        try:
            return self._opening.renewed(opening.token)
        except (LoginRequired, ConnectionFailed):
            return None

    def _take(self, opening: Opening) -> None:
        if self._federation:
            self._token, self._until = _exchanged(opening)
        else:
            self._token, self._until = opening.token, time.monotonic() + _AGAIN

    def __repr__(self) -> str:
        return "Bearer(***)"


class _Supplier(SubjectTokenSupplier):
    """Gives google-auth the login's token."""

    def __init__(self, token: Secret[str] | None) -> None:
        self._token = token

    def get_subject_token(self, context: object, request: object) -> str:  # noqa: ARG002 - as google-auth calls it
        """Return it."""
        return self._token.reveal() if self._token else ""


def _exchanged(opening: Opening) -> tuple[Secret[str], float]:
    """Ask Google's STS for a token in exchange for the login's, for the service account where one is named (RFC 8693)."""
    options = opening.options
    sts, account = options.get("sts_endpoint", _STS), options.get("service_account")
    iam = options.get("sts_endpoint", _IAM)
    acts_as = f"{iam}/v1/projects/-/serviceAccounts/{account}:generateAccessToken" if account else None
    credentials: Any = Credentials(  # type: ignore[no-untyped-call]  # google-auth has types for some of its own alone
        audience=options["workload_identity"],
        subject_token_type=_KINDS[opening.config.token],
        token_url=f"{sts}/v1/token",
        subject_token_supplier=_Supplier(opening.token),
        service_account_impersonation_url=acts_as,
        scopes=[_SCOPE],
    )
    try:
        with _session(sts) as session:
            credentials.refresh(Request(session))
    except (GoogleAuthError, requests.RequestException, ValueError) as error:
        failed = _refused(opening, error)
    else:
        lasts = credentials.expiry.replace(tzinfo=UTC) - datetime.now(UTC)
        return Secret(credentials.token), time.monotonic() + (lasts - min(_MARGIN, lasts / 10)).total_seconds()
    raise failed


def _session(endpoint: str) -> requests.Session:
    """A session that adds nothing of this machine: no netrc, and no proxy for plain http, which is for this machine alone."""
    session = requests.Session()
    session.auth = lambda request: request
    session.trust_env = urlsplit(endpoint).scheme == "https"
    return session


def _refused(opening: Opening, error: Exception) -> Stale | ConnectionFailed:
    name, token = opening.config.name, opening.token
    said = reason(error, token)
    if isinstance(error, OAuthError):
        hint = "The provider of the workload identity pool must know the issuer, and this app's client_id as audience; see docs/files.md."
        return Stale(failure(name, "token_not_accepted", f"Google does not take your login's token ({said}).", hint, error, token))
    if "impersonat" in said or "PERMISSION_DENIED" in said:
        hint = "The principal needs roles/iam.workloadIdentityUser on the service account; see docs/files.md."
        return failure(name, "role_not_granted", "you may not act as the service account of this connection.", hint, error, token)
    hint = "Check workload_identity in the section, and that this server may reach Google."
    return failure(name, "unreachable", f"no token was to be had for your login ({said}).", hint, error, token)
