"""What every kind of connection must keep, as tests: subclass it, give it a `ground`, and a connection of your own proves itself.

The crowd checks `checks` answers; with the environment variable `ST_AUTH_SOAK` it checks so many times the `share` of the class.
"""

import contextlib
import copy
import os
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import pytest

from st_auth.config import Host, parse
from st_auth.connections.handle import Handle, handle_of
from st_auth.core import Core, build
from st_auth.errors import ConnectionFailed, CrossSessionError, LoginRequired, PermissionDenied
from st_auth.live import LiveSession
from st_auth.oauth.tokens import TokenSet
from st_auth.personal import SHARED
from st_auth.testing.connection_crowd import Crowd
from st_auth.testing.fake_issuer import FakeIssuer

__all__ = ["SOAK", "ConnectionContract", "ConnectionGround", "Runs"]

T = TypeVar("T")

_CALLBACK = "http://localhost:8501/oauth2callback"
SOAK = int(os.environ.get("ST_AUTH_SOAK", "0"))
"""How many answers the crowd is to check where that was asked for; 0 where it was not."""

_PEOPLE, _THREADS = 200, 64


class Runs:
    """Stands for Streamlit in tests: which login's run a thread belongs to, and whether it is in a cached function."""

    def __init__(self) -> None:
        self._login_id: ContextVar[str] = ContextVar("login_id", default="")
        self._is_shared: ContextVar[bool] = ContextVar("is_shared", default=False)

    @contextlib.contextmanager
    def of(self, login_id: str, *, shared: bool = False) -> Iterator[None]:
        """Be a run of this login while the block lasts."""
        tokens = self._login_id.set(login_id), self._is_shared.set(shared)
        try:
            yield
        finally:
            self._login_id.reset(tokens[0])
            self._is_shared.reset(tokens[1])

    def is_shared(self) -> bool:
        """See `Place`."""
        return self._is_shared.get()

    def require(self, login_id: str) -> None:
        """See `Place`."""
        if self.is_shared():
            raise TypeError(SHARED)
        if not self._login_id.get():
            raise CrossSessionError("This thread belongs to nobody's page.", code="no_run")
        if self._login_id.get() != login_id:
            raise CrossSessionError("This connection belongs to another login.", code="other_session")

    def wait(self, _: str) -> contextlib.AbstractContextManager[None]:
        """See `Place`."""
        return contextlib.nullcontext()

    def refuse(self, denied: PermissionDenied) -> NoReturn:
        """See `Place`."""
        raise denied

    def ask_for_login(self, login_id: str, name: str, server: str) -> None:
        """See `Place`."""

    def bind(self, act: Callable[..., T]) -> Callable[..., T]:
        """See `Place`."""
        login_id = self._login_id.get()

        def bound(*arguments: Any, **named: Any) -> T:
            if self._login_id.get() not in ("", login_id):
                raise CrossSessionError("This function is bound to another login.", code="other_session")
            with self.of(login_id, shared=self.is_shared()):
                return act(*arguments, **named)

        return bound


class ConnectionGround:
    """An app with one connection, `it`, and people who can log in. Kinds say in a subclass how their server is asked.

    `issuer` is the provider (subject is the person), `section` what stands under `[connections.it]`.
    """

    has_server_sessions = True
    """Whether the server knows sessions of its own, which `live` counts."""

    def __init__(self, issuer: FakeIssuer, section: Mapping[str, Any]) -> None:
        self.issuer = issuer
        self.runs = Runs()
        auth = {"redirect_uri": _CALLBACK, "cookie_secret": "only for tests, only in memory", **issuer.section()}
        own = {"store": "memory://", "max_per_user": 1000, "max_connections": 5000}
        self.core: Core = build(parse({"auth": auth, "st_auth": own, "connections": {"it": dict(section)}}, Host(port=8501), env={}))

    def log_in(self, person: str) -> LiveSession:
        """Return a new login of a person, through the whole flow."""
        client = self.core.clients["default"]
        url, pending = client.begin(_CALLBACK, "/")
        login = client.finish(pending, urlsplit(self.issuer.authorize(url, person)).query)
        return self.core.live.adopt(self.core.sessions.begin(login)[1])

    def log_out(self, live: LiveSession) -> None:
        """End a login."""
        self.core.grants.end(live, "logout")

    def handle(self, live: LiveSession, role: str | None = None) -> Handle:
        """Return a login's handle, as `user.connection("it")` does."""
        return handle_of(live, self.core.pool.config("it"), role, self.core.pool, self.runs)

    def who(self, handle: Handle) -> str:
        """Ask the server who we are, and return the person's subject."""
        raise NotImplementedError

    def live(self) -> int:
        """How many sessions the server has now."""
        raise NotImplementedError

    def end_at_server(self, person: str) -> None:
        """Let the server end a person's sessions, so that only a new one helps."""
        raise NotImplementedError

    def renew(self, live: LiveSession) -> TokenSet:
        """Return new tokens for a login, which then has what the provider says of its person now."""
        return self.core.grants.tokens(live, refused=self.core.grants.tokens(live).access_token)

    def change_role(self, live: LiveSession) -> None:
        """Let the provider say another `role` of the person's from now on; a connection follows it where its section has `{role}`."""
        person = self.issuer.people[live.stored.card.subject]
        person["role"] = "BUILDER" if person.get("role") == "ANALYST" else "ANALYST"
        self.renew(live)

    def refuse(self) -> None:
        """Let the server refuse every new login from now on."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the app."""
        self.core.close()


class ConnectionContract:
    """A kind's own test class inherits this and has a fixture `ground`."""

    checks = 10_000
    """How many answers the crowd checks."""
    share = 1.0
    """Which part of `ST_AUTH_SOAK` this kind checks where that is set."""

    def test_a32_each_person_is_who_they_are_and_stays_it(self, ground: ConnectionGround) -> None:
        ana, bob = ground.log_in("ana"), ground.log_in("bob")
        for _ in range(3):
            for live, name in ((ana, "ana"), (bob, "bob")):
                with ground.runs.of(live.login_id):
                    assert ground.who(ground.handle(live)) == name

    def test_eight_threads_that_begin_together_open_it_once(self, ground: ConnectionGround) -> None:
        ana = ground.log_in("ana")
        start = threading.Barrier(8)

        def ask(_: int) -> tuple[str, int]:
            start.wait()
            with ground.runs.of(ana.login_id):
                return ground.who(ground.handle(ana)), id(ground.handle(ana).raw)

        with ThreadPoolExecutor(8) as threads:
            answers = set(threads.map(ask, range(8)))

        assert {name for name, _ in answers} == {"ana"}
        assert len({raw for _, raw in answers}) == 1

    def test_a32_a17_another_logins_run_may_not_use_it(self, ground: ConnectionGround) -> None:
        ana, ana_elsewhere, bob = ground.log_in("ana"), ground.log_in("ana"), ground.log_in("bob")
        handle = ground.handle(ana)
        with ground.runs.of(ana.login_id):
            assert ground.who(handle) == "ana"
        for other in (bob, ana_elsewhere):
            with ground.runs.of(other.login_id), pytest.raises(CrossSessionError):
                ground.who(handle)

    def test_a17_a_thread_of_nobody_may_not_use_it(self, ground: ConnectionGround) -> None:
        handle = ground.handle(ground.log_in("ana"))
        with pytest.raises(CrossSessionError):
            ground.who(handle)

    def test_a16_a_function_that_is_cached_for_everybody_may_not_use_it(self, ground: ConnectionGround) -> None:
        ana = ground.log_in("ana")
        with ground.runs.of(ana.login_id, shared=True), pytest.raises(TypeError, match="shown to everybody"):
            ground.who(ground.handle(ana))

    def test_a16_it_cannot_be_hashed_copied_or_pickled(self, ground: ConnectionGround) -> None:
        handle = ground.handle(ground.log_in("ana"))
        for act in (hash, copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                act(handle)

    def test_a32_the_end_of_the_login_closes_it_at_the_server_too(self, ground: ConnectionGround) -> None:
        ana, bob = ground.log_in("ana"), ground.log_in("bob")
        for live in (ana, bob):
            with ground.runs.of(live.login_id):
                ground.who(ground.handle(live))

        ground.log_out(ana)

        with ground.runs.of(ana.login_id), pytest.raises(LoginRequired) as caught:
            ground.who(ground.handle(ana))
        assert caught.value.code == "session_ended"
        ground.core.pool.close()
        if ground.has_server_sessions:
            assert ground.live() == 0

    def test_what_the_server_has_ended_is_opened_again_for_the_same_person(self, ground: ConnectionGround) -> None:
        ana, bob = ground.log_in("ana"), ground.log_in("bob")
        for live in (ana, bob):
            with ground.runs.of(live.login_id):
                ground.who(ground.handle(live))

        ground.end_at_server("ana")

        for live, name in ((ana, "ana"), (bob, "bob")):
            with ground.runs.of(live.login_id):
                assert ground.who(ground.handle(live)) == name

    def test_a_server_that_refuses_is_told_without_any_token(self, ground: ConnectionGround) -> None:
        ana = ground.log_in("ana")
        ground.refuse()

        with ground.runs.of(ana.login_id), pytest.raises(ConnectionFailed) as caught:
            ground.who(ground.handle(ana))

        failed = caught.value
        assert "“it”" in str(failed)
        assert failed.code
        assert failed.hint
        assert failed.__cause__ is not None
        assert failed.__cause__.__traceback__ is None
        token = ground.core.grants.tokens(ana).access_token.reveal()
        assert token not in f"{failed!r} {failed} {failed.__cause__!r} {failed.__cause__} {vars(failed.__cause__)}"

    def test_a17_a32_two_hundred_people_in_sixty_four_threads_never_cross(self, ground: ConnectionGround) -> None:
        """People log in, ask, change their role, have their session ended at the server, and log out, all at once; each answer must be the
        asker's.
        """
        names = [f"p{number:03d}" for number in range(_PEOPLE)]
        ground.issuer.people.update({name: {"name": name, "role": "ANALYST"} for name in names})
        checks = int(SOAK * self.share) or self.checks
        crowd = Crowd(ground, names, checks)

        with ThreadPoolExecutor(_THREADS) as threads:
            list(threads.map(crowd.live_on, range(_THREADS)))

        assert crowd.wrong == [], crowd.wrong[:3]
        assert crowd.checked >= checks
        assert min(crowd.ended, crowd.changed) > 0
