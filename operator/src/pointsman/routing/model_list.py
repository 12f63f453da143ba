"""GET /v1/models and GET /v1/models/NAME: one scope of direct answers."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration

from pointsman.api import ModelRoute
from pointsman.routing.answers import JSON_HEADER, Answer, direct_route
from pointsman.routing.authentication import Admission
from pointsman.routing.names import MODELS_SCOPE, PATH_HEADER
from pointsman.routing.resources import SCOPE, Resource, resource
from pointsman.routing.typed import known, parse

_UNKNOWN = Answer(404, "The model does not exist; GET /v1/models lists those that do.", "model_not_found")
_PATH_INPUT = known("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", {"header_name": PATH_HEADER})
_ROUTE = "envoy.config.route.v3.Route"


def models_scope(claims: Mapping[str, ModelRoute], admission: Admission) -> Resource:
    """The list, and each model by its path in a hash map of Envoy's."""
    models = [_model(name, claims[name]) for name in sorted(claims)]
    whole = {"object": "list", "data": models}
    answers = {"/v1/models": whole, **{f"/v1/models/{model['id']}": model for model in models}}
    bodies = {path: json.dumps(answer, separators=(",", ":")) for path, answer in answers.items()}
    matcher = {
        "matcher_tree": {
            "input": {"name": "path", "typed_config": _PATH_INPUT},
            "exact_match_map": {"map": {path: _action(_answer(body)) for path, body in bodies.items()}},
        },
        "on_no_match": _action(direct_route(_UNKNOWN)),
    }
    host = {
        "name": MODELS_SCOPE,
        "domains": ["*"],
        "matcher": matcher,
        "typed_per_filter_config": admission.filter_config(),
    }
    configuration = {
        "name": MODELS_SCOPE,
        "virtual_hosts": [host],
        "max_direct_response_body_size_bytes": max(4096, *(len(body.encode()) for body in bodies.values())),
    }
    scope = {
        "name": MODELS_SCOPE,
        "key": {"fragments": [{"string_key": MODELS_SCOPE}]},
        "route_configuration": configuration,
    }
    return resource(SCOPE, MODELS_SCOPE, parse(scope, ScopedRouteConfiguration()))


def _model(name: str, route: ModelRoute) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _created(route), "owned_by": route.metadata.namespace}


def _created(route: ModelRoute) -> int:
    stamp = route.metadata.creation_timestamp
    return int(datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()) if stamp else 0


def _answer(body: str) -> dict[str, Any]:
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": body}},
        "response_headers_to_add": [JSON_HEADER],
    }


def _action(route: dict[str, Any]) -> dict[str, Any]:
    return {"action": {"name": "route", "typed_config": known(_ROUTE, route)}}
