"""The parts of one running app, put together once: configuration, vault, sessions, live registry and clients."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from itsdangerous import BadData, URLSafeTimedSerializer

from st_auth.client import Client
from st_auth.clock import SYSTEM, Clock
from st_auth.config import Config
from st_auth.connections.pool import Pool
from st_auth.connections.ruling import Ruling
from st_auth.dev_provider import DevProvider, load_personas
from st_auth.errors import ConfigError, Problem
from st_auth.grants import Grants
from st_auth.http import Http
from st_auth.keyring import Keyring
from st_auth.live import Live
from st_auth.sessions import Limits, Sessions
from st_auth.stores import Store, open_store
from st_auth.vault import Vault

__all__ = ["Core", "build"]

_LOGGER = logging.getLogger("st_auth")


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Core:
    """Everything that the two edges, browser and script, share.

    `wake` runs a callable soon in the server's event loop; the edge that owns the loop sets it.
    """

    config: Config
    keyring: Keyring
    store: Store
    vault: Vault
    sessions: Sessions
    live: Live
    clients: Mapping[str, Client]
    grants: Grants
    pool: Pool
    dev: Mapping[str, DevProvider]
    clock: Clock

    def sign(self, purpose: str, value: object) -> str:
        """Sign a value that needs integrity but no secrecy, such as a return path."""
        return str(self._signer(purpose).dumps(value))

    def unsign(self, purpose: str, text: str, max_age: int) -> object:
        """Return what `sign` signed at most `max_age` seconds ago, or None."""
        try:
            return self._signer(purpose).loads(text, max_age=max_age)
        except BadData:
            return None

    def _signer(self, purpose: str) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(list(reversed(self.keyring.derive_all(f"sign/{purpose}"))), salt=purpose)

    def close(self) -> None:
        """Close what is open: people's connections, revocations under way, clients and store."""
        self.pool.close()
        self.grants.close()
        for client in self.clients.values():
            client.close()
        self.store.close()


def build(config: Config, clock: Clock = SYSTEM, *, http: Callable[[str], Http] | None = None, store: Store | None = None) -> Core:
    """Put an app's parts together. `http` makes the HTTP client of one provider by its name, and `store` is in place of the
    configured one; tests give their own.
    """
    keyring = _keyring(config)
    dev = {name: DevProvider(load_personas(path)) for name, path in config.personas.items()}
    store = store or open_store(config.store)
    vault = Vault(keyring, store)
    limits = Limits(idle=config.idle_timeout, absolute=config.absolute_timeout, max_per_user=config.max_per_user)
    make = http or (lambda name: Http(transport=dev[name].transport) if name in dev else Http())
    clients = {name: Client(provider, make(name), clock) for name, provider in config.providers.items()}
    for warning in config.warnings:
        _LOGGER.warning("%s", warning)
    sessions, live = Sessions(vault, limits, clock), Live(limits, clock)
    grants = Grants(sessions, live, clients, config.allow, clock)
    ruling = Ruling(config.roles, config.rules, clock)
    pool = Pool(config.connections, grants, live, app=config.app_id, ruling=ruling, at_most=config.max_connections, clock=clock)
    return Core(
        config=config,
        keyring=keyring,
        store=store,
        vault=vault,
        sessions=sessions,
        live=live,
        clients=MappingProxyType(clients),
        grants=grants,
        pool=pool,
        dev=MappingProxyType(dev),
        clock=clock,
    )


def _keyring(config: Config) -> Keyring:
    try:
        if config.keys:
            return Keyring.from_keys([key.reveal() for key in config.keys], cookie_secret=config.cookie_secret)
        return Keyring.from_secret(config.cookie_secret)
    except ValueError as error:
        mend = "make keys with `st-auth keys new`; the first seals, all open"
        raise ConfigError([Problem(".streamlit/secrets.toml", "st_auth.keys", str(error), mend)]) from None
