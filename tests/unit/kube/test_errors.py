"""What a Status of the API server becomes."""

from typing import Any

import pytest

from pointsman.kube.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Gone,
    Invalid,
    KindNotServed,
    KubeError,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    from_status,
)


@pytest.mark.parametrize(
    ("code", "reason", "want", "want_transient", "want_untouched"),
    [
        (400, "BadRequest", Invalid, False, False),
        (401, "Unauthorized", Unauthorized, False, False),
        (403, "Forbidden", Forbidden, False, False),
        (404, "NotFound", NotFound, False, False),
        (409, "AlreadyExists", AlreadyExists, False, False),
        (409, "Conflict", Conflict, False, False),
        (410, "Expired", Gone, False, False),
        (422, "Invalid", Invalid, False, False),
        (429, "TooManyRequests", TooManyRequests, True, True),
        (500, "InternalError", Unavailable, True, False),
        (504, "Timeout", Unavailable, True, False),
        (418, "", KubeError, False, False),
    ],
)
def test_the_code_decides_the_error(
    code: int, reason: str, want: type[KubeError], want_transient: bool, want_untouched: bool
) -> None:
    error = from_status({"reason": reason, "message": "because"}, code=code, where="/x")
    assert type(error) is want
    assert (error.transient, error.untouched) == (want_transient, want_untouched)
    assert str(error) == "/x: because"
    assert (error.status, error.reason) == (code, reason)


def test_the_objects_own_code_counts_as_in_a_watch() -> None:
    assert type(from_status({"code": 410, "message": "too old"}, code=500)) is Gone


def test_a_kind_that_this_kubernetes_does_not_have_is_not_an_object_that_is_not_there() -> None:
    message = "the server could not find the requested resource"
    assert type(from_status({"message": message, "details": {}}, code=404)) is KindNotServed
    assert type(from_status({"message": message, "details": {"name": "chat"}}, code=404)) is NotFound


def test_a_field_that_the_schema_does_not_have_is_invalid_though_answered_with_500() -> None:
    message = "failed to create typed patch object (a/b; /v1, Kind=C): .dota: field not declared in schema"
    assert type(from_status({"message": message}, code=500)) is Invalid


def test_conflicts_say_who_owns_what() -> None:
    causes: list[dict[str, Any]] = [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl" using apps/v1',
            "field": ".spec.replicas",
        },
        {"reason": "FieldManagerConflict", "message": "conflict with somebody", "field": ".spec.paused"},
        {"reason": "Else", "message": "else", "field": ".spec.other"},
    ]
    error = from_status({"reason": "Conflict", "details": {"causes": causes}}, code=409)
    assert isinstance(error, Conflict)
    assert error.managers == ("kubectl", "conflict with somebody")
    assert error.fields == (".spec.replicas", ".spec.paused")


def test_the_wait_that_is_asked_for_is_kept() -> None:
    status = {"details": {"retryAfterSeconds": 7}}
    assert from_status(status, code=429).retry_after_seconds == 7.0
    assert from_status(status, code=429, retry_after_seconds=2.0).retry_after_seconds == 2.0


def test_what_says_nothing_says_its_code() -> None:
    assert str(from_status({}, code=502)) == "answered 502"
