"""Where a person logs in to a database with their own name and password: a page of ours, in a new tab, which the app's script never sees.

The page that needs the connection shows a link that only its own login may follow. What is given here is tried by connecting, sealed
into the session's record if the database takes it, and otherwise forgotten.
"""

import asyncio
import json
import logging
import math
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from st_auth import audit
from st_auth.config import ConnectionConfig
from st_auth.errors import LoginRequired, StAuthError, Unavailable
from st_auth.live import LiveSession
from st_auth.secret import OwnLogin, Secret
from st_auth.web.answers import redirect, short
from st_auth.web.asgi import Receive, Request, read_form
from st_auth.web.bounded import BoundedThreads
from st_auth.web.origin import is_own_origin
from st_auth.web.pages import Page, connect_page, left_page
from st_auth.web.rate import Rate
from st_auth.web.step_up import ASK_AGE

if TYPE_CHECKING:
    from st_auth.core import Core
    from st_auth.web.gate import Gate

__all__ = ["ConnectRoutes", "connect_url"]

_PATIENCE: Final = 20.0
_FORM_AGE: Final = timedelta(minutes=10)
_A_MINUTE: Final = 5
_THREADS: Final = 8
_QUEUE_AT_MOST: Final = 32
_PATH: Final = "/auth/connect"
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}")
_LONGEST: Final = {"user": 256, "password": 1024}
_LOGGER = logging.getLogger("st_auth")

_STALE: Final = "This form was used already, or was open for too long. Please fill it in again."
_BOTH: Final = "Please give both, your name and your password."
_SILENT: Final = "The database does not answer. Please try again in a moment."
_OFTEN: Final = "That was too often. Please wait a minute before you try again."
_NOTICES: Final = {
    "login_refused": "The database does not take this name and password. Please try again.",
    "unreachable": _SILENT,
    "connections": _SILENT,
    "busy": "Many people are logging in to databases just now. Please try again in a moment.",
}


def connect_url(core: "Core", login_id: str, name: str) -> str:
    """A link that only this login may follow."""
    return f"{core.config.base_path}{_PATH}?ask={quote(core.sign('connect', [login_id, name]), safe='')}"


@dataclass(frozen=True, slots=True)
class _Asked:
    """Who is asked for a login to which connection, and the address of the page that asks."""

    session: LiveSession
    config: ConnectionConfig
    url: str


@dataclass(frozen=True, slots=True)
class _Given:
    """What was typed, and by whom: `person` is one text for all logins of theirs."""

    user: str = field(repr=False)
    password: Secret[str]
    person: str


class ConnectRoutes:
    """`/auth/connect`: a GET shows the form, a POST of it is tried. `too_many` counts logins by the address that they come from."""

    def __init__(
        self, gate: "Gate", app_name: str, too_many: Callable[[Request], Page | None], give_back: Callable[[Request], None]
    ) -> None:
        self._gate = gate
        self._core = gate.core
        self._base = gate.core.config.base_path
        self._app_name = app_name
        self._too_many = too_many
        self._give_back = give_back
        self._patience = _PATIENCE
        self._trying: set[str] = set()
        self._attempts = Rate(_A_MINUTE, gate.core.clock)
        self._at_database = BoundedThreads(_THREADS, _QUEUE_AT_MOST, "Too many logins wait for databases.", gate.core.clock).run

    async def page(self, request: Request, receive: Receive) -> Page:
        """Show the form to the login that was asked, or try what it brings; anybody else gets neither."""
        if request.method == "POST" and not is_own_origin(dict(request.headers), self._core.config.origin):
            return short(403, "not from this app's own page")
        if request.param("left"):
            return left_page(self._app_name)
        asked = await self._asked(request)
        if asked is None:
            return self._gate.problem("other_login", action=("Go to the app", f"{self._base}/"))
        if request.method == "GET":
            return self._form(asked, user=_likely_name(asked.session))
        if too_many := self._too_many(request):
            return too_many
        return await self._posted(asked, request, await read_form(receive))

    async def _asked(self, request: Request) -> _Asked | None:
        """What a link of ours asks for, where it was made for the login that follows it, and that lives."""
        ask = request.param("ask")
        signed = self._core.unsign("connect", ask, ASK_AGE)
        if not isinstance(signed, list):
            return None
        session = await self._gate.session_of(dict(request.cookies), request)
        if not isinstance(session, LiveSession) or signed[0] != session.login_id:
            return None
        config = self._core.pool.configs.get(str(signed[1]))
        url = f"{self._base}{_PATH}?ask={quote(ask, safe='')}"
        return _Asked(session, config, url) if config is not None and config.own_login else None

    def _form(self, asked: _Asked, *, user: str, notice: str = "", status: int = 200) -> Page:
        token = self._core.sign("connect-form", [asked.session.login_id, asked.config.name, secrets.token_urlsafe(18)])
        return connect_page(
            self._app_name,
            asked.config.name,
            asked.config.server,
            action_url=asked.url,
            token=token,
            user=user,
            notice=notice,
            cancel_url=f"{self._base}{_PATH}?left=1",
            status=status,
        )

    async def _posted(self, asked: _Asked, request: Request, form: dict[str, str]) -> Page:
        """Try what a form of ours brings: once for each form, and for each person one at a time and five a minute."""
        card = asked.session.stored.card
        person = self._core.keyring.tag("person", card.issuer, card.subject)
        given = _Given(form.pop("user", ""), Secret(form.pop("password", "")), person)
        if not await self._is_fresh(asked, form.get("token", "")):
            return self._form(asked, user=_likely_name(asked.session), notice=_STALE, status=400)
        if not _fits(given.user, _LONGEST["user"]) or not _fits(given.password.reveal(), _LONGEST["password"]):
            return self._form(asked, user=given.user[: _LONGEST["user"]], notice=_BOTH, status=400)
        if wait := self._patience if person in self._trying else self._attempts.take(person):
            self._record(asked, "too_many")
            page = self._form(asked, user=given.user, notice=_OFTEN, status=429)
            return page.with_headers((b"retry-after", str(math.ceil(wait)).encode()))
        return await self._tried(asked, request, given)

    async def _is_fresh(self, asked: _Asked, token: str) -> bool:
        """Whether a form was made by us, for this login and connection, within ten minutes, and comes for the first time."""
        signed = self._core.unsign("connect-form", token, int(_FORM_AGE.total_seconds()))
        if not isinstance(signed, list) or signed[:2] != [asked.session.login_id, asked.config.name]:
            return False
        until = self._core.clock.now() + _FORM_AGE
        return await self._gate.in_store_thread(self._core.vault.use_once, "connect-form", str(signed[2]), until)

    async def _tried(self, asked: _Asked, request: Request, given: _Given) -> Page:
        """Connect, and keep what opened it; whatever else comes of it is said on the form."""
        try:
            login = await self._connected(asked, given)
            kept = await self._gate.in_store_thread(self._core.pool.keep_login, asked.session, login)
        except LoginRequired:
            kept = False
        except StAuthError as error:
            if error.code == "store":
                raise
            return self._refused(asked, given, error)
        self._record(asked, "accepted" if kept else "session_ended")
        if not kept:
            return self._gate.problem("other_login", action=("Go to the app", f"{self._base}/"))
        self._give_back(request)
        for socket in asked.session.sockets:
            socket.go_on()
        return redirect(f"{self._base}/auth/done")

    async def _connected(self, asked: _Asked, given: _Given) -> OwnLogin:
        """Connect in a thread. After twenty seconds nobody waits for it any more; it keeps its place in the queue until it is over."""
        self._trying.add(given.person)
        call = partial(self._core.pool.verify_login, asked.session, asked.config, given.user, given.password)
        work = asyncio.ensure_future(self._at_database(call))
        work.add_done_callback(lambda _: self._trying.discard(given.person))
        done, _ = await asyncio.wait((work,), timeout=self._patience)
        if not done:
            work.add_done_callback(_look_away)
            raise Unavailable(_SILENT, code="connections")
        return work.result()

    def _refused(self, asked: _Asked, given: _Given, error: StAuthError) -> Page:
        reference = secrets.token_hex(4)
        self._record(asked, error.code)
        said = _without(str(error), given.user, given.password.reveal())
        what = error.code if error.code == "login_refused" else f"{error.code} {said}"
        _LOGGER.warning("Nobody logged in to the connection %s (reference %s): %s", asked.config.name, reference, what)
        notice = _NOTICES.get(error.code, f"{said} {error.hint}".strip())
        return self._form(asked, user=given.user, notice=notice, status=403 if error.code == "login_refused" else 503)

    def _record(self, asked: _Asked, outcome: str) -> None:
        card = asked.session.stored.card
        who: dict[str, Any] = {"login_id": card.login_id, "issuer": card.issuer, "subject": card.subject}
        audit.record("connection_login", **who, connection=asked.config.name, outcome=outcome)


def _likely_name(session: LiveSession) -> str:
    """What a person may be called at a database: what their provider calls them, where that is one plain word, or their e-mail's name."""
    claims, profile = json.loads(session.stored.claims_json), json.loads(session.stored.profile_json)
    for text in (claims.get("preferred_username"), str(profile.get("email") or "").partition("@")[0]):
        if isinstance(text, str) and _PLAIN_NAME.fullmatch(text):
            return text
    return ""


def _fits(text: str, longest: int) -> bool:
    """Whether it is something that a database could be told: not empty, not too long, and on one line."""
    return 0 < len(text) <= longest and not any(character < " " or character == "\x7f" for character in text)


def _without(text: str, user: str, password: str) -> str:
    """A sentence without what was typed, for the log: somebody may have typed the password as the name."""
    return text.replace(password, "***").replace(user, "***")


def _look_away(work: "asyncio.Future[OwnLogin]") -> None:
    """What comes of it is nobody's any more; asked for, so that the loop does not complain."""
    if not work.cancelled():
        work.exception()
