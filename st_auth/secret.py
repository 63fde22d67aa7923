"""A value that will not print itself."""

import hmac
from dataclasses import dataclass, field
from typing import Generic, NoReturn, TypeVar

__all__ = ["AccessToken", "OwnLogin", "Secret"]

T = TypeVar("T", str, bytes)


class Secret(Generic[T]):
    """A value that must never reach a log, a page or a traceback.

    `repr`, `str` and `format` show `Secret(***)`. It compares in constant time, and cannot be hashed, copied or pickled.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]  # a secret is no key of a dict; mypy wants object's __hash__

    def __init__(self, value: T) -> None:
        self._value: T = value

    def reveal(self) -> T:
        """Return the value. Call this only where it leaves for the wire, a cipher or a driver."""
        return self._value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_as_bytes(self._value), _as_bytes(other._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "Secret(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A Secret cannot be pickled or copied.")


class AccessToken(str):
    """An access token as app code gets it: a plain text for drivers and headers that does not show itself in a `repr`.

    It cannot be pickled or copied, so that no function which Streamlit caches for everybody can return it.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "AccessToken(***)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("An access token cannot be pickled or copied.")


@dataclass(frozen=True, slots=True)
class OwnLogin:
    """A person's own name and password for one connection, given for the address that the section had then: they go nowhere else."""

    connection: str
    address: str = field(repr=False)
    user: str = field(repr=False)
    password: Secret[str] = field(repr=False)


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
