"""The rule file over databases of SQLAlchemy's, PostgreSQL and SQLite: with parameters of the person's and of the author's."""

import sqlite3
from contextlib import closing

import pytest

from st_auth import cli
from st_auth.access.permissions import Roles
from st_auth.access.rules import ColumnRule, Rules, TableRule
from st_auth.config import ConnectionConfig
from st_auth.connections.pool import Pool
from st_auth.connections.ruling import Ruling
from st_auth.errors import ConnectionFailed, PermissionDenied
from st_auth.user import User
from tests.servers.postgres import APP_PASSWORD, PostgresServer
from tests.test_live import Anywhere, World

SALES = [("eu", 10, "ana@acme.com"), ("eu", 20, "10:30 %s ?"), ("us", 30, "bob@acme.com"), ("us", 40, None)]
RULES = Rules(
    tables={
        "deals": TableRule("deals", rows="region in (:regions)", columns={"email": ColumnRule("mask(email)", "people:read")}),
        "own": TableRule("own", rows="owner = :subject"),
    }
)
ROLES = Roles("groups", {"leads": frozenset({"*"})})


@pytest.fixture(scope="module")
def postgres():
    with PostgresServer() as server:
        server.ask("create table deals (region text, amount int, email text)")
        for region, amount, email in SALES:
            server.ask("insert into deals values (%s, %s, %s)", (region, amount, email))
        server.ask("create table own as select 'ana' as owner, 1 as id union all select 'bob', 2")
        server.ask("grant select on deals, own to app")
        yield server


@pytest.fixture
def sqlite(tmp_path):
    path = tmp_path / "sales.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table deals (region text, amount int, email text)")
        connection.executemany("insert into deals values (?, ?, ?)", SALES)
        connection.execute("create table own as select 'ana' as owner, 1 as id union all select 'bob', 2")
        connection.commit()
    return path


@pytest.fixture(params=["postgres", "sqlite"])
def section(request):
    if request.param == "sqlite":
        return {"url": f"sqlite:///{request.getfixturevalue('sqlite')}", "password": ""}
    server = request.getfixturevalue("postgres")
    return {"url": f"postgresql+psycopg://app@127.0.0.1:{server.port}/sales", "password": APP_PASSWORD}


@pytest.fixture
def user_of(section):
    world = World()
    config = ConnectionConfig("it", "sql", section, rules="file")
    with closing(Pool({"it": config}, world.grants, world.live, ruling=Ruling(ROLES, RULES), clock=world.clock.clock)) as pool:

        def made(subject, *groups, **claims):
            return User(world.begin(subject=subject, groups=groups, claims={"sub": subject, **claims}), Anywhere(), world.grants, pool)

        yield made


def test_each_person_gets_their_rows_and_columns(user_of):
    ana, bob, lea = user_of("ana", regions=["eu"]), user_of("bob", regions=["us", "mea"]), user_of("lea", "leads", regions="eu")
    sql = "select * from deals order by amount"

    assert ana.query(sql)["amount"].tolist() == [10, 20]
    assert ana.query(sql)["email"].tolist() == ["***", "***"]
    assert bob.query(sql)["email"].tolist()[0] == "***"
    assert bob.query(sql)["email"].isna().tolist() == [False, True]
    assert lea.query(sql)["email"].tolist() == ["ana@acme.com", "10:30 %s ?"]
    assert bob.query("select id from own")["id"].tolist() == [2]


def test_texts_that_look_like_parameters_stay_texts(user_of):
    lea = user_of("lea", "leads", regions=["eu"])

    found = lea.query(
        "select amount, ':x' as a, '12:30' as b, '%s %% ?' as c from deals where email = :given",
        {"given": "10:30 %s ?"},
    )
    assert found.iloc[0].tolist() == [20, ":x", "12:30", "%s %% ?"]


def test_the_authors_parameters_and_the_persons_do_not_mix(user_of):
    ana = user_of("ana", regions=["eu", "us"])

    assert ana.query("select amount from deals where amount > :p0 and region = :p1", {"p0": 10, "p1": "us"})["amount"].tolist() == [30, 40]


def test_hostile_claims_are_values_like_others(user_of):
    evil = "eu') or 1=1 --"

    assert user_of(evil, regions=[evil, "x' or '1'='1"]).query("select * from deals").shape[0] == 0
    assert user_of("' or '1'='1", regions=["eu"]).query("select * from own").shape[0] == 0


def test_what_is_no_read_is_refused_before_it_reaches_the_database(user_of):
    for sql in (
        "insert into deals values ('eu', 1, '')",
        "select 1; drop table own",
        "select * from pg_catalog.pg_authid",
        "select * from sqlite_master",
    ):
        with pytest.raises(PermissionDenied):
            user_of("ana", regions=["eu"]).query(sql)


def test_what_the_database_says_of_the_statement_is_told(user_of):
    ana = user_of("ana", regions=["eu"])

    with pytest.raises(ConnectionFailed, match="nowhere"):
        ana.query("select nowhere from deals")


def test_a_failed_cast_in_postgres_tells_nobodys_address(postgres):
    world = World()
    section = {"url": f"postgresql+psycopg://app@127.0.0.1:{postgres.port}/sales", "password": APP_PASSWORD}
    rules = Rules(tables={"deals": TableRule("deals", rows="region in (:regions)")})
    config = ConnectionConfig("it", "sql", section, rules="file")
    with closing(Pool({"it": config}, world.grants, world.live, ruling=Ruling(ROLES, rules), clock=world.clock.clock)) as pool:
        ana = User(world.begin(claims={"regions": ["us"]}), Anywhere(), world.grants, pool)
        with pytest.raises(ConnectionFailed) as caught:
            ana.query("select * from deals where cast(email as integer) > 0")

    error = caught.value
    assert "withheld" in error.hint
    assert error.__cause__ is error.__context__ is None
    assert "acme" not in f"{error} {error.hint}"


@pytest.fixture
def app(postgres, tmp_path):
    """The folder of an app with PostgreSQL and these rules."""

    def made(rules, more=""):
        (tmp_path / ".streamlit").mkdir()
        url = f"postgresql+psycopg://app@127.0.0.1:{postgres.port}/sales"
        section = f'[connections.it]\ntype = "st_auth.SQLConnection"\nurl = "{url}"\npassword = "{APP_PASSWORD}"\n{more}\n'
        (tmp_path / ".streamlit" / "secrets.toml").write_text(section, "utf-8")
        (tmp_path / ".streamlit" / "rules.toml").write_text(rules, "utf-8")
        return str(tmp_path)

    return made


def test_rules_check_shows_which_tables_have_a_policy_where_the_database_decides(app, capsys):
    assert cli.main(["rules", "check", app("[tables.deals]\n", 'rules = "engine"')]) == 0
    said = capsys.readouterr().out
    assert "it (postgres): the database decides" in said
    assert "public.orders: row security with 2 policies" in said
    assert "public.deals: no row security" in said


def test_rules_check_holds_the_file_against_postgres(app, capsys):
    assert cli.main(["rules", "check", app('[tables.deals.columns]\nemial = "hide"\n')]) == 1
    said = capsys.readouterr()
    assert "public.own: no rule" in said.out
    assert "rule deals speaks of emial" in said.err
