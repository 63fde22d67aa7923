"""A connection of the app's own that obeys the rule file: each person gets their rows, and nothing goes round it."""

import json
import logging
import threading
from contextlib import closing
from dataclasses import replace

import duckdb
import pandas as pd
import pytest

from st_auth.access.permissions import Roles
from st_auth.access.rules import ColumnRule, Rules, TableRule
from st_auth.config import ConnectionConfig
from st_auth.connections.pool import Pool
from st_auth.connections.ruling import Ruling
from st_auth.errors import ConfigError, ConnectionFailed, LoginRequired, PermissionDenied
from st_auth.user import User
from tests.test_live import Anywhere, World

ROWS = [("eu", 10, "ana@acme.com", 1.5), ("eu", 20, "eve@acme.com", None), ("us", 30, "bob@acme.com", 2.5), ("us", 40, None, 3.5)]
ROLES = Roles("groups", {"analysts": frozenset({"sales:read"}), "leads": frozenset({"*"})})
SALES = TableRule(
    "sales",
    "sales:read",
    "region in (:regions)",
    {"email": ColumnRule("mask(email)", "people:read"), "margin": ColumnRule("null", "people:read")},
)
RULES = Rules(
    tables={"sales": SALES, "mine": TableRule("mine", rows="owner = :email"), "teams": TableRule("teams", rows="team in (:teams)")}
)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "sales.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table sales (region text, amount int, email text, margin double)")
        connection.executemany("insert into sales values (?, ?, ?, ?)", ROWS)
        connection.execute("create table mine as select email as owner, amount from sales")
        connection.execute("create table teams as select * from (values ('red', 1), ('blue', 2)) t(team, score)")
        connection.execute("create table members as select * from (values ('ana@acme.com', 'red')) t(email, team)")
    return path


@pytest.fixture
def build(world, path):
    pools = []

    def built(rules=RULES, at=None):
        config = ConnectionConfig("it", "duckdb", {"path": str(at or path), "read_only": at is None}, rules="file")
        pools.append(Pool({"it": config}, world.grants, world.live, ruling=Ruling(ROLES, rules), clock=world.clock.clock))
        return pools[-1]

    yield built
    for pool in pools:
        pool.close()


@pytest.fixture
def user_of(world, build):
    pool = build()

    def made(subject, *groups, pool=pool, **claims):
        live = world.begin(subject=subject, groups=groups, email=f"{subject}@acme.com", claims={"sub": subject, **claims})
        return User(live, Anywhere(), world.grants, pool)

    return made


@pytest.fixture
def ana(user_of):
    return user_of("ana", "analysts", regions=["eu"])


def amounts(user, sql="select * from sales order by amount", **how):
    return user.query(sql, **how)["amount"].tolist()


def test_each_person_gets_their_rows_and_columns(ana, user_of):
    bob = user_of("bob", "analysts", regions=["us", "mea"])
    lea = user_of("lea", "leads", regions=["eu"])

    assert (amounts(ana), amounts(bob)) == ([10, 20], [30, 40])
    mine, whole = ana.query("select * from sales order by amount"), lea.query("select * from sales order by amount")
    assert list(mine.columns) == list(whole.columns) == ["region", "amount", "email", "margin"]
    assert mine["email"].tolist() == ["***", "***"]
    assert mine["margin"].isna().all()
    assert mine["margin"].dtype == whole["margin"].dtype
    assert whole["email"].tolist() == ["ana@acme.com", "eve@acme.com"]


def test_parameters_of_the_author_stay_in_their_places(ana):
    assert amounts(ana, "select * from sales where amount > ? and region <> ?", params=[10, "us"]) == [20]
    assert amounts(ana, "select * from sales where amount > $least", params={"least": 10}) == [20]


@pytest.mark.parametrize("as_", ["pandas", "polars", "arrow"])
def test_rows_come_in_the_frame_that_was_asked_for(ana, as_):
    assert ana.query("select * from sales", as_=as_).shape == (2, 4)


def test_what_the_claims_do_not_say_is_refused_and_named(user_of):
    nobody = user_of("noa", "analysts")

    with pytest.raises(PermissionDenied) as caught:
        nobody.query("select * from sales")
    assert (caught.value.code, caught.value.claim) == ("claim_missing", "regions")


def test_an_e_mail_address_that_nobody_has_confirmed_is_none(world, user_of, build):
    ana = user_of("ana")
    assert amounts(ana, "select * from mine") == [10]

    live = world.begin(
        subject="mallory", email="ana@acme.com", email_verified=False, claims={"email": "ana@acme.com", "email_verified": True}
    )
    with pytest.raises(PermissionDenied) as caught:
        User(live, Anywhere(), world.grants, build()).query("select * from mine")
    assert (caught.value.code, caught.value.claim) == ("claim_missing", "email")


def test_without_the_permission_a_table_is_refused(user_of):
    with pytest.raises(PermissionDenied) as caught:
        user_of("noa", regions=["eu"]).query("select * from sales")
    assert (caught.value.code, caught.value.permission) == ("permission_missing", "sales:read")


def test_a_table_without_a_rule_is_refused(ana):
    with pytest.raises(PermissionDenied, match="no rule for the table members"):
        ana.query("select * from members")


def test_without_rules_every_statement_is_refused(world, build):
    user = User(world.begin(), Anywhere(), world.grants, build(rules=None))

    with pytest.raises(PermissionDenied, match="no rule for any table"):
        user.query("select 1")


def test_nothing_but_query_is_to_be_had(ana):
    with pytest.raises(PermissionDenied, match="go round"):
        ana.connection().cursor()


def test_claims_that_change_count_with_the_next_statement(ana, world):
    assert amounts(ana) == [10, 20]

    live = world.live.known()[0]
    live.stored = replace(live.stored, claims_json=json.dumps({"sub": "ana", "regions": ["us"]}).encode())

    assert amounts(ana) == [30, 40]


def test_kept_results_are_a_persons_own(ana, user_of):
    bob = user_of("bob", "analysts", regions=["us"])

    assert amounts(ana, ttl="10m") == amounts(ana, ttl="10m") == [10, 20]
    assert amounts(bob, ttl="10m") == [30, 40]


def test_kept_results_are_not_given_once_the_claims_say_something_else(ana, world):
    assert amounts(ana, ttl="10m") == [10, 20]
    live = world.live.known()[0]
    live.stored = replace(live.stored, claims_json=json.dumps({"sub": "ana", "regions": ["us"]}).encode())

    assert amounts(ana, ttl="10m") == [30, 40]


# -- attributes ----------------------------------------------------------------------------------------------------------------


def test_attributes_come_from_a_query_once_for_each_login(world, build):
    rules = replace(RULES, attributes="select team as teams from members where email = :email")
    pool = build(rules)
    ana = User(world.begin(subject="ana", email="ana@acme.com"), Anywhere(), world.grants, pool)

    assert ana.query("select * from teams")["score"].tolist() == [1]
    reader = pool.ruling.reader(world.live.known()[0], lambda _: {})
    assert reader.value("teams") == ("red",)


def test_somebody_without_attributes_sees_nothing(world, build):
    rules = replace(RULES, attributes="select team as teams from members where email = :email")
    bob = User(world.begin(subject="bob", email="bob@acme.com", claims={"teams": ["red"]}), Anywhere(), world.grants, build(rules))

    with pytest.raises(PermissionDenied) as caught:
        bob.query("select * from teams")
    assert caught.value.claim == "teams"


def attributes_of_tests(claims):
    return {"teams": {"blue"}} if claims["sub"] == "ana" else {}


def test_what_the_database_says_while_attributes_are_asked_for_reaches_nobody(world, build):
    rules = replace(RULES, attributes="select cast(team as integer) as teams from members where email <> :subject")
    user = User(world.begin(subject="bob", email="bob@acme.com"), Anywhere(), world.grants, build(rules))

    for ask in (lambda: user.query("select * from teams"), lambda: user.visible(pd.DataFrame({"team": ["red"]}), "teams")):
        with pytest.raises(ConnectionFailed) as caught:
            ask()
        assert "withheld" in caught.value.hint
        assert "red" not in f"{caught.value}"
        assert caught.value.__cause__ is caught.value.__context__ is None


def test_attributes_come_from_a_function_of_the_apps(world, build):
    rules = replace(RULES, attributes=f"{__name__}:attributes_of_tests")
    ana = User(world.begin(subject="ana", claims={"sub": "ana"}), Anywhere(), world.grants, build(rules))

    assert ana.query("select * from teams")["score"].tolist() == [2]


@pytest.mark.parametrize("text", ["no.such.module:function", "tests.connections.test_rules:nothing", "json:dumps"])
def test_a_function_that_is_none_shows_nothing(world, build, text):
    user = User(world.begin(), Anywhere(), world.grants, build(replace(RULES, attributes=text)))

    with pytest.raises(ConfigError, match=r"access\.attributes"):
        user.query("select * from teams")


def test_a_value_stands_in_the_claim_that_the_file_names(world, build):
    rules = replace(RULES, values={"regions": "https://acme.com/regions"})
    claims = {"https://acme.com/regions": "us", "regions": ["eu"]}
    user = User(world.begin(groups=("analysts",), claims=claims), Anywhere(), world.grants, build(rules))

    assert amounts(user) == [30, 40]


# -- what the database says ----------------------------------------------------------------------------------------------------


def test_what_the_database_says_of_values_reaches_nobody(ana):
    with pytest.raises(ConnectionFailed) as caught:
        ana.query("select cast(email || region as integer) from sales")

    error = caught.value
    assert error.code == "query_failed"
    assert error.__cause__ is None
    assert error.__context__ is None
    assert not any(row[2] in f"{error} {error.hint}" for row in ROWS if row[2])
    assert "withheld" in error.hint


def test_what_the_database_says_of_the_statement_is_told(ana):
    with pytest.raises(ConnectionFailed, match="nowhere"):
        ana.query("select nowhere from sales")


def test_hidden_columns_are_named_where_a_statement_asks_for_one(world, build, path):
    rules = Rules(tables={"sales": TableRule("sales", columns={"margin": ColumnRule("hide")})})
    user = User(world.begin(), Anywhere(), world.grants, build(rules))

    assert list(user.query("select * from sales").columns) == ["region", "amount", "email"]
    with pytest.raises(ConnectionFailed) as caught:
        user.query("select margin from sales")
    assert "sales.margin" in caught.value.hint


def test_a_column_that_comes_later_is_seen_after_a_statement_has_failed(world, build, path, tmp_path):
    rules = Rules(tables={"t": TableRule("t", columns={"a": ColumnRule("null")})})
    at = tmp_path / "t.duckdb"
    with duckdb.connect(str(at)) as connection:
        connection.execute("create table t as select 1 as a, 2 as b")
    pool = build(rules, at=at)
    user = User(world.begin(), Anywhere(), world.grants, pool)
    assert list(user.query("select * from t").columns) == ["a", "b"]

    user.connection().raw.execute("alter table t rename b to c")

    with pytest.raises(ConnectionFailed):
        user.query("select * from t")
    assert list(user.query("select * from t").columns) == ["a", "c"]


# -- the audit log -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "st_auth.audit")
    return lambda event: [one for one in (json.loads(record.message) for record in caplog.records) if one["event"] == event]


def test_each_query_is_one_line_with_who_read_what_and_no_data(ana, lines, caplog):
    ana.query("select * from sales s where amount > ?", [10])

    (line,) = lines("query")
    assert (line["subject"], line["connection"], line["tables"], line["rules"], line["rows"]) == ("ana", "it", "sales", "sales", 1)
    assert line["login_id"]
    assert line["query_id"]
    assert line["milliseconds"] >= 0
    assert not any(row[2] in caplog.text for row in ROWS if row[2])


def test_a_kept_result_says_so_in_its_line(ana, lines):
    amounts(ana, ttl=60)
    amounts(ana, ttl=60)

    assert [line.get("kept") for line in lines("query")] == [None, True]


def test_a_refused_statement_is_a_line_as_well(ana, lines):
    for sql in ("select * from members", "select nowhere from sales"):
        with pytest.raises((PermissionDenied, ConnectionFailed)):
            ana.query(sql)

    assert [(line["code"], line["tables"]) for line in lines("query_failed")] == [("no_rule", "members"), ("query_failed", "sales")]


# -- frames --------------------------------------------------------------------------------------------------------------------


def test_a_frame_has_the_rows_and_columns_that_query_gives(ana, user_of, path):
    with duckdb.connect(str(path), read_only=True) as connection:
        whole = connection.sql("select * from sales order by amount").df()
    lea = user_of("lea", "leads", regions=["eu"])

    for person in (ana, lea):
        assert person.visible(whole, "sales").equals(person.query("select * from sales order by amount"))
    assert lea.preview(groups=["analysts"], regions=["us"]).visible(whole, "sales")["amount"].tolist() == [30, 40]


def test_a_frame_of_a_table_without_a_rule_is_refused(ana):
    with pytest.raises(PermissionDenied) as caught:
        ana.visible(pd.DataFrame({"a": [1]}), "wages")
    assert (caught.value.code, caught.value.table) == ("no_rule", "wages")


# -- as somebody else ----------------------------------------------------------------------------------------------------------


def test_who_looks_after_the_rules_sees_what_others_would_see(user_of, lines):
    lea = user_of("lea", "leads", regions=["eu"])
    seen = lea.preview(groups=["analysts"], regions=["us"])

    assert seen.can("sales:read")
    assert not seen.can("people:read")
    frame = seen.query("select * from sales order by amount")
    assert (frame["amount"].tolist(), frame["email"].tolist()[0]) == ([30, 40], "***")
    assert "IN ($p0_0)" in seen.explain("select * from sales").sql
    assert lines("query")[0]["seen_as"] == "analysts, regions"
    assert lines("query")[0]["subject"] == "lea"


def test_nobody_else_may_look_as_somebody_else(ana):
    with pytest.raises(PermissionDenied) as caught:
        ana.preview(groups=["leads"])
    assert caught.value.permission == "rules:preview"


def test_who_may_not_look_as_others_any_more_cannot_go_on_with_a_look_that_they_have(user_of, world):
    seen = user_of("lea", "leads", regions=["eu"]).preview(groups=["analysts"], regions=["us"])
    frame = seen.query("select * from sales")
    live = world.live.known()[0]
    about = json.loads(live.stored.profile_json)
    looks = (
        lambda: seen.query("select * from sales"),
        lambda: seen.explain("select * from sales"),
        lambda: seen.visible(frame, "sales"),
        lambda: seen.can("sales:read"),
    )

    live.stored = replace(live.stored, profile_json=json.dumps({**about, "groups": ["analysts"]}).encode())
    for look in looks:
        with pytest.raises(PermissionDenied) as caught:
            look()
        assert caught.value.permission == "rules:preview"

    world.live.end(live, "logout")
    for look in looks:
        with pytest.raises(LoginRequired):
            look()


def test_a_preview_is_for_connections_that_obey_the_file(world, path):
    config = ConnectionConfig("it", "duckdb", {"path": str(path)}, rules="engine")
    with closing(Pool({"it": config}, world.grants, world.live, ruling=Ruling(ROLES, RULES), clock=world.clock.clock)) as pool:
        lea = User(world.begin(groups=("leads",)), Anywhere(), world.grants, pool)
        with pytest.raises(ConfigError, match="does not obey the rule file"):
            lea.preview().query("select 1")
        with pytest.raises(TypeError, match="leaves rows to the database"):
            lea.connection().explain("select 1")


def test_explain_shows_the_statement_as_it_would_run(ana):
    found = ana.connection().explain("select * from sales where amount > ?", [10])

    assert found.params == {"p0": 10, "p1_0": "eu"}
    assert found.hidden == ()
    assert found.tables == ("sales",)


# -- several people at once ----------------------------------------------------------------------------------------------------


def test_many_people_at_once_get_their_own_rows_only(user_of):
    people = {f"p{number}": ["eu"] if number % 2 else ["us"] for number in range(8)}
    users = {name: user_of(name, "analysts", regions=regions) for name, regions in people.items()}
    wrong: list[str] = []

    def look(name):
        for _ in range(25):
            for ttl in (None, 60):
                regions = set(users[name].query("select distinct region from sales", ttl=ttl)["region"])
                if regions != set(people[name]):
                    wrong.append(f"{name}: {regions}")

    threads = [threading.Thread(target=look, args=(name,)) for name in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
