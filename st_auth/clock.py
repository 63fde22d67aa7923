"""The time, as an argument: wall time for what others will judge, monotonic time for how long we wait."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["SYSTEM", "Clock"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Clock:
    """Two clocks: `now()` is aware UTC wall time, `monotonic()` is seconds that never go back."""

    now: Callable[[], datetime] = _utc_now
    monotonic: Callable[[], float] = time.monotonic


SYSTEM = Clock()
