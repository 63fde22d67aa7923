"""The pool's own rules, over DuckDB files: who is closed when, how many there may be, and what is kept of results."""

import json
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import duckdb
import pytest

from st_auth.access.permissions import Roles
from st_auth.config import ConnectionConfig
from st_auth.connections.handle import SQLHandle
from st_auth.connections.opened import Opened
from st_auth.connections.pool import Pool
from st_auth.connections.results import Results, key_of, size_of, ttl_of
from st_auth.connections.ruling import Ruling
from st_auth.errors import ConfigError, LoginRequired, PermissionDenied, Unavailable
from st_auth.live import HELD_AFTER
from st_auth.testing.store_contract import TurnedClock
from tests.test_live import Anywhere, World


@pytest.fixture
def path(tmp_path):
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute("create table t as select 1 as a")
    return tmp_path / "x.duckdb"


@pytest.fixture
def world():
    return World()


@pytest.fixture
def build(world, path):
    pools = []

    def made(at_most=10, **configs):
        known = configs or {"it": config("it", path)}
        pools.append(Pool(known, world.grants, world.live, at_most=at_most, clock=world.clock.clock))
        return pools[-1]

    yield made
    for pool in pools:
        pool.close()


def config(name, path, **more):
    return ConnectionConfig(name=name, kind="duckdb", options={"path": str(path)}, **more)


def handle(pool, live, name=None, role=None):
    return SQLHandle(live, pool.config(name), role, pool, Anywhere())


def opened(pool):
    return {(login_id, *key): one for login_id, key, one in pool._all()}


def ask(one):
    return one.query("select a from t", as_="arrow")["a"].to_pylist()


# -- which one -----------------------------------------------------------------------------------------------------------------


def test_without_a_name_it_is_the_default_one_or_the_only_one(build, path):
    assert build().config(None).name == "it"
    assert build(a=config("a", path), b=config("b", path, is_default=True)).config(None).name == "b"


@pytest.mark.parametrize("name", ["nowhere", None])
def test_a_name_that_is_not_configured_lists_those_that_are(build, path, name):
    pool = build(a=config("a", path), b=config("b", path))
    with pytest.raises(ConfigError, match="a, b"):
        pool.config(name)


def test_the_apps_own_login_obeys_the_rule_file_which_allows_nothing_yet(build, world, path):
    pool = build(it=config("it", path, rules="file"))
    one = handle(pool, world.begin())
    for act in (lambda: one.query("select 1"), one.cursor):
        with pytest.raises(PermissionDenied) as caught:
            act()
        assert caught.value.code == "no_rule"
    assert opened(pool) == {}


# -- when it is closed ---------------------------------------------------------------------------------------------------------


def test_what_nobody_has_used_for_fifteen_minutes_is_closed_and_opens_again(build, world):
    pool, live = build(), world.begin()
    one = handle(pool, live)
    raw = one.raw
    world.clock.advance(timedelta(minutes=14))
    world.live.confirmed()
    pool.sweep()
    assert one.raw is raw

    world.clock.advance(timedelta(minutes=16))
    world.live.confirmed()
    pool.sweep()

    assert opened(pool) == {}
    assert ask(one) == [1]
    assert one.raw is not raw


def test_one_too_many_closes_the_one_that_was_used_longest_ago(build, world):
    pool = build(at_most=2)
    ana, bob, cyd = (world.begin(subject=name) for name in ("ana", "bob", "cyd"))
    for live in (ana, bob, ana, cyd):
        world.clock.advance(timedelta(seconds=1))
        ask(handle(pool, live))
    assert {login_id for login_id, *_ in opened(pool)} == {ana.login_id, cyd.login_id}


def test_where_all_are_in_use_one_more_waits_for_another_time(build, world):
    pool = build(at_most=1)
    ana, bob = world.begin(subject="ana"), world.begin(subject="bob")

    def while_ana_is_at_it(connection):
        with pytest.raises(Unavailable) as caught:
            ask(handle(pool, bob))
        return caught.value.code

    config = pool.config("it")
    assert pool.use(ana, config, None, Anywhere(), while_ana_is_at_it) == "connections"
    assert ask(handle(pool, bob)) == [1]


def test_a_connection_that_is_in_use_at_the_end_of_the_login_is_closed_when_it_is_free(build, world):
    pool, live = build(), world.begin()
    kept = []

    def while_it_ends(connection):
        kept.append(connection.raw)
        world.live.end(live, "logout")
        connection.raw.execute("select 1")
        return "done"

    assert pool.use(live, pool.config("it"), None, Anywhere(), while_it_ends) == "done"
    pool._closing.close()
    with pytest.raises(duckdb.ConnectionException):
        kept[0].execute("select 1")


def test_a_login_that_is_forgotten_for_want_of_tabs_keeps_no_connection(build, world):
    pool, live = build(), world.begin()
    ask(handle(pool, live))
    world.clock.advance(timedelta(minutes=6))
    world.live.confirmed()

    world.live.evict()

    assert opened(pool) == {}
    with pytest.raises(LoginRequired):
        ask(handle(pool, live))


def test_what_opens_while_the_login_ends_is_closed_and_not_given(build, world):
    pool, live = build(), world.begin()

    class EndsOnTheWay(Anywhere):
        def wait(self, text):
            world.live.end(live, "logout")
            return super().wait(text)

    with pytest.raises(LoginRequired):
        SQLHandle(live, pool.config("it"), None, pool, EndsOnTheWay()).query("select 1")
    assert opened(pool) == {}


def test_nothing_is_used_while_nobody_can_say_whether_the_login_lives(build, world):
    pool, live = build(), world.begin()
    one = handle(pool, live)
    ask(one)
    world.clock.advance(timedelta(seconds=HELD_AFTER + 1))
    with pytest.raises(Unavailable) as caught:
        ask(one)
    assert caught.value.code == "store"


def test_close_closes_this_persons_connection_of_this_name_alone(build, world, path):
    pool = build(a=config("a", path), b=config("b", path))
    ana, bob = world.begin(subject="ana"), world.begin(subject="bob")
    for live in (ana, bob):
        for name in ("a", "b"):
            ask(handle(pool, live, name))

    handle(pool, ana, "a").close()

    assert sorted((login_id == ana.login_id, name) for login_id, name, _ in opened(pool)) == [(False, "a"), (False, "b"), (True, "b")]


def ended_each_time(pool, live, times, *, by_us):
    """Use a connection that is ended under its user so many times; how often it was tried."""
    tried = []

    def act(connection):
        tried.append(connection)
        if len(tried) <= times:
            if by_us:
                pool.close_one(live.login_id, "it")
            connection.raw.close()
        return connection.query("select a from t", None, "arrow")

    try:
        pool.use(live, pool.config("it"), None, Anywhere(), act)
    except duckdb.ConnectionException:
        return len(tried), "failed"
    return len(tried), "went well"


def test_a_statement_whose_connection_was_closed_in_another_tab_runs_again_each_time(build, world):
    assert ended_each_time(build(), world.begin(), 4, by_us=True) == (5, "went well")


def test_a_statement_that_we_stop_to_close_its_connection_runs_again(build, world):
    """As when the person's role changes in one tab while a query runs in another; the crowd met it one time in thousands."""
    pool, live = build(), world.begin()
    tried = []

    def close():
        while not list(tried[0]._cursors):
            pass
        pool.close_one(live.login_id, "it")

    def act(connection):
        tried.append(connection)
        if len(tried) > 1:
            return connection.query("select a from t", None, "arrow")["a"].to_pylist()
        threading.Thread(target=close).start()
        return connection.query("select count(*) from range(20000000000)", None, "arrow")

    assert pool.use(live, pool.config("it"), None, Anywhere(), act) == [1]
    assert len(tried) == 2


def test_a_statement_whose_connection_the_server_has_ended_runs_once_more_and_not_again(build, world):
    assert ended_each_time(build(), world.begin(), 1, by_us=False) == (2, "went well")
    assert ended_each_time(build(), world.begin(), 2, by_us=False) == (2, "failed")


def test_one_end_at_the_server_may_have_met_two_connections_and_neither_costs_the_statement(build, world):
    """The person changed roles just before: the statement loses the old one, and then the new one that was opened before that."""
    pool, live = build(), world.begin()
    ask(handle(pool, live))
    tried = []

    def act(connection):
        tried.append(connection)
        if len(tried) == 1:
            world.clock.advance(timedelta(seconds=1))
            (key,) = opened(pool)
            other = Opened(connect_again(pool, live), pool._clock.monotonic())
            world.clock.advance(timedelta(seconds=1))
            pool._opened[live.login_id][key[1:]] = other
        if len(tried) <= 2:
            connection.raw.close()
        return connection.query("select a from t", None, "arrow")

    pool.use(live, pool.config("it"), None, Anywhere(), act)
    assert len({id(one) for one in tried}) == len(tried) == 3


def connect_again(pool, live):
    return pool._opener.connected(pool._wanted(live, pool.config("it"), None))


# -- results -------------------------------------------------------------------------------------------------------------------


def test_a_result_is_kept_for_its_time_and_for_its_login_alone(build, world):
    pool = build()
    ana, bob = world.begin(subject="ana"), world.begin(subject="bob")
    asked = "select random() as r"
    first = handle(pool, ana).query(asked, ttl="10m")

    assert handle(pool, ana).query(asked, ttl="10m").equals(first)
    assert not handle(pool, bob).query(asked, ttl="10m").equals(first)
    assert not handle(pool, ana).query(asked).equals(first)

    world.clock.advance(timedelta(minutes=10))
    world.live.confirmed()
    assert not handle(pool, ana).query(asked, ttl="10m").equals(first)


def test_a_result_is_not_given_any_more_once_the_person_may_do_less_or_more(world, path):
    roles = Roles("groups", {"analysts": frozenset({"sales:read"}), "leads": frozenset({"sales:*"})})
    with closing(Pool({"it": config("it", path)}, world.grants, world.live, ruling=Ruling(roles), clock=world.clock.clock)) as pool:
        live = world.begin(groups=("analysts",))
        asked = "select random() as r"
        first = handle(pool, live).query(asked, ttl="10m")
        about = json.loads(live.stored.profile_json)

        live.stored = replace(live.stored, profile_json=json.dumps({**about, "groups": ["leads"]}).encode())
        assert not handle(pool, live).query(asked, ttl="10m").equals(first)
        live.stored = replace(live.stored, profile_json=json.dumps({**about, "groups": ["others", "analysts"]}).encode())
        assert handle(pool, live).query(asked, ttl="10m").equals(first)


def test_a_caller_who_changes_a_result_changes_only_their_own(build, world):
    pool, live = build(), world.begin()
    first = handle(pool, live).query("select a from t", ttl=60)
    first.loc[0, "a"] = 99
    second = handle(pool, live).query("select a from t", ttl=60)
    second.loc[0, "a"] = 77
    assert handle(pool, live).query("select a from t", ttl=60)["a"].tolist() == [1]


def test_the_end_of_a_login_drops_its_results(build, world):
    pool, live = build(), world.begin()
    handle(pool, live).query("select a from t", ttl=60)
    world.live.end(live, "logout")
    assert pool.results._kept == {}


def test_parameters_that_differ_in_type_are_other_questions():
    keys = {key_of("l", "s", "select ?", params, "arrow") for params in ([1], ["1"], [1.0], [True], (1,), None)}
    assert len(keys) == 6


def test_parameters_that_cannot_be_told_apart_are_refused():
    with pytest.raises(TypeError, match="plain values"):
        key_of("l", "s", "select ?", [lambda: 1], "arrow")


def test_results_stay_within_their_budget_and_the_oldest_goes_first():
    results = Results(TurnedClock().clock, budget=100)
    frames = [bytearray(40) for _ in range(4)]

    class Sized:
        def __init__(self, nbytes):
            self.nbytes = nbytes

    for number in range(3):
        results.put(("l", "s", str(number)), Sized(len(frames[number])), timedelta(hours=1))
    results.put(("l", "s", "big"), Sized(101), timedelta(hours=1))

    assert [results.get(("l", "s", name)) is not None for name in ("0", "1", "2", "big")] == [False, True, True, False]
    results.forget("l")
    assert results._size == 0


@pytest.mark.parametrize("ttl", ["", "soon", 0, -1, timedelta(0), "0s"])
def test_a_time_to_live_that_is_none_is_refused(ttl):
    with pytest.raises(ValueError, match="ttl"):
        ttl_of(ttl)


def test_a_time_to_live_is_read_as_streamlit_reads_it():
    assert [ttl_of(ttl) for ttl in ("10m", 600, 600.0, timedelta(minutes=10), None)] == [timedelta(minutes=10)] * 4 + [None]


def test_frames_of_each_library_tell_their_size():
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    data = {"a": list(range(1000))}
    assert all(size_of(frame) >= 8000 for frame in (pd.DataFrame(data), pl.DataFrame(data), pa.table(data)))


# -- what is loaded ------------------------------------------------------------------------------------------------------------


def test_neither_st_auth_nor_an_app_that_only_configures_connections_loads_a_driver():
    script = """
import sys
import threading
from st_auth import *
from st_auth.config import Host, parse
from st_auth.core import build
oidc = {"client_id": "x", "client_secret": "x", "server_metadata_url": "https://issuer.example/.well-known/openid-configuration"}
auth = {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "x" * 32, **oidc}
snow = {"type": "st_auth.SnowflakeConnection", "account": "acme", "token_from": "default"}
role = "arn:aws:iam::123456789012:role/Person"
lake = {"type": "st_auth.FilesConnection", "url": "s3://acme-lake/{sub}", "role_arn": role, "token_from": "default"}
files = {"type": "st_auth.FilesConnection", "url": "gs://acme-lake/{sub}", "token_from": "default"}
docs = {"type": "st_auth.MongoDBConnection", "url": "mongodb://127.0.0.1", "database": "crm", "token_from": "default"}
sections = {"snow": snow, "lake": lake, "files": files, "docs": docs}
build(parse({"auth": auth, "st_auth": {"store": "memory://"}, "connections": sections}, Host(port=8501), env={})).close()
drivers = {"snowflake.connector", "duckdb", "sqlalchemy", "psycopg", "polars", "pymongo", "bson"}
drivers |= {"fsspec", "s3fs", "gcsfs", "aiobotocore", "botocore", "aiohttp", "google.auth", "requests"}
print(sorted(set(sys.modules) & drivers))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
