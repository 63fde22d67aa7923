"""What the pool and the handles ask of the edge: whose run this is, and how somebody who waits is told."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NoReturn, Protocol, TypeVar

from st_auth.errors import PermissionDenied

__all__ = ["Place"]

T = TypeVar("T")


class Place(Protocol):
    """Where app code stands when it uses a connection: in whose run, and how somebody who waits is told."""

    def is_shared(self) -> bool:
        """Whether this is a function whose result is cached for everybody."""
        ...

    def require(self, login_id: str) -> None:
        """Raise TypeError in a function that is cached for everybody, CrossSessionError in somebody else's run or in nobody's."""
        ...

    def wait(self, text: str) -> AbstractContextManager[object]:
        """Show that something takes a while."""
        ...

    def refuse(self, denied: PermissionDenied) -> NoReturn:
        """Show the person what they lack and stop the script, or raise `denied` where nothing can be shown."""
        ...

    def ask_for_login(self, login_id: str, name: str, server: str) -> None:
        """Ask the person for their own name and password for a connection, and stop the run; return where nobody can be asked."""
        ...

    def bind(self, act: Callable[..., T]) -> Callable[..., T]:
        """Return `act` for a thread of its own, where it runs as a part of the present run."""
        ...
