"""MongoDB as the person: PyMongo's client, which logs in with their token (MONGODB-OIDC), their password or the app's (SCRAM)."""

import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from st_auth.clock import SYSTEM, Clock
from st_auth.connections.mongodb.frames import from_documents
from st_auth.connections.mongodb.handle import Lost, MongoDBHandle
from st_auth.connections.opening import Opening, Stale, attempt, failure, reason
from st_auth.errors import ConnectionFailed, PermissionDenied, StAuthError
from st_auth.mongo_url import is_plain
from st_auth.secret import Secret

__all__ = ["HANDLE", "MongoDB", "connect"]

HANDLE = MongoDBHandle

_AT_ONCE: Final = 5
_TIMEOUT: Final = 30
_PATIENCE: Final = 5_000  # milliseconds until a server must have been found, and one of its connections must be free
_HEARTBEAT: Final = 30_000
_COOL_DOWN: Final = 5.0
_LONGEST_NAME: Final = 128
_DATABASE: Final = re.compile(r"[^\s/\\.\"$*<>:|?\x00-\x1f\x7f]{1,38}")
_NOT_OF_A_CLAIM: Final = frozenset({"admin", "config", "local"})
_NOT_AUTHENTICATED: Final = frozenset({18, 391})
_ATLAS: Final = 8000


def connect(opening: Opening) -> "MongoDB":
    """Make a client and log in once. Raises ConnectionFailed (`token_not_accepted`, `login_refused`, `unreachable`), PermissionDenied, or
    Stale where another token or login of the person's may help.
    """
    connection = MongoDB(opening, SYSTEM)
    attempt(connection.open, connection.failed_to_open)
    return connection


def credentials_of(opening: Opening, tokens: "Tokens | None") -> dict[str, Any]:
    """Say in PyMongo's words how to log in: with the person's token if there is one, else with a name and password (SCRAM-SHA-256)."""
    if tokens is not None:
        return {"authMechanism": "MONGODB-OIDC", "authMechanismProperties": {"OIDC_CALLBACK": _callback(tokens)}}
    user, password = login_of(opening)
    return {"authMechanism": "SCRAM-SHA-256", "username": user, "password": password.reveal()}


def login_of(opening: Opening) -> tuple[str, Secret[str]]:
    """The name and the password that the opening logs in with where it has no token: the person's own, or the app's."""
    if opening.login is not None:
        return opening.login.user, opening.login.password
    return str(opening.options.get("user", "")), Secret(str(opening.options.get("password", "")))


class Tokens:
    """What PyMongo gets when it asks for a token: at first, and whenever the server did not take the one before.

    The first token is the opening's; if that is refused before the client was open, it is the pool that tries another. Later each
    refusal leads to one new token. Where that one is refused too, the next five seconds' questions fail without asking the provider.
    """

    def __init__(self, opening: Opening, clock: Clock) -> None:
        self._opening = opening
        self._clock = clock
        self._is_open = False
        self._is_closed = False
        self._in_vain_until = 0.0
        self._is_proven = False
        self.last: Secret[str] | None = None

    def fetch(self) -> str:
        """Return a token that the server has not refused. Raises Refused, and what a renewal raises."""
        if self._is_closed:
            raise Refused
        if self.last is None:
            self.last = self._opening.token
        elif not self._is_open or (not self._is_proven and self._clock.monotonic() < self._in_vain_until):
            raise Refused
        else:
            refused, self._is_proven = self.last, False
            self._in_vain_until = self._clock.monotonic() + _COOL_DOWN
            self.last = self._opening.renewed(refused).token
            if self.last == refused:  # the provider does not answer, and this one would be good for a while
                raise Refused
        if self.last is None:
            raise Refused
        return self.last.reveal()

    def opened(self) -> None:
        """The client is open: from now on a refused token is renewed here."""
        self._is_open = self._is_proven = True

    def proven(self) -> None:
        """The server has done something for this client: its token is one that is taken."""
        self._is_proven = True

    def close(self) -> None:
        """Ask for no token any more."""
        self._is_closed = True


class Refused(Exception):
    """There is no token that the server has not refused."""


class _Closed(Exception):
    """The client is closed, and nothing that was sent has changed anything."""


def _callback(tokens: Tokens) -> Any:
    """The same as a class of PyMongo's, which is imported only now."""
    from pymongo.auth_oidc import OIDCCallback, OIDCCallbackContext, OIDCCallbackResult

    class Callback(OIDCCallback):
        def fetch(self, context: OIDCCallbackContext) -> OIDCCallbackResult:  # noqa: ARG002  # it has nothing that we do not know
            return OIDCCallbackResult(access_token=tokens.fetch())

    return Callback()


class MongoDB:
    """One person's client: at most five connections to each server, shared by their threads, none with another's."""

    def __init__(self, opening: Opening, clock: Clock) -> None:
        import pymongo
        from pymongo import errors

        self._errors = errors
        self._name = opening.config.name
        self._tokens = None if opening.token is None else Tokens(opening, clock)
        self._by_person = opening.token is not None or opening.login is not None
        self._over = threading.Event()
        database = _database_of(opening)

        def made() -> Any:
            return pymongo.MongoClient(opening.options["url"], **_options_of(opening), **credentials_of(opening, self._tokens))

        self.raw: Any = attempt(made, self._not_made)
        self._database: Any = attempt(lambda: self.raw[database], self._not_made)

    def open(self) -> None:
        """Find a server and log in there. Closes the client where that fails."""
        try:
            self.raw.admin.command("ping")
        except BaseException:
            self.close()
            raise
        if self._tokens is not None:
            self._tokens.opened()

    def run(self, act: Callable[[Any], Any], *, reads: bool = False) -> Any:
        """Do something with the database; what it does shows that its token is taken.

        What only `reads` counts as not begun where we have closed the client under it, so that it may run again.
        """
        if self._over.is_set() or getattr(self.raw, "_closed", False):
            raise _Closed
        failed: Exception
        try:
            done = act(self._database)
        except StAuthError as error:  # of a renewal, which PyMongo has asked for: without PyMongo's frames
            failed = error.with_traceback(None)
        except Exception:
            if not (reads and self._over.is_set()):
                raise
            failed = _Closed()
        else:
            if self._tokens is not None:
                self._tokens.proven()
            return done
        raise failed

    def query(self, collection: str, asked: Mapping[str, Any], as_: str) -> Any:
        """Return the documents that `find` finds as a frame."""
        return self.run(lambda database: from_documents(list(database[collection].find(**asked)), as_), reads=True)

    def is_over(self, error: Exception) -> bool:
        """Whether the client was closed before anything was changed, or its password is none any more.

        Whatever else happens to its connections, and to its token, it mends by itself.
        """
        return isinstance(error, _Closed) or (self._tokens is None and self._is_refusal(error))

    def _not_made(self, error: Exception) -> ConnectionFailed:
        return self._failure("unreachable", f"{self._said(error)}.", "Check `url` and `database` in the section.", error)

    def failed_to_open(self, error: Exception) -> Exception:
        """Say what went wrong at the login; Stale is for the pool."""
        if not self._is_refusal(error):
            hint = "Check `url` in the section, and that this server may reach the database."
            return self._failure("unreachable", f"{self._said(error)}.", hint, error)
        failed = self._refused(error)
        return Stale(failed) if self._by_person else failed

    def failed(self, error: Exception) -> ConnectionFailed:
        """Say what an error of PyMongo's means."""
        if isinstance(error, Lost | _Closed) or self._over.is_set():
            hint = "Take its collections and cursors anew; look first whether what was written has taken effect."
            return failure(self._name, "closed", "it has been closed.", hint, ConnectionError("closed"))
        if self._is_refusal(error):
            return self._refused(error)
        if isinstance(error, self._errors.ConnectionFailure):
            hint = "Look whether what was written has taken effect before you write it again."
            return self._failure("unreachable", f"{self._said(error)}.", hint, error)
        return self._failure("query_failed", self._said(error), "Check what was asked, and what you may read and write.", error)

    def _is_refusal(self, error: Exception) -> bool:
        """Whether the server did not take who logs in: Atlas has one number for that and for what somebody may not do."""
        code = getattr(error, "code", None)
        return isinstance(error, Refused) or code in _NOT_AUTHENTICATED or (code == _ATLAS and "bad auth" in str(error))

    def _refused(self, error: Exception) -> ConnectionFailed:
        if self._tokens is None:
            where = "and" if self._by_person else "in the section, and"
            hint = f"Check user and password {where} authSource in `url`."
            return self._failure("login_refused", f"the database does not take this login ({self._said(error)}).", hint, error)
        hint = "Your administrator can say whether the database takes this login's tokens; see docs/connections.md."
        what = f"the database does not accept your login's token ({self._said(error)})."
        return self._failure("token_not_accepted", what, hint, error)

    def _failure(self, code: str, what: str, hint: str, error: Exception) -> ConnectionFailed:
        """The server's own answer is the cause as it is, for the person to look into; of anything else its name and text alone."""
        is_answer = isinstance(error, self._errors.OperationFailure)
        cause = error if is_answer else RuntimeError(f"{type(error).__name__}: {self._said(error)}")
        return failure(self._name, code, what, hint, cause, self._secret)

    def _said(self, error: Exception) -> str:
        """What PyMongo says, without what it appends: the server's whole answer, its time-outs, the state of each server."""
        if isinstance(error, Refused):
            return "the token was refused"
        return reason(error, self._secret).partition(", full error: ")[0].partition(" (configured timeouts")[0].rstrip(".")

    @property
    def _secret(self) -> Secret[str] | None:
        """The token that it logged in with last, to be kept out of what is told; a password never leaves in SCRAM (RFC 5802)."""
        return None if self._tokens is None else self._tokens.last

    def cancel(self) -> None:
        """Stop what runs: PyMongo hears of it within half a second, and the server when its connection is gone."""
        self._over.set()
        if self._tokens is not None:
            self._tokens.close()
        with suppress(AttributeError):  # of another version of PyMongo, where it ends at its limit of time
            for server in list(self.raw._topology._servers.values()):  # noqa: SLF001  # there is no public way to interrupt a client
                server.pool.reset(interrupt_connections=True)
        self.raw.close()

    def close(self) -> None:
        """Close its connections and end its threads."""
        self._over.set()
        if self._tokens is not None:
            self._tokens.close()
        try:
            self.raw.close()
        except Refused:  # it wanted to log in once more to say good-bye
            self.raw.close()


def _options_of(opening: Opening) -> dict[str, Any]:
    """What every client is told; it is stronger than what stands in the address.

    Without TLS there is one server, and what that says of others is not listened to. Dates come with their zone (UTC), those that Python
    has none for as `DatetimeMS`.
    """
    url = str(opening.options["url"])
    plain = is_plain(url)
    limit = int(opening.options.get("timeout", _TIMEOUT)) * 1000
    patience = min(_PATIENCE, limit)
    return {
        "tls": not plain,
        **({"directConnection": True} if plain else {}),
        "appname": f"st_auth {opening.login_id}"[:_LONGEST_NAME],
        "maxPoolSize": _AT_ONCE,
        "minPoolSize": 0,
        "serverMonitoringMode": "poll",  # one thread and one socket less for each person and server
        "heartbeatFrequencyMS": _HEARTBEAT,
        "connectTimeoutMS": patience,
        "serverSelectionTimeoutMS": patience,
        "waitQueueTimeoutMS": patience,
        "socketTimeoutMS": limit,
        "tz_aware": True,
        "datetime_conversion": "DATETIME_AUTO",
        "uuidRepresentation": "standard",
        "connect": False,
    }


def _database_of(opening: Opening) -> str:
    """The name of the database; a claim may be in it, but makes no other name than one of a database of the app's."""
    name = str(opening.options["database"])
    by_claim = name != opening.config.options["database"]
    if by_claim and (not _DATABASE.fullmatch(name) or name.lower() in _NOT_OF_A_CLAIM):
        message = f"The connection “{opening.config.name}” has no database by the name that your login leads to."
        raise PermissionDenied(message, code="claim_unusable", hint="Choose another claim for `database` in the section.")
    return name
