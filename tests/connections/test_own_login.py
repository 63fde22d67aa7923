"""Each person's own name and password for a database: given once in each login, sealed in the session, read for each opening."""

import gc
import logging
from dataclasses import replace

import pytest

from st_auth.errors import ConnectionFailed, LoginRequired
from st_auth.secret import OwnLogin, Secret
from st_auth.sessions import Session
from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import ConnectionContract
from tests.connections.test_sql import PEOPLE, ROWS, SQLGround
from tests.servers.postgres import PostgresServer, password_of
from tests.servers.processes import wait_until


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer(passwords=True) as server:
        yield server


@pytest.fixture
def issuer():
    with FakeIssuer(serve=True, people=PEOPLE) as issuer:
        yield issuer


class OwnGround(SQLGround):
    """Each person has given their name and password, unless a test says otherwise."""

    def __init__(self, issuer, server, **more):
        url = f"postgresql+psycopg://127.0.0.1:{server.port}/sales"
        super().__init__(issuer, server, {"url": url, "login": "own", **more})

    @property
    def config(self):
        return self.core.pool.config("it")

    def log_in(self, person):
        live = super().log_in(person)
        self.core.pool.keep_login(live, OwnLogin("it", self.config.options["url"], person, Secret(password_of(person))))
        return live

    def log_in_without(self, person):
        return super().log_in(person)

    def give(self, live, user, password):
        return self.core.pool.keep_login(live, self.core.pool.verify_login(live, self.config, user, Secret(password)))

    def forget(self, live):
        with self.runs.of(live.login_id):
            self.handle(live).forget_login()

    def stored(self, live):
        found = self.core.sessions.reread(live.stored)
        assert isinstance(found, Session)
        return found

    def who(self, handle):
        return handle.query("select current_user::text as me", as_="arrow")["me"][0].as_py()

    def end_at_server(self, person):
        self.server.end_sessions(person)

    def refuse(self):
        self.server.ask("alter database sales with allow_connections false", database="postgres")


@pytest.fixture
def build(issuer, postgres):
    grounds = []

    def made(**more):
        grounds.append(OwnGround(issuer, postgres, **more))
        return grounds[-1]

    yield made
    for ground in grounds:
        ground.close()
    postgres.ask("alter database sales with allow_connections true", database="postgres")
    for name in ROWS:
        postgres.set_password(name, password_of(name))


@pytest.fixture
def ground(build):
    return build()


def needs_login(ground, live):
    with pytest.raises(LoginRequired) as caught:
        ground.column(live, "select 1")
    return caught.value.code == "login_needed"


class TestWithALoginOfTheirOwn(ConnectionContract):
    checks = 400
    share = 0.02


# -- who comes in ----------------------------------------------------------------------------------------------------------


def test_a_person_who_has_given_nothing_yet_is_asked_and_nothing_is_opened(ground, postgres):
    assert needs_login(ground, ground.log_in_without("ana"))
    assert ground.live() == 0


def test_the_right_password_opens_it_and_the_rows_are_the_persons(ground):
    ana = ground.log_in_without("ana")

    assert ground.give(ana, "ana", password_of("ana"))

    assert ground.column(ana, "select id from orders order by id") == ROWS["ana"]
    assert ground.column(ana, "select session_user::text") == ["ana"]


@pytest.mark.parametrize(("user", "password"), [("ana", "wrong"), ("nobody", "x"), ("bob", password_of("ana")), ("ana", "")])
def test_a_password_that_the_database_does_not_take_is_not_kept(ground, user, password):
    ana = ground.log_in_without("ana")

    with pytest.raises(ConnectionFailed) as caught:
        ground.give(ana, user, password)

    assert caught.value.code == "login_refused"
    assert ground.stored(ana).logins == ()
    assert ground.live() == 0


def test_a_database_that_asks_nobody_for_a_password_is_refused(ground):
    with pytest.raises(ConnectionFailed, match="asks nobody") as caught:
        ground.give(ground.log_in_without("ana"), "truster", "anything")

    assert caught.value.code == "no_password_asked"
    assert ground.live() == 0


def test_trying_a_login_leaves_no_session_at_the_server(ground):
    ground.give(ground.log_in_without("ana"), "ana", password_of("ana"))

    assert ground.live() == 0


def test_the_same_person_is_asked_in_each_login(ground):
    first = ground.log_in("ana")
    second = ground.log_in_without("ana")

    assert ground.column(first, "select current_user::text") == ["ana"]
    assert needs_login(ground, second)


def test_a32_a_login_of_one_session_is_never_another_ones(ground):
    ana, bob = ground.log_in("ana"), ground.log_in_without("bob")
    assert ground.column(ana, "select 1") == [1]

    assert needs_login(ground, bob)
    ground.give(bob, "bob", password_of("bob"))

    assert [ground.column(live, "select current_user::text") for live in (ana, bob)] == [["ana"], ["bob"]]


def test_another_login_takes_the_place_of_the_first_and_closes_what_that_opened(ground):
    ana = ground.log_in("ana")
    assert ground.column(ana, "select current_user::text") == ["ana"]

    ground.give(ana, "cyd", password_of("cyd"))

    assert ground.column(ana, "select current_user::text") == ["cyd"]
    assert len(ground.stored(ana).logins) == 1
    assert {user for user, _ in ground.server.sessions()} == {"cyd"}


def test_a_section_that_leads_elsewhere_by_now_gets_no_password_that_was_given_for_another_server(ground):
    ana = ground.log_in("ana")
    ground.core.pool.configs = {"it": replace(ground.config, options={"url": "postgresql+psycopg://127.0.0.1:1/sales"})}

    assert needs_login(ground, ana)


# -- passwords change ------------------------------------------------------------------------------------------------------


def test_a_password_that_was_changed_is_dropped_and_the_person_is_asked_again(ground, postgres, caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")
    ana = ground.log_in("ana")
    assert ground.column(ana, "select 1") == [1]
    postgres.set_password("ana", "a new one")
    ground.end_at_server("ana")

    assert needs_login(ground, ana)

    assert ground.stored(ana).logins == ()
    assert '"event": "connection_login_forgotten"' in caplog.text
    ground.give(ana, "ana", "a new one")
    assert ground.column(ana, "select current_user::text") == ["ana"]


def test_a_login_that_was_given_meanwhile_is_not_dropped_for_the_one_that_was_refused(ground):
    ana = ground.log_in("ana")
    old = ground.stored(ana).logins[0]
    ground.give(ana, "bob", password_of("bob"))

    ground.core.grants.own.forget(ana, "it", old)

    assert ground.column(ana, "select current_user::text") == ["bob"]


def test_a_server_that_does_not_answer_costs_nobody_their_login(ground):
    ana = ground.log_in("ana")
    ground.refuse()
    with pytest.raises(ConnectionFailed) as caught:
        ground.column(ana, "select 1")

    assert caught.value.code == "unreachable"
    assert len(ground.stored(ana).logins) == 1


def test_after_a_new_login_nobody_waits_for_the_five_seconds_of_a_failure(ground, postgres):
    ana = ground.log_in("ana")
    ground.refuse()
    with pytest.raises(ConnectionFailed):
        ground.column(ana, "select 1")
    postgres.ask("alter database sales with allow_connections true", database="postgres")

    ground.give(ana, "ana", password_of("ana"))

    assert ground.column(ana, "select 1") == [1]


# -- taken back ------------------------------------------------------------------------------------------------------------


def test_a_login_is_forgotten_when_the_person_says_so(ground):
    ana = ground.log_in("ana")
    assert ground.column(ana, "select 1", ttl=600) == [1]

    ground.forget(ana)

    assert ground.stored(ana).logins == ()
    assert needs_login(ground, ana)
    with ground.runs.of(ana.login_id), pytest.raises(LoginRequired):
        ground.handle(ana).query("select 1", ttl=600)
    assert ground.live() == 0


def test_forgetting_nothing_does_nothing_and_writes_nothing(ground):
    ana = ground.log_in_without("ana")
    before = ground.stored(ana).version

    ground.forget(ana)

    assert ground.stored(ana).version == before


def test_what_was_forgotten_at_another_replica_is_closed_here(ground, postgres):
    ana, bob = ground.log_in("ana"), ground.log_in("bob")
    assert [ground.column(live, "select 1") for live in (ana, bob)] == [[1], [1]]

    ground.core.pool.close_forgotten(ana.login_id, [])
    ground.core.pool.close_forgotten(bob.login_id, ["it"])

    wait_until(lambda: {user for user, _ in postgres.sessions()} == {"bob"}, "bob's session alone is left")
    assert ground.column(ana, "select 1") == [1]


@pytest.mark.parametrize("away", ["here", "elsewhere"])
def test_what_is_opened_while_the_person_takes_their_login_back_is_not_used(ground, away):
    """The password is forgotten between its reading and the first session: that session is closed, and the person is asked."""
    ana = ground.log_in("ana")
    pool = ground.core.pool
    connected = pool._opener.connected
    opened = []

    def slow(wanted):
        opened.append(connected(wanted))
        if len(opened) == 1:
            ground.core.grants.own.forget(ana, "it")
            pool._begin_anew(ana.login_id, "it") if away == "here" else pool.close_forgotten(ana.login_id, [])
        return opened[-1]

    pool._opener.connected = slow
    assert needs_login(ground, ana)
    assert len(opened) == 1
    assert ground.live() == 0


def test_a_connection_of_another_kind_has_no_login_to_forget(ground):
    ana = ground.log_in_without("ana")
    ground.core.pool.configs = {"it": replace(ground.config, own_login=False)}
    with pytest.raises(TypeError, match="not opened with a name"):
        ground.forget(ana)


# -- where it is kept ------------------------------------------------------------------------------------------------------


def test_the_process_keeps_no_password_but_the_drivers(ground, postgres):
    postgres.set_password("ana", "one that stands in this test alone")
    ana = ground.log_in_without("ana")
    ground.give(ana, "ana", "one that stands in this test alone")
    assert ground.column(ana, "select 1") == [1]

    assert ana.stored.logins == ()
    assert logins_here("one that stands in this test alone") == 0
    read = ground.stored(ana)
    assert logins_here("one that stands in this test alone") == 1
    with ground.runs.of(ana.login_id):
        engine = ground.handle(ana).raw
    assert (engine.url.username, engine.url.password) == (None, None)
    assert len(read.logins) == 1


def logins_here(password):
    gc.collect()
    return sum(type(one) is OwnLogin and one.password.reveal() == password for one in gc.get_objects())


def test_no_error_log_or_repr_shows_a_password(ground, postgres, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "hunter2-hunter2"
    ana = ground.log_in_without("ana")
    seen = []
    with pytest.raises(ConnectionFailed) as caught:
        ground.give(ana, "ana", secret)
    seen.append(caught.value)
    postgres.set_password("ana", secret)
    ground.give(ana, "ana", secret)
    ground.refuse()
    with pytest.raises(ConnectionFailed) as caught:
        ground.column(ana, "select 1")
    seen.append(caught.value)

    texts = [f"{one!r} {one} {one.hint} {one.__cause__!r} {vars(one.__cause__)}" for one in seen]
    login = ground.stored(ana).logins[0]

    assert secret not in "".join([*texts, caplog.text, repr(login), str(login), repr(ground.stored(ana)), f"{login}"])
    assert all(one.__cause__.__traceback__ is None and one.__cause__.__context__ is None for one in seen)
    with pytest.raises(TypeError):
        hash(login)


def test_an_end_meanwhile_keeps_nothing(ground):
    ana = ground.log_in_without("ana")
    login = ground.core.pool.verify_login(ana, ground.config, "ana", Secret(password_of("ana")))
    ground.core.sessions.end(ana.stored, "logout")

    assert not ground.core.pool.keep_login(ana, login)
    with pytest.raises(LoginRequired):
        ground.column(ana, "select 1")


def test_a_person_acts_in_a_role_of_their_own_where_the_section_says_so(build, postgres):
    postgres.ask("grant cyd to ana")
    ground = build(as_role="cyd", set={"app.user": "{sub}"})
    try:
        ana = ground.log_in("ana")
        assert ground.column(ana, "select session_user::text || ' ' || current_user || ' ' || current_setting('app.user')") == [
            "ana cyd ana"
        ]
    finally:
        postgres.ask("revoke cyd from ana")


def test_a_name_that_looks_like_something_else_is_a_name(ground):
    for user in ("ana host=evil.example", "ana'; drop role bob; --", "ana@127.0.0.1:1/x", "%61na", "postgresql://x"):
        with pytest.raises(ConnectionFailed) as caught:
            ground.give(ground.log_in_without("ana"), user, password_of("ana"))
        assert caught.value.code == "login_refused"
