"""Which open connection is whose: one for each login, connection and role, opened at first use, closed when the login ends."""

import json
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, TypeVar

from st_auth.clock import SYSTEM, Clock
from st_auth.config import ConnectionConfig
from st_auth.connections.opened import Key, Opened, Wanted
from st_auth.connections.opener import Opener, options_of
from st_auth.connections.opening import Connection
from st_auth.connections.place import Place
from st_auth.connections.results import Results
from st_auth.connections.ruling import Ruling
from st_auth.errors import ConfigError, ConnectionFailed, LoginRequired, Problem, Unavailable
from st_auth.grants import Grants
from st_auth.live import Live, LiveSession
from st_auth.secret import OwnLogin, Secret
from st_auth.workers import Turns, Workers

__all__ = ["Pool"]

_IDLE: Final = 900.0
_COOL_DOWN: Final = 5.0
_CLOSERS: Final = 8
_CLOSINGS_AT_MOST: Final = 100_000
_LOGGER = logging.getLogger("st_auth")

T = TypeVar("T")


class Pool:
    """The open connections of one process, by login. Safe to call from any thread.

    A connection belongs to a login id and is never lent to another; what is closed here is closed at its server too.
    """

    def __init__(
        self,
        configs: Mapping[str, ConnectionConfig],
        grants: Grants,
        live: Live,
        *,
        app: str = "",
        ruling: Ruling | None = None,
        at_most: int = 500,
        clock: Clock = SYSTEM,
    ) -> None:
        self.configs = configs
        self.results = Results(clock)
        self.ruling = ruling or Ruling(clock=clock)
        self._grants = grants
        self._live = live
        self._opener = Opener(grants, app)
        self._at_most = at_most
        self._clock = clock
        self._lock = threading.Lock()
        self._opened: dict[str, dict[Key, Opened]] = {}
        self._failed: dict[tuple[str, Key], tuple[ConnectionFailed, float]] = {}
        self._turns = Turns()
        self._changes: dict[str, int] = {}  # how often a person has given or taken back a login of their own
        self._closing = Workers(_CLOSERS, _CLOSINGS_AT_MOST)
        self._closed = False
        live.on_end(self.end)

    def config(self, name: str | None) -> ConnectionConfig:
        """Return one connection's configuration: by name, or the default one, or the only one. Raises ConfigError."""
        if name is None:
            chosen = [config for config in self.configs.values() if config.is_default] or list(self.configs.values())
            if len(chosen) == 1:
                return chosen[0]
        elif name in self.configs:
            return self.configs[name]
        key, known = f"connections.{name}" if name else "connections", ", ".join(self.configs) or "none is configured"
        mend = f"name one of: {known}" if name else f"write default = true in one of: {known}"
        raise ConfigError([Problem(".streamlit/secrets.toml", key, "is not there" if name else "has no default", mend)])

    def use(self, live: LiveSession, config: ConnectionConfig, role: str | None, place: Place, act: Callable[[Connection], T]) -> T:
        """Do something with a person's connection: open it where it is not, and once more where its server has ended it; each time where we
        have, as the person changed roles or closed it in another tab.

        Raises LoginRequired, ConnectionFailed, PermissionDenied, ProviderError or Unavailable.
        """
        before: Opened | None = None
        lost_at: float | None = None  # when the server had first ended one that we used; it may have ended another of before at once
        while True:
            opened = self._enter(live, config, role, place, before)
            try:
                return act(opened.connection)
            except Exception as error:  # every driver has a tree of its own
                if live.ended:  # its statement was stopped on purpose
                    raise _over() from None
                is_ours = opened.over
                if not opened.connection.is_over(error) or (lost_at is not None and not is_ours and opened.begun_at >= lost_at):
                    raise
                lost_at = self._clock.monotonic() if lost_at is None and not is_ours else lost_at
                before = opened
            finally:
                self._leave(opened)

    def require_live(self, live: LiveSession) -> None:
        """Raise LoginRequired when a login is over, Unavailable while nobody can say whether it is."""
        if live.lapsed(self._clock.monotonic()):
            raise _over()
        if self._live.is_held:
            raise Unavailable("The store does not answer.", code="store")

    def source(self, live: LiveSession, config: ConnectionConfig, role: str | None) -> str:
        """Say in one text what a person's results come from, so that those of another role, or of what they might do before, are not taken
        for them.
        """
        roles = self.ruling.roles
        may = () if roles is None else sorted(roles.granted(*_said_of(live)).permissions)
        return json.dumps([self._wanted(live, config, role).key, may])

    def _wanted(self, live: LiveSession, config: ConnectionConfig, role: str | None) -> Wanted:
        options = options_of(live, config)
        return Wanted(live, config, options, str(options.get("role", "") if role is None else role), derived=role is None)

    def _enter(self, live: LiveSession, config: ConnectionConfig, role: str | None, place: Place, before: Opened | None) -> Opened:
        """Return an open connection that counts us as a user, and is not `before`."""
        wanted = self._wanted(live, config, role)
        while True:
            opened = self._there(wanted)
            if opened is None or opened is before:
                with self._turns.of(f"{live.login_id} {wanted.key}"), place.wait(f"Connecting to {config.name} …"):
                    opened = self._open(wanted, before)
            if opened.enter(self._clock.monotonic()):
                if not live.ended:
                    return opened
                self._leave(opened)
                raise _over()

    def _leave(self, opened: Opened) -> None:
        if opened.leave(self._clock.monotonic()):
            self._close_soon(opened)

    def _there(self, wanted: Wanted) -> Opened | None:
        opened = self._opened.get(self._whose(wanted.live), {}).get(wanted.key)
        return None if opened is None or opened.over else opened

    def _whose(self, live: LiveSession) -> str:
        """What a login's connections are kept under: this is what keeps people apart."""
        return live.login_id

    def _open(self, wanted: Wanted, before: Opened | None) -> Opened:
        """Open a connection, or return the one that somebody else has opened while we waited for our turn."""
        there = self._there(wanted)
        if there is not None and there is not before:
            return there
        self._require_rested(wanted)
        self._close_replaced(wanted)
        self._make_room()
        login_id = wanted.live.login_id
        changes = self._changes.get(login_id)
        begun_at = self._clock.monotonic()
        try:
            connection = self._opener.connected(wanted)
        except ConnectionFailed as failed:
            self._failed[login_id, wanted.key] = failed, self._clock.monotonic()
            raise
        opened = self._kept(wanted, Opened(connection, begun_at, derived=wanted.derived))
        if wanted.config.own_login and self._changes.get(login_id) != changes:
            self._forget(login_id, wanted.key, opened)  # it may have been opened with what the person has taken back meanwhile
            self._end(opened)
        return opened

    def _require_rested(self, wanted: Wanted) -> None:
        """Raise what failed within the last five seconds again: a page that reruns does not knock at the server each time."""
        failed = self._failed.get((wanted.live.login_id, wanted.key))
        if failed is not None and self._clock.monotonic() - failed[1] < _COOL_DOWN:
            raise failed[0].with_traceback(None)
        self._failed.pop((wanted.live.login_id, wanted.key), None)

    def _close_replaced(self, wanted: Wanted) -> None:
        """Close what the new connection takes the place of: the one that is over, and the one for a role that the person had before."""
        for key, opened in list(self._opened.get(self._whose(wanted.live), {}).items()):
            if key == wanted.key or (wanted.derived and opened.derived and key[0] == wanted.key[0]):
                self._forget(wanted.live.login_id, key, opened)
                self._end(opened)

    def _kept(self, wanted: Wanted, opened: Opened) -> Opened:
        with self._lock:
            if not wanted.live.ended and not self._closed:
                self._opened.setdefault(self._whose(wanted.live), {})[wanted.key] = opened
                return opened
        opened.end()
        self._close(opened)
        raise _over()

    # -- a person's own name and password ---------------------------------------------------------------------------------

    def verify_login(self, live: LiveSession, config: ConnectionConfig, user: str, password: Secret[str]) -> OwnLogin:
        """Return a name and password as a login to this connection, after connecting with them; nothing is kept.

        Raises ConnectionFailed (`login_refused` where the server does not take them), or as `use`.
        """
        self.require_live(live)
        login, connection = self._opener.verified(self._wanted(live, config, None), user, password)
        _quietly(connection.close)
        return login

    def keep_login(self, live: LiveSession, login: OwnLogin) -> bool:
        """Keep a login, and close what one of before has opened; False if the session has ended meanwhile."""
        if not self._grants.own.keep(live, login):
            return False
        self._begin_anew(live.login_id, login.connection)
        return True

    def forget_login(self, live: LiveSession, config: ConnectionConfig) -> None:
        """Forget a person's own login to a connection, and close it."""
        self._grants.own.forget(live, config.name)
        self._begin_anew(live.login_id, config.name)

    def close_forgotten(self, login_id: str, known: Collection[str]) -> None:
        """Close what was opened with a login that the person has taken back elsewhere; `known` are the connections that have one still."""
        forgotten = {name for name, config in self.configs.items() if config.own_login} - {*known}
        if forgotten:
            self._changes[login_id] = self._changes.get(login_id, 0) + 1
        for name in forgotten & {key[0] for key in self._opened.get(login_id, {})}:
            self._begin_anew(login_id, name)

    def _begin_anew(self, login_id: str, name: str) -> None:
        """Close a person's connections of this name, and forget that they could not be opened."""
        for one in [one for one in self._failed if one[0] == login_id and one[1][0] == name]:
            self._failed.pop(one, None)
        self._changes[login_id] = self._changes.get(login_id, 0) + 1
        self.close_one(login_id, name)

    # -- closing ---------------------------------------------------------------------------------------------------------

    def close_one(self, login_id: str, name: str) -> None:
        """Close a person's connections of this name; the next use opens another."""
        for key, opened in list(self._opened.get(login_id, {}).items()):
            if key[0] == name:
                self._forget(login_id, key, opened)
                self._end(opened)
        self.results.forget(login_id)

    def end(self, live: LiveSession) -> None:
        """A login is over: what runs for it is stopped, and its connections are closed by and by."""
        with self._lock:
            gone = list(self._opened.pop(live.login_id, {}).values())
        self.results.forget(live.login_id)
        self.ruling.forget(live.login_id)
        self._changes.pop(live.login_id, None)
        for login_id, key in [one for one in self._failed if one[0] == live.login_id]:
            self._failed.pop((login_id, key), None)
        for opened in gone:
            self._end(opened)

    def sweep(self) -> None:
        """Close what nobody has used for fifteen minutes."""
        oldest = self._clock.monotonic() - _IDLE
        for login_id, key, opened in self._all():
            if opened.used_at < oldest:
                self._evict(login_id, key, opened)

    def close(self) -> None:
        """Close everything; wait ten seconds for it at most."""
        with self._lock:
            self._closed = True
            gone = [opened for one in self._opened.values() for opened in one.values()]
            self._opened.clear()
        for opened in gone:
            self._end(opened)
        self._closing.close()

    def _make_room(self) -> None:
        """Close the least recently used connection where there are as many as there may be. Raises Unavailable if all are in use."""
        everything = self._all()
        if len(everything) < self._at_most:
            return
        for login_id, key, opened in sorted(everything, key=lambda one: one[2].used_at):
            if self._evict(login_id, key, opened):
                return
        raise Unavailable(f"All {self._at_most} connections of this server are in use.", code="connections", hint="Try again in a moment.")

    def _all(self) -> list[tuple[str, Key, Opened]]:
        with self._lock:
            return [(login_id, key, opened) for login_id, one in self._opened.items() for key, opened in one.items()]

    def _evict(self, login_id: str, key: Key, opened: Opened) -> bool:
        if not opened.end(if_free=True):
            return False
        self._forget(login_id, key, opened)
        self._close_soon(opened)
        return True

    def _forget(self, login_id: str, key: Key, opened: Opened) -> None:
        with self._lock:
            mine = self._opened.get(login_id, {})
            if mine.get(key) is opened:
                del mine[key]
                if not mine:
                    self._opened.pop(login_id, None)

    def _end(self, opened: Opened) -> None:
        """Close it soon: now where nobody uses it, else when the last statement that runs has been stopped."""
        if opened.end():
            self._close_soon(opened)
        elif opened.users:
            self._closing.soon(lambda: _quietly(opened.connection.cancel))

    def _close_soon(self, opened: Opened) -> None:
        if not self._closing.soon(lambda: self._close(opened)):
            self._close(opened)

    def _close(self, opened: Opened) -> None:
        _quietly(opened.connection.close)


def _said_of(live: LiveSession) -> tuple[Mapping[str, Any], list[str]]:
    return json.loads(live.stored.claims_json), json.loads(live.stored.profile_json)["groups"]


def _quietly(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:  # noqa: BLE001  # whatever a driver raises at its end, nobody waits for it
        _LOGGER.warning("A connection was not closed in order: %s", type(error).__name__)


def _over() -> LoginRequired:
    return LoginRequired("This login has ended.", code="session_ended", hint="Call st_auth.require_login() at the top of the script.")
