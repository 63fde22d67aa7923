"""Sessions: begin, resume, touch, end, and the limits they obey. Who may log in and what the browser sees is decided elsewhere."""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from st_auth import audit
from st_auth.clock import SYSTEM, Clock
from st_auth.secret import Secret
from st_auth.session_record import (
    Card,
    Ended,
    Found,
    LoginLike,
    Session,
    body_of,
    find,
    is_living,
    open_ended,
    open_session,
    seal_ended,
    seal_session,
)
from st_auth.vault import Vault, encode_base64url

__all__ = ["COOKIE_BYTES", "FAREWELL_KEPT", "Card", "Ended", "Limits", "LoginLike", "Session", "Sessions", "parse_cookie"]

COOKIE_BYTES: Final = 32
_COOKIE_VERSION: Final = "1"
_COOKIE = re.compile(_COOKIE_VERSION + r"[\w-]{43}", re.ASCII)  # COOKIE_BYTES in base64url
_LOGIN_ID_BYTES: Final = 18
FAREWELL_KEPT: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session lasts: without the person doing anything, and in all; and how many one person may have."""

    idle: timedelta = timedelta(hours=4)
    absolute: timedelta = timedelta(hours=12)
    max_per_user: int = 10

    @property
    def touch_every(self) -> timedelta:
        """How often at most a touch is worth a write."""
        return min(timedelta(seconds=60), self.idle / 4)

    def passed(self, card: Card, expires_at: datetime, at: datetime) -> str:
        """Return which limit has passed at this time: `absolute`, `idle`, or an empty text."""
        if at >= expires_at:
            return "absolute"
        return "idle" if at - card.last_seen_at >= self.idle else ""


class Sessions:
    """The sessions in one vault. Every change is a compare-and-set: what has ended stays ended, and nothing is ever re-created.

    The loops below repeat only after a lost race, that is, after somebody else has made progress.
    Each method raises Unavailable (code `store`) when the store does not answer.
    """

    def __init__(self, vault: Vault, limits: Limits, clock: Clock = SYSTEM, random: Callable[[int], bytes] = secrets.token_bytes) -> None:
        self._vault = vault
        self._limits = limits
        self._clock = clock
        self._random = random

    def begin(
        self, login: LoginLike, *, browser: str = "", address: str = "", replaces: Secret[str] | None = None
    ) -> tuple[Secret[str], Session]:
        """Begin a session under a new cookie and a new login id; nothing the browser brought is adopted.

        Ends the session of the cookie `replaces`, and this person's oldest ones beyond `max_per_user`.
        """
        cookie = self._new_cookie()
        session = self._put_new(Secret(cookie.reveal().encode()), login, browser, address)
        card = session.card
        audit.record("login", login_id=card.login_id, issuer=card.issuer, subject=card.subject, provider=card.provider)
        if replaces and (old := parse_cookie(replaces)):
            self._replace(self._vault.record_key(old), card)
        self._end_oldest(session)
        return cookie, session

    def resume(self, cookie: Secret[str]) -> Session | Ended | None:
        """Return the session of a cookie; Ended when it is known to be over; None when it is unknown, expired or unreadable.

        A session past a limit is ended in the store on the way.
        """
        if (raw := parse_cookie(cookie)) is None:
            return None
        return self._read(self._vault.record_key(raw), self._vault.cookie_key(raw), self._clock.now())

    def reread(self, session: Session) -> Session | Ended | None:
        """Read a session again, as when its version has moved; answers like `resume`."""
        return self._read(session.record_key, session.cookie_key, self._clock.now())

    def touch(self, session: Session, seen_at: datetime) -> Session | None:
        """Record that the person did something at `seen_at`; None when the session is gone or over.

        The time never moves back. Limits are judged at `seen_at`, so that a write that was delayed does not cost the session.
        Returns the session as it is in the store now, which somebody else may have changed meanwhile.
        """
        while isinstance(current := self._read(session.record_key, session.cookie_key, seen_at), Session):
            if seen_at <= current.card.last_seen_at:
                return current
            if touched := self._put_changed(current, card=replace(current.card, last_seen_at=seen_at), durable=False):
                return touched
        return None

    def step_up(self, session: Session, login: LoginLike) -> tuple[Secret[str], Session] | None:
        """Let a session go on under a new cookie after its person has shown again who they are; None if it is over.

        Login id, start, absolute limit and linked accounts stay. The old record ends first, so that there is never one too many.
        """
        if login.tokens is None:
            return None
        ended = self._end(session.record_key, "renewed", session.cookie_key, farewell=False)
        was = ended.was if ended else None
        if was is None:
            return None
        cookie = self._new_cookie()
        raw = Secret(cookie.reveal().encode())
        claims_json, profile_json = body_of(login)
        before = was.tokens.refresh_token if was.tokens else None
        begun = replace(
            was,
            record_key=self._vault.record_key(raw),
            version=1,
            card=replace(was.card, name=login.name, last_seen_at=self._clock.now(), claim=""),
            claims_json=claims_json,
            profile_json=profile_json,
            tokens=replace(login.tokens, refresh_token=login.tokens.refresh_token or before),
            cookie_key=self._vault.cookie_key(raw),
            claims_at_login=was.claims_at_login or was.claims_json,
        )
        self._put_first(begun)
        return cookie, begun

    def claim(self, session: Session, claim: str) -> Session | None:
        """Take the right to refresh, by a compare-and-set on this very version; None if the record has moved since it was read."""
        return self._put_changed(session, card=replace(session.card, claim=claim), durable=False)

    def change(self, session: Session, change: Callable[[Session], Session]) -> Session | None:
        """Change a session as it is in the store now, whoever else changes it meanwhile; None when it is over."""
        while isinstance(current := self.reread(session), Session):
            changed = change(current)
            if put := self._put_changed(current, changed, card=changed.card):
                return put
        return None

    def settle(self, session: Session, claim: str, change: Callable[[Session], Session]) -> Session | None:
        """Write what came of a claim, and give the claim back; None when the session is over or the claim is somebody else's by now.

        `session` is as `claim` returned it; `change` gets it as it is in the store, which a touch may have moved meanwhile.
        """
        current: Session | Ended | None = session
        while isinstance(current, Session) and current.card.claim == claim:
            if settled := self._put_changed(current, change(current), card=replace(current.card, claim="")):
                return settled
            current = self.reread(session)
        return None

    def end(self, session: Session, why: str, *, farewell: bool = True) -> Ended | None:
        """End a session: its tokens are dropped, and are in `was` of what is returned, to be revoked; None if it was over already.

        With `farewell`, what a logout at the provider needs stays for a minute under the cookie. Without, as for an end that the
        person did not ask for, the card stays until the absolute limit, to tell the browser why when it comes back.
        """
        return self._end(session.record_key, why, session.cookie_key, farewell=farewell)

    def end_by_key(self, record_key: str, why: str) -> Card | None:
        """End a session without its cookie, as an operator or the provider does; None if there was none.

        Without the cookie no farewell can be kept; the card stays until the absolute limit, to tell the browser when it comes back.
        """
        ended = self._end(record_key, why, None, farewell=False)
        return ended.card if ended else None

    def of_person(self, issuer: str, subject: str) -> list[tuple[str, Card]]:
        """Return the record keys and cards of a person's living sessions, oldest first."""
        found = self._tagged("person", issuer, subject)
        return [(key, card) for key, card in found if (card.issuer, card.subject) == (issuer, subject)]

    def of_sid(self, issuer: str, sid: str) -> list[tuple[str, Card]]:
        """Return the record keys and cards of the living sessions that the provider calls `sid`, oldest first."""
        return [(key, card) for key, card in self._tagged("sid", issuer, sid) if card.issuer == issuer]

    def versions(self, record_keys: Sequence[str]) -> dict[str, int]:
        """Return the present versions; what is missing has ended, what moved is to be read again."""
        return self._vault.store.versions(record_keys)

    def _new_cookie(self) -> Secret[str]:
        return Secret(_COOKIE_VERSION + encode_base64url(self._random(COOKIE_BYTES)))

    def _put_new(self, cookie: Secret[bytes], login: LoginLike, browser: str, address: str) -> Session:
        now = self._clock.now()
        login_id = encode_base64url(self._random(_LOGIN_ID_BYTES))
        card = Card(login_id, login.issuer, login.subject, login.name, login.provider, now, now, browser, address)
        claims_json, profile_json = body_of(login)
        key, expires_at = self._vault.record_key(cookie), now + self._limits.absolute
        session = Session(key, 1, card, claims_json, profile_json, login.tokens, expires_at, self._vault.cookie_key(cookie))
        self._put_first(session)
        return session

    def _put_first(self, session: Session) -> None:
        if not self._vault.store.put(session.record_key, seal_session(self._vault, session, self._tags(session)), expect=0):
            raise RuntimeError("The source of random numbers repeats itself.")

    def _read(self, record_key: str, cookie_key: Secret[bytes], at: datetime) -> Session | Ended | None:
        while record := self._vault.store.get(record_key):
            if not is_living(record):
                return open_ended(self._vault, record_key, record, cookie_key)
            session = open_session(self._vault, record_key, record, cookie_key)
            if session is None:
                return None
            if not (why := self._limits.passed(session.card, session.expires_at, at)):
                return session
            found = Found(record_key, record, session.card)
            if ended := self._put_ended(found, why, None):  # no farewell, but the card stays to tell a tab that wakes up late
                return ended
        return None

    def _end(self, record_key: str, why: str, cookie_key: Secret[bytes] | None, *, farewell: bool) -> Ended | None:
        while found := find(self._vault, record_key):
            if found.card.ended:
                return None
            session = open_session(self._vault, record_key, found.record, cookie_key) if cookie_key else None
            if ended := self._put_ended(found, why, session if farewell else None):
                return replace(ended, was=session)
        self._vault.store.delete(record_key)  # what cannot be read is gone too, also for a process that could read it
        return None

    def _put_ended(self, found: Found, why: str, session: Session | None) -> Ended | None:
        expires_at = self._clock.now() + FAREWELL_KEPT if session else found.record.expires_at
        card = replace(found.card, ended=why, claim="")
        record, ended = seal_ended(self._vault, found.record_key, card, expires_at, session)
        if not self._vault.store.put(found.record_key, record, expect=found.record.version):
            return None
        audit.record("session_ended", login_id=card.login_id, issuer=card.issuer, subject=card.subject, provider=card.provider, why=why)
        return ended

    def _put_changed(self, current: Session, changed: Session | None = None, *, card: Card, durable: bool = True) -> Session | None:
        put = replace(changed or current, version=current.version + 1, card=card, tags=())
        tags = current.tags if changed is None else ()  # with another card alone, person and provider's session stay the same
        record = seal_session(self._vault, put, tags or self._tags(put))
        return put if self._vault.store.put(current.record_key, record, expect=current.version, durable=durable) else None

    def _replace(self, record_key: str, by: Card) -> None:
        """End what a browser's new login takes the place of: `renewed` for the same person, whose tabs go on, else `replaced`."""
        if found := find(self._vault, record_key):
            same = (found.card.issuer, found.card.subject) == (by.issuer, by.subject)
            self.end_by_key(record_key, "renewed" if same else "replaced")

    def _end_oldest(self, newest: Session) -> None:
        others = [key for key, _ in self.of_person(newest.card.issuer, newest.card.subject) if key != newest.record_key]
        for key in others[: max(0, len(others) + 1 - self._limits.max_per_user)]:
            self.end_by_key(key, "too_many")

    def _tags(self, session: Session) -> tuple[str, ...]:
        issuer, sid = session.card.issuer, session.sid
        person = self._vault.keyring.tag("person", issuer, session.card.subject)
        return (person, self._vault.keyring.tag("sid", issuer, sid)) if sid else (person,)

    def _tagged(self, kind: str, *parts: str) -> list[tuple[str, Card]]:
        keys = {key for tag in self._vault.keyring.tags(kind, *parts) for key in self._vault.store.find(tag)}
        living = [(found.card.started_at, key, found.card) for key in keys if (found := self._living(key))]
        return [(key, card) for _, key, card in sorted(living, key=lambda one: one[:2])]

    def _living(self, record_key: str) -> Found | None:
        found = find(self._vault, record_key)
        if found is None or found.card.ended or self._limits.passed(found.card, found.record.expires_at, self._clock.now()):
            return None
        return found


def parse_cookie(cookie: Secret[str]) -> Secret[bytes] | None:
    """Return the bytes that stand for a session cookie, those of its text; None unless it looks like one that we wrote."""
    text = cookie.reveal()
    return Secret(text.encode()) if _COOKIE.fullmatch(text) else None
