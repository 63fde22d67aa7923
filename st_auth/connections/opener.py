"""With what a person's connection is opened: their token, or their own name and password, fresh and theirs; and once more with another."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from st_auth.config import ConnectionConfig
from st_auth.connections.opened import Wanted
from st_auth.connections.opening import Connection, Opening, Stale, filled
from st_auth.errors import ConnectionFailed, LoginRequired
from st_auth.grants import Grants
from st_auth.live import LiveSession
from st_auth.secret import OwnLogin, Secret

__all__ = ["Opener", "options_of"]


class Opener:
    """Opens what somebody wants, by the kind's own `connect`. Keeps nothing."""

    def __init__(self, grants: Grants, app: str) -> None:
        self._grants = grants
        self._app = app

    def connected(self, wanted: Wanted) -> Connection:
        """Connect; with another token where the server does not take the first. Raises as `Pool.use`."""
        opening = self._opening(wanted, None)
        try:
            return _connect(opening)
        except Stale as stale:
            failed = stale.failed
        if opening.login is not None:
            self._grants.own.forget(wanted.live, wanted.config.name, opening.login)
        another = self._another(wanted, opening.token)
        if another is not None:
            try:
                return _connect(another)
            except Stale as again:
                failed = again.failed
        raise failed

    def _another(self, wanted: Wanted, refused: Secret[str] | None) -> Opening | None:
        """The opening with another token than the one that was refused, if there is one."""
        try:
            return self._opening(wanted, refused)
        except (LoginRequired, ConnectionFailed) as none:
            if wanted.live.ended or none.code == "login_needed":
                raise
            return None

    def verified(self, wanted: Wanted, user: str, password: Secret[str]) -> tuple[OwnLogin, Connection]:
        """Return a name and password as a login to this connection, and what opened with them. Raises ConnectionFailed."""
        given = OwnLogin(wanted.config.name, _address(wanted), user, password)
        try:
            return given, _connect(self._opening(wanted, None, given))
        except Stale as stale:
            refused = stale.failed
        raise refused

    def _opening(self, wanted: Wanted, refused: Secret[str] | None, given: OwnLogin | None = None) -> Opening:
        """What a connection is opened with now: with a login that was `given` for it, else with what belongs to the person."""
        card = wanted.live.stored.card
        tag = json.dumps({"app": self._app, "user": card.subject, "login": card.login_id}, separators=(",", ":"))
        token = self._token(wanted.live, wanted.config, refused)
        renewed = partial(self._renewed, wanted)
        login = given or self._own_login(wanted)
        return Opening(wanted.config, wanted.options, wanted.role, token, card.subject, card.login_id, tag, renewed, login)

    def _own_login(self, wanted: Wanted) -> OwnLogin | None:
        config = wanted.config
        return self._grants.own.get(wanted.live, config.name, _address(wanted)) if config.own_login else None

    def _renewed(self, wanted: Wanted, refused: Secret[str] | None) -> Opening:
        """The opening as it would be now: the token first, as renewing it may bring other claims."""
        opening = self._opening(wanted, refused)
        return replace(opening, options=options_of(wanted.live, wanted.config))

    def _token(self, live: LiveSession, config: ConnectionConfig, refused: Secret[str] | None) -> Secret[str] | None:
        name = config.token_from
        if name is None:
            return None
        if config.token == "id":  # noqa: S105  # which token, and no secret
            return self._id_token(live, config, refused)
        if config.resource:
            return self._grants.tokens_for(live, name, config.resource, exchange=config.exchange, refused=refused).access_token
        return self._grants.tokens(live, name, refused=refused).access_token

    def _id_token(self, live: LiveSession, config: ConnectionConfig, refused: Secret[str] | None) -> Secret[str]:
        """An ID token that has not expired, and is not the one that was refused. Raises ConnectionFailed where there is none."""
        token = self._grants.id_token(live, config.token_from, refused=refused)
        if token is None:
            message = f"The connection “{config.name}” failed: your login has no ID token that is still valid, and a refresh brings none."
            hint = "Log in again. Your provider must give a new ID token with each refresh, if connections are to outlast one."
            raise ConnectionFailed(message, code="token_not_accepted", hint=hint)
        return token


def options_of(live: LiveSession, config: ConnectionConfig) -> Mapping[str, Any]:
    """The options with what the person's claims say now. Raises PermissionDenied."""
    return filled(config, json.loads(live.stored.claims_json))


def _connect(opening: Opening) -> Connection:
    opened: Connection = import_module(f"st_auth.connections.{opening.config.kind}").connect(opening)
    return opened


def _address(wanted: Wanted) -> str:
    """What a person's own login is for: given for one server or database, it does not go to another that the section names later."""
    return str(wanted.options.get("url", ""))
