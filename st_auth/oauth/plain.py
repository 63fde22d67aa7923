"""Judge who logged in where there is no ID token: plain OAuth 2.0, for profiles that say `openid = false` and for no others.

What protects such a login is state, bound to the browser that began it, PKCE, and that the answers come from the provider's own
endpoints over TLS with a token that was just issued to us.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from st_auth.oauth.id_token import SUBJECT_LIMIT, merged
from st_auth.oauth.login import claim_at
from st_auth.oauth.profile import Provider
from st_auth.oauth.violations import protocol_violation

__all__ = ["judge_emails", "judge_person"]


def judge_person(answer: Mapping[str, Any], provider: Provider, issuer: str) -> dict[str, Any]:
    """Return the claims of the person that an answer names, by the names that the profile gives; or raise `ProviderError`.

    The subject is a text, or a whole number as text. Of a token response only what the profile names is kept, as everything
    else in it may be a secret; of userinfo all but the names that only an ID token can vouch for.
    """
    subject = _subject(claim_at(answer, provider.claims["sub"]))
    said = _named(answer, provider) if provider.subject_from == "token_response" else answer
    return merged({"iss": issuer, "sub": subject}, said)


def judge_emails(emails: Sequence[object]) -> dict[str, Any]:
    """Return the primary address of a list of addresses, and whether the provider has verified it; empty where there is none."""
    for entry in emails:
        if isinstance(entry, Mapping) and entry.get("primary") is True and isinstance(entry.get("email"), str):
            return {"email": entry["email"], "email_verified": entry.get("verified") is True}
    return {"email": "", "email_verified": False}


def _subject(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        value = str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > SUBJECT_LIMIT:
        expected = f"a whole number, or a string of 1 to {SUBJECT_LIMIT} characters"
        raise protocol_violation("sub", expected, hint="Compare claims.sub of the profile with what the provider answers.")
    return value


def _named(answer: Mapping[str, Any], provider: Provider) -> dict[str, Any]:
    roots = {path if path in answer else path.partition(".")[0] for path in provider.claims.values()}
    return {name: value for name, value in answer.items() if name in roots and name not in _TOKENS}


_TOKENS = ("access_token", "refresh_token", "id_token")
