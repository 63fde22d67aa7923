"""What a session may use at its providers: tokens that are fresh when they are handed out, and revoked when it ends.

One refresh however many threads, tabs and processes ask. The right to refresh is the `claim` in the session's record, taken by
compare-and-set, and what came of it is written only while that claim stands. Others wait, and take a claim over that has stood
still for `STANDSTILL` seconds of their own clock. What has ended meanwhile stays ended, and the new token is revoked.
"""

import json
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final

from st_auth import audit
from st_auth.access.allow import judge_allow
from st_auth.client import Client, Login
from st_auth.clock import SYSTEM, Clock
from st_auth.config import Allow
from st_auth.errors import LoginRefused, LoginRequired, ProviderError, StAuthError, Unavailable
from st_auth.live import Live, LiveSession
from st_auth.oauth.tokens import TokenSet
from st_auth.secret import Secret
from st_auth.session_record import body_of
from st_auth.sessions import Ended, Session, Sessions

__all__ = ["STANDSTILL", "Grants"]

STANDSTILL: Final = 20.0  # longer than any call to a provider may take
_POLL: Final = 0.1
_COOL_DOWN: Final = 5.0
_REVOKERS: Final = 4
_REVOCATIONS_AT_MOST: Final = 256
_LONGEST_PAUSE: Final = 10.0
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
        self._turns = _Turns()
        self._failures: dict[str, tuple[Unavailable, float]] = {}
        self._revoking = _Revoking()

    # -- fresh tokens ----------------------------------------------------------------------------------------------------

    def tokens(self, live: LiveSession, refused: Secret[str] | None = None) -> TokenSet:
        """Return the session's tokens with an access token that is fresh, and not the one that a resource has `refused`.

        Asks the provider where it must. Raises LoginRequired (`session_ended`, `grant_expired`), ProviderError, or Unavailable.
        """
        usable = self._usable(self._read(live), refused)
        if usable is not None:
            return usable
        with self._turns.of(live.stored.record_key):
            return self._renewed(live, refused)

    def _renewed(self, live: LiveSession, refused: Secret[str] | None) -> TokenSet:
        claims: dict[str, float] = {}
        while True:
            session = self._read(live)
            if (usable := self._usable(session, refused)) is not None:
                return usable
            tokens = session.tokens
            if tokens is None or tokens.refresh_token is None:
                raise _expired("The provider gave no refresh token with this login.")
            since = claims.setdefault(session.card.claim, self._clock.monotonic())
            if session.card.claim and self._clock.monotonic() - since < STANDSTILL:
                self._pause(_POLL)
                continue
            if (failed := self._just_failed(session.card.provider)) is not None:
                return self._despite(failed, tokens)
            claim = secrets.token_hex(8)
            if (mine := self._sessions.claim(session, claim)) and (settled := self._refresh(live, mine, claim)):
                return settled

    def _read(self, live: LiveSession) -> Session:
        """The session as the store has it now; what is over here or there gives no token."""
        if live.lapsed(self._clock.monotonic()):
            raise _over()
        if self._live.is_held:
            raise Unavailable("The store does not answer.", code="store")
        session = self._sessions.reread(live.stored)
        if isinstance(session, Session):
            return session
        self._live.end(live, session.why if isinstance(session, Ended) else "ended")
        raise _over()

    def _usable(self, session: Session, refused: Secret[str] | None) -> TokenSet | None:
        tokens = session.tokens
        if tokens is None:
            raise _expired("The provider gave no tokens with this login.")
        return tokens if tokens.is_fresh(self._clock.now()) and tokens.access_token != refused else None

    def _refresh(self, live: LiveSession, mine: Session, claim: str) -> TokenSet | None:
        """Ask the provider with the claim in hand, and write what came of it; None if the claim was lost meanwhile."""
        before, client = mine.tokens, self._clients.get(mine.card.provider)
        if before is None or client is None:
            self._settle(mine, claim, lambda session: session)
            raise _expired("The provider of this login is not configured any more.")
        try:
            after, login = self._asked(client, mine, before)
        except _Over as over:
            self.end(live, over.why)
            raise _expired(over.words) from None
        except BaseException as error:
            self._settle(mine, claim, lambda session: session)
            if not isinstance(error, StAuthError):
                raise
            if isinstance(error, Unavailable):
                self._failures[mine.card.provider] = (error, self._clock.monotonic())
            _LOGGER.warning("A refresh at %s failed: %s", mine.card.provider, error)
            return self._despite(error, before)
        return self._written(live, mine, claim, (client, after, login))

    def _asked(self, client: Client, mine: Session, before: TokenSet) -> tuple[TokenSet, Login]:
        try:
            after = client.refresh(before)
        except LoginRefused as error:
            raise _Over("grant_expired", "The provider does not renew this login any more.") from error
        who, claims = (mine.card.issuer, mine.card.subject), json.loads(mine.claims_json)
        try:
            login = client.judge_refreshed(before, after, who, claims)
            judge_allow(self._allow, login, client.provider)
        except ProviderError as error:
            raise _Over("grant_expired", "The provider's answer to the refresh is not about this login.") from error
        except LoginRefused as error:
            self._revoke_later([(client, after)])
            raise _Over("not_allowed", "This account may not use the app any more.") from error
        return after, login

    def _written(self, live: LiveSession, mine: Session, claim: str, result: tuple[Client, TokenSet, Login]) -> TokenSet | None:
        client, after, login = result
        claims_json, profile_json = body_of(login)

        def change(session: Session) -> Session:
            at_login = session.claims_at_login or (session.claims_json if session.claims_json != claims_json else b"")
            return replace(session, tokens=after, claims_json=claims_json, profile_json=profile_json, claims_at_login=at_login)

        settled = self._settle(mine, claim, change)
        if settled is not None:
            live.wrote(settled, self._clock.monotonic())
            self._failures.pop(mine.card.provider, None)
            return after
        if not isinstance(self._sessions.reread(mine), Session):
            self._revoke_later([(client, after)])
        return None

    def _settle(self, mine: Session, claim: str, change: Callable[[Session], Session]) -> Session | None:
        return self._sessions.settle(mine, claim, change)

    def _just_failed(self, provider: str) -> Unavailable | None:
        """Why a provider did not answer within the last five seconds: nobody waits for it in vain again."""
        failure = self._failures.get(provider)
        if failure is None or self._clock.monotonic() - failure[1] >= _COOL_DOWN:
            return None
        return failure[0].with_traceback(None)

    def _despite(self, error: StAuthError, tokens: TokenSet) -> TokenSet:
        """What a provider that is down leaves: the token of before, as long as it is valid."""
        if tokens.expires_at is not None and tokens.is_valid(self._clock.now()):
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
        self._revoke_later([(self._clients[name], tokens) for name, tokens in held if tokens and name in self._clients])

    def _revoke_later(self, grants: list[tuple[Client, TokenSet]]) -> None:
        for client, tokens in grants:
            self._revoking.soon(partial(self._revoke, client, tokens))

    def _revoke(self, client: Client, tokens: TokenSet) -> None:
        """Revoke one grant; a provider that asks for time gets it once (RFC 7009 section 2.2.1)."""
        try:
            try:
                revoked = client.revoke(tokens)
            except Unavailable as error:
                self._closing.wait(min(error.retry_after, _LONGEST_PAUSE))
                revoked = client.revoke(tokens)
        except StAuthError as error:
            _LOGGER.warning("A token at %s was not revoked: %s", client.provider.name, error)
            audit.record("revocation_failed", provider=client.provider.name, code=error.code)
            return
        if revoked:
            audit.record("revoked", provider=client.provider.name)

    def close(self) -> None:
        """Let the revocations under way finish, without their second try."""
        self._closing.set()
        self._revoking.close()


class _Over(Exception):
    """The grant is over, and so is the session."""

    def __init__(self, why: str, words: str) -> None:
        super().__init__(words)
        self.why = why
        self.words = words


class _Turns:
    """A lock for each key that somebody holds or waits for: one thread of this process at a time deals with a session."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def of(self, key: str) -> Iterator[None]:
        with self._guard:
            lock, waiting = self._taken.get(key, (threading.Lock(), 0))
            self._taken[key] = lock, waiting + 1
        try:
            with lock:
                yield
        finally:
            with self._guard:
                waiting = self._taken[key][1]
                if waiting == 1:
                    del self._taken[key]
                else:
                    self._taken[key] = lock, waiting - 1


class _Revoking:
    """A few threads that talk to providers behind a person's back, made when they are first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._room = threading.BoundedSemaphore(_REVOCATIONS_AT_MOST)
        self._closed = False

    def soon(self, call: Callable[[], None]) -> None:
        with self._lock:
            if self._closed or not self._room.acquire(blocking=False):
                _LOGGER.warning("A token is not revoked: %s", "the server stops" if self._closed else "too many wait")
                return
            self._threads = self._threads or ThreadPoolExecutor(_REVOKERS, "st_auth.revoke")
            self._threads.submit(self._run, call)

    def _run(self, call: Callable[[], None]) -> None:
        try:
            call()
        finally:
            self._room.release()

    def close(self) -> None:
        with self._lock:
            self._closed, threads = True, self._threads
        if threads is not None:
            threads.shutdown(wait=True)


def _over() -> LoginRequired:
    return LoginRequired("This login has ended.", code="session_ended", hint="Call st_auth.require_login() at the top of the script.")


def _expired(words: str) -> LoginRequired:
    return LoginRequired(words, code="grant_expired", hint="Log in again; ask for offline access if logins should renew themselves.")
