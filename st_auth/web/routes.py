"""Our own pages by path: who answers what, and the pages around a login that are not the login itself."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

from st_auth.errors import Unavailable
from st_auth.live import LiveSession
from st_auth.sessions import FAREWELL_KEPT
from st_auth.web.answers import as_json, redirect
from st_auth.web.asgi import Receive, Request
from st_auth.web.connect import ConnectRoutes
from st_auth.web.cookies import ENDED_MARK_AGE, expire_cookie, set_cookie
from st_auth.web.login import LoginRoutes
from st_auth.web.logout import LogoutRoutes
from st_auth.web.origin import path_of, return_path
from st_auth.web.pages import ENDINGS, Page, done_page, ended_page, stay_page
from st_auth.web.provider_logout import ProviderLogoutRoutes

if TYPE_CHECKING:
    from st_auth.web.gate import Gate

__all__ = ["Routes"]

_LOGGER = logging.getLogger("st_auth")

Handler = Callable[[Request, Receive], Awaitable[Page]]


class Routes:
    """Finds the page of ours that answers a request, if any."""

    def __init__(self, gate: "Gate", app_name: str) -> None:
        self._gate = gate
        self._app_name = app_name
        self._config = gate.core.config
        self._base = gate.core.config.base_path
        self._login = LoginRoutes(gate, self, app_name)
        self._connect = ConnectRoutes(gate, app_name, self._login.one_too_many, self._login.give_back)
        self._logout = LogoutRoutes(gate, app_name)
        self._provider_logout = ProviderLogoutRoutes(gate)
        self._table: dict[str, tuple[tuple[str, ...], Handler]] = {
            "/auth/login": (("GET",), self._login.page),
            "/auth/connect": (("GET", "POST"), self._connect.page),
            "/auth/logout": (("GET", "POST"), self._logout.page),
            "/auth/backchannel-logout": (("POST",), self._provider_logout.back),
            "/auth/frontchannel-logout": (("GET",), self._provider_logout.front),
            "/auth/ended": (("GET",), self._ended),
            "/auth/stay": (("GET",), self._stay),
            "/auth/done": (("GET",), self._done),
            "/auth/health": (("GET", "HEAD"), self._health),
        }
        for name in self._config.providers:
            path = self._config.callback_path(name).removeprefix(self._base)
            self._table[path] = (("GET",), self._login.callback)

    def has(self, path: str) -> bool:
        """Whether a path is ours to answer."""
        return path in self._table or path.startswith("/auth/")

    async def answer(self, request: Request, receive: Receive) -> Page:
        """The answer of one of our pages. Whatever fails inside becomes a page."""
        found = self._table.get(request.path)
        if found is None:
            return self._gate.problem("not_found", action=("Go to the app", f"{self._base}/"))
        methods, handler = found
        if request.method not in methods:
            allow = (b"allow", ", ".join(methods).encode())
            return self._gate.problem("method_not_allowed", action=("Go to the app", f"{self._base}/")).with_headers(allow)
        try:
            return await handler(request, receive)
        except Unavailable as error:
            return self._gate.unavailable(request, error)
        except Exception:  # the last resort: a person sees a plain page, the log has the rest, and nobody gets in
            reference = secrets.token_hex(4)
            _LOGGER.exception("A page of ours failed (reference %s)", reference)
            return self._gate.problem("internal", action=("Go to the app", f"{self._base}/"), reference=reference)

    def first_visit(self, request: Request) -> Page:
        """Send somebody without a login on their way: straight to the only provider at a first visit, else to the login page."""
        path = return_path(request.address, self._base)
        return redirect(f"{self._base}/auth/login?next={quote(path, safe='')}")

    def to_ended(self, why: str, request: Request) -> Page:
        """Send a browser whose session is over to the page that says so."""
        return redirect(self.ended_url(why, request.address))

    def ended_url(self, why: str, url: str) -> str:
        """The address of the ended page for a tab at `url`."""
        return f"{self._base}/auth/ended?why={quote(why)}&next={quote(return_path(path_of(url), self._base), safe='')}"

    async def _ended(self, request: Request, _: Receive) -> Page:
        """The still page that says why a login is over (DESIGN: where they land)."""
        path = return_path(request.param("next"), self._base)
        session = await self._gate.session_of(dict(request.cookies), request)
        said = request.param("why")
        if isinstance(session, LiveSession):
            if said != "replaced":
                return redirect(path)
            return ended_page(self._app_name, "replaced", login_url=self._way_in(path))
        why = session if session in ENDINGS and session != "no_session" else said
        why = why if why in ENDINGS else "no_session"
        page = ended_page(self._app_name, why, login_url=self._way_in(path), detail=self._span(why))
        if session:
            page = page.with_headers(*self._take_back(request, why))
        mark = self._gate.core.sign("ended", why)
        return page.with_headers(self._gate.mark_cookie(mark))

    def _take_back(self, request: Request, why: str) -> list[tuple[bytes, bytes]]:
        """Expire the session's cookie; for a minute the tab of a logout may still need its value, on its way to the provider."""
        names = self._gate.names
        expired = [expire_cookie(names, names.session)]
        text = request.cookies.get(names.session)
        return [*expired, set_cookie(names, names.farewell, text, FAREWELL_KEPT)] if text and why == "logout" else expired

    def _way_in(self, path: str) -> str:
        """The one button's address: straight to the only provider, or the page where one chooses."""
        only = next(iter(self._config.providers)) if len(self._config.providers) == 1 else ""
        provider = f"provider={quote(only)}&" if only and only not in self._gate.core.dev else ""
        return f"{self._base}/auth/login?{provider}next={quote(path, safe='')}"

    def _span(self, why: str) -> str:
        limits = {"idle": self._config.idle_timeout, "absolute": self._config.absolute_timeout}
        return _words(limits[why]) if why in limits else ""

    def ended_mark(self, request: Request) -> str:
        """Why the last login of this browser ended, if the ended page said so within twelve hours; `""` otherwise."""
        text = request.cookies.get(self._gate.names.ended)
        why = self._gate.core.unsign("ended", text, int(ENDED_MARK_AGE.total_seconds())) if text else None
        return why if isinstance(why, str) else ""

    async def _done(self, *_: object) -> Page:
        """Where the new tab of a step-up or of a linked account ends: the page that asked has gone on by itself."""
        return done_page(self._app_name, f"{self._base}/")

    async def _stay(self, request: Request, _: Receive) -> Page:
        """A click in the two-minute notice: the person is here, so the idle clock starts again."""
        session = await self._gate.session_of(dict(request.cookies), request)
        if not isinstance(session, LiveSession):
            return redirect(self.ended_url(session or "no_session", ""))
        if request.headers.get(b"sec-fetch-site", b"none") in (b"same-origin", b"none"):
            session.saw_person(self._gate.core.clock)
        left, _which = session.seconds_left(self._gate.core.clock.monotonic())
        return stay_page(self._app_name, f"about {_words(timedelta(seconds=left))} from now")

    async def _health(self, _request: Request, _: Receive) -> Page:
        """Whether this process may serve: its store answers. For load balancers; needs no login and says nothing else."""
        is_held = self._gate.core.live.is_held
        return as_json(503 if is_held else 200, {"status": "held" if is_held else "ok"})


def _words(span: timedelta) -> str:
    seconds = max(1, round(span.total_seconds()))
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= unit and (seconds % unit == 0 or seconds >= 2 * unit):
            count = round(seconds / unit)
            return f"{count} {name}{'s' if count != 1 else ''}"
    return "a moment"
