"""Snowflake keeps the contract: the real driver, over HTTP, at a gateway that verifies each person's token."""

import pytest

from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import ConnectionContract, ConnectionGround
from tests.servers.snowflake_server import AUDIENCE, SnowflakeServer

PEOPLE = {
    "ana": {"name": "Ana Analyst", "region": "eu", "roles": ["ANALYST", "AUDITOR"], "role": "ANALYST"},
    "bob": {"name": "Bob Builder", "region": "us", "roles": ["BUILDER"], "role": "BUILDER"},
    "cyd": {"name": "Cyd Chief", "region": "apac", "roles": ["CHIEF"], "role": "CHIEF"},
}


class SnowGround(ConnectionGround):
    def __init__(self, issuer, server, **more):
        self.server = server
        super().__init__(issuer, server.section(**more))

    def who(self, handle):
        return handle.query("select current_user() as me", as_="arrow")["ME"][0].as_py().lower()

    def live(self):
        return self.server.live()

    def end_at_server(self, person):
        self.server.expire(person)

    def refuse(self):
        self.issuer.audience = "urn:somebody-else"
        for live in self.core.live.known():
            self.core.grants.tokens(live, refused=self.core.grants.tokens(live).access_token)


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with FakeIssuer(serve=True, audience=AUDIENCE, people=PEOPLE) as issuer:
        server = SnowflakeServer(tmp_path_factory.mktemp("snowflake"), issuer=issuer.issuer, jwks_uri=f"{issuer.issuer}/jwks")
        with server:
            yield issuer, server


@pytest.fixture
def build(servers):
    issuer, server = servers
    issuer.audience, issuer.lifetime = AUDIENCE, 3600
    grounds = []

    def made(**more):
        grounds.append(SnowGround(issuer, server, **more))
        return grounds[-1]

    yield made
    for ground in grounds:
        ground.close()


@pytest.fixture
def ground(build):
    return build()


class TestSnowflake(ConnectionContract):
    checks = 2_000
