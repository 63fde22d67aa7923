"""The only sockets to providers: bounded in time and size, no redirects, no cookies, errors that hold no secret."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import unquote_plus

import httpx2

from st_auth.clock import SYSTEM, Clock
from st_auth.errors import ProviderError, Unavailable
from st_auth.oauth.strict_json import parse_list, parse_object
from st_auth.secret import Secret

__all__ = ["Answer", "Http", "Text"]

CONNECT_LIMIT = 5.0
READ_LIMIT = 10.0
CALL_LIMIT = 15.0
SIZE_LIMIT = 1024 * 1024
_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer to a form: 200, or an error that says in JSON what it is (RFC 6749 section 5.2)."""

    status: int
    json: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Text:
    """A text answer and its media type, in lower case and without parameters."""

    media_type: str
    text: str


class Http:
    """An HTTP client for one provider, kept for its lifetime; safe to share between threads.

    5 s to connect and 10 s from one read to the next; a body that is still coming 15 s after the call began is given up at its
    next read (headers that drip byte by byte are held by the 10 s alone). At most `size_limit` bytes after decompression.
    Redirects are not followed, cookies are not kept. Proxies and certificates from the environment count.

    Raises `Unavailable` (code `provider`) for what may pass: no connection, timeouts, 429 and 5xx; `ProviderError` for what
    will not: other states, a body that is too long or not what it should be.
    """

    def __init__(self, transport: httpx2.BaseTransport | None = None, *, clock: Clock = SYSTEM, size_limit: int = SIZE_LIMIT) -> None:
        self._clock = clock
        self._size_limit = size_limit
        self._client = httpx2.Client(
            transport=transport,
            timeout=httpx2.Timeout(READ_LIMIT, connect=CONNECT_LIMIT),
            follow_redirects=False,
            headers={"User-Agent": "st_auth", "Accept-Encoding": "gzip, deflate"},
        )
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def get_json(self, url: str, *, bearer: Secret[str] | None = None) -> Mapping[str, Any]:
        """Return the JSON object at `url`, each of its keys once."""
        return json_of(self.get_text(url, bearer=bearer))

    def get_list(self, url: str, *, bearer: Secret[str]) -> list[Any]:
        """Return the JSON list at `url`, each key in it once."""
        answer = self.get_text(url, bearer=bearer)
        _require_no_page(answer)
        try:
            return parse_list(answer.text)
        except ValueError:
            raise _broken("a JSON list") from None

    def get_text(self, url: str, *, bearer: Secret[str] | None = None) -> Text:
        """Return the UTF-8 text at `url`. A token goes into the Authorization header and nowhere else (RFC 6750 section 2.1)."""
        headers = {"Accept": "application/json, application/jwt"}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer.reveal()}"
        status, answer = self._call("GET", url, headers=headers)
        if status != HTTPStatus.OK:
            raise _broken(f"an answer with status 200, not {status}")
        return answer

    def post_form(
        self,
        url: str,
        data: Sequence[tuple[str, str]] | Mapping[str, str],
        *,
        headers: Mapping[str, Secret[str]] | None = None,
        may_be_empty: bool = False,
        created: bool = False,
    ) -> Answer:
        """Send a form and return the JSON that answers it, with status 200 or 4xx, or 201 where something may be `created`.

        It is sent once, whatever happens. With `may_be_empty` the body of a 200 says nothing and is not read, as at revocation
        (RFC 7009 section 2.2).
        """
        pairs = list(data.items() if isinstance(data, Mapping) else data)
        revealed = {name: value.reveal() for name, value in (headers or {}).items()}
        sent = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded", **revealed}
        status, answer = self._call("POST", url, headers=sent, content=str(httpx2.QueryParams(tuple(pairs))).encode())
        is_success = status == HTTPStatus.OK or (created and status == HTTPStatus.CREATED)
        if not is_success and not httpx2.codes.is_client_error(status):
            raise _broken(f"an answer with status 200 or 4xx, not {status}")
        if may_be_empty and status == HTTPStatus.OK:
            return Answer(status, {})
        return Answer(status, _without_echo(json_of(answer), [value for _, value in pairs], revealed.get("Authorization", "")))

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._client.close()

    def _call(self, method: str, url: str, *, headers: Mapping[str, str], content: bytes | None = None) -> tuple[int, Text]:
        deadline = self._clock.monotonic() + CALL_LIMIT
        with _as_ours(), self._client.stream(method, url, headers=headers, content=content) as response:
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS or response.is_server_error:
                raise Unavailable("The provider cannot answer just now.", code="provider", retry_after=_retry_after(response))
            body = self._body(response, deadline)
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        try:
            return response.status_code, Text(media_type, body.decode())
        except UnicodeDecodeError:
            raise _broken("a text in UTF-8") from None

    def _body(self, response: httpx2.Response, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self._size_limit:
                raise _broken(f"at most {self._size_limit} bytes")
            if self._clock.monotonic() > deadline:
                raise _no_answer()
        return bytes(body)


def _without_echo(answer: dict[str, Any], sent: Sequence[str], authorization: str) -> dict[str, Any]:
    """The answer, its `error_description` withheld where it repeats what we sent: descriptions are logged, codes and secrets never."""
    description = answer.get("error_description")
    if not isinstance(description, str):
        return answer
    basic = authorization.removeprefix("Basic ")
    parts = [*sent, basic, *(unquote_plus(part) for part in _decoded(basic).split(":"))]
    if any(part in description for part in parts if len(part) >= _SHORTEST_SECRET):
        return {**answer, "error_description": "(withheld: it repeats what was sent)"}
    return answer


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""


def json_of(answer: Text) -> dict[str, Any]:
    """Return the JSON object in `answer`, whatever its media type says, unless it says HTML."""
    _require_no_page(answer)
    try:
        return parse_object(answer.text)
    except ValueError:
        raise _broken("a JSON object with each key once") from None


def _require_no_page(answer: Text) -> None:
    if answer.media_type in ("text/html", "application/xhtml+xml"):
        raise _broken("JSON, not a page")


@contextmanager
def _as_ours() -> Iterator[None]:
    """Turn httpx2's errors into ours, without their text: it can name a URL or a header."""
    try:
        yield
    except httpx2.TransportError:
        raise _no_answer() from None
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError):
        raise _broken("an HTTP answer") from None


def _no_answer() -> Unavailable:
    return Unavailable("The provider does not answer.", code="provider")


def _broken(expected: str) -> ProviderError:
    return ProviderError(f"The provider's answer should be {expected}.", parameter="body", expected=expected)


def _retry_after(response: httpx2.Response) -> float:
    """Read Retry-After in seconds, at most five minutes (RFC 9110 section 10.2.3); dates are not worth a parser here."""
    value = response.headers.get("Retry-After", "")
    return float(min(int(value[:9]), 300)) if value.isascii() and value.isdigit() else 5.0
