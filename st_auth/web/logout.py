"""The logout as the browser sees it: end here first, then at the provider where it has an address for that."""

from typing import TYPE_CHECKING, Any, Final

from st_auth.errors import Unavailable
from st_auth.live import LiveSession
from st_auth.secret import Secret
from st_auth.sessions import Ended
from st_auth.web.answers import redirect
from st_auth.web.asgi import Receive, Request, read_form
from st_auth.web.cookies import expire_cookie
from st_auth.web.origin import is_own_origin, origin_of
from st_auth.web.pages import Page, confirm_logout_page

if TYPE_CHECKING:
    from st_auth.web.gate import Gate

__all__ = ["LogoutRoutes"]

_FORM_AGE: Final = 600
_LOGOUT = "logout"


class LogoutRoutes:
    """`/auth/logout`: a GET of our own pages (`st.logout()` is one), or a POST of our form; anything else is asked first."""

    def __init__(self, gate: "Gate", app_name: str) -> None:
        self._gate = gate
        self._core = gate.core
        self._config = gate.core.config
        self._base = gate.core.config.base_path
        self._app_name = app_name

    async def page(self, request: Request, receive: Receive) -> Page:
        """End the session and go on to the provider's own logout, or ask the person whether they meant it."""
        session = await self._gate.session_of(dict(request.cookies), request)
        if isinstance(session, LiveSession) and not await self._is_meant(request, receive, session):
            token = self._core.sign("logout-form", session.login_id)
            return confirm_logout_page(
                self._app_name, f"{self._base}/auth/logout", token, self._providers_origin(session), back_url=f"{self._base}/"
            )
        if isinstance(session, LiveSession):
            await self.end(session)
        return await self._go_on(request)

    async def _is_meant(self, request: Request, receive: Receive, session: LiveSession) -> bool:
        """Whether the person's own click on a page of this app asks for it (ASVS 3.5.3)."""
        if request.method == "GET":
            return request.headers.get(b"sec-fetch-site") == b"same-origin"
        if not is_own_origin(dict(request.headers), self._config.origin):
            return False
        form = await read_form(receive)
        return self._core.unsign("logout-form", form.get("token", ""), _FORM_AGE) == session.login_id

    async def end(self, session: LiveSession) -> None:
        """End a session in the vault, then in this process; a store that is down is told later, and nobody is let in meanwhile."""
        try:
            await self._gate.in_store_thread(lambda: self._core.grants.finish(session.stored, _LOGOUT, farewell=True))
        except Unavailable:
            self._core.live.unfinished[session.stored.record_key] = (session.stored, _LOGOUT)
        self._core.live.end(session, _LOGOUT)

    async def _go_on(self, request: Request) -> Page:
        farewell = await self._farewell(request)
        url = self._provider_url(farewell) or f"{self._base}/auth/ended?why={_LOGOUT}"
        names = self._gate.names
        mark = self._core.sign("ended", _LOGOUT)
        expired = [expire_cookie(names, name) for name in (names.session, names.farewell) if name in request.cookies]
        return redirect(url, *expired, self._gate.mark_cookie(mark))

    async def _farewell(self, request: Request) -> dict[str, Any]:
        """What the provider's logout needs, of the session that has just ended; empty if there is none."""
        names = self._gate.names
        text = request.cookies.get(names.session) or request.cookies.get(names.farewell)
        if not text:
            return {}
        try:
            ended = await self._gate.read_cold(Secret(text), request)
        except Unavailable:
            return {}
        return dict(ended.farewell or {}) if isinstance(ended, Ended) and ended.why == _LOGOUT else {}

    def _provider_url(self, farewell: dict[str, Any]) -> str | None:
        """RP-Initiated Logout 1.0 section 2: where the browser logs out at the provider too."""
        client = self._core.clients.get(farewell.get("provider", ""))
        if client is None or client.provider.name in self._core.dev:
            return None
        landing = self._landing(client.provider.name)
        state = self._core.sign(_LOGOUT, client.provider.name) if landing else None
        return client.logout_url(
            id_token=farewell.get("id_token"), logout_hint=farewell.get("logout_hint"), post_logout_redirect_uri=landing, state=state
        )

    def _landing(self, name: str) -> str | None:
        if name in self._config.landing:
            return self._config.landing[name]
        return self._config.redirect_uri_of(name) if self._core.clients[name].provider.logout_landing == "redirect_uri" else None

    def _providers_origin(self, session: LiveSession) -> tuple[str, ...]:
        client = self._core.clients.get(session.stored.card.provider)
        landing = self._landing(client.provider.name) if client else None
        url = client.logout_url(id_token=None, logout_hint=None, post_logout_redirect_uri=landing, state=None) if client else None
        return (origin_of(url),) if url and not self._is_dev(session) else ()

    def _is_dev(self, session: LiveSession) -> bool:
        return session.stored.card.provider in self._core.dev
