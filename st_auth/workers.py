"""Threads that take turns, and threads that work behind."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

__all__ = ["Turns", "Workers"]

_PATIENCE = 10.0


class Turns:
    """A lock for each key that somebody holds or waits for: one thread of this process at a time deals with a session."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken: dict[str, tuple[threading.Lock, int]] = {}

    @contextmanager
    def of(self, key: str) -> Iterator[bool]:
        """Wait until nobody else of this process is inside for that key; says whether there was anybody."""
        with self._guard:
            lock, waiting = self._taken.get(key, (threading.Lock(), 0))
            self._taken[key] = lock, waiting + 1
        try:
            with lock:
                yield waiting > 0
        finally:
            with self._guard:
                waiting = self._taken[key][1]
                if waiting == 1:
                    del self._taken[key]
                else:
                    self._taken[key] = lock, waiting - 1


class Workers:
    """A few threads for what nobody waits for, made when they are first needed."""

    def __init__(self, threads: int, at_most: int) -> None:
        self._lock = threading.Lock()
        self._count = threads
        self._threads: ThreadPoolExecutor | None = None
        self._room = threading.BoundedSemaphore(at_most)
        self._under_way: set[Future[None]] = set()
        self._closed = False

    def soon(self, call: Callable[[], None]) -> bool:
        """Do it by and by; False if too much waits already, or after `close`."""
        with self._lock:
            if self._closed or not self._room.acquire(blocking=False):
                return False
            self._threads = self._threads or ThreadPoolExecutor(self._count, "st_auth.workers")
            future = self._threads.submit(self._run, call)
            self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)  # outside of the lock: it is called at once where the work is done already
        return True

    def _run(self, call: Callable[[], None]) -> None:
        try:
            call()
        finally:
            self._room.release()

    def close(self) -> None:
        """Take no more, and wait ten seconds for what is under way; what has not begun by then is left."""
        with self._lock:
            self._closed, threads = True, self._threads
        if threads is not None:
            wait(set(self._under_way), timeout=_PATIENCE)
            threads.shutdown(wait=False, cancel_futures=True)
