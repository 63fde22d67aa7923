"""What a session is, and the same as sealed bytes: a card that operators can read, and a body that only the cookie opens.

The value of a record is  kind (1) | length of the card (4) | sealed card | locked part.  The locked part is the sealed body of a living
session, with a copy of the card, so that resuming opens one seal; or the sealed farewell of one that ended here; or empty.

The body is nine parts behind their sizes, and behind those the person's own logins to databases, where there are any: records from
before there were such logins end with the ninth part.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any, Final, Protocol

from st_auth.keyring import framed
from st_auth.oauth.tokens import TokenSet
from st_auth.secret import OwnLogin, Secret
from st_auth.stores import Record, from_microseconds, microseconds
from st_auth.vault import Vault

__all__ = [
    "Card",
    "Ended",
    "Found",
    "Link",
    "LoginLike",
    "Session",
    "body_of",
    "find",
    "is_living",
    "open_ended",
    "open_session",
    "seal_ended",
    "seal_session",
]

_CARD: Final = "card"
_BODY: Final = "session"
_FAREWELL: Final = "farewell"
_LIVING: Final = b"\x01"
_ENDED: Final = b"\x02"
_CARD_AT: Final = 5
_SIZES: Final = struct.Struct(">9I")  # of card, claims, profile, claims at login, links, what is small of the tokens, and the three tokens
_DECODE: Final = json.JSONDecoder().raw_decode
_ENCODE: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode  # made once: json.dumps makes one at each call


class LoginLike(Protocol):
    """What a finished login says, as `st_auth.client.Login` has it."""

    @property
    def provider(self) -> str: ...
    @property
    def issuer(self) -> str: ...
    @property
    def subject(self) -> str: ...
    @property
    def claims(self) -> Mapping[str, Any]: ...
    @property
    def tokens(self) -> TokenSet | None: ...
    @property
    def name(self) -> str: ...
    @property
    def email(self) -> str | None: ...
    @property
    def email_verified(self) -> bool | None: ...
    @property
    def groups(self) -> tuple[str, ...]: ...
    @property
    def sid(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Card:
    """What may be known of a session without its cookie. `ended` says why it is over, and is empty while it lives."""

    login_id: str
    issuer: str
    subject: str
    name: str
    provider: str
    started_at: datetime
    last_seen_at: datetime
    browser: str
    address: str
    ended: str = ""
    claim: str = ""


_STARTED_AT: Final = Card.__slots__.index("started_at")
_LAST_SEEN_AT: Final = Card.__slots__.index("last_seen_at")


@dataclass(frozen=True, slots=True)
class Link:
    """An account at a second provider that the person has linked to this session."""

    provider: str
    issuer: str
    subject: str
    tokens: TokenSet


@dataclass(frozen=True, slots=True)
class Session:
    """One living session as its cookie opened it.

    `claims_json` holds all claims as the provider last gave them; `profile_json` holds name, email, email_verified, groups and sid
    as we understood them. `claims_at_login` is there when a refresh has changed them since. `expires_at` is the absolute limit.
    `cookie_key` stands for the cookie, which the process need not keep. `tags` are those of the record that was read, if they were
    made with the key that seals now.
    """

    record_key: str
    version: int
    card: Card
    claims_json: bytes
    profile_json: bytes
    tokens: TokenSet | None
    expires_at: datetime
    cookie_key: Secret[bytes]
    claims_at_login: bytes = b""
    links: tuple[Link, ...] = ()
    logins: tuple[OwnLogin, ...] = ()
    tags: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def sid(self) -> str | None:
        """What the provider calls its own session, if it said so."""
        profile: dict[str, str | None] = _parsed(self.profile_json)
        return profile["sid"]

    def without_tokens(self) -> "Session":
        """The same without anything that opens something at a provider or a database: what a process may keep."""
        if not (self.tokens or self.links or self.logins or self.tags):
            return self
        return replace(self, tokens=None, links=(), logins=(), tags=())


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that is over, and why.

    `farewell` is what a logout at the provider needs (`provider`, `id_token` as a Secret or None, `logout_hint`); it is there for a
    minute after an end by the person's own browser, and for who has the cookie. `was` is the session that this call ended, as far
    as it could be opened.
    """

    why: str
    card: Card
    farewell: Mapping[str, Any] | None
    was: Session | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A record of a session as it is read without the cookie."""

    record_key: str
    record: Record
    card: Card


def find(vault: Vault, record_key: str) -> Found | None:
    """Read a record and open its card; None when it is absent, expired or unreadable."""
    record = vault.store.get(record_key)
    card = _open_card(vault, record_key, record) if record else None
    return Found(record_key, record, card) if record and card else None


def is_living(record: Record) -> bool:
    """Whether the record says that it holds a living session. Only what opens under that kind's purpose is believed."""
    return record.value[:1] == _LIVING


def open_session(vault: Vault, record_key: str, record: Record, cookie_key: Secret[bytes]) -> Session | None:
    """Open a living session; None when this is not its cookie or the bytes were changed."""
    sealed, expires_at = _locked(record), record.expires_at
    body = vault.open_with_cookie(sealed, purpose=_BODY, record_key=record_key, expires_at=expires_at, cookie_key=cookie_key)
    if body is None:
        return None
    card, claims, profile, at_login, links, *tokens, logins = _split(body)  # neither claims nor profile is parsed: few requests need them
    return Session(
        record_key,
        record.version,
        _read_card(card),
        claims,
        profile,
        _read_tokens(*tokens),
        expires_at,
        cookie_key,
        at_login,
        _read_links(links) if links else (),
        _read_logins(logins) if logins else (),
        record.tags if vault.is_sealed_now(sealed) else (),
    )


def open_ended(vault: Vault, record_key: str, record: Record, cookie_key: Secret[bytes]) -> Ended | None:
    """Open what remains of a session that is over, with the farewell if it left one for this cookie."""
    card = _open_card(vault, record_key, record)
    if card is None or not card.ended:
        return None
    sealed, expires_at, plain = _locked(record), record.expires_at, None
    if sealed:
        plain = vault.open_with_cookie(sealed, purpose=_FAREWELL, record_key=record_key, expires_at=expires_at, cookie_key=cookie_key)
    return Ended(card.ended, card, _read_farewell(plain) if plain else None)


def seal_session(vault: Vault, session: Session, tags: tuple[str, ...]) -> Record:
    """Seal a living session as a record, all of it with the present key."""
    key, expires_at, card = session.record_key, session.expires_at, _write_card(session.card)
    links = _write_links(session.links) if session.links else b""
    body = _join(card, session.claims_json, session.profile_json, session.claims_at_login, links, *_write_tokens(session.tokens))
    body += _write_logins(session.logins) if session.logins else b""
    locked = vault.seal_with_cookie(body, purpose=_BODY, record_key=key, expires_at=expires_at, cookie_key=session.cookie_key)
    return Record(_LIVING + _sealed_card(vault, key, card, expires_at) + locked, expires_at, tags)


def seal_ended(vault: Vault, record_key: str, card: Card, expires_at: datetime, session: Session | None) -> tuple[Record, Ended]:
    """Seal what remains of a session that is over: its card, and the farewell where its `session` could be opened."""
    value = _ENDED + _sealed_card(vault, record_key, _write_card(card), expires_at)
    if session is None:
        return Record(value, expires_at), Ended(card.ended, card, None)
    plain = _write_farewell(session)
    locked = vault.seal_with_cookie(plain, purpose=_FAREWELL, record_key=record_key, expires_at=expires_at, cookie_key=session.cookie_key)
    return Record(value + locked, expires_at), Ended(card.ended, card, _read_farewell(plain))


def body_of(login: LoginLike) -> tuple[bytes, bytes]:
    """Return the claims and the profile of a login as JSON."""
    profile = {
        "name": login.name,
        "email": login.email,
        "email_verified": login.email_verified,
        "groups": list(login.groups),
        "sid": login.sid,
    }
    return _json(dict(login.claims)), _json(profile)


def _sealed_card(vault: Vault, record_key: str, card: bytes, expires_at: datetime) -> bytes:
    return framed(vault.seal_without_cookie(card, purpose=_CARD, record_key=record_key, expires_at=expires_at))


def _open_card(vault: Vault, record_key: str, record: Record) -> Card | None:
    sealed = record.value[_CARD_AT : _card_end(record)]
    plain = vault.open_without_cookie(sealed, purpose=_CARD, record_key=record_key, expires_at=record.expires_at)
    return _read_card(plain) if plain else None


def _locked(record: Record) -> bytes:
    return record.value[_card_end(record) :]


def _card_end(record: Record) -> int:
    return _CARD_AT + int.from_bytes(record.value[1:_CARD_AT], "big")


def _join(*parts: bytes) -> bytes:
    return _SIZES.pack(*map(len, parts)) + b"".join(parts)


def _split(body: bytes) -> list[bytes]:
    """The parts, and what stands behind them."""
    ends = [*accumulate(_SIZES.unpack_from(body), initial=_SIZES.size), len(body)]
    return [body[start:end] for start, end in pairwise(ends)]


def _write_card(card: Card) -> bytes:
    fields = [getattr(card, name) for name in Card.__slots__]
    fields[_STARTED_AT] = microseconds(card.started_at)
    fields[_LAST_SEEN_AT] = microseconds(card.last_seen_at)
    return _json(fields)


def _read_card(plain: bytes) -> Card:
    fields = _parsed(plain)
    fields[_STARTED_AT] = from_microseconds(fields[_STARTED_AT])
    fields[_LAST_SEEN_AT] = from_microseconds(fields[_LAST_SEEN_AT])
    return Card(*fields)


def _write_tokens(tokens: TokenSet | None) -> tuple[bytes, bytes, bytes, bytes]:
    """Return what is small as JSON, and the three tokens as they are: no token is empty, so that empty means none."""
    if tokens is None:
        return b"", b"", b"", b""
    expiry = None if tokens.expires_at is None else microseconds(tokens.expires_at)
    small = _json([tokens.token_type, expiry, tokens.margin.total_seconds(), *tokens.scope])
    return small, _token_bytes(tokens.access_token), _token_bytes(tokens.refresh_token), _token_bytes(tokens.id_token)


def _read_tokens(small: bytes, access: bytes, refresh: bytes, id_token: bytes) -> TokenSet | None:
    if not small:
        return None
    token_type, expiry, margin, *scope = _parsed(small)
    return TokenSet(
        Secret(access.decode()),
        token_type,
        None if expiry is None else from_microseconds(expiry),
        Secret(refresh.decode()) if refresh else None,
        Secret(id_token.decode()) if id_token else None,
        tuple(scope),
        timedelta(seconds=margin),
    )


def _write_links(links: tuple[Link, ...]) -> bytes:
    fields = [[link.provider, link.issuer, link.subject, *(part.decode() for part in _write_tokens(link.tokens))] for link in links]
    return _json(fields)


def _read_links(plain: bytes) -> tuple[Link, ...]:
    return tuple(
        Link(provider, issuer, subject, tokens)
        for provider, issuer, subject, *parts in _parsed(plain)
        if (tokens := _read_tokens(*(part.encode() for part in parts)))
    )


def _write_logins(logins: tuple[OwnLogin, ...]) -> bytes:
    return _json([[login.connection, login.address, login.user, login.password.reveal()] for login in logins])


def _read_logins(plain: bytes) -> tuple[OwnLogin, ...]:
    return tuple(OwnLogin(connection, address, user, Secret(password)) for connection, address, user, password in _parsed(plain))


def _token_bytes(token: Secret[str] | None) -> bytes:
    return token.reveal().encode() if token else b""


def _write_farewell(session: Session) -> bytes:
    claims = json.loads(session.claims_json)
    id_token = session.tokens.id_token if session.tokens else None
    hint = claims.get("login_hint") or json.loads(session.profile_json)["email"]
    return _json({"provider": session.card.provider, "id_token": id_token and id_token.reveal(), "logout_hint": hint or ""})


def _read_farewell(plain: bytes) -> Mapping[str, Any]:
    fields: dict[str, Any] = _parsed(plain)
    return fields | {"id_token": fields["id_token"] and Secret(fields["id_token"])}


def _json(value: object) -> bytes:
    # In ASCII, because a provider's JSON may hold halves of surrogate pairs, which UTF-8 cannot.
    return _ENCODE(value).encode()


def _parsed(plain: bytes) -> Any:
    return _DECODE(plain.decode())[0]  # half the time of json.loads, which looks for encodings and white space that we do not write
