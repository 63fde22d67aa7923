"""What a logged-in person does at a provider from a page that stays as it is: confirm who they are, or link a second account.

The page shows a link that only its own login may follow. It opens a new tab, which comes back to `/auth/done`; the socket, the
login id and every widget of the page stay, and the page runs again.
"""

from functools import partial
from typing import TYPE_CHECKING, Final

from st_auth import audit
from st_auth.access.allow import judge_allow
from st_auth.client import Client, Login, PendingLogin
from st_auth.errors import LoginRefused
from st_auth.live import LiveSession
from st_auth.secret import Secret
from st_auth.session_record import Link, Session
from st_auth.web.answers import redirect
from st_auth.web.asgi import Request
from st_auth.web.cookies import set_cookie
from st_auth.web.pages import Page

if TYPE_CHECKING:
    from st_auth.web.gate import Gate

__all__ = ["ASK_AGE", "Asked", "StepUpRoutes"]

ASK_AGE: Final = 12 * 3600


class Asked:
    """What a page asks a person to do: which login it is, at which provider, and how fresh and how strong the login should be."""

    __slots__ = ("acr", "login_id", "max_age", "provider")

    def __init__(self, login_id: str, provider: str, max_age: int | None, acr: tuple[str, ...]) -> None:
        self.login_id = login_id
        self.provider = provider
        self.max_age = max_age
        self.acr = acr

    def to_list(self) -> list[object]:
        """The same as JSON can hold it, to be signed."""
        return [self.login_id, self.provider, self.max_age, list(self.acr)]

    @classmethod
    def of(cls, signed: object) -> "Asked | None":
        """What `to_list` made and we have signed; None where nothing of ours was."""
        if not isinstance(signed, list) or len(signed) != 4:
            return None
        login_id, provider, max_age, acr = signed
        return cls(login_id, provider, max_age, tuple(acr))


class StepUpRoutes:
    """The part of `/auth/login` and of the callback that is about somebody who is logged in and stays so."""

    def __init__(self, gate: "Gate") -> None:
        self._gate = gate
        self._core = gate.core

    async def asked(self, request: Request) -> tuple[LiveSession, Asked]:
        """What a link of ours asks for, and the session that may follow it; raises LoginRefused for anybody else."""
        asked = Asked.of(self._core.unsign("ask", request.param("ask"), ASK_AGE))
        session = await self._gate.session_of(dict(request.cookies), request)
        if asked is None or not isinstance(session, LiveSession) or session.login_id != asked.login_id:
            raise _not_this_login()
        if asked.provider not in self._core.clients:
            raise LoginRefused("This provider is not configured.", code="response_mismatch", parameter="provider")
        return session, asked

    async def session_for(self, pending: PendingLogin, request: Request) -> LiveSession:
        """The session that began a step-up or a link, in the browser that did (RFC 9700: the user that began it finishes it)."""
        session = await self._gate.session_of(dict(request.cookies), request)
        if not isinstance(session, LiveSession) or session.login_id != pending.login_id:
            raise _not_this_login()
        return session

    async def finish(self, session: LiveSession, client: Client, login: Login) -> Page:
        """Take up what a person showed or linked, and let the pages that wait for it run again."""
        if client.provider.name == session.stored.card.provider:
            page = await self._stepped_up(session, client, login)
        else:
            page = await self._linked(session, client, login)
        for socket in session.sockets:
            socket.go_on()
        return page

    async def _stepped_up(self, session: LiveSession, client: Client, login: Login) -> Page:
        card = session.stored.card
        if (login.issuer, login.subject) != (card.issuer, card.subject):
            self._core.grants.discard(client, login.tokens)
            raise LoginRefused("Somebody else logged in than the person of this session.", code="other_person", parameter="sub")
        judge_allow(self._core.config.allow, login, client.provider)
        begun = await self._gate.in_store_thread(self._move, session, login)
        if begun is None:
            raise await self._over(session, client, login)
        cookie, stored = begun
        audit.record("stepped_up", login_id=card.login_id, issuer=card.issuer, subject=card.subject, provider=card.provider)
        left = stored.expires_at - self._core.clock.now()
        return self._done(set_cookie(self._gate.names, self._gate.names.session, cookie.reveal(), left))

    def _move(self, session: LiveSession, login: Login) -> tuple[Secret[str], Session] | None:
        """Put the session under a new cookie in the store and, at once, here: a script or the watch may look at it any moment."""
        begun = self._core.sessions.step_up(session.stored, login)
        if begun is not None:
            self._core.live.move(session, begun[1])
        return begun

    async def _linked(self, session: LiveSession, client: Client, login: Login) -> Page:
        link = Link(client.provider.name, login.issuer, login.subject, login.tokens)
        if not await self._gate.in_store_thread(partial(self._core.grants.link, session, link)):
            raise await self._over(session, client, login)
        card = session.stored.card
        audit.record("linked", login_id=card.login_id, issuer=card.issuer, subject=card.subject, provider=link.provider)
        return self._done()

    async def _over(self, session: LiveSession, client: Client, login: Login) -> LoginRefused:
        """The session ended meanwhile: it stays ended, here too, and what the provider gave is given back."""
        self._core.grants.discard(client, login.tokens)
        await self._gate.in_store_thread(self._core.grants.lives, session)
        return _not_this_login()

    def _done(self, *headers: tuple[bytes, bytes]) -> Page:
        return redirect(f"{self._core.config.base_path}/auth/done", *headers)


def _not_this_login() -> LoginRefused:
    message = "The page that asked for this belongs to another login, or to one that has ended."
    return LoginRefused(message, code="response_mismatch", parameter="login_id")
