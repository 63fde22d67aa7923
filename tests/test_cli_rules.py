"""`st-auth rules`: what it says of a rule file, and what becomes of a statement."""

import duckdb
import pytest

from st_auth import cli

SECRETS = """
[auth]
redirect_uri = "http://localhost:8501/oauth2callback"
cookie_secret = "ssssssssssssssssssssssssssssssss"
[auth.dev]
profile = "dev"
{more}
[connections.it]
type = "st_auth.DuckDBConnection"
path = "{path}"
"""
RULES = """
[roles]
analysts = ["sales:read"]
[tables.sales]
needs = "sales:read"
rows  = "region in (:region)"
[tables.sales.columns]
email = "hide"
"""
PERSONAS = '[[persona]]\nsub = "zoe"\nname = "Zoe Zero"\ngroups = ["analysts"]\nregion = "us"\n'


@pytest.fixture
def app(tmp_path):
    def made(rules=RULES, more="", personas=""):
        path = tmp_path / "sales.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("create table if not exists sales (region text, amount int, email text)")
        (tmp_path / ".streamlit").mkdir(exist_ok=True)
        (tmp_path / ".streamlit" / "rules.toml").write_text(rules, "utf-8")
        (tmp_path / ".streamlit" / "secrets.toml").write_text(SECRETS.format(path=path, more=more), "utf-8")
        if personas:
            (tmp_path / "personas.toml").write_text(personas, "utf-8")
        return str(tmp_path)

    return made


def test_rules_that_fit_are_told_table_by_table(app, capsys):
    assert cli.main(["rules", "check", app()]) == 0

    said = capsys.readouterr()
    assert "it (duckdb): the rule file decides" in said.out
    assert "main.sales: rule sales" in said.out
    assert said.err == ""


def test_a_table_without_a_rule_is_told_and_is_no_fault(app, capsys):
    folder = app()
    with duckdb.connect(f"{folder}/sales.duckdb") as connection:
        connection.execute("create table wages as select 1 as a")

    assert cli.main(["rules", "check", folder]) == 0
    assert "main.wages: no rule, so nobody may read it" in capsys.readouterr().out


def test_a_rule_that_frames_cannot_follow_is_named(app, capsys):
    assert cli.main(["rules", "check", app(RULES.replace("region in (:region)", "region in (select 'eu')"))]) == 0
    assert "rule sales: not for frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "words"),
    [("\n[tables.wages]\n", "rule wages: there is no such table"), ("emial = 'hide'\n", "speaks of emial")],
)
def test_what_does_not_fit_the_database_is_a_fault(app, capsys, more, words):
    assert cli.main(["rules", "check", app(RULES + more)]) == 1
    assert words in capsys.readouterr().err


def test_a_file_that_is_wrong_is_told_with_its_mend(app, capsys):
    assert cli.main(["rules", "check", app("[tables.sales]\nrows = 'region in ('")]) == 2
    assert "tables.sales.rows" in capsys.readouterr().err


def test_a_database_that_is_not_there_is_a_fault(app, capsys):
    folder = app()
    with open(f"{folder}/.streamlit/secrets.toml", "a") as file:  # noqa: PTH123  # as a person would add a section
        file.write('[connections.other]\ntype = "st_auth.DuckDBConnection"\npath = "/nowhere/x.duckdb"\n')

    assert cli.main(["rules", "check", folder]) == 1
    assert "“other” failed" in capsys.readouterr().err


def test_explain_shows_the_statement_for_one_of_the_built_in_people(app, capsys):
    assert cli.main(["rules", "explain", "select * from sales", "--as", "ana", "--folder", app()]) == 0

    said = capsys.readouterr().out
    assert said.startswith('SELECT * FROM (SELECT st_auth_t."region", st_auth_t."amount" FROM sales')
    assert "p0_0 = 'eu'" in said
    assert "hidden: sales.email" in said


def test_explain_shows_it_for_the_apps_own_people(app, capsys):
    folder = app(more='personas = "personas.toml"', personas=PERSONAS)

    assert cli.main(["rules", "explain", "select * from sales", "--as", "zoe zero", "--folder", folder]) == 0
    assert "p0_0 = 'us'" in capsys.readouterr().out


def test_explain_takes_groups_and_claims(app, capsys):
    arguments = ["--group", "analysts", "--claim", 'region=["mea", "us"]', "--claim", "team=red"]

    assert cli.main(["rules", "explain", "select * from sales", *arguments, "--folder", app()]) == 0
    assert "p0_1 = 'us'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("sql", "arguments", "words"),
    [
        ("select * from sales", [], "permission “sales:read”"),
        ("select * from wages", ["--as", "ana"], "no rule for the table wages"),
        ("delete from sales", ["--as", "ana"], "does not read"),
    ],
)
def test_explain_says_why_a_statement_is_refused(app, capsys, sql, arguments, words):
    assert cli.main(["rules", "explain", sql, *arguments, "--folder", app()]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--as", "nobody-here"], ["--claim", "x"]])
def test_a_call_that_makes_no_sense_ends_with_two(app, capsys, arguments):
    assert cli.main(["rules", "explain", "select 1", *arguments, "--folder", app()]) == 2
    assert capsys.readouterr().err
