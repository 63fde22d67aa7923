"""A store that does not answer about what it does not know, until a test opens the door."""

import threading

from st_auth.stores import Record
from st_auth.stores.memory import MemoryStore


class SlowStore(MemoryStore):
    """Answers at once about the keys in `known`, and about others while `door` is open; it is at first."""

    def __init__(self) -> None:
        super().__init__()
        self.door = threading.Event()
        self.door.set()
        self.known: set[str] = set()

    def learn(self) -> None:
        """Know what is in it now."""
        self.known = set(self._records)

    def get(self, key: str) -> Record | None:
        if key not in self.known:
            assert self.door.wait(20)
        return super().get(key)
