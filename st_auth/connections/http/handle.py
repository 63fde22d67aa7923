"""What app code holds of an HTTP API: called like an httpx2 client, as this person."""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias, TypedDict, Unpack

import httpx2

from st_auth.config import ConnectionConfig
from st_auth.connections.handle import Handle
from st_auth.connections.http.below import below
from st_auth.connections.place import Place
from st_auth.connections.pool import Pool
from st_auth.live import LiveSession

__all__ = ["Asked", "HTTPHandle", "Response", "base_of", "is_header_value"]

Response: TypeAlias = httpx2.Response

_METHOD: Final = re.compile(r"[A-Za-z]+(?:-[A-Za-z]+)*")
_NO_METHODS: Final = ("CONNECT", "TRACE")  # one asks for a tunnel to elsewhere, the other has the token sent back
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NO_HEADERS: Final = ("authorization", "proxy-authorization", "host", "transfer-encoding", "connection", "upgrade")
_REFUSED: Final[Mapping[str, str]] = {
    "auth": "the request goes out with this person's token, and with nothing else",
    "cookies": "none are kept; what an API wants in a Cookie header goes into headers",
    "follow_redirects": "a redirect is returned as it is, as it could lead the token elsewhere; ask for its Location yourself",
    "extensions": "they could lead the token elsewhere",
}


class Asked(TypedDict, total=False):
    """What a request may be told, each as httpx2 takes it."""

    params: Any
    headers: Any
    content: Any
    data: Any
    files: Any
    json: Any
    timeout: Any


class HTTPHandle(Handle):
    """One person's way to an HTTP API, with their access token at each request, to the configured address only.

    `url` is a path below that address, or an absolute URL there; anything else is a ValueError. The other arguments are those of
    httpx2: `params`, `headers`, `content`, `data`, `files`, `json`, `timeout`. Redirects are not followed, cookies are not kept. After a
    401 the request is sent once more with another token, unless its body is a stream, which can be read only once.

    The answer is a httpx2.Response, whatever its status, with its body read. Raises LoginRequired, CrossSessionError, PermissionDenied,
    ConnectionFailed (`unreachable`, `request_failed`), ProviderError or Unavailable.
    """

    __slots__ = ()

    def __init__(self, live: LiveSession, config: ConnectionConfig, role: str | None, pool: Pool, place: Place) -> None:
        if role is not None:
            raise TypeError(f"The connection “{config.name}” is an HTTP API, which has no roles to choose from: leave role=… out.")
        super().__init__(live, config, role, pool, place)

    def request(self, method: str, url: str | httpx2.URL, **asked: Unpack[Asked]) -> Response:
        """Send a request and return its answer."""
        self._require_here()
        request = _request(base_of(self._config.options), method, url, asked)
        response: Response = self._do(lambda connection: connection.send(request))
        if response.status_code == httpx2.codes.UNAUTHORIZED:
            self._require_here()  # there may have been no other token because the login is over
        return response

    def get(self, url: str | httpx2.URL, **asked: Unpack[Asked]) -> Response:
        """Send a GET request."""
        return self.request("GET", url, **asked)

    def post(self, url: str | httpx2.URL, **asked: Unpack[Asked]) -> Response:
        """Send a POST request."""
        return self.request("POST", url, **asked)

    def put(self, url: str | httpx2.URL, **asked: Unpack[Asked]) -> Response:
        """Send a PUT request."""
        return self.request("PUT", url, **asked)

    def patch(self, url: str | httpx2.URL, **asked: Unpack[Asked]) -> Response:
        """Send a PATCH request."""
        return self.request("PATCH", url, **asked)

    def delete(self, url: str | httpx2.URL, **asked: Unpack[Asked]) -> Response:
        """Send a DELETE request."""
        return self.request("DELETE", url, **asked)

    def head(self, url: str | httpx2.URL, **asked: Unpack[Asked]) -> Response:
        """Send a HEAD request."""
        return self.request("HEAD", url, **asked)

    def options(self, url: str | httpx2.URL, **asked: Unpack[Asked]) -> Response:
        """Send an OPTIONS request."""
        return self.request("OPTIONS", url, **asked)


def base_of(options: Mapping[str, Any]) -> httpx2.URL:
    """Return the configured address, with a "/" at its end."""
    return httpx2.URL(f"{options['url'].removesuffix('/')}/")


def _request(base: httpx2.URL, method: str, url: str | httpx2.URL, asked: Asked) -> httpx2.Request:
    """Judge what was asked for and make the request of it. Raises TypeError and ValueError, from httpx2 too."""
    for name in asked:
        if name not in Asked.__annotations__:
            raise TypeError(f"{name}= is not taken here: {_REFUSED.get(name, 'it is no argument of a request')}.")
    if not _METHOD.fullmatch(method) or method.upper() in _NO_METHODS:
        raise ValueError("method is the name of an HTTP method other than CONNECT and TRACE.")
    body = {name: asked.get(name) for name in ("params", "content", "data", "json")}
    files = asked.get("files")
    files = files if files is None or isinstance(files, Mapping) else list(files)
    request = httpx2.Request(method, below(base, url), headers=_headers(asked.get("headers")), files=files, **body)  # type: ignore[arg-type]  # as httpx2 takes them
    if files and _are_in_memory(files):
        request.read()  # in one piece it can be sent twice
    if "timeout" in asked:
        request.extensions["timeout"] = httpx2.Timeout(asked["timeout"]).as_dict()
    return request


def _headers(given: Any) -> httpx2.Headers:
    headers = httpx2.Headers(given)
    for name, value in headers.multi_items():
        if name in _NO_HEADERS:
            raise ValueError(f"The header {name.title()} is set here for each request, for this person and this API: leave it out.")
        if not _HEADER.fullmatch(name) or not is_header_value(value):
            raise ValueError(f"The header {name.title()} must be one line of text, without spaces around it.")
    return headers


def is_header_value(value: str) -> bool:
    """Whether a text can be sent as a header's value (RFC 9110 section 5.5)."""
    return value.isprintable() and value == value.strip()


def _are_in_memory(files: Any) -> bool:
    """Whether each of the files is bytes or text: by itself, or as the second of (filename, content, …)."""
    contents = files.values() if isinstance(files, Mapping) else [content for _, content in files]
    return all(isinstance(content[1] if isinstance(content, tuple) else content, bytes | str) for content in contents)
