"""Tokens that nobody will use are revoked at their provider (RFC 7009), by and by: nobody waits for that."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Final

from st_auth import audit
from st_auth.client import Client
from st_auth.errors import StAuthError, Unavailable
from st_auth.oauth.tokens import TokenSet
from st_auth.workers import Workers

__all__ = ["Revocations"]

_REVOKERS: Final = 4
_AT_MOST: Final = 256
_LONGEST_PAUSE: Final = 10.0
_LOGGER = logging.getLogger("st_auth")


class Revocations:
    """What waits to be revoked. `wait` pauses so many seconds and returns whether the server stops meanwhile. Safe from any thread."""

    def __init__(self, wait: Callable[[float], bool]) -> None:
        self._wait = wait
        self._workers = Workers(_REVOKERS, _AT_MOST)

    def soon(self, client: Client, tokens: TokenSet) -> None:
        """Revoke a grant by and by, where the provider's profile wants that."""
        if client.provider.revoke_at_logout and not self._workers.soon(partial(self._revoke, client, tokens)):
            _LOGGER.warning("A token at %s is not revoked: too much waits, or the server stops.", client.provider.name)

    def _revoke(self, client: Client, tokens: TokenSet) -> None:
        """Revoke one grant; a provider that asks for time gets it once (RFC 7009 section 2.2.1)."""
        try:
            try:
                revoked = client.revoke(tokens)
            except Unavailable as error:
                if self._wait(min(error.retry_after, _LONGEST_PAUSE)):
                    raise
                revoked = client.revoke(tokens)
        except StAuthError as error:
            _LOGGER.warning("A token at %s was not revoked: %s", client.provider.name, error)
            audit.record("revocation_failed", provider=client.provider.name, code=error.code)
            return
        if revoked:
            audit.record("revoked", provider=client.provider.name)

    def close(self) -> None:
        """Let those under way finish."""
        self._workers.close()
