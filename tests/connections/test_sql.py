"""SQL databases keep the contract: PostgreSQL with row-level security, entered with the person's token or with the app's login."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from decimal import Decimal
from functools import partial
from typing import ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DBAPIError

from st_auth.errors import ConnectionFailed, LoginRequired, PermissionDenied
from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import ConnectionContract, ConnectionGround
from tests.connections.cursors import CursorContract
from tests.connections.grounds import TokenGround, builder
from tests.servers.postgres import APP_PASSWORD, REGIONS, PostgresServer
from tests.servers.postgres_gateway import AUDIENCE, PostgresGateway
from tests.servers.postgres_line import PostgresLine
from tests.servers.processes import wait_until

PEOPLE = {name: {"name": name.title(), "region": region, "preferred_username": name} for name, region in REGIONS.items()}
ROWS = {"ana": [1, 2], "bob": [3], "cyd": [4]}


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer() as server:
        yield server


@pytest.fixture
def issuer():
    with FakeIssuer(serve=True, audience=AUDIENCE, people=PEOPLE) as issuer:
        yield issuer


@pytest.fixture
def gateway(issuer, postgres):
    with PostgresGateway(issuer.issuer, postgres.port) as gateway:
        yield gateway


class SQLGround(ConnectionGround):
    def __init__(self, issuer, server, section):
        self.server = server
        super().__init__(issuer, {"type": "st_auth.SQLConnection", **section})

    def live(self):
        """The server notices a moment later that somebody has hung up."""
        with suppress(AssertionError):
            wait_until(lambda: not self.server.sessions(), "no session is left", seconds=5)
        return len(self.server.sessions())

    def ask(self, live, sql, params=None, *, role=None, **more):
        with self.runs.of(live.login_id):
            return self.handle(live, role).query(sql, params, **more)

    def column(self, live, sql, params=None, **more):
        return [next(iter(row.values())) for row in self.ask(live, sql, params, as_="arrow", **more).to_pylist()]


class PersonGround(SQLGround, TokenGround):
    """The person's token as the password of their own role."""

    def __init__(self, issuer, server, gateway, **more):
        self.gateway = gateway
        url = f"postgresql+psycopg://{{sub}}@127.0.0.1:{gateway.port}/sales"
        super().__init__(issuer, server, {"url": url, "token_from": "default", **more})

    def who(self, handle):
        return handle.query("select current_user::text as me", as_="arrow")["me"][0].as_py()

    def end_at_server(self, person):
        self.server.end_sessions(person)


class AppGround(SQLGround):
    """The app's login, and the engine is told for each statement who the person is."""

    def __init__(self, issuer, server, *, port=None, **more):
        url = f"postgresql+psycopg://app@127.0.0.1:{port or server.port}/sales"
        own = {"url": url, "password": APP_PASSWORD, "rules": "engine"}
        super().__init__(issuer, server, {**own, "set": {"app.user": "{sub}"}, "as_role": "{sub}", **more})

    def who(self, handle):
        sql = "select current_user::text as role, current_setting('app.user') as said, session_user::text as login"
        (row,) = handle.query(sql, as_="arrow").to_pylist()
        return row["said"] if row["role"] == row["said"] and row["login"] == "app" else str(row)

    def end_at_server(self, person):
        for live in self.core.live.known():
            if live.stored.card.subject == person:
                self.server.end_sessions("app", f"st_auth {live.login_id}"[:63])

    def refuse(self):
        self.server.ask("alter role app nologin")


@pytest.fixture
def as_person(issuer, postgres, gateway):
    with builder(partial(PersonGround, issuer, postgres, gateway)) as build:
        yield build


@pytest.fixture
def as_app(issuer, postgres):
    with builder(partial(AppGround, issuer, postgres)) as build:
        yield build
    postgres.ask("alter role app login")


@pytest.fixture
def line(postgres):
    with PostgresLine(postgres.port) as line:
        yield line


@pytest.fixture
def over_line(issuer, postgres, line):
    with builder(partial(AppGround, issuer, postgres, port=line.port)) as build:
        yield build


class TestWithTheTokenOfThePerson(ConnectionContract, CursorContract):
    checks = 700
    share = 0.06

    @pytest.fixture
    def ground(self, as_person):
        return as_person()


class TestWithTheLoginOfTheApp(ConnectionContract, CursorContract):
    checks = 700
    share = 0.06

    @pytest.fixture
    def ground(self, as_app):
        return as_app()


@pytest.fixture(params=["token", "app"])
def ground(request, as_person, as_app):
    return as_person() if request.param == "token" else as_app()


def in_thread(act):
    """Begin to do something, and return what waits for its end and gives what it raised."""
    raised = []

    def done():
        with suppress(BaseException):
            try:
                act()
            except BaseException as error:
                raised.append(error)
                raise

    thread = threading.Thread(target=done)
    thread.start()

    def ended():
        thread.join(20)
        assert not thread.is_alive()
        return raised[0] if raised else None

    return ended


def wait_for(server, statement):
    wait_until(lambda: any(statement in query for _, query in server.sessions()), f"{statement} runs")


# -- rows ------------------------------------------------------------------------------------------------------------------


def test_a32_each_person_sees_their_rows_while_all_ask_at_once(ground):
    lives = {name: ground.log_in(name) for name in ROWS}

    def ask(number):
        name = list(lives)[number % 3]
        return name, ground.column(lives[name], "select id from orders order by id")

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(ask, range(90)))

    assert [answer for answer in answers if answer[1] != ROWS[answer[0]]] == []


def test_settings_alone_decide_about_rows_where_there_is_no_role(as_app):
    ground = as_app(set={"app.user": "{sub}", "app.region": "{region}"}, as_role="")
    for name, rows in ROWS.items():
        assert ground.column(ground.log_in(name), "select id from orders order by id") == rows


def test_rows_that_a_person_may_not_write_are_refused(as_app):
    with pytest.raises(ConnectionFailed, match="row-level security") as caught:
        _insert(as_app(), "us")
    assert caught.value.code == "query_failed"


def _insert(ground, region):
    return ground.ask(ground.log_in("ana"), "insert into orders values (99, :region, 1, null)", {"region": region})


def test_what_a_query_changes_is_kept_and_gives_an_empty_frame(as_app, postgres):
    try:
        assert _insert(as_app(), "eu").shape == (0, 0)
        assert postgres.ask("select region from orders where id = 99") == [("eu",)]
    finally:
        postgres.ask("delete from orders where id = 99")


# -- nothing stays ---------------------------------------------------------------------------------------------------------

LEFT_BEHIND = [
    "set app.\"user\" = 'bob'",
    "select set_config('app.user', 'bob', false)",
    "select set_config('role', 'none', false)",
    "set role app",
    "reset role",
    "set session authorization default",
    "set search_path = pg_temp",
    "set session characteristics as transaction read only",
    "commit",
    "commit and chain",
    "rollback",
    "do $$ begin perform set_config('app.user', 'bob', false); reset role; end $$",
    "create temporary table orders (id int)",
    "prepare mine as select 1",
    "declare mine cursor with hold for select 1",
    "listen mine",
    "select pg_advisory_lock(7)",
]
STATE = """
select current_user::text || ' ' || session_user || ' ' || current_setting('app.user', true) || ' ' || current_setting('search_path')
  || ' ' || current_setting('default_transaction_read_only')
  || ' ' || (select count(*) from pg_prepared_statements) || ' ' || (select count(*) from pg_cursors where name = 'mine')
  || ' ' || (select count(*) from pg_listening_channels()) || ' ' || (select count(*) from pg_locks where locktype = 'advisory')
"""


@pytest.mark.parametrize("statement", LEFT_BEHIND)
def test_a32_no_statement_leaves_anything_to_the_next(as_app, statement):
    ground = as_app()
    ana = ground.log_in("ana")
    before, session = ground.column(ana, STATE), ground.column(ana, "select pg_backend_pid()")

    with suppress(ConnectionFailed):
        ground.ask(ana, statement)

    assert ground.column(ana, "select pg_backend_pid()") == session
    assert ground.column(ana, STATE) == before
    assert before[0].startswith("ana app ana ")
    assert ground.column(ana, "select id from orders order by id") == ROWS["ana"]


@pytest.mark.parametrize("statement", [one for one in LEFT_BEHIND if not one.startswith("create")])
def test_a32_each_statement_of_a_cursor_begins_as_the_person(as_app, statement):
    ground = as_app()
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id), ground.handle(ana).cursor() as cursor:
        for before in ("select 1", statement):
            with suppress(ConnectionFailed):
                cursor.execute(before)
        assert cursor.execute("select current_user::text, current_setting('app.user')").fetchall() == [("ana", "ana")]


@pytest.mark.parametrize("text", ["reset role; select current_user", "commit; select * from orders", "select 1; select 2"])
def test_several_statements_in_one_text_are_refused_where_the_app_acts_for_somebody(as_app, text):
    ground = as_app()
    ana = ground.log_in("ana")
    with pytest.raises(ConnectionFailed, match="multiple commands"):
        ground.ask(ana, text)
    with ground.runs.of(ana.login_id), ground.handle(ana).cursor() as cursor, pytest.raises(ConnectionFailed, match="multiple commands"):
        cursor.execute(text)


def test_a32_the_engine_itself_tells_who_the_person_is_too(as_app):
    ground = as_app()
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id):
        engine = ground.handle(ana).raw
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select current_user::text").scalar() == "ana"
        connection.exec_driver_sql("reset role")
        assert connection.execute(text("select current_user::text")).scalar() == "ana"
        with suppress(DBAPIError), connection.begin_nested():
            connection.exec_driver_sql("select 1 / 0")
        assert connection.exec_driver_sql("select current_user::text").scalar() == "ana"
        assert connection.execution_options(stream_results=True).execute(text("select current_user::text")).scalar() == "ana"
    with engine.connect() as connection, pytest.raises(ValueError, match="AUTOCOMMIT"):
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("select 1")


# -- who may come in -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["stranger", "nobody", "none", "NONE ", "app", "ana; drop table orders", '"ana"'])
def test_a_role_that_is_not_the_persons_is_refused_before_anything_is_asked(as_app, issuer, role):
    issuer.people["ana"]["role"] = role
    ground = as_app(as_role="{role}")
    ana = ground.log_in("ana")
    with pytest.raises(ConnectionFailed) as caught:
        ground.ask(ana, "select 1")
    assert caught.value.code == "role_not_granted"
    assert ground.live() == 0


def test_app_code_may_ask_for_another_role_of_the_persons_token(as_person, postgres):
    postgres.ask("grant cyd to ana")
    ground = as_person()
    ana = ground.log_in("ana")
    try:
        assert ground.column(ana, "select id from orders", role="cyd") == ROWS["cyd"]
        assert ground.column(ana, "select id from orders order by id") == ROWS["ana"]
    finally:
        postgres.ask("revoke cyd from ana")


def test_a_person_without_the_claim_is_refused_and_nothing_is_opened(as_app):
    ground = as_app(set={"app.department": "{department}"})
    with pytest.raises(PermissionDenied, match="department"):
        ground.ask(ground.log_in("ana"), "select 1")
    assert ground.live() == 0


def test_the_token_of_one_person_does_not_open_the_role_of_another(issuer, as_person, gateway):
    ground = as_person(url=f"postgresql+psycopg://bob@127.0.0.1:{gateway.port}/sales")
    with pytest.raises(ConnectionFailed, match="bob") as caught:
        ground.ask(ground.log_in("ana"), "select 1")
    assert caught.value.code == "token_not_accepted"
    assert gateway.refused == ["another user"] * 2


def test_a_token_that_has_expired_is_replaced_once(issuer, as_person, gateway):
    issuer.lifetime, issuer.tokens = -60, {"expires_in": 3600}
    ground = as_person()
    ana = ground.log_in("ana")
    issuer.lifetime = 3600

    assert ground.column(ana, "select current_user::text") == ["ana"]
    assert (gateway.refused, len(gateway.tokens), issuer.refresh_count) == (["ExpiredTokenError"], 1, 1)


def test_a_session_that_is_opened_later_gets_a_token_that_is_fresh_then(as_person, gateway):
    ground = as_person()
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id):
        first = ground.handle(ana).cursor()
        first.execute("select 1")
        ground.renew(ana)
        assert ground.column(ana, "select current_user::text") == ["ana"]
        assert first.execute("select 2").fetchone() == (2,)
        first.close()
    assert len(gateway.tokens) == len(set(gateway.tokens)) == 2


def test_a_token_that_is_not_taken_any_more_is_replaced_for_a_later_session_too(issuer, as_person, gateway):
    ground = as_person()
    ana = ground.log_in("ana")
    ground.ask(ana, "select 1")
    ground.end_at_server("ana")
    issuer.rotate()  # the server knows the new key alone

    assert ground.column(ana, "select current_user::text") == ["ana"]
    assert len(gateway.refused) == 2  # by the open engine, and by the new one that takes its place
    assert issuer.refresh_count == 1


def test_the_apps_password_is_in_no_error(as_app):
    secret = "not the app's password"
    ground = as_app(password=secret)
    with pytest.raises(ConnectionFailed) as caught:
        ground.ask(ground.log_in("ana"), "select 1")
    cause = caught.value.__cause__
    assert caught.value.code == "login_refused"
    assert secret not in f"{caught.value!r}{caught.value}{caught.value.hint}{cause!r}{cause}{vars(cause)}"
    assert (cause.__traceback__, cause.__context__, cause.__cause__) == (None, None, None)


def test_neither_token_nor_password_is_in_the_engine(ground):
    ana = ground.log_in("ana")
    ground.ask(ana, "select 1")
    with ground.runs.of(ana.login_id):
        engine = ground.handle(ana).raw
    assert engine.url.password is None
    assert not engine.echo
    assert engine.hide_parameters


def test_a_token_goes_to_a_proven_server_alone(as_person, gateway):
    ground = as_person(url=f"postgresql+psycopg://{{sub}}@/sales?host=127.0.0.1&port={gateway.port}")
    with pytest.raises(ConnectionFailed, match="SSL") as caught:
        ground.ask(ground.log_in("ana"), "select 1")
    assert caught.value.code == "unreachable"
    assert (gateway.tokens, gateway.refused) == ([], [])


def test_a_server_that_is_not_there_is_unreachable(as_app):
    ground = as_app(url="postgresql+psycopg://app@127.0.0.1:1/sales")
    with pytest.raises(ConnectionFailed, match="refused") as caught:
        ground.ask(ground.log_in("ana"), "select 1")
    assert caught.value.code == "unreachable"


def test_a_driver_that_is_not_there_is_named(as_app):
    ground = as_app(url="mysql+nobody://app@127.0.0.1/sales", set={}, as_role="")
    with pytest.raises(ConnectionFailed, match="nobody") as caught:
        ground.ask(ground.log_in("ana"), "select 1")
    assert caught.value.code == "unreachable"


# -- hostile claims --------------------------------------------------------------------------------------------------------

HOSTILE = ["o'neil", "'; drop table orders; --", 'a"b', "%s %(x)s :x", "Ünïcödé ☃ 😀", "a:b@c?d#e&f=g", "-c role=postgres", "\\", "$$"]


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_claim_arrives_as_data(as_app, issuer, postgres, value):
    issuer.people["ana"]["nick"] = value
    ground = as_app(set={"app.user": "{nick}"})
    assert ground.column(ground.log_in("ana"), "select current_setting('app.user')") == [value]
    assert len(postgres.ask("select * from orders")) == 4


@pytest.mark.parametrize("value", [one for one in HOSTILE if one != "\\"])
def test_a_hostile_user_name_is_that_user_and_nobody_else(issuer, as_person, postgres, gateway, value):
    issuer.people[value] = {"name": "x"}
    postgres.add_person(value, "eu")
    ground = as_person()
    try:
        assert ground.column(ground.log_in(value), "select current_user::text") == [value]
    finally:
        ground.close()
        quoted = '"' + value.replace('"', '""') + '"'
        postgres.ask(f"drop role {quoted}")


@pytest.mark.parametrize("value", ["ana\0", "../ana", "ana/x", "..", "a\\b", "ana\n"])
def test_a_user_name_that_could_be_read_in_two_ways_is_refused(as_person, issuer, gateway, value):
    issuer.people["ana"]["nick"] = value
    ground = as_person(url=f"postgresql+psycopg://{{nick}}@127.0.0.1:{gateway.port}/sales")
    with pytest.raises(PermissionDenied, match="nick"):
        ground.ask(ground.log_in("ana"), "select 1")
    assert (gateway.tokens, gateway.refused) == ([], [])


def test_a_claim_with_nul_is_no_value(as_app, issuer):
    issuer.people["ana"]["nick"] = "ana\0bob"
    ground = as_app(set={"app.user": "{nick}"})
    with pytest.raises(PermissionDenied, match="nick"):
        ground.ask(ground.log_in("ana"), "select 1")


def test_other_claims_open_another_connection_and_end_the_first(as_app, issuer):
    ground = as_app(set={"app.user": "{sub}", "app.region": "{region}"}, as_role="")
    ana = ground.log_in("ana")
    assert ground.column(ana, "select id from orders", ttl="10m") == ROWS["ana"]

    issuer.people["ana"]["region"] = "us"
    ground.renew(ana)

    assert ground.column(ana, "select id from orders", ttl="10m") == ROWS["bob"]
    wait_until(lambda: len(ground.server.sessions()) == 1, "the first is closed")


# -- the end ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("answers", range(12))
def test_a_session_that_ends_in_place_of_an_answer_is_opened_once_more(over_line, line, answers, words):
    ground = over_line()
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id):
        line.words = words
        line.ends = [answers + 1]  # the first answer is that to the login

        assert [ground.who(ground.handle(ana)) for _ in range(4)] == ["ana"] * 4
    assert line.ends == []


def test_a_session_that_the_driver_does_not_know_to_have_ended_is_opened_once_more(over_line, line):
    ground = over_line()
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id):
        assert ground.who(ground.handle(ana)) == "ana"
        line.words = line.late = True
        line.ends = [3]  # whether it is there, begin and who this is for are answered; the statement is not to its end

        assert ground.who(ground.handle(ana)) == "ana"
    assert line.ends == []


def test_a_session_that_ends_beside_another_is_opened_once_more(over_line, line):
    ground = over_line()
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id), closing(ground.handle(ana).cursor()):
        line.ends = [1]

        assert ground.who(ground.handle(ana)) == "ana"
    assert line.ends == []


def test_a_server_that_ends_each_session_is_told_of(over_line, line):
    ground = over_line()
    ana = ground.log_in("ana")
    line.ends = [1] * 1000

    with pytest.raises(ConnectionFailed, match="closed"):
        ground.column(ana, "select 1 as one")
    assert len(line.ends) > 990


def test_a_server_that_restarts_is_entered_again(as_app, postgres):
    ground = as_app()
    ana = ground.log_in("ana")
    ground.ask(ana, "select 1")

    postgres.stop()
    postgres.start()

    assert ground.column(ana, "select id from orders order by id") == ROWS["ana"]


def test_a13_logout_stops_what_runs(ground):
    ana = ground.log_in("ana")
    ended = in_thread(lambda: ground.ask(ana, "select pg_sleep(30)"))
    wait_for(ground.server, "pg_sleep(30)")

    ground.log_out(ana)

    assert getattr(ended(), "code", None) == "session_ended"
    assert ground.live() == 0


def test_a13_logout_stops_what_a_cursor_runs_and_closes_its_session(ground):
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id):
        idle, busy = ground.handle(ana).cursor(), ground.handle(ana).cursor()
        idle.execute("select 1")

    def sleep():
        with ground.runs.of(ana.login_id):
            busy.execute("select pg_sleep(30)")

    ended = in_thread(sleep)
    wait_for(ground.server, "pg_sleep(30)")

    ground.log_out(ana)

    assert isinstance(ended(), ConnectionFailed)
    assert ground.live() == 0
    with ground.runs.of(ana.login_id), pytest.raises(LoginRequired):
        idle.fetchall()


def test_the_engine_opens_nothing_after_logout(ground):
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id):
        engine = ground.handle(ana).raw
    ground.log_out(ana)
    assert ground.live() == 0

    with pytest.raises(ConnectionFailed) as caught:
        engine.connect()
    assert caught.value.code == "closed"
    assert ground.live() == 0


def test_a_statement_that_may_have_taken_effect_is_not_run_again(as_app, postgres):
    ground = as_app()
    ana = ground.log_in("ana")
    ended = in_thread(lambda: ground.ask(ana, "insert into orders select 98, 'eu', 1, null from pg_sleep(30)"))
    wait_for(postgres, "pg_sleep(30)")

    ground.end_at_server("ana")

    failed = ended()
    assert (failed.code, "taken effect" in failed.hint) == ("query_failed", True)
    assert postgres.ask("select 1 from orders where id = 98") == []


# -- cursors and frames ----------------------------------------------------------------------------------------------------


def test_a_cursor_keeps_what_is_committed_and_nothing_else(as_app, postgres):
    ground = as_app()
    ana = ground.log_in("ana")
    try:
        with ground.runs.of(ana.login_id), ground.handle(ana).cursor() as cursor:
            cursor.execute("insert into orders values (%s, %s, 1, null)", (95, "eu"))
            cursor.commit()
            cursor.executemany("insert into orders values (%s, %s, 1, null)", [(96, "eu"), (97, "eu")])
            assert cursor.rowcount == 2
            cursor.rollback()
            cursor.execute("insert into orders values (98, 'eu', 1, null)")
        assert postgres.ask("select id from orders where id > 90") == [(95,)]
    finally:
        postgres.ask("delete from orders where id > 90")


def test_a_cursor_reads_in_each_way_and_hands_out_no_connection(ground):
    ana = ground.log_in("ana")
    with ground.runs.of(ana.login_id), ground.handle(ana).cursor() as cursor:
        assert cursor.execute("select n from generate_series(1, %s) n", (6,)).fetchone() == (1,)
        assert cursor.description[0][0] == "n"
        assert cursor.fetchmany() == [(2,)]
        assert cursor.fetchmany(2) == [(3,), (4,)]
        assert list(cursor) == [(5,), (6,)]
        assert cursor.execute("select 1").fetchall() == [(1,)]
        with pytest.raises(AttributeError):
            _ = cursor.connection
        with pytest.raises(ConnectionFailed, match="nowhere"):
            cursor.execute("select * from nowhere")


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_values_keep_their_types(ground, as_):
    sql = """select 9007199254740993 as whole, 1.10::numeric as exact, '2026-03-01 12:00+00'::timestamptz as at, true as yes,
      '6f4d0bd4-5d3c-4d6b-b0d7-0a6a6e2d1e0c'::uuid as id, '10.0.0.0/8'::cidr as net, array[1, 2] as many, '\\x00ff'::bytea as raw
      union all select null, null, null, null, null, null, null, null"""
    frame = ground.ask(ground.log_in("ana"), sql, as_=as_)
    rows = frame.to_dict("records") if as_ == "pandas" else frame.to_dicts() if as_ == "polars" else frame.to_pylist()
    assert (rows[0]["whole"], rows[0]["exact"], rows[0]["at"].timestamp()) == (9007199254740993, Decimal("1.10"), 1772366400)
    assert (rows[0]["id"], rows[0]["net"]) == ("6f4d0bd4-5d3c-4d6b-b0d7-0a6a6e2d1e0c", "10.0.0.0/8")
    assert (list(rows[0]["many"]), rows[0]["raw"], bool(rows[0]["yes"])) == ([1, 2], b"\x00\xff", True)


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_no_rows_are_a_frame_with_columns(ground, as_):
    frame = ground.ask(ground.log_in("ana"), "select id, region from orders where id = :id", {"id": 77}, as_=as_)
    assert frame.shape == (0, 2)


@pytest.mark.parametrize(
    ("sql", "params", "said"),
    [("select * from nowhere", None, "nowhere"), ("select :x", {}, "x"), ("select 1", (1,), "params is a dict"), ("selec", None, "syntax")],
)
def test_a_statement_that_is_refused_says_why_on_one_line(ground, sql, params, said):
    with pytest.raises(ConnectionFailed, match=said) as caught:
        ground.ask(ground.log_in("ana"), sql, params)
    assert caught.value.code == "query_failed"
    assert "\n" not in str(caught.value)


def test_any_other_database_goes_by_the_same_way(issuer, tmp_path, postgres):
    ground = SQLGround(issuer, postgres, {"url": f"sqlite:///{tmp_path}/{{sub}}.db", "password": "", "rules": "engine"})
    try:
        ana, bob = ground.log_in("ana"), ground.log_in("bob")
        assert ground.ask(ana, "create table mine (a int)").shape == (0, 0)
        ground.ask(ana, "insert into mine values (:a)", {"a": 7})
        assert ground.column(ana, "select a from mine") == [7]
        with pytest.raises(ConnectionFailed, match="no such table"):
            ground.ask(bob, "select a from mine")
        with pytest.raises(ConnectionFailed) as caught:
            ground.ask(ana, "select 1", role="x")
        assert caught.value.code == "role_not_granted"
        with ground.runs.of(ana.login_id), ground.handle(ana).cursor() as cursor:
            assert cursor.execute("select a from mine where a = ?", (7,)).fetchall() == [(7,)]
            assert cursor.execute("select 1").fetchone() == (1,)
        ground.log_out(ana)
    finally:
        ground.close()


class Recorded(SQLiteDialect_pysqlite):
    """Stands for a database whose driver is not here: keeps the address that it was to be entered with."""

    supports_statement_cache = True
    addresses: ClassVar = []

    def create_connect_args(self, url):
        self.addresses.append(url)
        return [":memory:"], {}


@pytest.mark.parametrize(("scheme", "user"), [("trino", "ana"), ("databricks", "token")])
def test_a_token_stands_where_the_dialect_looks_for_it(issuer, postgres, scheme, user):
    registry.register(scheme, __name__, "Recorded")
    Recorded.addresses.clear()
    ground = SQLGround(issuer, postgres, {"url": f"{scheme}://{user}@db.acme.example:443/sales", "token_from": "default"})
    try:
        ana = ground.log_in("ana")
        ground.ask(ana, "select 1")
        token = ground.core.grants.tokens(ana).access_token.reveal()
        url = Recorded.addresses[-1]
        assert url.query.get("access_token", url.password) == token
        assert (url.username, url.password is None) == (user, scheme == "trino")
    finally:
        ground.close()
