"""What the tests of the protocol begin with: a clock turned by hand, a provider, its metadata, a pending login."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from st_auth.clock import Clock
from st_auth.oauth.metadata import Metadata
from st_auth.oauth.pending import PendingLogin
from st_auth.oauth.profile import Provider
from st_auth.secret import Secret

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)


@dataclass
class Hands:
    """A clock's hands: both times move only when `advance` is called."""

    at: datetime = NOW
    seconds: float = 1000.0

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.at, monotonic=lambda: self.seconds)


def a_provider(**fields: Any) -> Provider:
    known = {
        "name": "fake",
        "label": "Fake",
        "profile": "",
        "issuer": None,
        "metadata_url": "https://issuer.example/.well-known/openid-configuration",
        "client_id": "app",
        "client_secret": Secret("secret"),
        "scopes": ("openid", "email"),
    }
    return Provider(**{**known, **fields})


METADATA = Metadata(
    issuer="https://issuer.example",
    authorization_endpoint="https://issuer.example/authorize",
    token_endpoint="https://issuer.example/token",
    jwks_uri="https://issuer.example/jwks",
)
PENDING = PendingLogin(
    provider="fake",
    issuer="https://issuer.example",
    state="st4te-st4te-st4te-st4te",
    nonce=Secret("n0nce"),
    code_verifier=Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
    redirect_uri="https://app.example/oauth2callback",
    return_to="/page?x=1",
    login_id="",
    max_age=None,
    created_at=NOW,
)


def with_iss_advertised() -> Metadata:
    return replace(METADATA, authorization_response_iss_parameter_supported=True)
