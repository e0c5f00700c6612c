"""Objects in S3, or in a store that speaks its protocol.

One writer of many wins by S3's conditional writes (`If-None-Match`, `If-Match` on the ETag). A store that ignores the
conditions would lose writes in silence, so the first conditional write of a process asks for two that must fail. Each
write carries a mark of its own: where an answer was lost and the repetition finds the object already there, the mark
says whose it is. Large files go up in parts, which appear as one object or not at all.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from nt_ray.errors import StorageError
from nt_ray.storage.objects import (
    DEFAULT_ACCESS,
    ChangedError,
    Content,
    Entry,
    NoObjectError,
    ObjectAddressError,
    S3Access,
    Sum,
    checked_key,
    copied,
    file_sum,
    require_sum,
)
from nt_ray.storage.whole_file import flush, unfinished

PART: Final = 64 << 20
ATTEMPTS: Final = 5
MARK: Final = "nt-write"
PROBE: Final = ".conditions"
NO_ETAG: Final = '"00000000000000000000000000000000"'
_ABSENT: Final = frozenset({"NoSuchKey", "NoSuchUpload", "404", "NotFound"})
_REFUSED: Final = frozenset({"PreconditionFailed", "412"})
_AT_ONCE: Final = frozenset({"ConditionalRequestConflict", "409"})


class S3Objects:
    """A store under a prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str = "", access: S3Access = DEFAULT_ACCESS) -> None:
        if not bucket:
            raise ObjectAddressError("s3:// names no bucket. Write it like s3://BUCKET/PREFIX.")
        self._bucket = bucket
        self._prefix = f"{checked_key(prefix)}/" if prefix else ""
        self._access = access
        self._conditions_hold = False
        self.url = f"s3://{bucket}/{prefix}" if prefix else f"s3://{bucket}"

    def put(self, key: str, data: bytes) -> str:
        """Write an object, whatever was there; its new version."""
        return self._put(checked_key(key), data)

    def put_if(self, key: str, data: bytes, version: str | None) -> str:
        """Write an object over the version named, or only where there is none; its new version."""
        checked_key(key)
        self._check_conditions()
        mark = uuid.uuid4().hex
        condition = {"IfNoneMatch": "*"} if version is None else {"IfMatch": version}
        for _ in range(ATTEMPTS):
            try:
                return self._put(key, data, Metadata={MARK: mark}, **condition)
            except _RefusedError:
                return self._own(key, mark)
            except NoObjectError:
                raise ChangedError(key, self.url) from None
            except _AtOnceError:
                continue
        raise ChangedError(key, self.url)

    def get(self, key: str) -> Content:
        """Read a small object."""
        with self._spoken(key):
            found = self._client.get_object(Bucket=self._bucket, Key=self._full(key))
            with found["Body"] as body:
                return Content(body.read(), found["ETag"])

    def head(self, key: str) -> Entry:
        """Say what is known of an object without reading it."""
        found = self._head(key)
        return Entry(key, found["ContentLength"], found["LastModified"])

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Objects whose key begins with a text, in the order of their keys."""
        pages = self._client.get_paginator("list_objects_v2")
        with self._spoken(prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                for item in page.get("Contents", ()):
                    key = item["Key"].removeprefix(self._prefix)
                    if key != PROBE:
                        yield Entry(key, item["Size"], item["LastModified"])

    def delete(self, key: str) -> None:
        """Remove an object; that there is none is no error."""
        with self._spoken(key):
            self._client.delete_object(Bucket=self._bucket, Key=self._full(key))

    def upload(self, key: str, path: Path) -> Sum:
        """Write an object from a file, in pieces."""
        found = file_sum(path)
        parts = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
        with self._spoken(key):
            self._client.upload_file(
                str(path), self._bucket, self._full(key), ExtraArgs={"Metadata": {"sha256": found.sha256}}, Config=parts
            )
        return found

    def download(self, key: str, path: Path, sha256: str | None = None) -> Sum:
        """Read an object into a file, in pieces."""
        with self._spoken(key), unfinished(path.parent) as (part, file):
            answer = self._client.get_object(Bucket=self._bucket, Key=self._full(key))
            with answer["Body"] as body:
                found = copied(body, file)
            require_sum(key, found, sha256)
            flush(file)
            part.replace(path)
        return found

    def sweep(self, before: datetime, prefix: str = "") -> int:
        """Give up uploads in parts that were begun before an instant and never finished, of keys with this beginning.

        Without a prefix of the store it has the bucket, and uploads in it, together with other programs.
        """
        pages = self._client.get_paginator("list_multipart_uploads")
        dead = 0
        with self._spoken(self._prefix):
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix + prefix):
                old = [upload for upload in page.get("Uploads", ()) if upload["Initiated"] < before]
                dead += sum(self._give_up(upload["Key"], upload["UploadId"]) for upload in old)
        return dead

    @cached_property
    def _client(self) -> Any:
        endpoint = self._access.endpoint
        # A named endpoint seldom has a host name for each bucket.
        style = {} if endpoint is None else {"s3": {"addressing_style": "path"}}
        config = Config(retries={"mode": "standard", "max_attempts": ATTEMPTS}, connect_timeout=10, **style)
        try:
            return boto3.client("s3", endpoint_url=endpoint, region_name=self._access.region, config=config)
        except (BotoCoreError, ValueError) as error:
            raise ObjectAddressError(
                f"S3 cannot be reached at {endpoint}: {error}. Correct endpoint or region."
            ) from error

    def _give_up(self, key: str, upload: str) -> bool:
        try:
            with self._spoken(key):
                self._client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        except NoObjectError:  # finished or given up by another
            return False
        return True

    def _full(self, key: str) -> str:
        return self._prefix + checked_key(key)

    def _put(self, key: str, data: bytes, **more: Any) -> str:
        with self._spoken(key):
            answer = self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data, **more)
        return str(answer["ETag"])

    def _head(self, key: str) -> dict[str, Any]:
        with self._spoken(key):
            found: dict[str, Any] = self._client.head_object(Bucket=self._bucket, Key=self._full(key))
        return found

    def _own(self, key: str, mark: str) -> str:
        """Version of an object that an earlier attempt of this write left, though its answer was lost."""
        try:
            found = self._head(key)
        except NoObjectError:
            raise ChangedError(key, self.url) from None
        if found["Metadata"].get(MARK) != mark:
            raise ChangedError(key, self.url)
        return str(found["ETag"])

    def _check_conditions(self) -> None:
        """Raise where the store takes a conditional write that it must refuse."""
        if self._conditions_hold:
            return
        self._put(PROBE, b"")
        if not all(self._refuses(condition) for condition in ({"IfNoneMatch": "*"}, {"IfMatch": NO_ETAG})):
            raise StorageError(
                f"{self.url} ignores the conditions of conditional writes, so that writers would overwrite each other. "
                "Use a store that honours If-Match and If-None-Match."
            )
        self._conditions_hold = True

    def _refuses(self, condition: dict[str, str]) -> bool:
        try:
            self._put(PROBE, b"", **condition)
        except (_RefusedError, _AtOnceError):
            return True
        return False

    @contextmanager
    def _spoken(self, key: str) -> Iterator[None]:
        """Say in words what S3 refuses."""
        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code"))
            if code in _REFUSED:
                raise _RefusedError from error
            if code in _AT_ONCE:
                raise _AtOnceError from error
            if code in _ABSENT:
                raise NoObjectError(key, self.url) from None
            raise StorageError(f"{self.url} refused {key or 'a listing'}: {error}. Check bucket and rights.") from error
        except (BotoCoreError, Boto3Error) as error:
            raise StorageError(
                f"{self.url} cannot be used: {error}. Check endpoint, region, credentials and the network."
            ) from error


class _RefusedError(Exception):
    """The condition of a write does not hold."""


class _AtOnceError(Exception):
    """Two conditional writes met; this one may be made again."""
