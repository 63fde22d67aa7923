"""An object of a driver's that asks at each use whether it is still the same login's run, and so does what it makes in turn."""

from collections.abc import Callable
from types import GeneratorType
from typing import Any, Final

from st_auth.personal import Personal

__all__ = ["Guarded"]

_DOES: Final = ("append_row", "cursor", "execute", "fetchall")


class Guarded(Personal):
    """A driver's object as app code gets it: reading of it, calling what was read, and going on with what that gave ask `require_here` each
    time. Nothing that leads to the driver's connection (`_leads`) can be had of it, nor what its driver keeps for itself.
    """

    __slots__ = ("_inner", "_require_here")

    _leads: frozenset[str] = frozenset({"connection"})

    def __init__(self, inner: Any, require_here: Callable[[], None]) -> None:
        self._inner = inner
        self._require_here = require_here

    def _may_have(self, name: str) -> bool:
        """Whether an attribute of the driver's object is for app code."""
        return not name.startswith("_") and name not in self._leads

    def _made(self, inner: Any) -> "Guarded":
        """Guard what this has made, of which more can be asked."""
        return type(self)(inner, self._require_here)

    def __getattr__(self, name: str) -> Any:
        if not self._may_have(name):
            what = f"{type(self).__name__} has no {name!r} here"
            raise AttributeError(f"{what}: the driver's own is behind `handle.raw` alone, which nothing guards.")
        self._require_here()
        found = getattr(self._inner, name)
        return self._asking(found) if callable(found) and not isinstance(found, type) and not _does(found) else self._given(found)

    def _asking(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self._require_here()
            return self._given(method(*map(_bare, arguments), **{name: _bare(one) for name, one in named.items()}))

        return call

    def _given(self, answer: Any) -> Any:
        """What the driver has given, guarded where more can be asked of it."""
        if answer is self._inner:
            return self
        if type(answer) is list and answer and _does(answer[0]):
            return [self._given(one) for one in answer]
        return self._made(answer) if _does(answer) else answer

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


def _does(answer: Any) -> bool:
    """Whether more can be asked of it: what is made as one goes through it; a cursor, a connection or the like, by what its class can do.

    Values, rows and frames can do none of it.
    """
    return isinstance(answer, GeneratorType) or any(callable(getattr(type(answer), name, None)) for name in _DOES)


def _bare(argument: Any) -> Any:
    """What a driver is given in place of one of ours, which asks first as well."""
    if not isinstance(argument, Guarded):
        return argument
    argument._require_here()  # noqa: SLF001  # of the same kind
    return argument._inner  # noqa: SLF001  # of the same kind
