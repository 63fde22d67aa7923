"""The tokens that a session holds, its own and those of linked accounts: which they are, and the session with others in their place."""

from dataclasses import replace

from st_auth.client import Login
from st_auth.errors import LoginRequired
from st_auth.oauth.tokens import TokenSet
from st_auth.session_record import Link, body_of
from st_auth.sessions import Session

__all__ = ["expired", "held_tokens", "link_of", "not_linked", "over", "with_refresh_token", "with_tokens"]


def link_of(session: Session, provider: str) -> Link | None:
    """The account at `provider` that is linked to a session; None for the session's own provider."""
    if provider == session.card.provider:
        return None
    return next((link for link in session.links if link.provider == provider), None)


def held_tokens(session: Session, provider: str) -> TokenSet:
    """The tokens of a session at one provider. Raises LoginRequired (`not_linked`, `grant_expired`)."""
    link = link_of(session, provider)
    if link is not None:
        return link.tokens
    if provider != session.card.provider:
        raise not_linked()
    if session.tokens is None:
        raise expired("The provider gave no tokens with this login.")
    return session.tokens


def with_tokens(session: Session, provider: str, tokens: TokenSet, login: Login) -> Session:
    """The session with renewed tokens, and with what the provider says of its person now; what Streamlit was told at login is kept."""
    if provider != session.card.provider:
        return replace(session, links=tuple(replace(k, tokens=tokens) if k.provider == provider else k for k in session.links))
    claims_json, profile_json = body_of(login)
    at_login = session.claims_at_login or (session.claims_json if session.claims_json != claims_json else b"")
    return replace(session, tokens=tokens, claims_json=claims_json, profile_json=profile_json, claims_at_login=at_login)


def with_refresh_token(session: Session, provider: str, got: list[TokenSet]) -> Session:
    """The session as it is, but for the refresh token where the provider has given a new one."""
    if not got:
        return session
    kept = replace(held_tokens(session, provider), refresh_token=got[-1].refresh_token)
    if provider == session.card.provider:
        return replace(session, tokens=kept)
    return replace(session, links=tuple(replace(k, tokens=kept) if k.provider == provider else k for k in session.links))


def over() -> LoginRequired:
    """Say that the login is over."""
    return LoginRequired("This login has ended.", code="session_ended", hint="Call st_auth.require_login() at the top of the script.")


def expired(words: str) -> LoginRequired:
    """Say that the provider does not renew it."""
    return LoginRequired(words, code="grant_expired", hint="Log in again; ask for offline access if logins should renew themselves.")


def not_linked() -> LoginRequired:
    """Say that there is no account at the provider to have tokens of."""
    message = "No account at this provider is linked to this login."
    return LoginRequired(message, code="not_linked", hint="Show st_auth.link(provider), with which the person links one.")
