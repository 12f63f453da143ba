"""A record by its address: a path, or s3://, gs:// and az:// with the extra `weights`."""

import re

from pointsman.errors import PointsmanError
from pointsman.records.file import RecordFile
from pointsman.records.place import Record

_BUCKET = re.compile(r"(s3|gs|az)://[^/]+")


def is_bucket(address: str) -> bool:
    return _BUCKET.match(address) is not None


def record_at(address: str, credentials_file: str | None = None) -> Record:
    """The record there. PointsmanError where what reads a bucket is not installed."""
    if not is_bucket(address):
        return RecordFile(address)
    try:
        from pointsman.records.bucket import RecordBucket
    except ImportError:
        raise PointsmanError(
            "object stores need a library", where=address, todo="pip install 'pointsman[weights]'"
        ) from None
    return RecordBucket(address, credentials_file)
