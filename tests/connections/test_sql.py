"""SQL databases keep the contract: PostgreSQL with row-level security, entered with the person's token or with the app's login."""

from contextlib import suppress

import pytest

from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import SOAK, ConnectionContract, ConnectionGround
from tests.servers.postgres import APP_PASSWORD, REGIONS, PostgresServer
from tests.servers.postgres_gateway import AUDIENCE, PostgresGateway
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


class TokenGround(SQLGround):
    """The person's token as the password of their own role."""

    def __init__(self, issuer, server, gateway, **more):
        self.gateway = gateway
        url = f"postgresql+psycopg://{{sub}}@127.0.0.1:{gateway.port}/sales"
        super().__init__(issuer, server, {"url": url, "token_from": "default", **more})

    def who(self, handle):
        return handle.query("select current_user::text as me", as_="arrow")["me"][0].as_py()

    def end_at_server(self, person):
        self.server.end_sessions(person)

    def refuse(self):
        self.issuer.audience = "urn:somebody-else"
        for live in self.core.live.known():
            self.core.grants.tokens(live, refused=self.core.grants.tokens(live).access_token)


class AppGround(SQLGround):
    """The app's login, and the engine is told for each statement who the person is."""

    def __init__(self, issuer, server, **more):
        url = f"postgresql+psycopg://app@127.0.0.1:{server.port}/sales"
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
    grounds = []

    def build(**more):
        grounds.append(TokenGround(issuer, postgres, gateway, **more))
        return grounds[-1]

    yield build
    for ground in grounds:
        ground.close()


@pytest.fixture
def as_app(issuer, postgres):
    grounds = []

    def build(**more):
        grounds.append(AppGround(issuer, postgres, **more))
        return grounds[-1]

    yield build
    for ground in grounds:
        ground.close()
    postgres.ask("alter role app login")


class TestWithTheTokenOfThePerson(ConnectionContract):
    checks = SOAK or 1_000

    @pytest.fixture
    def ground(self, as_person):
        return as_person()


class TestWithTheLoginOfTheApp(ConnectionContract):
    checks = SOAK or 1_000

    @pytest.fixture
    def ground(self, as_app):
        return as_app()
