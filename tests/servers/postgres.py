"""A PostgreSQL of one's own: the system's programs, a data folder that goes with the test, roles for people, rows for each of them."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from tests.servers.processes import LOOPBACK, Process, clean_environment, free_port

DATABASE = "sales"
APP_PASSWORD = "the app's own: 1 @/:%"
REGIONS = {"ana": "eu", "bob": "us", "cyd": "apac"}
CROWD = [f"p{number:03d}" for number in range(200)]

_OWNER = "postgres"
_SETTINGS = {"fsync": "off", "max_connections": "700", "shared_buffers": "32MB", "listen_addresses": LOOPBACK}
# Who comes over the network needs a password where it is the app, and else comes through the gateway, which has asked for it.
_ACCESS = f"""
local all all trust
host all app {LOOPBACK}/32 scram-sha-256
host all all {LOOPBACK}/32 trust
"""
_WITH_PASSWORDS = f"""
local all all trust
host all truster {LOOPBACK}/32 trust
host all all {LOOPBACK}/32 scram-sha-256
"""
_SCHEMA = """
create table orders (id int primary key, region text not null, amount numeric(12, 2), at timestamptz);
insert into orders values
  (1, 'eu', 10.50, '2026-03-01 12:00+00'), (2, 'eu', null, null), (3, 'us', 7, '2026-03-02 12:00+00'), (4, 'apac', 1.25, null);
create table regions (person name primary key, region text not null);
alter table orders enable row level security;
create policy as_role on orders to people using (region = (select region from regions where person = current_user));
create policy as_setting on orders to app
  using (region = nullif(current_setting('app.region', true), '') and current_setting('app.user', true) <> '');
grant select, insert on orders to people, app;
grant select on regions to people;
"""


def password_of(name: str) -> str:
    """The password of a person's role, where the server asks for one."""
    return f"{name}'s own: 2 @/:%"


def programs() -> Path:
    """Where initdb and postgres are; a missing PostgreSQL is an error that says what to do."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("postgres")
    if not found and on_path is None:
        raise RuntimeError("PostgreSQL is missing: make test installs it as root, or apt-get install postgresql")
    return found[-1].parent if found else Path(str(on_path)).resolve().parent


class PostgresServer:
    """One server on loopback with a database `sales`, a login `app`, and a role for each person, who may see orders of one region.

    With `passwords` everybody needs their own (`password_of`), but for one role `truster`, whom it lets in without.
    """

    def __init__(self, *, passwords: bool = False) -> None:
        self._passwords = passwords
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="st_auth-pg-"))  # not pytest's own folder: the server's user may not look into that
        self._process: Process | None = None

    def __enter__(self) -> Self:
        try:
            self._initialize()
            self.start()
            self._fill()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self) -> None:
        """Start it on its data folder."""
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        places = ["-D", str(self._data), "-p", str(self.port), "-k", str(self._folder)]
        command = self._as_owner([str(programs() / "postgres"), *places, *settings])
        log = self._folder / "postgres.log"
        self._process = Process(command, folder=self._folder, environment=clean_environment(self._folder), log=log)
        self._process.wait_until(self._answers, "PostgreSQL answers")

    def stop(self) -> None:
        """End it with every session (SIGINT: a fast shutdown)."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(8)
            self._process.stop()

    def ask(self, sql: str, params: Sequence[Any] = (), database: str = DATABASE) -> list[tuple[Any, ...]]:
        """Do something as the server's owner."""
        with psycopg.connect(host=str(self._folder), port=self.port, user=_OWNER, dbname=database, autocommit=True) as connection:
            cursor = connection.execute(sql, params or None)
            return cursor.fetchall() if cursor.description else []

    def load(self, database: str, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Put many rows into a table."""
        connection = psycopg.connect(host=str(self._folder), port=self.port, user=_OWNER, dbname=database)
        with connection, connection.cursor().copy(f"copy {table} from stdin") as copy:
            for row in rows:
                copy.write_row(row)

    def url(self, database: str) -> str:
        """Where SQLAlchemy finds a database as the server's owner."""
        return f"postgresql+psycopg://{_OWNER}@/{database}?host={self._folder}&port={self.port}"

    def sessions(self) -> list[tuple[str, str]]:
        """Whose sessions there are now, and what they did last."""
        return self.ask("select usename, query from pg_stat_activity where datname = %s and usename <> %s", (DATABASE, _OWNER))

    def end_sessions(self, role: str, name: str = "") -> None:
        """End the sessions of a role; with `name`, those that call themselves so."""
        sql = "select pg_terminate_backend(pid) from pg_stat_activity where usename = %s and %s in (application_name, '')"
        self.ask(sql, (role, name))

    def set_password(self, name: str, password: str) -> None:
        """Give a role another password."""
        self.ask(f"alter role {name} password {_quoted(password)}")

    def add_person(self, name: str, region: str) -> None:
        """Let somebody log in, be who the app may act for, and see a region."""
        quoted = '"' + name.replace('"', '""') + '"'
        self.ask(f"create role {quoted} login in role people; grant {quoted} to app")
        self.ask("insert into regions values (%s, %s)", (name, region))

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _initialize(self) -> None:
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_OWNER)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        command = [str(programs() / "initdb"), "-D", str(self._data), "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(self._as_owner(command), check=True, capture_output=True, cwd=self._folder)
        (self._data / "pg_hba.conf").write_text(_WITH_PASSWORDS if self._passwords else _ACCESS)

    def _fill(self) -> None:
        self.ask(f"create database {DATABASE}", database="postgres")
        self.ask(f"create role people; create role app login password {_quoted(APP_PASSWORD)}; create role stranger login; {_SCHEMA}")
        people = [*REGIONS, *CROWD]
        self.ask("".join(f"create role {name} login in role people; grant {name} to app;" for name in people))
        if self._passwords:
            self.ask("".join(f"alter role {name} password {_quoted(password_of(name))};" for name in people))
            self.ask("create role truster login in role people")
        rows = ",".join(f"('{name}', '{REGIONS.get(name, 'eu')}')" for name in people)
        self.ask(f"insert into regions values {rows}")

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            self.ask("select 1", database="postgres")
            return True
        return False

    @staticmethod
    def _as_owner(command: list[str]) -> list[str]:
        """PostgreSQL refuses to run as root; anybody else runs it as themselves."""
        if os.geteuid() != 0:
            return command
        return ["setpriv", f"--reuid={_OWNER}", f"--regid={_OWNER}", "--clear-groups", "--", *command]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
