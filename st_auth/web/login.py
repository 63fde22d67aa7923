"""The login as the browser sees it: choose a provider, go there, come back."""

import hmac
import json
import logging
import math
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from st_auth import audit, streamlit_facts as facts
from st_auth.access.allow import judge_allow
from st_auth.client import Client, Login, PendingLogin
from st_auth.config import is_loopback
from st_auth.errors import LoginRefused, ProviderError, StAuthError, Unavailable
from st_auth.live import LiveSession
from st_auth.secret import Secret
from st_auth.web.answers import redirect
from st_auth.web.asgi import Receive, Request, once
from st_auth.web.bounded import BoundedThreads
from st_auth.web.cookies import AT_MOST_ATTEMPTS, ATTEMPTS_AT_MOST_BYTES, expire_cookie, set_cookie
from st_auth.web.origin import path_of, return_path
from st_auth.web.pages import Choice, Page, login_page
from st_auth.web.rate import Rate
from st_auth.web.step_up import StepUpRoutes

if TYPE_CHECKING:
    from st_auth.web.gate import Gate
    from st_auth.web.routes import Routes

__all__ = ["LoginRoutes"]

_ATTEMPT_AGE: Final = timedelta(minutes=10)
_PROVIDER_THREADS: Final = 8
_QUEUE_AT_MOST: Final = 64
_ASK_AGAIN_AFTER: Final = frozenset({"idle", "ended", "too_many", "refused"})
_LOGOUT_STATE_AGE: Final = 600
_OF_A_LOGIN: Final = 2  # what it counted as: going there and coming back
_LOGGER = logging.getLogger("st_auth")


class LoginRoutes:
    """`/auth/login` and the callback."""

    def __init__(self, gate: "Gate", routes: "Routes", app_name: str) -> None:
        self._gate = gate
        self._routes = routes
        self._core = gate.core
        self._config = gate.core.config
        self._base = gate.core.config.base_path
        self._app_name = app_name
        self._at_provider = BoundedThreads(_PROVIDER_THREADS, _QUEUE_AT_MOST, "Too many logins wait for the provider.").run
        self._step_up = StepUpRoutes(gate)
        self._attempts = Rate(self._config.logins_per_minute, gate.core.clock)
        # Another site's page can make a person's browser open addresses of ours: what may come of that has a count of its own.
        self._strays = Rate(self._config.logins_per_minute, gate.core.clock)
        self._told = Rate(1, gate.core.clock)

    # -- going there -----------------------------------------------------------------------------------------------------

    async def page(self, request: Request, _: Receive) -> Page:
        """Offer the ways to log in, or go straight where only one way was asked for."""
        if request.param("ask"):
            return await self._step_up_page(request)
        path = self._return_path(request)
        name = self._asked_provider(request)
        if name is None and isinstance(await self._gate.session_of(dict(request.cookies), request), LiveSession):
            return redirect(path)
        if name is None and self._may_go_straight(request):
            name = next(iter(self._config.providers))
        if name is None or (name in self._core.dev and not self._is_persona(name, request.param("persona"))):
            return self._choices(path, request)
        if too_many := self._one_too_many(request, self._strays if _is_unasked(request) else self._attempts):
            return too_many
        try:
            prompt = "login" if self._routes.ended_mark(request) in _ASK_AGAIN_AFTER else None
            return await self._begin(name, path, request, persona=request.param("persona"), prompt=prompt)
        except StAuthError as error:
            return self._refused(error, name, path)

    async def _step_up_page(self, request: Request) -> Page:
        """Go to the provider from a page that stays as it is, for the login that the page belongs to."""
        name = ""
        try:
            session, asked = await self._step_up.asked(request)
            name = asked.provider
            stored = session.stored
            is_link = name != stored.card.provider
            hint = "" if is_link else str(json.loads(stored.profile_json).get("email") or "")
            how = {"max_age": asked.max_age, "acr": asked.acr, "login_hint": hint or None, "login_id": session.login_id}
            return await self._begin(name, f"{self._base}/auth/done", request, persona=stored.card.subject, **how)
        except StAuthError as error:
            return self._refused(error, name, f"{self._base}/")

    def _return_path(self, request: Request) -> str:
        """Where to come back to: `next`, or for `st.login()` the page that it was called on, which the Referer names."""
        if request.param("next"):
            return return_path(request.param("next"), self._base)
        referer = request.header(b"referer")
        return return_path(path_of(referer), self._base) if referer.startswith(f"{self._config.origin}/") else f"{self._base}/"

    def _asked_provider(self, request: Request) -> str | None:
        """The provider that the address names: by our section name, or by Streamlit's signed token."""
        asked = request.param("provider")
        name = asked if asked in self._config.providers else facts.provider_of_token(asked) if asked.count(".") == 2 else None
        return name if name in self._config.providers else None

    def _is_persona(self, name: str, subject: str) -> bool:
        return any(persona.subject == subject for persona in self._core.dev[name].personas)

    def _may_go_straight(self, request: Request) -> bool:
        """Only one provider, a person's own first visit, and no login behind it that ended."""
        return len(self._config.providers) == 1 and request.is_top_level_visit and not self._routes.ended_mark(request)

    def _choices(self, path: str, request: Request) -> Page:
        if self._core.dev and not self._is_local(request):
            return self._gate.problem("dev_not_local")
        after = quote(path, safe="")
        choices = []
        for name, provider in self._config.providers.items():
            link = f"{self._base}/auth/login?provider={quote(name)}&next={after}"
            if name in self._core.dev:
                choices += [
                    Choice(p.name, f"{link}&persona={quote(p.subject, safe='')}", detail=p.role or "No role yet")
                    for p in self._core.dev[name].personas
                ]
            else:
                choices.append(Choice(provider.label, link))
        return login_page(self._app_name, choices, return_path=path.removeprefix(self._base))

    def _is_local(self, request: Request) -> bool:
        return is_loopback(self._address(request))

    async def _begin(self, name: str, path: str, request: Request, *, persona: str, **how: Any) -> Page:
        """Send the browser to the provider, with the pending login sealed into a cookie of its own. `how` is for `Client.begin`."""
        client = self._core.clients[name]
        url, pending = await self._at_provider(lambda: client.begin(self._config.redirect_uri_of(name), path, **how))
        if name in self._core.dev:
            if not self._is_local(request):
                return self._gate.problem("dev_not_local")
            url = await self._at_provider(lambda: self._core.dev[name].choose(url, persona))
        sealed = self._core.vault.seal_attempt(pending.to_json(), expires_at=pending.created_at + _ATTEMPT_AGE)
        cookie = set_cookie(self._gate.names, self._gate.names.attempt_of(pending.state), sealed, _ATTEMPT_AGE)
        return redirect(url, *self._drop_oldest(request, len(sealed)), cookie)

    def _drop_oldest(self, request: Request, size: int) -> list[tuple[bytes, bytes]]:
        """Expire attempts beyond the fifth, oldest first; what does not open goes before all others."""
        attempts = {name: value for name, value in request.cookies.items() if name.startswith(self._gate.names.attempt)}
        began = {name: self._began(value) for name, value in attempts.items()}
        dropped = []
        for name in sorted(began, key=lambda n: began[n]):
            if len(attempts) < AT_MOST_ATTEMPTS and sum(map(len, attempts.values())) + size <= ATTEMPTS_AT_MOST_BYTES:
                break
            del attempts[name]
            dropped.append(expire_cookie(self._gate.names, name))
        return dropped

    def _began(self, sealed: str) -> float:
        pending = self._open(sealed)
        return pending.created_at.timestamp() if pending else 0.0

    def _open(self, sealed: str) -> PendingLogin | None:
        payload = self._core.vault.open_attempt(sealed, now=self._core.clock.now())
        if payload is None:
            return None
        try:
            return PendingLogin.from_json(payload)
        except ValueError:
            return None

    # -- coming back -----------------------------------------------------------------------------------------------------

    async def callback(self, request: Request, _: Receive) -> Page:
        """Judge the provider's answer and make the session, once however often the browser brings it (RFC 6749 section 4.1.2)."""
        state = once(request.query, "state")
        name = self._gate.names.attempt_of(state)
        sealed = request.cookies.get(name, "")
        pending = self._open(sealed) if sealed else None
        if pending is None or not hmac.compare_digest(pending.state.encode(), state.encode()):
            return await self._without_attempt(request, state)
        if too_many := self._one_too_many(request, self._attempts):
            return too_many  # the attempt is as good as before, so the same address may be loaded again
        expired = expire_cookie(self._gate.names, name)
        try:
            page = await self._finish(pending, request)
        except StAuthError as error:
            page = self._refused(error, pending.provider, return_path(pending.return_to, self._base))
        return page.with_headers(expired)

    async def _without_attempt(self, request: Request, state: str) -> Page:
        """A callback that this browser did not ask for, or asked for before: never a token call, never another session."""
        if not once(request.query, "code") and not once(request.query, "error") and self._is_landing(request, state):
            return redirect(f"{self._base}/auth/ended?why=logout")
        if isinstance(await self._gate.session_of(dict(request.cookies), request), LiveSession):
            return redirect(f"{self._base}/")
        if too_many := self._one_too_many(request, self._strays):
            return too_many
        audit.record("login_refused", code="cookie_missing", address=self._address(request))
        return self._gate.problem("cookie_missing", action=("Log in", f"{self._base}/auth/login"))

    def _is_landing(self, request: Request, state: str) -> bool:
        """Whether the browser comes back from a logout: with our state or with none, or with whatever it be just after one here."""
        ours = bool(state) and self._core.unsign("logout", state, _LOGOUT_STATE_AGE) is not None
        return ours or not state or self._routes.ended_mark(request) == "logout"

    async def _finish(self, pending: PendingLogin, request: Request) -> Page:
        client = self._client_of(pending, request)
        session = await self._step_up.session_for(pending, request) if pending.login_id else None
        if not await self._gate.in_store_thread(self._use_once, pending):
            return await self._already_used(pending, request)
        login: Login = await self._at_provider(lambda: client.finish(pending, request.query))
        if session is not None:
            return await self._step_up.finish(session, client, login)
        judge_allow(self._config.allow, login, client.provider)
        old = await self._gate.session_of(dict(request.cookies), request)
        cookie, stored = await self._gate.in_store_thread(self._begin_session, login, request, self._old_cookie(request))
        if isinstance(old, LiveSession):
            same = (old.stored.card.issuer, old.stored.card.subject) == (login.issuer, login.subject)
            self._core.live.end(old, "renewed" if same else "replaced")  # tabs hear of it when this answer, with the cookie, is out
        self._core.live.adopt(stored)
        self._attempts.give_back(self._address(request), _OF_A_LOGIN)
        names = self._gate.names
        return redirect(
            return_path(pending.return_to, self._base),
            set_cookie(names, names.session, cookie.reveal(), stored.expires_at - self._core.clock.now()),
            expire_cookie(names, names.ended),
        )

    def _client_of(self, pending: PendingLogin, request: Request) -> Client:
        client = self._core.clients.get(pending.provider)
        if client is None or request.full_path != self._config.callback_path(pending.provider):
            raise LoginRefused(
                "The answer came back on another path than was asked for.", code="response_mismatch", parameter="redirect_uri"
            )
        return client

    def _use_once(self, pending: PendingLogin) -> bool:
        return self._core.vault.use_once("state", pending.state, pending.created_at + _ATTEMPT_AGE)

    async def _already_used(self, pending: PendingLogin, request: Request) -> Page:
        if isinstance(await self._gate.session_of(dict(request.cookies), request), LiveSession):
            return redirect(return_path(pending.return_to, self._base))
        return self._gate.problem("already_used", action=("Open the app", return_path(pending.return_to, self._base)))

    def _old_cookie(self, request: Request) -> Secret[str] | None:
        text = request.cookies.get(self._gate.names.session)
        return Secret(text) if text else None

    def _begin_session(self, login: Login, request: Request, old: Secret[str] | None) -> Any:
        browser = "".join(c for c in request.header(b"user-agent") if c.isprintable())[:160]
        return self._core.sessions.begin(login, browser=browser, address=self._address(request), replaces=old)

    def _address(self, request: Request) -> str:
        return self._gate.address_of(request)

    # -- what went wrong -------------------------------------------------------------------------------------------------

    def one_too_many(self, request: Request) -> Page | None:
        """Count a login to a database as one act of a login; the page that says to wait where it is one too many."""
        return self._one_too_many(request, self._attempts)

    def give_back(self, request: Request) -> None:
        """Take an act that came to a good end out of the count."""
        self._attempts.give_back(self._address(request), 1)

    def _one_too_many(self, request: Request, of: Rate) -> Page | None:
        """Count one act of a login, and return the page that says to wait where it is one too many from this address.

        A login that succeeds gives its acts back, so a company behind one address is not held up by its own people. The log hears
        of it once a minute.
        """
        address = self._address(request)
        wait = of.take(address)
        if not wait:
            return None
        if not self._told.take(address):
            audit.record("login_refused", code="too_many_logins", address=address)
            _LOGGER.warning("Too many logins from one address. If it is the address of a proxy of yours, name it in trusted_proxies.")
        again = ("Try again", f"{self._base}/auth/login")
        return self._gate.problem("too_many_logins", action=again, retry_after=math.ceil(wait))

    def _refused(self, error: StAuthError, name: str, path: str) -> Page:
        """A failed attempt as a page: what to do for the person, code and parameter for the log."""
        reference = secrets.token_hex(4)
        error.hint = self._hint(error, name)
        parameter = getattr(error, "parameter", "")
        audit.record("login_refused", provider=name, code=error.code, parameter=parameter, reference=reference)
        _LOGGER.warning("Login at %s refused (reference %s): %s", name, reference, _said(error))
        again = (
            f"{self._base}/auth/login?provider={quote(name)}&next={quote(path, safe='')}"
            if name not in self._core.dev
            else f"{self._base}/auth/login"
        )
        provider = self._config.providers[name].label if name in self._config.providers else ""
        page = self._gate.problem(
            _page_code(error), action=("Try again", again), reference=reference, provider=provider, reason=error.hint, mend=error.hint
        )
        if error.code != "not_allowed":
            return page
        return page.with_headers(self._gate.mark_cookie(self._core.sign("ended", "refused")))  # so that the provider asks who it is

    def _hint(self, error: StAuthError, name: str) -> str:
        """What to do about an error: what the provider's profile knows of its code, else what the error says itself."""
        hints = self._config.providers[name].hints if name in self._config.providers else {}
        return hints.get(getattr(error, "error", "") or error.code, error.hint)


def _is_unasked(request: Request) -> bool:
    """Whether another site opens this, as far as the browser tells without a person's click (Fetch Metadata: `Sec-Fetch-User`)."""
    return request.headers.get(b"sec-fetch-site") == b"cross-site" and request.headers.get(b"sec-fetch-user") != b"?1"


def _said(error: StAuthError) -> str:
    """All that is known of a failure, for the log: code, parameter, the provider's own words, and what to do."""
    words = (error.code, getattr(error, "parameter", ""), str(error), getattr(error, "error", ""), getattr(error, "description", ""))
    return " ".join(word for word in (*words, error.hint) if word)


def _page_code(error: StAuthError) -> str:
    if isinstance(error, Unavailable):
        return {"store": "store_unavailable", "busy": "busy"}.get(error.code, "provider_unavailable")
    if isinstance(error, ProviderError):
        return "request_refused" if error.code == "request_refused" else "protocol_violation"
    if isinstance(error, LoginRefused) and error.code in ("access_denied", "not_allowed", "expired", "other_person"):
        return error.code
    return "response_mismatch"
