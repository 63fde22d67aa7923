"""JSON as protocols need it: an object (or a list), each key once, no NaN, no infinity."""

import json
import math
from typing import Any, NoReturn

__all__ = ["parse_list", "parse_object"]


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in `text` (UTF-8), its keys in the order they came (RFC 8259 section 4).

    A second value for one key is refused, as two readers could take different ones, and so is what is no text
    (RFC 7493 section 2). Raises `ValueError`, whose text holds nothing of the input.
    """
    value = _parse(text, "not a strict JSON object")
    if not isinstance(value, dict):
        raise ValueError("not a strict JSON object")  # noqa: TRY004  # the type is that of the input's value, not of an argument
    return value


def parse_list(text: str | bytes) -> list[Any]:
    """Return the JSON list in `text`, held to the same rules; raises `ValueError`, whose text holds nothing of the input."""
    value = _parse(text, "not a strict JSON list")
    if not isinstance(value, list):
        raise ValueError("not a strict JSON list")  # noqa: TRY004  # the type is that of the input's value, not of an argument
    return value


def _parse(text: str | bytes, refusal: str) -> Any:
    try:
        text = text.decode() if isinstance(text, bytes) else text
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # refuses half a surrogate pair, which nobody could store
    except (ValueError, RecursionError):
        raise ValueError(refusal) from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError("not a number")
    return value


def _refuse(_: str) -> NoReturn:
    raise ValueError("not a number")
