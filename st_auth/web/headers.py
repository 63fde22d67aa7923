"""Headers that pass the gate: what a client may say about itself, and what an answer says to browsers."""

from collections.abc import Mapping
from itertools import product
from typing import Any, Final

from st_auth import streamlit_facts as facts
from st_auth.config import Config
from st_auth.web.asgi import Scope
from st_auth.web.origin import is_proxy

__all__ = ["LOGIN_HEADER", "HeaderRules"]

LOGIN_HEADER: Final = "x-st-auth-login-id"

_EVERYWHERE = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin")]
_DOCUMENT = [(b"content-security-policy", b"frame-ancestors 'self'"), (b"cache-control", b"no-store")]
_MEDIA = [(b"cache-control", b"private, no-store"), (b"cross-origin-resource-policy", b"same-origin")]
_MEDIA_MARKUP = [*_MEDIA, (b"content-security-policy", b"sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:")]
_MARKUP: Final = (b"text/html", b"image/svg", b"application/xhtml", b"text/xml", b"application/xml")
_TRANSPORT_SECURITY = (b"strict-transport-security", b"max-age=31536000")


class HeaderRules:
    """Cleans requests on their way to Streamlit, and adds to answers on their way to the browser."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._trusted: set[str] = set()
        self._untrusted = _HIDDEN
        self.believe(facts.keep_trusting(LOGIN_HEADER))
        self._everywhere = [*_EVERYWHERE, _TRANSPORT_SECURITY] if config.is_secure else _EVERYWHERE

    def guarded(self, headers: Any, path: str) -> list[tuple[bytes, bytes]]:
        """An inner answer's headers with ours: what frames, stores and reads it."""
        kept, content = [], b""
        for name, value in headers:
            if name == b"content-type":
                content = content or value
            elif name == b"access-control-allow-origin" and value == b"*":
                continue
            kept.append((name, value))
        if path.startswith("/media/"):
            own = _MEDIA_MARKUP if content.startswith(_MARKUP) else _MEDIA
        elif content.startswith(b"text/html"):
            own = _DOCUMENT
        else:
            return kept + self._everywhere
        names = {k for k, _ in own}
        return [*((k, v) for k, v in kept if k not in names), *own, *self._everywhere]

    def believe(self, mapping: Mapping[str, str]) -> None:
        """Hide from now on what Streamlit believes by `mapping`, its option of trusted headers, unless a trusted proxy sends it."""
        if mapping.keys() != self._trusted:
            self._trusted = set(mapping)
            self._untrusted = _HIDDEN.union(*map(_spellings, mapping))

    def cleaned(self, scope: Scope, cookies: bytes) -> list[tuple[bytes, bytes]]:
        """The headers without our cookies and without what a client may not say about itself."""
        hidden = self._hidden(scope)
        headers = [header for header in scope["headers"] if header[0] not in hidden]
        if cookies:
            headers.append((b"cookie", cookies))
        return headers

    def _hidden(self, scope: Scope) -> frozenset[bytes]:
        """What is taken out, and also what only a trusted proxy may say unless one sent this."""
        proxies = self._config.trusted_proxies
        if not proxies or not (peer := scope.get("client")):
            return self._untrusted
        return _HIDDEN if is_proxy(peer[0], scope["headers"], proxies) else self._untrusted


def _spellings(name: str) -> frozenset[bytes]:
    """A header's name with each of its hyphens as it is or as an underscore, which gateways take for the same."""
    first, *rest = name.lower().split("-")
    return frozenset(
        first.encode("latin-1", "replace") + b"".join(tail)
        for tail in product(*([f"{mark}{part}".encode("latin-1", "replace") for mark in "-_"] for part in rest))
    )


_HIDDEN: Final = frozenset({b"cookie"}) | _spellings(LOGIN_HEADER)
