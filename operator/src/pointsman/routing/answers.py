"""Answers that the gateway gives itself, shaped as OpenAI clients parse: {"error": {message, type, code}}."""

import json
from dataclasses import dataclass
from typing import Any

from pointsman.routing.settings import MIB
from pointsman.routing.typed import newer

INVALID = "invalid_request_error"
SERVER = "server_error"


@dataclass(frozen=True, slots=True)
class Answer:
    """One error: an HTTP status, and what OpenAI's SDKs show of it."""

    status: int
    message: str
    code: str
    type: str = INVALID

    def body(self) -> dict[str, Any]:
        return {"error": {"message": self.message, "type": self.type, "param": None, "code": self.code}}


PATH = Answer(404, "There is nothing at this path; the API's JSON endpoints are below /v1.", "unknown_url")
METHOD = Answer(
    405, "Not this method: models are listed with GET, everything else is asked for with POST.", "bad_method"
)
CONTENT_TYPE = Answer(
    415, "The body must be JSON: send it with content-type: application/json.", "unsupported_media_type"
)
MALFORMED = Answer(400, "The body is not a JSON object that can be read.", "malformed_body")
MODEL = Answer(
    400,
    'The body needs a "model": the public name of a model, as GET /v1/models lists them.',
    "missing_model",
)
NO_AUTHENTICATION = Answer(
    403,
    "Nobody may call this model yet: its ModelRoute says nothing about authentication.",
    "no_authentication",
)
NO_TARGET = Answer(
    503, "This model has no target that exists; ask who owns its ModelRoute.", "no_target", SERVER
)
NO_RULE = Answer(404, "No rule of this model's route matches the request.", "no_matching_rule")
REFUSED = Answer(
    503, "This model's route is not accepted as written; its status says why.", "route_not_accepted", SERVER
)
NO_CAPACITY = Answer(503, "No replica of this model is ready; try again in a moment.", "no_capacity", SERVER)

STARTED = Answer(503, "A replica of this model has begun; try again now.", "started", SERVER)
STARTING = Answer(
    503, "This model is being started and takes long; try again in a while.", "starting", SERVER
)
MANY_WAIT = Answer(
    503,
    "This model is being started, and too many wait for it; try again in a while.",
    "too_many_waiting",
    SERVER,
)

OVERLOADED = Answer(503, "This gateway holds as much as it can; try again in a moment.", "overloaded", SERVER)

BY_SCOPE = {
    "!path": PATH,
    "!method": METHOD,
    "!content-type": CONTENT_TYPE,
    "!malformed": MALFORMED,
    "!model": MODEL,
}

NO_SUCH_MODEL = Answer(
    404,
    "The model '%REQ(x-pm-model)%' does not exist; GET /v1/models lists those that do.",
    "model_not_found",
)

# What Envoy itself answers with, by status, and whether some of our direct answers have it, too: those pass
# through here and keep their words.
_OURS_TOO, _ENVOYS_ALONE = True, False
LOCAL = (
    (Answer(400, "The request is not valid HTTP.", "bad_request"), _OURS_TOO),
    (
        Answer(
            401, "The API key is missing or wrong; send it as: Authorization: Bearer KEY.", "invalid_api_key"
        ),
        _ENVOYS_ALONE,
    ),
    (PATH, _OURS_TOO),
    (Answer(408, "The request took too long to arrive.", "request_timeout"), _ENVOYS_ALONE),
    (
        Answer(431, "The request's headers are larger than this gateway takes.", "headers_too_large"),
        _ENVOYS_ALONE,
    ),
    (Answer(500, "The gateway could not pass the answer on.", "gateway_error", SERVER), _ENVOYS_ALONE),
    (Answer(502, "The model's answer was not valid HTTP.", "bad_gateway", SERVER), _ENVOYS_ALONE),
    (
        Answer(503, "No target of this model could answer; try again in a moment.", "unavailable", SERVER),
        _OURS_TOO,
    ),
    (Answer(504, "The model did not answer in time.", "timeout", SERVER), _ENVOYS_ALONE),
)


def direct(answer: Answer) -> dict[str, Any]:
    """A route action that gives this answer."""
    return {
        "status": answer.status,
        "body": {"inline_string": json.dumps(answer.body(), separators=(",", ":"))},
    }


JSON_HEADER = {
    "header": {"key": "content-type", "value": "application/json"},
    "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
}
RETRY_AFTER = {"header": {"key": "retry-after", "value": "1"}, "append_action": "ADD_IF_ABSENT"}


def direct_route(answer: Answer) -> dict[str, Any]:
    """A route that answers everything with this."""
    headers = [JSON_HEADER, RETRY_AFTER] if answer.status == 503 else [JSON_HEADER]
    if answer is METHOD:
        headers = [*headers, {"header": {"key": "allow", "value": "GET, POST"}}]
    return {"match": {"prefix": "/"}, "direct_response": direct(answer), "response_headers_to_add": headers}


def too_large(at_most_bytes: int) -> Answer:
    """A body above the cap; an image in a chat is the usual reason."""
    mebibytes, rest = divmod(at_most_bytes, MIB)
    limit = f"{at_most_bytes} bytes" if rest else f"{mebibytes} MiB"
    return Answer(
        413, f"The request's body is larger than the {limit} that this gateway takes.", "request_too_large"
    )


def local_reply_mappers(max_request_bytes: int) -> list[dict[str, Any]]:
    """Envoy's own replies in the same shape. The first that fits is used."""
    # Envoy says 500 where it ends an upload for want of memory; a client that may come again is told 503.
    shed = {**_mapper(OVERLOADED, _SHED), "status_code": OVERLOADED.status}
    no_scope = _mapper(NO_SUCH_MODEL, _NO_ROUTE)
    local = (*LOCAL, (too_large(max_request_bytes), _ENVOYS_ALONE))
    return [shed, no_scope, *(_mapper(answer, _when(answer.status, ours_too)) for answer, ours_too in local)]


def _mapper(answer: Answer, when: dict[str, Any]) -> dict[str, Any]:
    return {
        "filter": when,
        "body_format_override": {"json_format": answer.body()},
        "headers_to_add": [RETRY_AFTER] if answer.status == 503 else [],
    }


def _by_details(expression: str) -> dict[str, Any]:
    kind = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter"
    value = {"expression": f"response.code_details{expression}"}
    return {"extension_filter": {"name": "pointsman.details", "typed_config": newer(kind, value)}}


_SHED = _by_details(".startsWith('overload')")
_NO_ROUTE = _by_details(" == 'route_not_found'")
_NOT_OURS = _by_details(" != 'direct_response'")


def _when(status: int, ours_too: bool) -> dict[str, Any]:
    comparison = {"op": "EQ", "value": {"default_value": status, "runtime_key": "pm.local"}}
    by_status = {"status_code_filter": {"comparison": comparison}}
    return {"and_filter": {"filters": [by_status, _NOT_OURS]}} if ours_too else by_status
