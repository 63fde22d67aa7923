"""Where people reach the app: its redirect URI, judged, and the origin and base path that follow from it."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from st_auth.config_reader import Reader
from st_auth.oauth.urls import is_loopback

__all__ = ["base_path_of", "origin_of", "public_base", "redirect_uri_of"]

_CALLBACK: Final = "/oauth2callback"
_PLAIN: Final = re.compile(r"[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z{}~]+")  # a browser drops line breaks and turns a backslash round


def redirect_uri_of(auth: Mapping[str, Any], port: int, base: str, *, is_dev: bool, reader: Reader) -> str:
    """Return `redirect_uri` with `{port}` filled in; what is wrong with it goes to the reader. `base` is Streamlit's base path."""
    fallback = f"http://localhost:{port}{base}{_CALLBACK}"
    uri = auth.get("redirect_uri", fallback if is_dev else None)
    mend = f'write redirect_uri = "{fallback}" for your own machine, or the https address that your provider knows'
    if not isinstance(uri, str):
        reader.wrong("auth.redirect_uri", "is missing", mend)
        return fallback
    uri = uri.replace("{port}", str(port))
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or not parts.path
        or parts.query
        or parts.fragment
        or "@" in parts.netloc
        or not _PLAIN.fullmatch(uri)
    ):
        reader.wrong("auth.redirect_uri", "is not a full address without query", mend)
        return fallback
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        reader.wrong("auth.redirect_uri", "is plain http on an address that others reach", "use https; plain http only works on localhost")
    if base and f"{base}/" not in parts.path:
        reader.wrong("auth.redirect_uri", f"is outside the app's base path {base}", f"let its path begin with {base}/ (server.baseUrlPath)")
    if parts.path.startswith((f"{base}/_stcore/", f"{base}/media/", f"{base}/auth/")) or parts.path == f"{base}/":
        reader.wrong("auth.redirect_uri", "has a path that the server needs itself", "use /oauth2callback")
    if "{provider}" in parts.netloc:
        reader.wrong("auth.redirect_uri", "has {provider} in its host", "put {provider} into the path")
    return uri


def origin_of(parts: SplitResult) -> str:
    """The origin as browsers write it: lower case, without the scheme's own port (RFC 6454 section 6.2)."""
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    port = parts.port
    if port is None or port == {"http": 80, "https": 443}.get(parts.scheme):
        return f"{parts.scheme}://{host}"
    return f"{parts.scheme}://{host}:{port}"


def public_base(callback: str, base: str) -> str:
    """The path that the app is reached below: Streamlit's base path, with that of the app it is mounted in before it."""
    mounted = callback.removesuffix(_CALLBACK)
    return mounted if callback.endswith(_CALLBACK) and mounted.endswith(base) and "{" not in mounted else base


def base_path_of(path: str) -> str:
    """Streamlit's base path as `""` or `"/name"`."""
    return f"/{path.strip('/')}" if path.strip("/") else ""
