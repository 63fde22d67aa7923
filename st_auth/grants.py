"""What a session may use at its providers: tokens that are fresh when they are handed out, and revoked when it ends.

One refresh however many threads, tabs and processes ask. The right to refresh is the `claim` in the session's record, taken by
compare-and-set, and what came of it is written only while that claim stands. Others wait, and take a claim over that has stood
still for `STANDSTILL` seconds of their own clock. What has ended meanwhile stays ended, and the new token is revoked.
"""

import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from st_auth.access.allow import judge_allow
from st_auth.client import Client, Login
from st_auth.clock import SYSTEM, Clock
from st_auth.config import Allow
from st_auth.errors import LoginRefused, LoginRequired, ProviderError, StAuthError, Unavailable
from st_auth.live import Live, LiveSession
from st_auth.oauth.id_token import is_usable
from st_auth.oauth.tokens import TokenSet
from st_auth.own_logins import OwnLogins
from st_auth.revocations import Revocations
from st_auth.secret import Secret
from st_auth.session_record import Link
from st_auth.session_tokens import expired, held_tokens, link_of, not_linked, over, with_refresh_token, with_tokens
from st_auth.sessions import Ended, Session, Sessions
from st_auth.workers import Turns

__all__ = ["STANDSTILL", "Grants"]

STANDSTILL: Final = 20.0  # longer than any call to a provider may take
_POLL: Final = 0.1
_COOL_DOWN: Final = 5.0
_LOGGER = logging.getLogger("st_auth")


class Grants:
    """The tokens of live sessions. Safe to call from any thread."""

    def __init__(
        self,
        sessions: Sessions,
        live: Live,
        clients: Mapping[str, Client],
        allow: Allow,
        clock: Clock = SYSTEM,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._sessions = sessions
        self._live = live
        self._clients = clients
        self._allow = allow
        self._clock = clock
        self._closing = threading.Event()
        self._pause = pause or self._closing.wait
        self._turns = Turns()
        self._failures: dict[str, tuple[Unavailable, float]] = {}
        self._revocations = Revocations(self._closing.wait)
        self.own = OwnLogins(sessions, self._read, clock.monotonic)

    # -- fresh tokens ----------------------------------------------------------------------------------------------------

    def tokens(self, live: LiveSession, provider: str | None = None, *, refused: Secret[str] | None = None) -> TokenSet:
        """Return tokens with an access token that is fresh, and not the one that a resource has `refused`: the session's own, or
        those of the account at `provider` that is linked to it.

        Asks the provider where it must. Raises LoginRequired (`session_ended`, `grant_expired`, `not_linked`), ProviderError, or
        Unavailable.
        """
        name = provider or live.stored.card.provider
        session = self._read(live)
        held = held_tokens(session, name)
        if self._is_usable(held, refused):
            return held
        with self._turns.of(live.stored.record_key) as waited:
            return self._renewed(live, name, refused, "", None if waited else session)

    def id_token(self, live: LiveSession, provider: str | None = None, *, refused: Secret[str] | None = None) -> Secret[str] | None:
        """Return an ID token that has not expired, and is not the one that a resource has `refused`; None where a refresh brings none.

        Asks the provider where it must, once however many ask. Raises like `tokens`.
        """
        tokens = self.tokens(live, provider)
        if not is_usable(tokens.id_token, refused, self._clock.now()):
            tokens = self.tokens(live, provider, refused=tokens.access_token)
        return tokens.id_token if is_usable(tokens.id_token, refused, self._clock.now()) else None

    def tokens_for(
        self, live: LiveSession, provider: str | None, resource: str, *, exchange: bool, refused: Secret[str] | None = None
    ) -> TokenSet:
        """Return tokens for one resource alone: by a refresh that names it, or in exchange for the session's access token.

        They are kept with the live session, in this process, until they expire or it ends. Raises like `tokens`.
        """
        name = provider or live.stored.card.provider
        key = (name, resource, exchange)
        self._read(live)
        with self._turns.of(f"{live.stored.card.login_id} {key}"):
            kept: TokenSet | None = (live.borrowed or {}).get(key)
            if kept is not None and self._is_usable(kept, refused):
                return kept
            borrowed = self._exchanged(live, name, resource) if exchange else self._for_resource(live, name, resource)
            if live.ended:
                raise over()
            live.borrowed = {**(live.borrowed or {}), key: borrowed}
            return borrowed

    def _exchanged(self, live: LiveSession, name: str, resource: str) -> TokenSet:
        subject, client = self.tokens(live), self._client(name)
        try:
            tokens = client.exchange(subject.access_token, resource)
        except LoginRefused as error:
            raise ProviderError("The provider did not take the token of this login in exchange.", code="request_refused") from error
        ends = [at for at in (tokens.expires_at, subject.expires_at) if at is not None]
        return replace(tokens, refresh_token=None, id_token=None, expires_at=min(ends) if ends else None)

    def _for_resource(self, live: LiveSession, name: str, resource: str) -> TokenSet:
        with self._turns.of(live.stored.record_key):
            return replace(self._renewed(live, name, None, resource), refresh_token=None, id_token=None)

    def is_linked(self, live: LiveSession, provider: str) -> bool:
        """Whether there are tokens of this provider. Raises LoginRequired or Unavailable."""
        session = self._read(live)
        return provider == session.card.provider or any(link.provider == provider for link in session.links)

    def lives(self, live: LiveSession) -> bool:
        """Whether the store still has this session; one that is gone ends here too. Raises Unavailable."""
        try:
            self._read(live)
        except LoginRequired:
            return False
        return True

    def link(self, live: LiveSession, link: Link) -> bool:
        """Link an account at another provider to a session, in place of one that was linked before; False if it is over.

        What was linked is revoked where it was another account: of the same one, old and new tokens may be one grant there.
        """
        before: list[Link] = []

        def change(session: Session) -> Session:
            before[:] = [other for other in session.links if other.provider == link.provider]
            return replace(session, links=(*(other for other in session.links if other.provider != link.provider), link))

        changed = self._sessions.change(live.stored, change)
        if changed is None:
            return False
        live.wrote(changed, self._clock.monotonic())
        live.borrowed = None
        for other in before:
            if (other.issuer, other.subject) != (link.issuer, link.subject):
                self.discard(self._client(other.provider), other.tokens)
        return True

    def _renewed(self, live: LiveSession, name: str, refused: Secret[str] | None, resource: str, seen: Session | None = None) -> TokenSet:
        """Renew with the claim in hand, or take what somebody else has got meanwhile; for a `resource` always by ourselves.

        `seen` is the session as it was read just before: where that is old already, the claim is not got.
        """
        claims: dict[str, float] = {}
        while True:
            session, seen = seen or self._read(live), None
            held = held_tokens(session, name)
            if not resource and self._is_usable(held, refused):
                return held
            if held.refresh_token is None:
                raise expired("The provider gave no refresh token with this login.")
            since = claims.setdefault(session.card.claim, self._clock.monotonic())
            if session.card.claim and self._clock.monotonic() - since < STANDSTILL:
                self._pause(_POLL)
                continue
            if (failed := self._just_failed(name)) is not None:
                return self._despite(failed, held, resource)
            claim = secrets.token_hex(8)
            if (mine := self._sessions.claim(session, claim)) and (got := self._refresh(live, mine, _Refresh(name, claim, resource))):
                return got

    def _client(self, name: str) -> Client:
        client = self._clients.get(name)
        if client is None:
            raise expired("This provider is not configured any more.")
        return client

    def _read(self, live: LiveSession) -> Session:
        """The session as the store has it now; what is over here or there gives no token."""
        if live.lapsed(self._clock.monotonic()):
            raise over()
        if self._live.is_held:
            raise Unavailable("The store does not answer.", code="store")
        session = self._sessions.reread(live.stored)
        if isinstance(session, Session):
            return session
        self._live.end(live, session.why if isinstance(session, Ended) else "ended")
        raise over()

    def _is_usable(self, tokens: TokenSet, refused: Secret[str] | None) -> bool:
        return tokens.is_fresh(self._clock.now()) and tokens.access_token != refused

    def _refresh(self, live: LiveSession, mine: Session, how: "_Refresh") -> TokenSet | None:
        """Ask the provider with the claim in hand, and write what came of it; None if the claim was lost meanwhile."""
        before = held_tokens(mine, how.provider)
        got: list[TokenSet] = []
        try:
            after, login = self._asked(mine, before, how, got)
        except _Over as lost:
            if live.stored.record_key != mine.record_key:
                return None  # a step-up has put the session under another record meanwhile
            raise self._gave_up(live, mine, how, lost) from None
        except BaseException as error:
            self._sessions.settle(mine, how.claim, lambda session: with_refresh_token(session, how.provider, got))
            if not isinstance(error, StAuthError):
                raise
            if isinstance(error, Unavailable):
                self._failures[how.provider] = (error, self._clock.monotonic())
            _LOGGER.warning("A refresh at %s failed: %s", how.provider, error)
            return self._despite(error, before, how.resource)
        return self._written(live, mine, how, (before, after, login))

    def _asked(self, mine: Session, before: TokenSet, how: "_Refresh", got: list[TokenSet]) -> tuple[TokenSet, Login]:
        """The new tokens, and who they speak for. What the provider gave is put into `got` before it is judged: the old refresh
        token counts as used then, and the new one must not be lost where the provider's keys cannot be had.
        """
        client = self._client(how.provider)
        try:
            after = client.refresh(before, how.resource)
        except LoginRefused as error:
            raise _Over("grant_expired", "The provider does not renew this login any more.") from error
        got.append(after)
        link = link_of(mine, how.provider)
        who, claims = (mine.card.issuer, mine.card.subject), json.loads(mine.claims_json)
        if link is not None:
            who, claims = (link.issuer, link.subject), {"sub": link.subject}
        try:
            login = client.judge_refreshed(before, after, who, claims, resource=how.resource)
            if link is None:
                judge_allow(self._allow, login, client.provider)
        except ProviderError as error:
            raise _Over("grant_expired", "The provider's answer to the refresh is not about this login.") from error
        except LoginRefused as error:
            self.discard(client, after)
            raise _Over("not_allowed", "This account may not use the app any more.") from error
        return after, login

    def _gave_up(self, live: LiveSession, mine: Session, how: "_Refresh", lost: "_Over") -> LoginRequired:
        """The grant is over: so is the session, or the link where it was a linked account's."""
        if link_of(mine, how.provider) is None:
            self.end(live, lost.why)
            return expired(lost.words)
        self._sessions.settle(mine, how.claim, lambda s: replace(s, links=tuple(k for k in s.links if k.provider != how.provider)))
        return not_linked()

    def _written(self, live: LiveSession, mine: Session, how: "_Refresh", result: tuple[TokenSet, TokenSet, Login]) -> TokenSet | None:
        before, after, login = result
        kept = replace(before, refresh_token=after.refresh_token, id_token=after.id_token) if how.resource else after
        settled = self._sessions.settle(mine, how.claim, lambda session: with_tokens(session, how.provider, kept, login))
        if settled is not None:
            live.wrote(settled, self._clock.monotonic())
            self._failures.pop(how.provider, None)
            return after
        now = self._sessions.reread(mine)
        if not isinstance(now, Session) and not (isinstance(now, Ended) and now.why == "renewed"):  # a step-up: the grant goes on
            self.discard(self._client(how.provider), after)
        return None

    def _just_failed(self, provider: str) -> Unavailable | None:
        """Why a provider did not answer within the last five seconds: nobody waits for it in vain again."""
        failure = self._failures.get(provider)
        if failure is None or self._clock.monotonic() - failure[1] >= _COOL_DOWN:
            return None
        return failure[0].with_traceback(None)

    def _despite(self, error: StAuthError, tokens: TokenSet, resource: str) -> TokenSet:
        """What a provider that is down leaves: the token of before, as long as it is valid."""
        if not resource and tokens.expires_at is not None and tokens.is_valid(self._clock.now()):
            return tokens
        raise error

    # -- the end ---------------------------------------------------------------------------------------------------------

    def end(self, live: LiveSession, why: str) -> None:
        """End a session in the store and here, and revoke its tokens by and by; nothing that fails keeps it alive."""
        try:
            self.finish(live.stored, why, farewell=False)
        except Unavailable:
            self._live.unfinished[live.stored.record_key] = (live.stored, why)
        self._live.end(live, why)

    def finish(self, stored: Session, why: str, *, farewell: bool) -> None:
        """End a session in the store, and revoke its tokens by and by. Raises Unavailable (`store`)."""
        ended = self._sessions.end(stored, why, farewell=farewell)
        was = ended.was if ended else None
        if was is None:
            return
        held = [(was.card.provider, was.tokens), *((link.provider, link.tokens) for link in was.links)]
        for name, tokens in held:
            if tokens is not None and name in self._clients:
                self.discard(self._clients[name], tokens)

    def discard(self, client: Client, tokens: TokenSet) -> None:
        """Revoke tokens that nobody will use, by and by, where the provider's profile wants that."""
        self._revocations.soon(client, tokens)

    def close(self) -> None:
        """Let the revocations under way finish, without their second try."""
        self._closing.set()
        self._revocations.close()


@dataclass(frozen=True, slots=True)
class _Refresh:
    """One refresh: at which provider, under which claim, and for which resource alone, if any."""

    provider: str
    claim: str
    resource: str


class _Over(Exception):
    """The grant is over, and so is the session."""

    def __init__(self, why: str, words: str) -> None:
        super().__init__(words)
        self.why = why
        self.words = words
