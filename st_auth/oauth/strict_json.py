"""JSON as protocols need it: an object (or a list), each key once, no NaN, no infinity, not nested without end."""

import json
import math
from typing import Any, NoReturn

__all__ = ["DEPTH_LIMIT", "parse_list", "parse_object"]

DEPTH_LIMIT = 100


def parse_object(text: str | bytes) -> dict[str, Any]:
    """Return the JSON object in `text` (UTF-8), its keys in the order they came (RFC 8259 section 4).

    A second value for one key is refused, as two readers could take different ones, and so is what is no text
    (RFC 7493 section 2). So is what is nested more than a hundred deep (RFC 8259 section 9): whoever reads or writes it after us
    may stand nearer to the end of the stack. Raises `ValueError`, whose text holds nothing of the input.
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
        value = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode()  # refuses half a surrogate pair, which nobody could store
    except (ValueError, RecursionError):
        raise ValueError(refusal) from None
    if text.count("[") + text.count("{") > DEPTH_LIMIT and _is_too_deep(value):
        raise ValueError(refusal)
    return value


def _is_too_deep(value: Any) -> bool:
    """Say whether there are lists and objects in each other beyond the limit; level by level, as recursion is what this is about."""
    level = [value]
    for _ in range(DEPTH_LIMIT):
        inner = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
        if not (level := [item for item in inner if isinstance(item, dict | list)]):
            return False
    return True


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


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
