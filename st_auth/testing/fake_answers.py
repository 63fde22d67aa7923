"""How the little provider writes its answers, and how a test bends them."""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx2

__all__ = ["Patch", "as_json", "base64url", "patched"]

_HEADERS = {"Content-Type": "application/json", "Cache-Control": "no-store"}
Patch = Mapping[str, Any] | Callable[[dict[str, Any]], Any] | None


def patched(answer: dict[str, Any], patch: Patch) -> Any:
    """Lay a mapping over an answer (None removes a key), or let a callable make another of it."""
    if callable(patch):
        return patch(answer)
    return {name: value for name, value in {**answer, **(patch or {})}.items() if name not in (patch or {}) or value is not None}


def as_json(answer: object, status: int = 200) -> httpx2.Response:
    """Answer in JSON; a text is sent as it is."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return httpx2.Response(status, headers=_HEADERS, text=text)


def base64url(value: bytes) -> str:
    """Write bytes in base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
