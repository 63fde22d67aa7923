"""An HTTP API with the person's own token, which is put in below httpx2's client: no request or answer that app code sees ever had it."""

import re
import threading
from collections.abc import Callable
from functools import cache
from http.cookiejar import DefaultCookiePolicy
from ssl import SSLContext
from typing import Final
from urllib.request import getproxies, proxy_bypass

import httpx2

from st_auth.clock import SYSTEM, Clock
from st_auth.connections.http.below import is_below
from st_auth.connections.http.handle import HTTPHandle, base_of, is_header_value
from st_auth.connections.opening import Opening, attempt, failure, reason
from st_auth.errors import ConnectionFailed, LoginRequired, PermissionDenied
from st_auth.secret import Secret

__all__ = ["HANDLE", "HTTP", "connect"]

HANDLE = HTTPHandle

_CONNECT_LIMIT: Final = 5.0
_READ_LIMIT: Final = 30
_COOL_DOWN: Final = 5.0
_UNAUTHORIZED: Final = httpx2.codes.UNAUTHORIZED
_TOKEN: Final = re.compile(r"[\x21-\x7e]+")  # VSCHAR, RFC 6749 appendix A.12
_USUAL: Final = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": "st_auth"}
_KEPT: Final = ("http_version", "reason_phrase")

Renewed = Callable[[Secret[str] | None], Opening]


def connect(opening: Opening) -> "HTTP":
    """Make ready to ask; nothing is sent before the first request.

    5 s to connect, and the section's `timeout` (30 s) from one read to the next. The environment's proxies count for https; plain http is
    for this machine only, where a proxy would carry the token away.
    """
    base, limit = base_of(opening.options), opening.options.get("timeout", _READ_LIMIT)
    inner = httpx2.HTTPTransport(verify=_tls(), proxy=_proxy(base))
    bearer = Bearer(opening.config.name, base, opening.renewed, inner)
    client = httpx2.Client(transport=bearer, timeout=httpx2.Timeout(limit, connect=min(limit, _CONNECT_LIMIT)), follow_redirects=False)
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return HTTP(opening.config.name, client, bearer)


@cache
def _tls() -> SSLContext:
    """The one context of the process: reading the authorities takes longer than a request."""
    return httpx2.create_ssl_context()


def _proxy(base: httpx2.URL) -> str | None:
    proxies = getproxies()
    if base.scheme != "https" or proxy_bypass(base.netloc.decode()):
        return None
    found = proxies.get("https") or proxies.get("all")
    return found if not found or "://" in found else f"http://{found}"


class HTTP:
    """One person's client; its transport is what knows the token. Threads share it."""

    def __init__(self, name: str, client: httpx2.Client, bearer: "Bearer") -> None:
        self._name = name
        self._bearer = bearer
        self.raw = client

    def send(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request and read its answer."""
        if self.raw.is_closed:
            raise _Closed
        request.headers["Authorization"] = "***"
        return self.raw.send(request)

    def is_over(self, error: Exception) -> bool:
        """Whether the client was closed under us, before the request was sent."""
        return isinstance(error, _Closed)

    def failed(self, error: Exception) -> ConnectionFailed:
        """Say that no answer came, or that the request could not be written."""
        if isinstance(error, httpx2.HTTPError):
            hint = "Check url and timeout in the section, and that this server may reach it."
            return failure(self._name, "unreachable", f"the API does not answer as it should ({reason(error)}).", hint, error)
        what = f"the request could not be sent ({reason(error)})."
        return failure(self._name, "request_failed", what, "Look at what gives the request's body.", error)

    def cancel(self) -> None:
        """Let what is still being read end at its next piece."""
        self._bearer.stop()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self.raw.close()


class _Closed(Exception):
    """The client is closed already, and nothing was sent."""


class Bearer(httpx2.BaseTransport):
    """Puts the person's token into each request below `base`, and gives back answers from which no way leads to it.

    After a 401 it asks once more with another token, where there is one and the body can be sent twice. Where that one is refused too,
    the next five seconds' 401 stand as they are: the provider is not asked for a token at each rerun of a page.
    """

    def __init__(self, name: str, base: httpx2.URL, renewed: Renewed, inner: httpx2.BaseTransport, clock: Clock = SYSTEM) -> None:
        self._name = name
        self._base = base
        self._renewed = renewed
        self._inner = inner
        self._clock = clock
        self._stopped = threading.Event()
        self._in_vain: tuple[Secret[str] | None, float] = (None, 0.0)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request as the person. Raises httpx2's errors, without frames that hold the token, and what a renewal raises."""
        if not is_below(self._base, request.url):
            raise ValueError(f"This connection asks only what is below {self._base}.")
        opening = self._renewed(None)
        response = self._sent(request, opening)
        if response.status_code != _UNAUTHORIZED or not isinstance(request.stream, httpx2.ByteStream):
            return response
        another = self._another(opening.token)
        if another is None:
            return response
        response = self._sent(request, another)
        if response.status_code == _UNAUTHORIZED:
            self._in_vain = another.token, self._clock.monotonic() + _COOL_DOWN
        return response

    def _another(self, refused: Secret[str] | None) -> Opening | None:
        """The opening with another token than the one that was refused, if there is one."""
        token, until = self._in_vain
        if token is not None and token == refused and self._clock.monotonic() < until:
            return None
        try:
            opening = self._renewed(refused)
        except LoginRequired:  # the handle asks whether the login is over; if not, the 401 is the answer
            opening = None
        if opening is None or opening.token == refused:
            self._in_vain = refused, self._clock.monotonic() + _COOL_DOWN
            return None
        return opening

    def _sent(self, request: httpx2.Request, opening: Opening) -> httpx2.Response:
        return attempt(lambda: self._answer(request, opening), _bare)

    def _answer(self, request: httpx2.Request, opening: Opening) -> httpx2.Response:
        headers = self._headers(request, opening)
        with_token = httpx2.Request(request.method, request.url, headers=headers, stream=request.stream, extensions=request.extensions)
        answer = self._inner.handle_request(with_token)
        try:
            body = self._body(answer)
        finally:
            answer.close()
        extensions = {name: value for name, value in answer.extensions.items() if name in _KEPT}
        return httpx2.Response(answer.status_code, headers=answer.headers, stream=httpx2.ByteStream(body), extensions=extensions)

    def _headers(self, request: httpx2.Request, opening: Opening) -> httpx2.Headers:
        """The usual ones, the section's, the caller's, each before the one that it is stronger than, and the token."""
        own = opening.options.get("headers", {})
        for name, value in own.items():
            if not is_header_value(value):
                message = f"The connection “{self._name}” cannot send what your login says in the header {name}."
                raise PermissionDenied(message, code="claim_unusable", hint="Ask who looks after the logins: it must be one line of text.")
        if opening.token is None or not _TOKEN.fullmatch(opening.token.reveal()):
            message = f"The connection “{self._name}” failed: your login's token is none that can be sent."
            raise ConnectionFailed(message, code="token_not_accepted", hint="Log in again.")
        headers = httpx2.Headers({**_USUAL, **own}, encoding="utf-8")
        headers.update(request.headers)
        headers["Authorization"] = f"Bearer {opening.token.reveal()}"
        return headers

    def _body(self, answer: httpx2.Response) -> bytes:
        body = bytearray()
        for piece in answer.iter_raw():
            body += piece
            if self._stopped.is_set():
                raise httpx2.ReadError("The login has ended.")
        return bytes(body)

    def stop(self) -> None:
        """Let what is still being read end at its next piece."""
        self._stopped.set()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._inner.close()


def _bare(error: Exception) -> Exception:
    """The error without its frames and causes: they hold the request that was sent."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
