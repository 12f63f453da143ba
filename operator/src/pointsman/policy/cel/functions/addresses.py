"""URLs: `url('https://example.com/v1')`."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pointsman.policy.cel.functions.declaring import BOOL, MAP, TEXT, function, member, plain

_URL = "url"


def _split(text: str) -> SplitResult:
    """As Go reads it: an absolute URL or a path that begins with a slash."""
    found = urlsplit(text)
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in text):
        raise ValueError(f"no URL: {text}")
    if not found.scheme and not text.startswith("/"):
        raise ValueError(f"no URL: {text}")
    if (
        found.port is None
        and found.netloc.endswith(":") is False
        and found.scheme
        and not (found.netloc or found.path)
    ):
        raise ValueError(f"no URL: {text}")
    return found


def _is(text: str) -> bool:
    try:
        _split(text)
    except ValueError:
        return False
    return True


def _made(text: str) -> dict[str, str]:
    _split(text)
    return {_URL: text}


def _of(value: Mapping[str, Any]) -> SplitResult:
    return _split(str(value[_URL]))


def _host(value: Mapping[str, Any]) -> str:
    return _of(value).netloc.rpartition("@")[2]


def _hostname(value: Mapping[str, Any]) -> str:
    host = _host(value)
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _port(value: Mapping[str, Any]) -> str:
    host = _host(value)
    after = host.rpartition("]")[2] if host.startswith("[") else host
    return after.partition(":")[2]


FUNCTIONS = (
    function("url", plain("string_to_url", MAP, [TEXT], _made)),
    function("isURL", plain("is_url", BOOL, [TEXT], _is)),
    function("getScheme", member("url_get_scheme", TEXT, [MAP], lambda value: _of(value).scheme)),
    function("getHost", member("url_get_host", TEXT, [MAP], _host)),
    function("getHostname", member("url_get_hostname", TEXT, [MAP], _hostname)),
    function("getPort", member("url_get_port", TEXT, [MAP], _port)),
    function("getEscapedPath", member("url_get_escaped_path", TEXT, [MAP], lambda value: _of(value).path)),
)
