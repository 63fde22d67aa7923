"""`st-auth rules`: is the rule file right, which tables have no rule, and what becomes of a statement for somebody."""

import json
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click

from st_auth.config import ConnectionConfig
from st_auth.core import Core
from st_auth.dev_provider import Persona, load_personas
from st_auth.errors import ConfigError, StAuthError
from st_auth.persons import Somebody, app_core, everything_of, user_of
from st_auth.user import User

__all__ = ["rules_commands"]

_SYSTEM: Final = "('information_schema', 'pg_catalog', 'pg_toast', 'mysql', 'sys', 'performance_schema', 'system', 'INFORMATION_SCHEMA')"
_TABLES: Final = (
    f"select table_schema as s, table_name as t from information_schema.tables where table_schema not in {_SYSTEM} order by 1, 2"  # noqa: S608  # words of ours
)
_IN_SQLITE: Final = (
    "select '' as s, name as t from sqlite_master where type in ('table', 'view') and name not like 'sqlite~_%' escape '~' order by 2"
)
_DEFAULT_SCHEMA: Final = {"duckdb": "main", "sqlite": "", "postgres": "public", "snowflake": "PUBLIC"}
_POLICIES: Final = """
select n.nspname as s, c.relname as t, c.relrowsecurity as on_rows, count(p.oid) as policies
from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_policy p on p.polrelid = c.oid
where c.relkind in ('r', 'p') and n.nspname not in ('information_schema', 'pg_catalog', 'pg_toast')
group by 1, 2, 3 order by 1, 2
"""
_IN_SNOWFLAKE: Final = (
    "select * from table(information_schema.policy_references(ref_entity_name => 'YOUR_TABLE', ref_entity_domain => 'table'))"
)


@click.group("rules")
def rules_commands() -> None:
    """The rule file: who may see which rows and columns."""


@rules_commands.command("check")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
def _check(folder: Path) -> None:
    """Read the rules of the app in FOLDER and hold them against its databases: columns that are not there, tables without a rule.

    Ends with 1 if something is wrong.
    """
    with closing(_core(folder)) as core:
        user = user_of(core, Somebody(name="st-auth rules check"))
        faults = [fault for config in core.config.connections.values() for fault in _checked(core, user, config)]
        _show_frames(core)
        if not core.config.connections:
            click.echo("No connection is opened by the app's own login: the rules were read, and held against nothing.")
    if faults:
        raise SystemExit(1)


@rules_commands.command("explain")
@click.argument("sql")
@click.option("--as", "persona", default="", help="One of the people of the development provider: name, subject or first name.")
@click.option("--group", "groups", multiple=True, help="A group of theirs; as often as you like.")
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE", help="A claim of theirs; the value is JSON, or a text.")
@click.option("--connection", default=None, help="Which of [connections.*]; the default one if you leave it out.")
@click.option("--folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".", help="Where the app is.")
def _explain(sql: str, persona: str, groups: Sequence[str], claims: Sequence[str], connection: str | None, folder: Path) -> None:
    """Print the statement as it would run for somebody, with what it binds."""
    with closing(_core(folder)) as core:
        login = everything_of(_person(persona, folder), groups, dict(_claim(text) for text in claims))
        try:
            found = user_of(core, login).connection(connection).explain(sql)
        except (StAuthError, TypeError) as error:
            click.echo(f"{error}\n{getattr(error, 'hint', '')}".rstrip(), err=True)
            raise SystemExit(1) from None
    click.echo(found.sql)
    for name, value in (found.params or {}).items():
        click.echo(f"  {name} = {value!r}")
    for what, said in (("tables", found.tables), ("rules", found.rules), ("hidden", found.hidden)):
        if said:
            click.echo(f"  {what}: {', '.join(said)}")


def _core(folder: Path) -> Core:
    try:
        return app_core(folder)
    except ConfigError as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from None


def _person(name: str, folder: Path) -> Somebody:
    if not name:
        return Somebody()
    people = _personas(folder)
    for one in people:
        if name.lower() in (one.subject.lower(), one.name.lower(), one.name.lower().partition(" ")[0]):
            claims = {key: value for key, value in one.claims.items() if key not in ("email", "email_verified")}
            return Somebody(
                one.name, str(one.claims.get("email", "")), one.subject, groups=tuple(one.claims.get("groups", ())), claims=claims
            )
    raise click.UsageError(f"Nobody is called {name!r} here. Known: {', '.join(one.name for one in people)}; or give --group and --claim.")


def _personas(folder: Path) -> tuple[Persona, ...]:
    """Those of the app's development provider, else the three that everybody has."""
    secrets = folder / ".streamlit" / "secrets.toml"
    auth = tomllib.loads(secrets.read_text("utf-8")).get("auth", {}) if secrets.is_file() else {}
    named = (section.get("personas") for section in (auth, *auth.values()) if isinstance(section, dict))
    path = next((folder / str(name) for name in named if name), None)
    return load_personas(path)


def _claim(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--claim is NAME=VALUE, not {text!r}.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


# -- what a database has -----------------------------------------------------------------------------------------------------------


def _checked(core: Core, user: User, config: ConnectionConfig) -> Iterator[str]:
    """Say what is right and wrong on one connection; yield what is wrong."""
    if not config.dialect:
        return
    click.echo(f"{config.name} ({config.dialect}): {'the rule file decides' if config.rules == 'file' else 'the database decides'}")
    try:
        if config.rules == "engine":
            _show_policies(user, config)
        else:
            yield from _check_tables(core, user, config)
    except StAuthError as error:
        yield _fault(f"{error} {error.hint}")


def _check_tables(core: Core, user: User, config: ConnectionConfig) -> Iterator[str]:
    from st_auth.access.sql_names import TableNames, empty_select, fold_column

    ask = _asking(user, config)
    names = TableNames(core.pool.ruling.rules.tables, core.pool.ruling.rules.schema, config.dialect)
    default, used = _DEFAULT_SCHEMA.get(config.dialect), set()
    for schema, table in ask(_IN_SQLITE if config.dialect == "sqlite" else _TABLES).itertuples(index=False):
        spellings = [(schema, table), (table,)] if schema == default else [(schema, table)]
        rule = next((found for name in spellings if (found := names.find(tuple(name))) is not None), None)
        whole = f"{schema}.{table}" if schema else table
        if rule is None:
            click.echo(f"  {whole}: no rule, so nobody may read it")
            continue
        used.add(rule.name)
        there = {fold_column(str(column)) for column in ask(empty_select(config.dialect, schema, table)).columns}
        if missing := [column for column in rule.columns if fold_column(column) not in there]:
            yield _fault(f"{whole}: rule {rule.name} speaks of {', '.join(missing)}, which the table does not have")
        else:
            click.echo(f"  {whole}: rule {rule.name}")
    for name in core.pool.ruling.rules.tables.keys() - used:
        yield _fault(f"rule {name}: there is no such table")


def _asking(user: User, config: ConnectionConfig) -> Callable[[str], Any]:
    """What runs a statement of ours as it is: the catalogue has no rule."""
    handle = user.connection(config.name)
    return lambda sql: handle._do(lambda connection: connection.query(sql, None, "pandas"))  # noqa: SLF001  # past the rules on purpose


def _show_policies(user: User, config: ConnectionConfig) -> None:
    if config.dialect == "postgres":
        for schema, table, on_rows, policies in _asking(user, config)(_POLICIES).itertuples(index=False):
            said = f"row security with {policies} policies" if on_rows else "no row security: everybody who may read it sees all rows"
            click.echo(f"  {schema}.{table}: {said}")
    elif config.dialect == "snowflake":
        click.echo(f"  ask Snowflake, for each table: {_IN_SNOWFLAKE}")
    else:
        click.echo("  which rows it gives is its own business, and cannot be seen from here")


def _show_frames(core: Core) -> None:
    """Rules that `user.visible` cannot follow; `query` can."""
    from st_auth.access.frames import frame_fault

    for rule in core.pool.ruling.rules.tables.values():
        if fault := frame_fault(rule):
            click.echo(f"rule {rule.name}: not for frames, as it has no equivalent of {fault}")


def _fault(text: str) -> str:
    click.echo(f"  wrong: {text}", err=True)
    return text
