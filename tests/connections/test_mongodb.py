"""MongoDB keeps the contract: PyMongo itself, at a server that lets each person in by their token and shows them their own documents."""

import time

import pytest

from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import SOAK, ConnectionContract, ConnectionGround
from tests.servers.mongodb_server import AUDIENCE, MongoDBServer

PEOPLE = {name: {"name": name.title(), "tenant": "crm"} for name in ("ana", "bob", "cyd")}


@pytest.fixture(scope="module")
def _servers(tmp_path_factory):
    with FakeIssuer(serve=True, audience=AUDIENCE, people=PEOPLE) as issuer:
        server = MongoDBServer(tmp_path_factory.mktemp("mongodb"), issuer=issuer.issuer, jwks_uri=f"{issuer.issuer}/jwks")
        with server:
            yield issuer, server


@pytest.fixture
def issuer(_servers):
    issuer = _servers[0]
    issuer.audience, issuer.lifetime, issuer.person, issuer.tokens = AUDIENCE, 3600, "ana", None
    issuer.people.clear()
    issuer.people.update({name: dict(claims) for name, claims in PEOPLE.items()})
    return issuer


@pytest.fixture
def server(_servers):
    server = _servers[1]
    server.behave()
    return server


class MongoGround(ConnectionGround):
    def __init__(self, issuer, server, section):
        self.server = server
        super().__init__(issuer, section)

    def who(self, handle):
        return handle["people"].find_one()["owner"]

    def live(self):
        """The server notices a moment later that somebody has hung up."""
        last = time.monotonic() + 5
        while (live := self.server.live()) and time.monotonic() < last:
            time.sleep(0.02)
        return live

    def end_at_server(self, person):
        self.server.expire(person)

    def refuse(self):
        self.issuer.audience = "urn:somebody-else"
        for live in self.core.live.known():
            self.core.grants.tokens(live, refused=self.core.grants.tokens(live).access_token)


@pytest.fixture
def build(issuer, server):
    grounds = []

    def made(**more):
        section = server.app_section(**more) if "password" in more or more.pop("app", False) else server.section(**more)
        grounds.append(MongoGround(issuer, server, section))
        return grounds[-1]

    yield made
    for ground in grounds:
        ground.close()


@pytest.fixture
def ground(build):
    return build()


class TestMongoDB(ConnectionContract):
    checks = SOAK or 1_000
