"""The crowd of the connection contract: people who log in, ask, change their role, are thrown out and log out, all at once."""

import contextlib
import random
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from st_auth.errors import ConnectionFailed, LoginRequired
from st_auth.live import LiveSession

if TYPE_CHECKING:
    from st_auth.testing.connection_contract import ConnectionGround

__all__ = ["Crowd"]

_SOON = 60.0  # on a busy machine an opening may take half of that


class Crowd:
    """People who do what they like. A person's login is shared by all threads; whoever ends it leaves the others with LoginRequired.

    They go on until so many answers are checked, and somebody's login has been ended and somebody's role changed.
    """

    def __init__(self, ground: "ConnectionGround", names: list[str], checks: int) -> None:
        self._ground = ground
        self._names = names
        self._checks = checks
        self._lives: dict[str, LiveSession] = {}
        self._lock = threading.Lock()
        self._doors = {name: threading.Lock() for name in names}  # one login of a person at a time, many people at once
        self._endings: dict[str, deque[float]] = {name: deque(maxlen=2) for name in names}
        self.checked = 0
        self.ended = self.changed = 0
        self.wrong: list[str] = []

    def live_on(self, seed: int) -> None:
        """Be one of the threads."""
        choose = random.Random(seed)  # noqa: S311  # the same crowd each time
        while not (self.wrong or (self.checked >= self._checks and self.ended and self.changed)):
            self._ground.core.live.confirmed()  # as a server's watch does every two seconds
            name, act = choose.choice(self._names), choose.random()
            live = self._login_of(name)
            if act < 0.01:
                self._ground.log_out(live)
                self._lives.pop(name, None)
                self.ended += 1
            elif act < 0.015:
                self._endings[name].append(time.monotonic())
                self._ground.end_at_server(name)
            elif act < 0.02:
                self._change_role(live)
            else:
                self._ask(name, live)

    def _was_ended_twice(self, name: str) -> bool:
        """Whether the server has ended a person's sessions twice within a minute: what was opened again may have met that too."""
        endings = self._endings[name]
        return len(endings) == 2 and time.monotonic() - endings[0] < _SOON

    def _change_role(self, live: LiveSession) -> None:
        with contextlib.suppress(LoginRequired):  # it was over already
            self._ground.change_role(live)
            self.changed += 1

    def _login_of(self, name: str) -> LiveSession:
        with self._doors[name]:
            live = self._lives.get(name)
            if live is None or live.ended:
                live = self._lives[name] = self._ground.log_in(name)
            return live

    def _ask(self, name: str, live: LiveSession) -> None:
        try:
            with self._ground.runs.of(live.login_id):
                answer = self._ground.who(self._ground.handle(live))
        except LoginRequired:
            if not live.ended:
                self.wrong.append(f"{name} was sent away from a login that lives")
            return
        except ConnectionFailed as error:
            if not self._was_ended_twice(name):
                self.wrong.append(f"{name} got no answer: {error}")
            return
        with self._lock:
            self.checked += 1
        if answer != name:
            self.wrong.append(f"{name} was {answer}")
