"""Semantic versions: `semver('1.2.3')`."""

import re
from collections.abc import Mapping
from typing import Any

from pointsman.policy.cel.functions.declaring import BOOL, INT, MAP, TEXT, function, member, plain

VERSION = "semver"
_NUMBER = r"(0|[1-9][0-9]*)"
_SEMVER = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}"
    r"(-(?P<before>(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(\.(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*))?"
    r"(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?"
)
_Part = tuple[int, int, str]


def _read(text: str) -> dict[str, str]:
    if _SEMVER.fullmatch(text) is None:
        raise ValueError(f"no semantic version: {text}")
    return {VERSION: text}


def _numbers(version: Mapping[str, Any]) -> tuple[int, int, int]:
    major, minor, patch = re.split(r"[-+]", str(version[VERSION]), maxsplit=1)[0].split(".")
    return int(major), int(minor), int(patch)


def precedence(version: Mapping[str, Any]) -> tuple[tuple[int, int, int], bool, tuple[_Part, ...]]:
    """What versions are ordered by: numbers first; one before a release is less than the release."""
    found = _SEMVER.fullmatch(str(version[VERSION]))
    before = found["before"] if found is not None else None
    parts = tuple(_part(one) for one in before.split(".")) if before else ()
    return _numbers(version), not before, parts


def _part(text: str) -> _Part:
    return (0, int(text), "") if text.isdecimal() else (1, 0, text)


FUNCTIONS = (
    function("semver", plain("string_to_semver", MAP, [TEXT], _read)),
    function(
        "isSemver",
        plain("is_semver_string", BOOL, [TEXT], lambda text: _SEMVER.fullmatch(text) is not None),
    ),
    function("major", member("semver_major", INT, [MAP], lambda version: _numbers(version)[0])),
    function("minor", member("semver_minor", INT, [MAP], lambda version: _numbers(version)[1])),
    function("patch", member("semver_patch", INT, [MAP], lambda version: _numbers(version)[2])),
)
