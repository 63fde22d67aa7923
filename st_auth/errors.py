"""What can go wrong, by who must act.

StAuthError               never raised itself; .code (stable) .hint; str() is safe to log
├── ConfigError           the app's author acts; before the first page; .problems lists all of them
├── LoginRequired         the person acts: no_session, idle, absolute, ended, grant_expired, session_ended
├── LoginRefused          this attempt failed, starting again is safe: access_denied, not_allowed, response_mismatch …
├── PermissionDenied      .permission, .table or .claim
├── ProviderError         .error .description (RFC 6749 section 5.2); protocol_violation with .parameter .expected
├── Unavailable           later: provider, store, refresh; .retry_after (seconds)
├── ConnectionFailed      the driver's error is the cause, tokens scrubbed
└── CrossSessionError     a handle used from another session
"""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "ConfigError",
    "ConnectionFailed",
    "CrossSessionError",
    "LoginRefused",
    "LoginRequired",
    "PermissionDenied",
    "Problem",
    "ProviderError",
    "StAuthError",
    "Unavailable",
]


class StAuthError(Exception):
    """The base of all errors here; never raised itself.

    `code` is stable and meant for programs; the message is one sentence that is safe to log;
    `hint` says what to do next.
    """

    def __init__(self, message: str, *, code: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the configuration: where it stands, what it is, how to mend it."""

    file: str
    key: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: {self.what}\n    Mend: {self.mend}"


class ConfigError(StAuthError):
    """The configuration cannot be used; all problems are listed at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        head = f"st_auth cannot start: {count} problem{'s' if count != 1 else ''} in the configuration."
        super().__init__("\n".join([head, *(f"  - {p}" for p in self.problems)]), code="config")


class LoginRequired(StAuthError):
    """Nobody is logged in here, or not any more."""


class LoginRefused(StAuthError):
    """This attempt to log in failed; starting again is safe.

    `parameter` names what did not match, never its value.
    """

    def __init__(self, message: str, *, code: str, hint: str = "", parameter: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.parameter = parameter


class PermissionDenied(StAuthError):
    """The person lacks a permission, or a claim that a rule names."""

    def __init__(
        self, message: str, *, code: str = "permission_denied", hint: str = "", permission: str = "", table: str = "", claim: str = ""
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.permission = permission
        self.table = table
        self.claim = claim


class ProviderError(StAuthError):
    """The provider answered with an error (RFC 6749 section 5.2) or broke the protocol.

    For `protocol_violation`, `parameter` names what was wrong and `expected` says what should have been there;
    neither holds what was received.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "protocol_violation",
        hint: str = "",
        error: str = "",
        description: str = "",
        parameter: str = "",
        expected: str = "",
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.error = error
        self.description = description
        self.parameter = parameter
        self.expected = expected


class Unavailable(StAuthError):
    """Something that we need does not answer now; `retry_after` is in seconds."""

    def __init__(self, message: str, *, code: str, hint: str = "", retry_after: float = 5.0) -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after = retry_after


class ConnectionFailed(StAuthError):
    """A person's connection could not be opened or used; the driver's error is the cause, but for one that may tell values under rules.

    `of_statement` is True where the database complained about the statement itself, before it looked at any row.
    """

    def __init__(self, message: str, *, code: str, hint: str = "", of_statement: bool = False) -> None:
        super().__init__(message, code=code, hint=hint)
        self.of_statement = of_statement


class CrossSessionError(StAuthError):
    """A handle was used from a session that it does not belong to."""
