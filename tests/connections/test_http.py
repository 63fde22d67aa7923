"""An HTTP API keeps the contract: a real server that verifies each person's token, and no way for the token to get anywhere else."""

import time

import pytest

from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import ConnectionContract, ConnectionGround
from tests.connections.api_server import AUDIENCE, ApiServer


class HttpGround(ConnectionGround):
    has_server_sessions = False

    def __init__(self, issuer, server, **more):
        self.server = server
        section = {"type": "st_auth.HTTPConnection", "url": f"{server.origin}/v1/", "token_from": "default"}
        super().__init__(issuer, {**section, **more})

    def who(self, handle):
        """Who the API says we are. It may have ended the person's sessions again while we were at it: then we ask again."""
        last = time.monotonic() + 10
        while (answer := handle.get("me")).status_code == 401 and time.monotonic() < last:
            pass
        return answer.raise_for_status().json()["sub"]

    def end_at_server(self, person):
        self.server.refused |= {token for token, grant in self.issuer._access.copy().items() if grant["sub"] == person}

    def refuse(self):
        self.server.stop()


@pytest.fixture
def issuer():
    with FakeIssuer(serve=True, audience=AUDIENCE) as issuer:
        yield issuer


@pytest.fixture
def server(issuer):
    with ApiServer(f"{issuer.issuer}/jwks", issuer.issuer) as server:
        yield server


@pytest.fixture
def build(issuer, server):
    grounds = []

    def made(**more):
        grounds.append(HttpGround(issuer, server, **more))
        return grounds[-1]

    yield made
    for ground in grounds:
        ground.close()


@pytest.fixture
def ground(build):
    return build()


class TestHTTP(ConnectionContract):
    checks = 3_000
