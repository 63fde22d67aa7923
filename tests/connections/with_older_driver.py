"""What only the older driver can do: Snowpark, which asks for it. tests/connections/test_older_driver.py runs this where both are."""

import io

import pytest
from snowflake import connector
from snowflake.snowpark.context import get_active_session
from snowflake.snowpark.exceptions import SnowparkSessionException

from st_auth.connections.guard import Guarded
from st_auth.errors import CrossSessionError, LoginRequired, PermissionDenied
from tests.connections.test_snowflake import SnowGround


@pytest.fixture
def ground(servers):
    ground = SnowGround(servers, database="SALES", schema="PUBLIC")
    yield ground
    ground.close()


def me(session):
    return session.sql("select current_user() as me").collect()[0]["ME"]


def test_this_is_the_fourth_major():
    assert connector.__version__.startswith("4.")


def test_two_people_have_a_snowpark_session_each_and_it_stays_theirs(ground):
    (ana, hers), (bob, his) = ground.as_person("ana"), ground.as_person("bob")
    for _ in range(2):
        for live, handle, name in ((ana, hers, "ANA"), (bob, his, "BOB")):
            with ground.runs.of(live.login_id):
                assert me(handle.session()) == name
                assert handle.session() is handle.session()
                frame = handle.session().sql("select 1 as x union all select 2 as x")
                assert [row["X"] for row in frame.filter(frame["X"] > 1).collect()] == [2]
                assert list(handle.session().sql("select 7 as n").to_pandas()["N"]) == [7]


def test_a32_another_logins_run_can_use_neither_the_session_nor_what_it_made(ground):
    (ana, hers), (bob, _) = ground.as_person("ana"), ground.as_person("bob")
    with ground.runs.of(ana.login_id):
        session = hers.session()
        frame = session.sql("select current_user() as me")
        assert frame.collect()[0]["ME"] == "ANA"

    for act in (frame.collect, frame.to_pandas, session.get_current_role, session.get_current_user, session.connection.cursor):
        with ground.runs.of(bob.login_id), pytest.raises(CrossSessionError):
            act()
        with pytest.raises(CrossSessionError):
            act()


def test_a32_what_was_taken_of_the_session_in_one_run_is_refused_in_another_persons(ground):
    (ana, hers), (bob, _) = ground.as_person("ana"), ground.as_person("bob")
    with ground.runs.of(ana.login_id):
        connection = hers.session().connection
        cursor = connection.cursor()
        (many,) = connection.execute_string("select 7 as n")
        stream = connection.execute_stream(io.StringIO("select 1; select 2"))
        assert next(stream).fetchall() == [(1,)]
        assert cursor.execute("select 8 as n") is cursor
        assert cursor.connection is connection
        assert isinstance(many, Guarded)
        taken = [connection.cursor, connection.is_closed, connection.get_query_status, many.fetchall, cursor.fetchone, cursor._upload]
        taken += [many.connection.cursor, lambda: next(stream), lambda: connection.user]

    for act in taken:
        with ground.runs.of(bob.login_id), pytest.raises(CrossSessionError):
            act()
        with pytest.raises(CrossSessionError):
            act()
    with ground.runs.of(ana.login_id):
        assert (many.fetchall(), cursor.fetchone()) == ([(7,)], (8,))


def test_a32_snowparks_connection_does_not_lead_to_the_drivers_own(ground):
    ana, hers = ground.as_person("ana")
    with ground.runs.of(ana.login_id):
        connection = hers.session().connection
        for of, name in ((connection, "rest"), (connection, "_rest"), (connection.cursor(), "_connection")):
            with pytest.raises(AttributeError, match=r"behind `handle.raw` alone"):
                getattr(of, name)


def test_a17_snowpark_finds_nobodys_session_where_it_looks_for_the_active_one(ground):
    (ana, hers), (bob, _) = ground.as_person("ana"), ground.as_person("bob")
    with ground.runs.of(ana.login_id):
        hers.session()
    for live in (ana, bob):
        with ground.runs.of(live.login_id), pytest.raises(SnowparkSessionException):
            get_active_session()


def test_the_end_of_the_login_ends_the_session_and_what_it_made(ground):
    ana, hers = ground.as_person("ana")
    with ground.runs.of(ana.login_id):
        frame = hers.session().sql("select 1 as x")
        frame.collect()
        ground.log_out(ana)
        for act in (frame.collect, hers.session):
            with pytest.raises(LoginRequired):
                act()


def test_where_snowflake_has_ended_it_the_next_session_is_another(ground):
    ana, hers = ground.as_person("ana")
    with ground.runs.of(ana.login_id):
        first = hers.session()
        first.connection.close()  # which is nobody's business but the pool's
        assert me(first) == "ANA"
        hers.raw.close()
        second = hers.session()
        assert second is not first
        assert me(second) == "ANA"


def test_an_app_whose_rules_are_in_the_file_gets_no_session(servers):
    ground = SnowGround(servers, rules="file")
    ana, hers = ground.as_person("ana")
    with ground.runs.of(ana.login_id), pytest.raises(PermissionDenied):
        hers.session()
    ground.close()
