"""The Snowflake and the object stores that all tests of a process share, each with a provider whose tokens it takes."""

import logging
import resource
from dataclasses import dataclass

import pytest

from st_auth.testing import FakeIssuer
from tests.connections.lakes import PEOPLE as LAKE_PEOPLE, lakes_in
from tests.servers.snowflake_server import AUDIENCE, SnowflakeServer
from tests.servers.storage_gateway import GCSGateway

PEOPLE = {
    "ana": {"name": "Ana Analyst", "region": "eu", "roles": ["ANALYST", "AUDITOR"], "role": "ANALYST"},
    "bob": {"name": "Bob Builder", "region": "us", "roles": ["BUILDER"], "role": "BUILDER"},
    "cyd": {"name": "Cyd Chief", "region": "apac", "roles": ["CHIEF"], "role": "CHIEF"},
}


# Two hundred people's connections and their servers' ends of them are in one process here; many systems begin with 1024 open files.
_SOFT, _HARD = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(_SOFT, min(_HARD, 8192)), _HARD))

# The driver says at each opening that the environment names a proxy: hundreds of lines above what a test has to say.
logging.getLogger("snowflake.connector").setLevel(logging.ERROR)


@dataclass
class Servers:
    issuer: FakeIssuer
    snowflake: SnowflakeServer


@pytest.fixture(scope="session")
def _servers(tmp_path_factory):
    with FakeIssuer(serve=True, audience=AUDIENCE, people=PEOPLE) as issuer:
        folder = tmp_path_factory.mktemp("snowflake")
        with SnowflakeServer(folder, issuer=issuer.issuer, jwks_uri=f"{issuer.issuer}/jwks") as snowflake:
            yield Servers(issuer, snowflake)


@pytest.fixture
def servers(_servers):
    issuer = _servers.issuer
    issuer.audience, issuer.lifetime, issuer.person = AUDIENCE, 3600, "ana"
    issuer.people.clear()
    issuer.people.update({name: dict(claims) for name, claims in PEOPLE.items()})
    return _servers


@pytest.fixture(scope="session")
def _lakes(tmp_path_factory):
    yield from lakes_in(tmp_path_factory.mktemp("lakes"))


@pytest.fixture
def lakes(_lakes):
    issuer = _lakes.issuer
    issuer.audience, issuer.lifetime, issuer.person = GCSGateway.AUDIENCE, 3600, "ana"
    issuer.claims = issuer.tokens = None
    issuer.people.clear()
    issuer.people.update({name: dict(claims) for name, claims in LAKE_PEOPLE.items()})
    return _lakes
