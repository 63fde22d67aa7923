"""What belongs to one person's session and must not leave it: no hash, no copy, no pickle, no cache for everybody."""

from collections.abc import Iterator
from typing import NoReturn

__all__ = ["SHARED", "Personal"]

SHARED = "This result would be shown to everybody. Use `@st_auth.cache_data`, or pass plain values such as `user.email`."


class _Refusal:
    """What `__reduce__` returns: whoever looks inside, as Streamlit does to hash a cached function's argument, is told why not."""

    def __iter__(self) -> Iterator[object]:
        raise TypeError(SHARED)


class Personal:
    """Base of what a session holds for a script: refuses to be hashed, copied or pickled, with one sentence that says what to do."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # refused on purpose; mypy wants object's __hash__

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(SHARED)

    def __reduce__(self) -> _Refusal:  # type: ignore[override]  # never pickled: __reduce_ex__ is asked first and raises
        return _Refusal()
