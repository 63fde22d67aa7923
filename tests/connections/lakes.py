"""Two lakes: S3 with an STS, and Google's storage, each behind a gateway, with a file `me` in everybody's folder that says whose it is."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

from st_auth.errors import ConnectionFailed
from st_auth.testing import FakeIssuer
from st_auth.testing.connection_contract import ConnectionGround
from tests.servers.object_stores import BUCKET, ROLE, GCSServer, SeaweedServer
from tests.servers.storage_gateway import GCSGateway, S3Gateway

PEOPLE = {name: {"name": name.title(), "preferred_username": name} for name in ("ana", "bob", "cyd")}
EVERYBODY = [*PEOPLE, *(f"p{number:03d}" for number in range(200))]


@dataclass
class Lakes:
    """The servers of a run, without gateways."""

    issuer: FakeIssuer
    s3: SeaweedServer
    gs: GCSServer


class LakeGround(ConnectionGround):
    """One app with the lake, one gateway before it."""

    has_server_sessions = False

    def __init__(self, lakes, gateway, server, section):
        self.gateway, self.server = gateway, server
        super().__init__(lakes.issuer, {"type": "st_auth.FilesConnection", "token_from": "default", "endpoint": gateway.origin, **section})

    def who(self, handle):
        """Whose folder it is. The server may have ended what opens it again while we were at it: then we ask again."""
        last = time.monotonic() + 20
        while True:
            try:
                return handle.read_bytes("me").decode()
            except ConnectionFailed as error:
                if error.code != "token_not_accepted" or self.is_refusing or time.monotonic() > last:
                    raise

    @property
    def is_refusing(self):
        return bool(getattr(self.gateway, "takes_nobody", False))

    def end_at_server(self, person):
        self.gateway.expire(person)

    def refuse(self):
        self.gateway.takes_nobody = True
        self.gateway.no_roles = "AccessDenied"

    def close(self):
        super().close()
        self.gateway.stop()


class Builder:
    """Makes grounds of one kind, and closes them."""

    def __init__(self, lakes, kind):
        self._lakes, self._kind, self._grounds = lakes, kind, []
        self.server = getattr(lakes, kind)

    def __call__(self, **more):
        section = {"url": f"{self._kind}://{BUCKET}/{{sub}}"}
        if self._kind == "s3":
            gateway = S3Gateway(self.server.port)
            section |= {"role_arn": ROLE, "region": "eu-central-1"}
        else:
            gateway = GCSGateway(self.server.port, self._lakes.issuer)
        gateway.__enter__()
        section |= {name: value(gateway) if callable(value) else value for name, value in more.items()}
        self._grounds.append(LakeGround(self._lakes, gateway, self.server, section))
        return self._grounds[-1]

    def close(self):
        for ground in self._grounds:
            ground.close()


FEDERATION = {"workload_identity": GCSGateway.POOL, "sts_endpoint": lambda gateway: gateway.origin}


def lakes_in(folder):
    """Start both servers; a generator for a fixture."""
    with ExitStack() as stack:
        issuer = stack.enter_context(FakeIssuer(serve=True, audience=GCSGateway.AUDIENCE, people=PEOPLE))
        for name in ("s3", "gs"):
            (folder / name).mkdir()
        s3, gs = stack.enter_context(SeaweedServer(folder / "s3", issuer)), stack.enter_context(GCSServer(folder / "gs"))
        for server in (s3, gs):
            for name in EVERYBODY:
                server.put(f"{name}/me", name.encode())
        yield Lakes(issuer, s3, gs)
