"""One person's cookies, kept and sent by the rules that Chromium follows (RFC 6265bis), as far as tests on loopback need them."""

import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie with the attributes that it was set with."""

    name: str
    value: str
    host: str
    path: str
    secure: bool = False
    http_only: bool = False
    same_site: str = ""
    max_age: int | None = None
    expires_at: float | None = None
    domain: str = ""


@dataclass(slots=True)
class CookieJar:
    """Cookies by (host, path, name). Ports do not separate them: that is how browsers do it."""

    cookies: dict[tuple[str, str, str], Cookie] = field(default_factory=dict)
    refused: list[Cookie] = field(default_factory=list)

    def store(self, url: str, header: str) -> None:
        """Keep, replace or remove what one `Set-Cookie` header says; what a browser would not keep lands in `refused`."""
        cookie = parse_set_cookie(urlsplit(url), header)
        key = (cookie.host, cookie.path, cookie.name)
        if not _is_acceptable(cookie, urlsplit(url)):
            self.refused.append(cookie)
        elif cookie.expires_at is not None and cookie.expires_at <= time.time():
            self.cookies.pop(key, None)
        else:
            self.cookies[key] = cookie

    def header_for(self, url: str, *, cross_site: bool = False, top_level_get: bool = True) -> str:
        """Return the `Cookie` header for a request; SameSite decides by who started it."""
        target = urlsplit(url)
        fitting = [c for c in self.cookies.values() if _is_sent(c, target, cross_site=cross_site, top_level_get=top_level_get)]
        return "; ".join(f"{c.name}={c.value}" for c in sorted(fitting, key=lambda c: -len(c.path)))

    def get(self, name: str, host: str = "localhost") -> Cookie | None:
        """Return the cookie of that name, or None."""
        return next((c for c in self.cookies.values() if c.name == name and c.host == host), None)

    def for_host(self, host: str = "localhost") -> list[Cookie]:
        return [c for c in self.cookies.values() if c.host == host]

    def copy(self) -> "CookieJar":
        return CookieJar(dict(self.cookies))


def parse_set_cookie(target: SplitResult, header: str) -> Cookie:
    """Read one `Set-Cookie` header as a browser at that address does."""
    pair, *rest = header.split(";")
    name, _, value = pair.partition("=")
    given = {k.strip().lower(): v.strip() for k, _, v in (part.partition("=") for part in rest)}
    max_age = int(given["max-age"]) if given.get("max-age", "").lstrip("-").isdigit() else None
    return Cookie(
        name=name.strip(),
        value=value.strip(),
        host=target.hostname or "",
        path=given["path"] if given.get("path", "").startswith("/") else _default_path(target.path),
        secure="secure" in given,
        http_only="httponly" in given,
        same_site=given.get("samesite", "").lower(),
        max_age=max_age,
        expires_at=_expiry(max_age, given.get("expires")),
        domain=given.get("domain", ""),
    )


def _expiry(max_age: int | None, expires: str | None) -> float | None:
    if max_age is not None:
        return time.time() + max_age
    if expires:
        return parsedate_to_datetime(expires.replace("-", " ")).timestamp()
    return None


def _default_path(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _is_trusted(target: SplitResult) -> bool:
    return target.scheme in ("https", "wss") or (target.hostname or "") in LOOPBACK_NAMES


def _is_acceptable(cookie: Cookie, target: SplitResult) -> bool:
    if cookie.secure and not _is_trusted(target):
        return False
    if cookie.domain and cookie.domain.lstrip(".") != cookie.host:
        return False
    if cookie.name.startswith("__Host-"):
        return cookie.secure and cookie.path == "/" and not cookie.domain
    return not cookie.name.startswith("__Secure-") or cookie.secure


def _is_sent(cookie: Cookie, target: SplitResult, *, cross_site: bool, top_level_get: bool) -> bool:
    if cookie.host != target.hostname or (cookie.expires_at is not None and cookie.expires_at <= time.time()):
        return False
    if cookie.secure and not _is_trusted(target):
        return False
    path = target.path or "/"
    if not (path == cookie.path or (path.startswith(cookie.path) and (cookie.path.endswith("/") or path[len(cookie.path)] == "/"))):
        return False
    if not cross_site or cookie.same_site == "none":
        return True
    return cookie.same_site != "strict" and top_level_get
