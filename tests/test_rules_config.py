"""rules.toml is read at the start, and everything that is wrong with it is told at once."""

import pytest

from st_auth.config import Host, parse
from st_auth.errors import ConfigError

SECRETS = {"auth": {"redirect_uri": "http://localhost:8501/oauth2callback", "cookie_secret": "s" * 32, "dev": {"profile": "dev"}}}
GOOD = """
[access]
claim = "realm_access.roles"

[roles]
analyst = ["sales:read"]
"head of sales" = ["sales:*", "people:read"]
admin = ["*"]
guest = []
"""


@pytest.fixture
def read(read_all):
    return lambda text: read_all(text).roles


@pytest.fixture
def read_all(tmp_path):
    def parsed(text, **connections):
        folder = tmp_path / ".streamlit"
        folder.mkdir(exist_ok=True)
        if text is not None:
            (folder / "rules.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return parse({**SECRETS, "connections": connections}, Host(port=8501, folder=tmp_path), env={})

    return parsed


def test_roles_and_the_claim_that_holds_them(read):
    roles = read(GOOD)

    assert roles.claim == "realm_access.roles"
    assert list(roles.grants) == ["analyst", "head of sales", "admin", "guest"]
    assert roles.grants["head of sales"] == {"sales:*", "people:read"}


def test_the_claim_is_groups_where_nothing_is_said(read):
    assert read('[roles]\na = ["b"]').claim == "groups"


TABLES = """
[access]
schema     = "public"
functions  = ["Fiscal_Year"]
values     = { regions = "https://acme.com/regions" }
attributes = "select team as teams from people where email = :email"

[tables.sales]
needs = "sales:read"
rows  = "region in (:regions)"
[tables.sales.columns]
email  = "mask(email)"
secret = "Hide"
margin = { needs = "people:read", otherwise = "NULL" }
wage   = { needs = "people:read" }

[tables."hr.*"]
needs = "people:read"
"""


def test_rules_of_tables(read_all):
    rules = read_all(TABLES).rules

    sales, wages = rules.tables["sales"], rules.tables["hr.*"]
    assert (sales.name, sales.needs, sales.rows) == ("sales", "sales:read", "region in (:regions)")
    assert {name: (column.otherwise, column.needs) for name, column in sales.columns.items()} == {
        "email": ("mask(email)", ""),
        "secret": ("hide", ""),
        "margin": ("null", "people:read"),
        "wage": ("hide", "people:read"),
    }
    assert (wages.needs, wages.rows, dict(wages.columns)) == ("people:read", "", {})
    assert (rules.schema, rules.functions, dict(rules.values)) == ("public", {"fiscal_year"}, {"regions": "https://acme.com/regions"})
    assert rules.attributes.startswith("select team")


def test_tables_without_roles_are_enough(read_all):
    assert list(read_all("[tables.sales]").rules.tables) == ["sales"]


def test_an_expression_must_be_one_in_the_sql_of_each_connection_that_obeys_the_file(read_all):
    text = '[tables.sales]\nrows = "tags @> :tags"'
    in_postgres = {"type": "st_auth.SQLConnection", "url": "postgresql+psycopg://app@db/sales", "password": "p"}
    in_sqlite = {"type": "st_auth.SQLConnection", "url": "sqlite:///sales.db", "rules": "file", "password": "p"}

    read_all(text, a=in_postgres)
    with pytest.raises(ConfigError, match="SQL of sqlite"):
        read_all(text, a=in_postgres, b=in_sqlite)


def test_a_database_whose_sql_nobody_here_reads_cannot_obey_the_file(read_all):
    section = {"type": "st_auth.SQLConnection", "url": "oracle://app@db/sales", "password": "p"}

    with pytest.raises(ConfigError, match=r"connections\.a\.url"):
        read_all("[tables.sales]", a=section)
    read_all("[tables.sales]", a={**section, "rules": "engine"})


def test_without_a_file_there_are_no_roles(read):
    assert read(None) is None


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", ["roles"]),
        ("[roles", ["rules.toml"]),
        (b"\xff", ["rules.toml"]),
        ('[role]\na = ["b"]', ["role", "roles"]),
        ("tables = 1", ["tables"]),
        ("[tables]\nsales = 1", ["tables.sales"]),
        ('[tables.hr.wages]\nneeds = "b"', ["tables.hr.wages"]),
        ('[tables."a b"]', ["tables.a b"]),
        ('[tables.sales]\nneed = "b"', ["tables.sales.need"]),
        ('[tables.sales]\nneeds = "b:*"', ["tables.sales.needs"]),
        ('[tables.sales]\nneeds = ""', ["tables.sales.needs"]),
        ("[tables.sales]\nrows = 1", ["tables.sales.rows"]),
        ('[tables.sales]\nrows = ""', ["tables.sales.rows"]),
        ('[tables.sales]\nrows = "region in (:regions"', ["tables.sales.rows"]),
        ('[tables.sales]\nrows = "select 1"', ["tables.sales.rows"]),
        ('[tables.sales]\nrows = "true; drop table sales"', ["tables.sales.rows"]),
        ("[tables.sales]\nrows = \"region = ':region'\"", ["tables.sales.rows"]),
        ("[tables.sales]\ncolumns = 1", ["tables.sales.columns"]),
        ("[tables.sales.columns]\nemail = 1", ["tables.sales.columns.email"]),
        ('[tables.sales.columns]\nemail = " "', ["tables.sales.columns.email"]),
        ('[tables.sales.columns]\nemail = "mask(a, b)"', ["tables.sales.columns.email"]),
        ('[tables.sales.columns]\nemail = { need = "b" }', ["tables.sales.columns.email.need"]),
        ('[tables.sales.columns]\nemail = { needs = "*" }', ["tables.sales.columns.email.needs"]),
        ("[tables.sales]\n[tables.SALES]", ["tables.SALES"]),
        ("[access]\nvalues = 1\n[tables.a]", ["access.values"]),
        ("[access]\nvalues = { a = 1 }\n[tables.a]", ["access.values"]),
        ('[access]\nfunctions = ["a b"]\n[tables.a]', ["access.functions"]),
        ('[access]\nattributes = "people"\n[tables.a]', ["access.attributes"]),
        ("[access]\nattributes = 1\n[tables.a]", ["access.attributes"]),
        ("[access]\nschema = 1\n[tables.a]", ["access.schema"]),
        ('[access]\nconnection = "nowhere"\n[tables.a]', ["access.connection"]),
        ('[access]\nclaims = "groups"\n[roles]\na = ["b"]', ["access.claims"]),
        ('[access]\nclaim = ["groups"]\n[roles]\na = ["b"]', ["access.claim"]),
        ('[access]\nclaim = ""\n[roles]\na = ["b"]', ["access.claim"]),
        ('roles = ["a"]', ["roles", "roles"]),
        ('access = 1\n[roles]\na = ["b"]', ["access"]),
        ('[roles]\na = "sales:read"', ["roles.a"]),
        ("[roles]\na = [1]", ["roles.a"]),
        ("[roles.a]\nb = 1", ["roles.a"]),
        ('[roles]\na = ["sales read", "", "sales:", ":x", "sal*", "**"]', ["roles.a"] * 6),
    ],
)
def test_what_is_wrong_is_a_problem_that_names_the_file_and_says_the_mend(read, text, keys):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert [problem.key for problem in caught.value.problems] == keys
    assert {problem.file for problem in caught.value.problems} == {".streamlit/rules.toml"}
    assert all(problem.mend for problem in caught.value.problems)


def test_a_file_that_cannot_be_read_is_told_and_never_taken_for_none(tmp_path, read):
    (tmp_path / ".streamlit" / "rules.toml").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        read(None)


def test_a_word_that_was_nearly_right_is_proposed(read):
    with pytest.raises(ConfigError, match=r"did you mean \[roles\]\?"):
        read('[role]\na = ["b"]')
