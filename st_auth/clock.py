"""The time, as an argument: wall time for what others will judge, monotonic time for how long we wait."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

__all__ = ["SYSTEM", "Clock", "span_of"]

_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: `now()` is aware UTC wall time, `monotonic()` is seconds that never go back."""

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic


SYSTEM = Clock()


def span_of(text: str) -> timedelta | None:
    """Read a span of time such as "4h", "90m", "30s" or "1h 30m"; None if it is none, or nothing."""
    parts = _SPAN.findall(text)
    if not parts or _SPAN.sub("", text).strip():
        return None
    try:
        return timedelta(seconds=sum(float(number) * _SECONDS[unit] for number, unit in parts))
    except OverflowError:  # a span of millions of years
        return None
