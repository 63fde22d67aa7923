"""Google Cloud Storage with the person's own token, put in at each request. Nothing of the machine's own is ever used."""

import asyncio
import io
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
from gcsfs.core import GCSFileSystem
from gcsfs.retry import validate_response

from st_auth.connections.files.bearer import Bearer
from st_auth.connections.files.store import Changed, Entry, Refused, Upload
from st_auth.connections.opening import Opening
from st_auth.personal import Personal

__all__ = ["GCSStore", "PersonalGCS", "connect"]

_GOOGLE: Final = "https://storage.googleapis.com"
_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
_PAUSES: Final = (0.1, 0.5)
_LIMITS: Final = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)


def connect(opening: Opening, bucket: str, loop: asyncio.AbstractEventLoop) -> "GCSStore":
    """Get a token for the person, and make ready to ask. Raises ConnectionFailed or Stale."""
    bearer = Bearer(opening)
    bearer.begin()
    endpoint = opening.options.get("endpoint", _GOOGLE).removesuffix("/")
    raw = PersonalGCS(
        project="-",
        token="anon",  # noqa: S106  # no credentials of gcsfs' own
        endpoint_url=endpoint,
        session_kwargs={"trust_env": urlsplit(endpoint).scheme == "https", "timeout": _LIMITS},
        use_listings_cache=False,
        skip_instance_cache=True,
        loop=loop,
    )
    raw.bearer = bearer
    return GCSStore(raw, bucket)


class PersonalGCS(Personal, GCSFileSystem):  # type: ignore[misc]  # gcsfs ships no types
    """gcsfs as one person: it is in no cache, and asks once more with another token where the server takes this one no more."""

    cachable = False
    __hash__ = None
    bearer: Bearer
    is_closed = False

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._use_client_cert = False  # one of the machine's

    async def ask(self, method: str, path: str, *names: str, **named: Any) -> Any:
        """Send one request."""
        return await self._call(method, path, *names, **named)

    def place_of_uploads(self, bucket: str) -> str:
        """Where new objects are sent."""
        return f"{self._location}/upload/storage/v1/b/{quote(bucket, safe='')}/o"

    async def end(self) -> None:
        """Close the session, for good."""
        self.is_closed = True
        if self._session is not None:
            await self._session.close()

    async def _request(
        self, method: str, path: str, *args: str, headers: Any = None, json: Any = None, data: Any = None, **named: Any
    ) -> Any:
        """Send one request, to the storage alone. Returns status, headers, None and the content. Raises gcsfs' errors and Refused."""
        url = self._format_path(path, args)
        if not url.startswith(f"{self._location}/"):
            raise ValueError("This connection asks only its storage.")
        named = {name: value for name, value in named.items() if name not in ("cache_type", "cache_source")}
        asked = {"params": self._get_params(named), "json": json, "data": data, "headers": self._get_headers(headers)}
        token = await self.bearer.token()
        status, answered, content = await self._sent(method, url, token, asked)
        if status == 401:
            token = await self.bearer.token(refused=token)
            if token is not None:
                status, answered, content = await self._sent(method, url, token, asked)
        if status == 401:
            self.bearer.in_vain(token or self.bearer.held)
            raise Refused
        if status == 412:
            raise Changed
        validate_response(status, content, path.partition("?")[0], args)  # the address of an upload is as good as a key
        return status, answered, None, content

    async def _sent(self, method: str, url: str, token: Any, asked: dict[str, Any]) -> tuple[int, Any, bytes]:
        """Send it; again after a while where the server or the network has a moment's trouble."""
        for pause in (*_PAUSES, 0):
            if self.is_closed:
                raise RuntimeError("This connection is closed.")
            failed = "The storage does not answer."
            try:
                status, answered, content = await self._answered(method, url, token, asked)
            except (aiohttp.ClientError, OSError) as error:
                failed = f"{type(error).__name__}: {error}"
            else:
                if status not in _LATER or not pause:
                    return status, answered, content
            await asyncio.sleep(pause)
        raise ConnectionError(failed)

    async def _answered(self, method: str, url: str, token: Any, asked: dict[str, Any]) -> tuple[int, Any, bytes]:
        session = await self._set_session()
        headers = {**asked["headers"], "Authorization": f"Bearer {token.reveal() if token else ''}"}
        data = io.BytesIO(asked["data"]) if isinstance(asked["data"], bytes) else asked["data"]  # as aiohttp wants large ones
        async with session.request(method, url, **{**asked, "headers": headers, "data": data}, allow_redirects=False) as answer:
            return answer.status, answer.headers, await answer.read()

    def __repr__(self) -> str:
        return "PersonalGCS(***)"


class GCSStore:
    """One bucket, as `Store` says."""

    def __init__(self, raw: PersonalGCS, bucket: str) -> None:
        self.raw = raw
        self._bucket = bucket

    async def entries(self, prefix: str, *, deep: bool, most: int | None = None) -> tuple[list[Entry], list[str]]:
        """Return what begins with a prefix."""
        asked: dict[str, Any] = {"prefix": prefix or None, "delimiter": None if deep else "/", "maxResults": most or 1000}
        entries: list[Entry] = []
        folders: list[str] = []
        while True:
            page = await self.raw.ask("GET", "b/{}/o", self._bucket, json_out=True, **asked)
            entries += [_entry(found) for found in page.get("items", ())]
            folders += page.get("prefixes", ())
            asked["pageToken"] = page.get("nextPageToken")
            if most or not asked["pageToken"]:
                return entries, folders

    async def entry(self, key: str) -> Entry:
        """Return one object."""
        return _entry(await self.raw.ask("GET", "b/{}/o/{}", self._bucket, key, json_out=True))

    async def read(self, key: str, start: int | None, end: int | None, version: str) -> bytes:
        """Return bytes."""
        ranged = {} if start is None and end is None else {"Range": f"bytes={start or 0}-{'' if end is None else end - 1}"}
        same = {"ifGenerationMatch": version} if version else {}
        _, content = await self.raw.ask("GET", "b/{}/o/{}", self._bucket, key, headers=ranged, alt="media", **same)
        return bytes(content)

    async def write(self, key: str, content: bytes, *, is_new: bool) -> None:
        """Put an object there in one piece."""
        upload = self.raw.place_of_uploads(self._bucket)
        headers = {"Content-Type": "application/octet-stream"}
        await self.raw.ask("POST", upload, headers=headers, data=content, uploadType="media", name=key, **_only(is_new))

    async def delete(self, key: str) -> None:
        """Delete one object."""
        await self.raw.ask("DELETE", "b/{}/o/{}", self._bucket, key)

    async def copy(self, key: str, to: str) -> None:
        """Copy one object, in as many steps as the server wants."""
        token: dict[str, str] = {}
        while True:
            names = (self._bucket, key, self._bucket, to)
            done = await self.raw.ask("POST", "b/{}/o/{}/rewriteTo/b/{}/o/{}", *names, json_out=True, **token)
            if done.get("done"):
                return
            token = {"rewriteToken": done["rewriteToken"]}

    async def begin(self, key: str, *, is_new: bool) -> Upload:
        """Begin a resumable upload."""
        upload = self.raw.place_of_uploads(self._bucket)
        named = {"uploadType": "resumable", "name": key}
        headers, _ = await self.raw.ask("POST", upload, json={"name": key}, **named, **_only(is_new))
        return Upload(key, is_new, headers["Location"])

    async def send(self, upload: Upload, content: bytes) -> None:
        """Send a piece. Raises Changed where the server has not taken all of it."""
        last = upload.sent + len(content) - 1
        headers = {"Content-Range": f"bytes {upload.sent}-{last}/*"}
        answered, _ = await self.raw.ask("PUT", upload.place, headers=headers, data=content)
        if answered.get("Range", "").rpartition("-")[2] != str(last):
            raise Changed

    async def finish(self, upload: Upload, content: bytes) -> None:
        """Send the last piece."""
        whole = upload.sent + len(content)
        span = f"{upload.sent}-{whole - 1}" if content else "*"
        await self.raw.ask("PUT", upload.place, headers={"Content-Range": f"bytes {span}/{whole}"}, data=content)

    async def abort(self, upload: Upload) -> None:
        """Drop what was sent; 499 is what the server says to that."""
        await self.raw.ask("DELETE", upload.place)

    async def close(self) -> None:
        """Close the session."""
        await self.raw.end()


def _entry(found: Mapping[str, Any]) -> Entry:
    modified = datetime.fromisoformat(found["updated"]) if "updated" in found else None
    return Entry(found["name"], int(found.get("size", 0)), modified, str(found.get("generation", "")))


def _says_nothing_secret(record: logging.LogRecord) -> bool:
    """gcsfs writes the addresses of uploads to its log for debugging, which are as good as keys."""
    return record.levelno > logging.DEBUG


logging.getLogger("gcsfs").addFilter(_says_nothing_secret)


def _only(is_new: bool) -> dict[str, str]:
    return {"ifGenerationMatch": "0"} if is_new else {}
