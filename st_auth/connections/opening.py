"""What a kind gets to open a connection with, what it gives back, and how it says that something failed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import quote

from st_auth.config import ConnectionConfig
from st_auth.errors import ConnectionFailed, PermissionDenied, StAuthError
from st_auth.secret import OwnLogin, Secret

__all__ = ["Connection", "Opening", "SQLConnection", "Stale", "attempt", "failure", "filled", "reason"]

T = TypeVar("T")

_PLACE: Final = re.compile(r"\{([^{}]+)\}")
_STANDS_IN_URL: Final = re.compile(r"(?!\.+\Z)[^/\\\x00-\x1f\x7f]+")
_LONGEST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class Opening:
    """A person's connection on its way: the options with their claims filled in, the role, the token if it takes one, and for whom.

    `login` is the person's own name and password where the section says so. Whoever opens with it keeps it no longer than that, and asks
    `renewed` for it where another session is to be opened.

    `tag` says in a server's own log whose connection it is: app, subject and login id as JSON. `renewed` returns the same as it is now,
    for a kind that shows its token at each use: with what the claims say now, and a token that is fresh and not the one that was refused.
    """

    config: ConnectionConfig
    options: Mapping[str, Any] = field(repr=False)
    role: str
    token: Secret[str] | None
    subject: str
    login_id: str
    tag: str
    renewed: Callable[[Secret[str] | None], "Opening"] = field(repr=False)
    login: OwnLogin | None = None


class Connection(Protocol):
    """One open connection of one person: what every kind has.

    Its methods may be called by several threads at once, `close` more than once.
    """

    @property
    def raw(self) -> Any:
        """The driver's own object."""
        ...

    def is_over(self, error: Exception) -> bool:
        """Whether an error of the driver's says that the server does not know this connection any more: a new one may help."""
        ...

    def failed(self, error: Exception) -> Exception:
        """Say in the person's words what an error of the driver's means: ConnectionFailed, or an error that Python has for it."""
        ...

    def cancel(self) -> None:
        """Stop what runs, where the driver can."""
        ...

    def close(self) -> None:
        """Close it, at the server too."""
        ...


class SQLConnection(Connection, Protocol):
    """One that is asked in SQL."""

    def query(self, sql: str, params: Any, as_: str) -> Any:
        """Run a statement and return its rows as `pandas`, `polars` or `arrow`."""
        ...

    def cursor(self) -> Any:
        """Return a cursor of the driver's (PEP 249), for one thread."""
        ...


class Stale(Exception):
    """The server did not take the token, or the person's own login; another one may help. `failed` is what to say if it does not."""

    def __init__(self, failed: ConnectionFailed) -> None:
        super().__init__(str(failed))
        self.failed = failed


def failure(
    name: str, code: str, what: str, hint: str, error: BaseException, secret: Secret[str] | None = None, *, of_statement: bool = False
) -> ConnectionFailed:
    """Make the error of a connection; the driver's is its cause, without a token and without frames that hold one."""
    failed = ConnectionFailed(f"The connection “{name}” failed: {what}", code=code, hint=hint, of_statement=of_statement)
    failed.__cause__ = _scrubbed(error, secret.reveal() if secret else "")
    return failed


def reason(error: BaseException, secret: Secret[str] | None = None) -> str:
    """The first line of what a driver says, without a token; for people who know their database."""
    lines = _without(str(error), secret.reveal() if secret else "").strip().splitlines()
    return lines[0][:_LONGEST_REASON] if lines else type(error).__name__


def _scrubbed(error: BaseException, token: str) -> BaseException:
    """The driver's error as it is where it holds no token, and its name and text alone where it does."""
    if token and token in f"{error!r}{error}{vars(error)}":
        return RuntimeError(f"{type(error).__name__}: {_without(str(error), token)}")
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)


def _without(text: str, token: str) -> str:
    return text.replace(token, "***") if token else text


def filled(config: ConnectionConfig, claims: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with each `{claim}` replaced by the person's, in tables too; percent-encoded in `url`.

    Raises PermissionDenied, which names the claim, where the person has none, it is no single text or number, or it could be
    taken for something else than a value: no text with a NUL in it goes anywhere, none with a slash or of dots alone into `url`.
    """

    def fill(key: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {inner: fill("", one) for inner, one in value.items()}
        return _filled(value, config.name, claims, in_url=key == "url") if isinstance(value, str) else value

    return {key: fill(key, value) for key, value in config.options.items()}


def _filled(text: str, name: str, claims: Mapping[str, Any], *, in_url: bool) -> str:
    def value(place: re.Match[str]) -> str:
        claim = place[1]
        found = claims.get(claim)
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "" or "\0" in str(found):
            message = f"The connection “{name}” needs your “{claim}”, and your login does not say exactly one."
            raise PermissionDenied(message, code="claim_missing", claim=claim, hint="Ask who looks after the logins to add it.")
        if in_url and not _STANDS_IN_URL.fullmatch(str(found)):
            message = f"The connection “{name}” needs your “{claim}” in an address, and what your login says cannot stand in one."
            raise PermissionDenied(message, code="claim_missing", claim=claim, hint="Choose another claim for `url` in the section.")
        return quote(str(found), safe="") if in_url else str(found)

    return _PLACE.sub(value, text)


def attempt(call: Callable[[], T], fail: Callable[[Exception], Exception]) -> T:
    """Return what `call` returns, or raise what `fail` makes of the driver's error; outside of its handling, so that no frame stays."""
    try:
        return call()
    except StAuthError:
        raise
    except Exception as error:  # noqa: BLE001  # every driver has a tree of its own
        failed = fail(error)
    raise failed
