"""The keys to S3 that a person's token is worth: STS AssumeRoleWithWebIdentity, and again before they expire."""

import asyncio
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioRefreshableCredentials
from aiobotocore.session import AioSession
from botocore import UNSIGNED
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES, ConfigValueStore, ConstantProvider
from botocore.loaders import Loader

from st_auth.connections.opening import Opening, Stale, failure, reason
from st_auth.errors import ConnectionFailed, LoginRequired, PermissionDenied

__all__ = ["Keys", "code_of", "settings_of"]

_LIMITS: Final = {"connect_timeout": 5, "read_timeout": 30}
_COOL_DOWN: Final = 5.0
_LOADER: Final = Loader()  # what the services look like is nobody's own, and takes a second to read
_TOKEN_REFUSED: Final = frozenset(
    {"InvalidIdentityToken", "ExpiredTokenException", "ExpiredToken", "IDPRejectedClaim", "InvalidParameterValue"}
)
_ROLE_REFUSED: Final = frozenset({"AccessDenied", "ValidationError", "MalformedPolicyDocument", "NoSuchEntity"})


class Keys(AioRefreshableCredentials):  # type: ignore[misc]  # aiobotocore ships no types
    """One person's keys, renewed from their token: by themselves before they expire, and where the server takes them no more.

    They are for the drivers' event loop; the token is got in a thread, as that may mean asking the provider.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._session = _session()
        self._failed: tuple[ConnectionFailed, float] | None = None

    async def session(self) -> AioSession:
        """Get the first keys, and return the session whose only credentials they are. Raises ConnectionFailed or Stale."""
        first = await self._assumed(self._opening)
        lasts = (datetime.fromisoformat(first["expiry_time"]) - datetime.now(UTC)).total_seconds()
        margins = {"advisory_timeout": min(600, lasts / 4), "mandatory_timeout": min(60, lasts / 10)}
        keys = (first["access_key"], first["secret_key"], first["token"])
        super().__init__(*keys, datetime.fromisoformat(first["expiry_time"]), self._renewed, "st_auth", **margins)
        self._session._credentials = self  # noqa: SLF001 - it has no other door for keys that renew themselves
        return self._session

    @property
    def used(self) -> str:
        """Which keys are used now."""
        return str(self._access_key)

    def refuse(self, used: str) -> None:
        """The server does not take these keys any more: others are got for the next request, if that has not happened yet."""
        if self._access_key == used:
            self._expiry_time = datetime.fromtimestamp(0, UTC)

    async def _renewed(self) -> Mapping[str, Any]:
        """Get new keys, with another token where this one is refused; what failed is not asked again for five seconds."""
        if self._failed is not None and time.monotonic() < self._failed[1]:
            raise self._failed[0].with_traceback(None)
        try:
            return await self._fresh(await asyncio.to_thread(self._opening.renewed, None))
        except Stale as stale:
            failed = stale.failed
        except ConnectionFailed as error:
            failed = error
        self._failed = failed, time.monotonic() + _COOL_DOWN
        raise failed

    async def _fresh(self, opening: Opening) -> dict[str, Any]:
        """Ask STS for keys, with another token where there is one and it does not take the first."""
        try:
            return await self._assumed(opening)
        except Stale as stale:
            refused = stale
        try:
            another = await asyncio.to_thread(self._opening.renewed, opening.token)
        except (LoginRequired, ConnectionFailed):  # the handle asks whether the login is over; if not, the refusal is the answer
            another = None
        if another is None:
            raise refused
        return await self._assumed(another)

    async def _assumed(self, opening: Opening) -> dict[str, Any]:
        """Ask STS for keys. Raises Stale or ConnectionFailed, without frames that hold the token."""
        role = _role_of(opening)
        try:
            return await self._answer(opening, role)
        except Exception as error:  # noqa: BLE001  # botocore's and aiohttp's, which have no tree in common
            failed = _refused(opening, error)
        raise failed

    async def _answer(self, opening: Opening, role: str) -> dict[str, Any]:
        settings, region = settings_of(opening, "sts_endpoint")
        asked = {
            "RoleArn": role,
            "RoleSessionName": re.sub(r"[^A-Za-z0-9_=,.@-]", "-", opening.subject)[:64].ljust(2, "-"),
            "WebIdentityToken": opening.token.reveal() if opening.token else "",
        }
        config = AioConfig(**settings, signature_version=UNSIGNED)
        endpoint = opening.options.get("sts_endpoint") or opening.options.get("endpoint")
        async with self._session.create_client("sts", region_name=region, endpoint_url=endpoint, config=config) as sts:
            answer = await sts.assume_role_with_web_identity(**asked)
        found = answer["Credentials"]
        keys = {"access_key": found["AccessKeyId"], "secret_key": found["SecretAccessKey"], "token": found["SessionToken"]}
        return {**keys, "expiry_time": found["Expiration"].isoformat()}

    def __repr__(self) -> str:
        return "Keys(***)"


def _refused(opening: Opening, error: Exception) -> Exception:
    name, token, code = opening.config.name, opening.token, code_of(error)
    said = reason(error, token)
    if getattr(error, "response", None):
        error.response = {"Error": {"Code": code}}  # type: ignore[attr-defined]  # botocore's ClientError, whose answer may hold anything
    if code in _TOKEN_REFUSED:
        hint = "The identity provider of the account must know the issuer and this app's client_id; see docs/files.md."
        return Stale(failure(name, "token_not_accepted", f"AWS does not take your login's token ({code}).", hint, error, token))
    if code in _ROLE_REFUSED:
        hint = "The role's trust policy must let this login take it; see docs/files.md."
        return failure(name, "role_not_granted", f"you may not take the role of this connection ({code}).", hint, error, token)
    hint = "Check region and sts_endpoint in the section, and that this server may reach it."
    return failure(name, "unreachable", f"no keys were to be had for your login ({said}).", hint, error, token)


def _role_of(opening: Opening) -> str:
    """The role, where each claim in it has stayed one part of it."""
    pattern, role = str(opening.config.options["role_arn"]), str(opening.options["role_arn"])
    if any(pattern.count(mark) != role.count(mark) for mark in ":/") or not re.fullmatch(r"[A-Za-z0-9_+=,.@:/-]+", role):
        message = f"The connection “{opening.config.name}” cannot be opened: what your login says cannot stand in role_arn."
        raise PermissionDenied(
            message, code="claim_unusable", hint="Ask who looks after the logins to choose another claim for `role_arn`."
        )
    return role


def settings_of(opening: Opening, key: str) -> tuple[dict[str, Any], str]:
    """Return what each client is told, and the region. Plain http goes to this machine alone, where a proxy would carry secrets away."""
    endpoint = str(opening.options.get(key) or opening.options.get("endpoint") or "https://")
    direct: dict[str, Any] = {"proxies": {}} if urlsplit(endpoint).scheme == "http" else {}
    settings = {
        **_LIMITS,
        **direct,
        "retries": {"total_max_attempts": 3, "mode": "standard"},
        "request_checksum_calculation": "when_required",
        "response_checksum_validation": "when_required",
        "ignore_configured_endpoint_urls": True,
    }
    return settings, str(opening.options.get("region") or "us-east-1")


def code_of(error: BaseException) -> str:
    """The code of the server's answer that an error was made of, or ""."""
    for one in (error, error.__cause__):
        response = getattr(one, "response", None)
        if isinstance(response, Mapping):
            return str(response.get("Error", {}).get("Code", ""))
    return ""


def _session() -> AioSession:
    """A session that knows nothing of this machine: no environment, no file, no metadata service. (But for AWS_CA_BUNDLE.)"""
    session = AioSession()
    plain = {name: ConstantProvider(default) for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items()}
    nothing = dict.fromkeys(("config_file", "credentials_file", "profile"), ConstantProvider(None))
    authorities = {"ca_bundle": ConstantProvider(os.environ.get("AWS_CA_BUNDLE"))}
    sections = {name: ConstantProvider(None) for name in ("s3", "proxies_config")}
    session.register_component("config_store", ConfigValueStore(mapping={**plain, **nothing, **authorities, **sections}))
    session.register_component("data_loader", _LOADER)
    session._config = {"profiles": {}}  # noqa: SLF001 - what it read of ~/.aws, which is to be nothing
    return session
