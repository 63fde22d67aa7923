"""Who may log in: `[st_auth] allow`, judged at each login."""

from collections.abc import Iterable
from typing import Any, Protocol

from st_auth.config import Allow
from st_auth.errors import LoginRefused
from st_auth.oauth.profile import Provider

__all__ = ["judge_allow"]


class Person(Protocol):
    """What is judged of a login."""

    @property
    def email(self) -> str: ...
    @property
    def email_verified(self) -> bool | None: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def claims(self) -> Any: ...


def judge_allow(allow: Allow, person: Person, provider: Provider) -> None:
    """Accept a person, or raise LoginRefused `not_allowed` that says which check failed.

    Every key that is given must hold; within a key any value suffices. An e-mail address counts only when it is verified, in
    the way that the provider's profile says.
    """
    if allow.email or allow.email_domain:
        _require_email(allow, person, provider)
    if allow.groups and not set(allow.groups) & set(person.groups):
        raise _refused("groups", "It is in none of the groups that may use it.")
    for claim, values in allow.claim.items():
        if not set(values) & set(_texts(person.claims.get(claim))):
            raise _refused(f"claim {claim}", f"Your company's login does not say what is asked for under “{claim}”.")


def _require_email(allow: Allow, person: Person, provider: Provider) -> None:
    email = person.email.lower()
    verified = {"always": True, "never": False, "claim": person.email_verified is True}[provider.email_is_verified]
    if not email or not verified:
        raise _refused("email", "Your company's login does not confirm an e-mail address for it.")
    if allow.email and email not in allow.email:
        raise _refused("email", "Its e-mail address is not on the list of those who may use it.")
    _, at, domain = email.rpartition("@")
    if allow.email_domain and not (at and domain in allow.email_domain):
        raise _refused("email_domain", "Its e-mail address is not of a company that may use it.")


def _texts(value: Any) -> Iterable[str]:
    items = value if isinstance(value, list | tuple) else [value]
    return (
        str(item) if isinstance(item, str | int) and not isinstance(item, bool) else str(item).lower() for item in items if item is not None
    )


def _refused(check: str, sentence: str) -> LoginRefused:
    return LoginRefused(f"This person may not use the app: {check}.", code="not_allowed", parameter=check, hint=sentence)
