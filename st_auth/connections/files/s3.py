"""S3 and servers that speak its language, by keys that STS gives for the person's token. Nothing of the machine's own is ever used."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

import aiohttp
from botocore.exceptions import BotoCoreError
from s3fs import S3FileSystem

from st_auth.connections.files.keys import Keys, code_of, settings_of
from st_auth.connections.files.store import Changed, Entry, Refused, Upload
from st_auth.connections.opening import Opening
from st_auth.personal import Personal

__all__ = ["PersonalS3", "S3Store", "connect"]

_REFUSED: Final = frozenset({"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired"})
_CHANGED: Final = frozenset({"PreconditionFailed", "412", "ConditionalRequestConflict"})
_TELLING: Final = (
    "botocore.auth",
    "botocore.endpoint",
    "botocore.hooks",
    "botocore.parsers",
    "botocore.httpsession",
    "aiobotocore.endpoint",
)


def connect(opening: Opening, bucket: str, loop: asyncio.AbstractEventLoop) -> "S3Store":
    """Get keys for the person, and make ready to ask. Raises ConnectionFailed or Stale."""
    keys = Keys(opening)
    session = asyncio.run_coroutine_threadsafe(keys.session(), loop).result()
    settings, region = settings_of(opening, "endpoint")
    path_style = {"s3": {"addressing_style": "path"}} if opening.options.get("endpoint") else {}
    raw = PersonalS3(
        session=session,
        endpoint_url=opening.options.get("endpoint"),
        client_kwargs={"region_name": region},
        config_kwargs={**settings, **path_style},
        use_listings_cache=False,
        skip_instance_cache=True,
    )
    raw.retries = 2
    raw.keys = keys
    return S3Store(raw, bucket)


class PersonalS3(Personal, S3FileSystem):  # type: ignore[misc]  # s3fs ships no types
    """s3fs as one person: it is in no cache, and asks once more with other keys where the server takes these no more."""

    cachable = False
    __hash__ = None
    keys: Keys
    is_closed = False

    async def ask(self, method: str, **named: Any) -> Any:
        """Send one request."""
        return await self._call_s3(method, **named)

    async def copy_object(self, path: str, to: str) -> None:
        """Copy an object, whatever its size."""
        await self._cp_file(path, to)

    async def end(self) -> None:
        """Close the client, for good."""
        self.is_closed = True
        if self._s3 is not None:
            await self._s3.close()

    async def _call_s3(self, method: str, *arguments: Mapping[str, Any], **named: Any) -> Any:
        """Send one request. Raises OSErrors without the server's own words about keys, and without frames that hold them."""
        for is_last in (False, True):
            if self.is_closed:
                raise RuntimeError("This connection is closed.")
            used = self.keys.used
            try:
                return await super()._call_s3(method, *arguments, **named)
            except Exception as error:  # noqa: BLE001  # OSErrors that s3fs makes of botocore's, and what a renewal raises
                failed, code = error.with_traceback(None), code_of(error)
            failed.__cause__ = failed.__context__ = None
            if code in _CHANGED:
                raise Changed
            if code not in _REFUSED:
                raise failed
            if is_last:
                raise Refused
            self.keys.refuse(used)
        return None

    def __repr__(self) -> str:
        return "PersonalS3(***)"


class S3Store:
    """One bucket, as `Store` says."""

    def __init__(self, raw: PersonalS3, bucket: str) -> None:
        self.raw = raw
        self._bucket = bucket

    async def entries(self, prefix: str, *, deep: bool, most: int | None = None) -> tuple[list[Entry], list[str]]:
        """Return what begins with a prefix."""
        asked: dict[str, Any] = {"Bucket": self._bucket, "Prefix": prefix} | ({} if deep else {"Delimiter": "/"})
        entries: list[Entry] = []
        folders: list[str] = []
        while True:
            page = await self.raw.ask("list_objects_v2", **asked, **({"MaxKeys": most} if most else {}))
            entries += [_entry(found["Key"], found["Size"], found) for found in page.get("Contents", ())]
            folders += [found["Prefix"] for found in page.get("CommonPrefixes", ())]
            if most or not page.get("IsTruncated"):
                return entries, folders
            asked["ContinuationToken"] = page["NextContinuationToken"]

    async def entry(self, key: str) -> Entry:
        """Return one object."""
        found = await self.raw.ask("head_object", Bucket=self._bucket, Key=key)
        return _entry(key, found["ContentLength"], found)

    async def read(self, key: str, start: int | None, end: int | None, version: str) -> bytes:
        """Return bytes; of none at all where they begin after the end."""
        ranged = {} if start is None and end is None else {"Range": f"bytes={start or 0}-{'' if end is None else end - 1}"}
        same = {"IfMatch": version} if version else {}
        for is_last in (False, True):
            answer = await self.raw.ask("get_object", Bucket=self._bucket, Key=key, **ranged, **same)
            try:
                async with answer["Body"] as body:
                    content: bytes = await body.read()
                break
            except (aiohttp.ClientError, BotoCoreError, TimeoutError):  # it broke off on its way
                if is_last:
                    raise
        return content

    async def write(self, key: str, content: bytes, *, is_new: bool) -> None:
        """Put an object there in one piece."""
        await self.raw.ask("put_object", Bucket=self._bucket, Key=key, Body=content, **_only(is_new))

    async def delete(self, key: str) -> None:
        """Delete one object."""
        await self.raw.ask("delete_object", Bucket=self._bucket, Key=key)

    async def copy(self, key: str, to: str) -> None:
        """Copy one object, in pieces where it is large."""
        await self.raw.copy_object(f"{self._bucket}/{key}", f"{self._bucket}/{to}")

    async def begin(self, key: str, *, is_new: bool) -> Upload:
        """Begin an upload in parts."""
        begun = await self.raw.ask("create_multipart_upload", Bucket=self._bucket, Key=key)
        return Upload(key, is_new, begun["UploadId"])

    async def send(self, upload: Upload, content: bytes) -> None:
        """Send a part."""
        number = len(upload.parts) + 1
        place = {"Bucket": self._bucket, "Key": upload.key, "UploadId": upload.place}
        sent = await self.raw.ask("upload_part", **place, PartNumber=number, Body=content)
        upload.parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    async def finish(self, upload: Upload, content: bytes) -> None:
        """Send the last part, and put them together."""
        if content:
            await self.send(upload, content)
        place = {"Bucket": self._bucket, "Key": upload.key, "UploadId": upload.place}
        await self.raw.ask("complete_multipart_upload", **place, MultipartUpload={"Parts": upload.parts}, **_only(upload.is_new))

    async def abort(self, upload: Upload) -> None:
        """Drop the parts."""
        await self.raw.ask("abort_multipart_upload", Bucket=self._bucket, Key=upload.key, UploadId=upload.place)

    async def close(self) -> None:
        """Close the client."""
        await self.raw.end()


def _entry(key: str, size: int, found: Mapping[str, Any]) -> Entry:
    return Entry(key, size, found["LastModified"].astimezone(UTC), found.get("ETag", ""))


def _only(is_new: bool) -> dict[str, str]:
    return {"IfNoneMatch": "*"} if is_new else {}


def _says_nothing_secret(record: logging.LogRecord) -> bool:
    """botocore writes requests with their signatures and answers with their keys to its log for debugging."""
    return record.levelno > logging.DEBUG


for _name in _TELLING:
    logging.getLogger(_name).addFilter(_says_nothing_secret)
