"""Logouts that begin at the provider: its server tells us (back channel), or a frame in the person's browser does (front channel)."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from st_auth import audit
from st_auth.client import Client, LogoutRequest
from st_auth.errors import ProviderError, StAuthError, Unavailable
from st_auth.live import LiveSession
from st_auth.oauth.logout_token import addressed
from st_auth.oauth.violations import protocol_violation
from st_auth.web.answers import as_json, short
from st_auth.web.asgi import SLOWEST_FORM, Receive, Request, read_form
from st_auth.web.bounded import BoundedThreads
from st_auth.web.origin import client_address, origin_of
from st_auth.web.pages import Page, framed_page
from st_auth.web.rate import Rate

if TYPE_CHECKING:
    from st_auth.web.gate import Gate

__all__ = ["ProviderLogoutRoutes"]

_ENDED: Final = "ended"
_LARGEST_BODY: Final = 32 * 1024
_THREADS: Final = 2
_WAITING_AT_MOST: Final = 32
_REFUSALS_WRITTEN_A_MINUTE: Final = 60
_FORM: Final = "application/x-www-form-urlencoded"


class ProviderLogoutRoutes:
    """`/auth/backchannel-logout` and `/auth/frontchannel-logout`. Neither needs a cookie: the provider says which session it means."""

    def __init__(self, gate: "Gate", *, patience: float = SLOWEST_FORM) -> None:
        self._gate = gate
        self._core = gate.core
        self._patience = patience
        # Not the threads of logins: anybody may send something that looks like a logout token, and nobody's login is to wait for that.
        self._threads = BoundedThreads(_THREADS, _WAITING_AT_MOST, "Too many logouts wait to be checked.")
        self._lookups = BoundedThreads(_THREADS, _WAITING_AT_MOST, "Too many front-channel logouts wait to be looked up.")
        self._refusals = Rate(_REFUSALS_WRITTEN_A_MINUTE, gate.core.clock)

    # -- back channel ----------------------------------------------------------------------------------------------------

    async def back(self, request: Request, receive: Receive) -> Page:
        """End what a logout token names (Back-Channel Logout 1.0 section 2.5).

        200 once the sessions are over, also where there are none. 400 for a token that is not believed. 503 while the store or the
        provider's keys are out of reach, so that the provider may send the same token again.
        """
        try:
            text = await self._token(request, receive)
            judges = self._judges(text)
            name, logout = await self._threads.run(lambda: _judged(judges, text))
            keys = await self._gate.in_store_thread(self._use, name, logout)
            await self._end(keys)
        except Unavailable as error:
            return as_json(503, {"error": "temporarily_unavailable", "error_description": str(error)}, (b"retry-after", b"5"))
        except StAuthError as error:
            self._record_refusal(error, request)
            return as_json(400, {"error": "invalid_request", "error_description": str(error)})
        audit.record("provider_logout", channel="back", provider=name, issuer=logout.issuer, subject=logout.subject, sessions=len(keys))
        return short(200, "")

    async def _token(self, request: Request, receive: Receive) -> str:
        if request.header(b"content-type").partition(";")[0].strip().lower() != _FORM:
            raise protocol_violation("content-type", _FORM)
        form = await read_form(receive, _LARGEST_BODY, self._patience)
        if not (text := form.get("logout_token", "")):
            raise protocol_violation("logout_token", "there once, in a form of at most 32 kB")
        return text

    def _judges(self, text: str) -> list[Client]:
        """The clients that are to judge a token: those of its issuer, whose client_id is in its audience."""
        claimed = addressed(text)
        of_issuer = self._clients_of(claimed.issuer)
        if not of_issuer:
            raise protocol_violation("iss", "the configured issuer")
        ours = [client for client in of_issuer if client.provider.client_id in claimed.audience]
        if not ours:
            raise protocol_violation("aud", "our client_id")
        return ours

    def _clients_of(self, issuer: str) -> list[Client]:
        return [client for client in self._core.clients.values() if issuer and client.may_be(issuer)]

    def _use(self, name: str, logout: LogoutRequest) -> list[str]:
        """Use a logout token up and return the record keys of the sessions that it ends.

        They are looked for first: if the store does not answer, the token is as good as new when the provider sends it again.
        """
        keys = self._keys_of(logout)
        if not self._core.vault.use_once("jti", json.dumps([logout.issuer, name, logout.jti]), logout.expires_at):
            raise protocol_violation("jti", "one that was not used before")
        return keys

    def _keys_of(self, logout: LogoutRequest) -> list[str]:
        if not logout.sid:
            return [key for key, _ in self._core.sessions.of_person(logout.issuer, logout.subject)]
        found = self._core.sessions.of_sid(logout.issuer, logout.sid)
        if logout.subject and any(card.subject != logout.subject for _, card in found):
            raise protocol_violation("sub", "the person of the session that sid names")
        return [key for key, _ in found]

    def _record_refusal(self, error: StAuthError, request: Request) -> None:
        """Write a refusal down, up to sixty a minute from one address: a flood must not fill the log."""
        address = client_address(request.peer, dict(request.headers), self._core.config.trusted_proxies)
        if self._refusals.take(address) > 0:
            return
        audit.record("provider_logout_refused", code=error.code, parameter=getattr(error, "parameter", ""), address=address)

    # -- front channel ---------------------------------------------------------------------------------------------------

    async def front(self, request: Request, _: Receive) -> Page:
        """End the session that `iss` and `sid` name (Front-Channel Logout 1.0 section 2).

        The provider opens this in a frame, where browsers send no cookie of ours: whoever knows both values may end that session.
        """
        issuer, sid = request.param("iss"), request.param("sid")
        clients = self._clients_of(issuer)
        if not clients or not sid:
            return self._gate.problem("logout_mismatch", action=("Go to the app", f"{self._core.config.base_path}/"))
        found = await self._lookups.run(lambda: self._core.sessions.of_sid(issuer, sid))
        await self._end([key for key, _ in found])
        for provider in sorted({card.provider for _, card in found}):
            audit.record("provider_logout", channel="front", provider=provider, issuer=issuer, sessions=len(found))
        return framed_page([origin_of(issuer), *_logout_origins(clients)])

    # -- both ------------------------------------------------------------------------------------------------------------

    async def _end(self, keys: Sequence[str]) -> None:
        """End sessions in the store, then in this process; other processes see it at their next round.

        If the store fails on the way, they are over here all the same, and the watch tells it later.
        """
        live = self._core.live
        held = {key: session for key in keys if (session := live.by_key(key))}
        live.unfinished |= {key: (held[key].stored if key in held else None, _ENDED) for key in keys}
        try:
            await self._gate.in_store_thread(self._end_stored, keys, held)
        finally:
            for session in held.values():
                live.end(session, _ENDED)
        for key in keys:
            live.unfinished.pop(key, None)

    def _end_stored(self, keys: Sequence[str], held: Mapping[str, LiveSession]) -> None:
        """End each, and revoke its tokens where this process can open them."""
        for key in keys:
            if key in held:
                self._core.grants.finish(held[key].stored, _ENDED, farewell=False)
            else:
                self._core.sessions.end_by_key(key, _ENDED)


def _judged(judges: Sequence[Client], text: str) -> tuple[str, LogoutRequest]:
    """The first judgement that accepts a token, and whose it is; the last refusal if there is none."""
    for client in judges[:-1]:
        try:
            return client.provider.name, client.logout_token(text)
        except ProviderError:
            continue
    return judges[-1].provider.name, judges[-1].logout_token(text)


def _logout_origins(clients: Sequence[Client]) -> list[str]:
    """Where these providers log people out, as far as their metadata has been read: often another host than the issuer's."""
    no_hints = {"id_token": None, "logout_hint": None, "post_logout_redirect_uri": None, "state": None}
    urls = [client.logout_url(**no_hints) for client in clients]
    return [origin_of(url) for url in urls if url]
