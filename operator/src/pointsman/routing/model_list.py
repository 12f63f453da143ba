"""GET /v1/models and GET /v1/models/NAME: one scope of direct answers."""

import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from envoy.config.route.v3.scoped_route_pb2 import ScopedRouteConfiguration
from xds.type.matcher.v3.matcher_pb2 import Matcher

from pointsman.api import ModelRoute
from pointsman.routing.answers import JSON_HEADER, Answer, direct_route
from pointsman.routing.authentication import Admission
from pointsman.routing.names import MODELS_SCOPE, PATH_HEADER
from pointsman.routing.resources import SCOPE, Resource, resource
from pointsman.routing.typed import known, parse

_UNKNOWN = Answer(404, "The model does not exist; GET /v1/models lists those that do.", "model_not_found")
_PATH_INPUT = known("envoy.type.matcher.v3.HttpRequestHeaderMatchInput", {"header_name": PATH_HEADER})
_ROUTE = "envoy.config.route.v3.Route"


def model_list(claims: Mapping[str, ModelRoute]) -> ScopedRouteConfiguration:
    """The scope without who may see it: the list, and each model by its path in a hash map of Envoy's."""
    models = [_model(name, claims[name]) for name in sorted(claims)]
    pages = {f"/v1/models/{model['id']}": _written(model) for model in models}
    whole = _written({"object": "list", "data": models})
    matcher = {
        "matcher_tree": {
            "input": {"name": "path", "typed_config": _PATH_INPUT},
            "exact_match_map": {"map": {"/v1/models": _action(_answer(whole))}},
        },
        "on_no_match": _action({**direct_route(_UNKNOWN), "name": MODELS_SCOPE}),
    }
    configuration = {
        "name": MODELS_SCOPE,
        "virtual_hosts": [{"name": MODELS_SCOPE, "domains": ["*"], "matcher": matcher}],
        "max_direct_response_body_size_bytes": max(4096, len(whole.encode())),
    }
    scope = {
        "name": MODELS_SCOPE,
        "key": {"fragments": [{"string_key": MODELS_SCOPE}]},
        "route_configuration": configuration,
    }
    made = parse(scope, ScopedRouteConfiguration())
    found = made.route_configuration.virtual_hosts[0].matcher.matcher_tree.exact_match_map.map
    for path, body in pages.items():
        found[path].CopyFrom(_page(body))
    return made


def models_scope(listed: ScopedRouteConfiguration, admission: Admission) -> Resource:
    """The list for those who may see it."""
    made = ScopedRouteConfiguration()
    made.CopyFrom(listed)
    host = made.route_configuration.virtual_hosts[0]
    parse({"typed_per_filter_config": admission.filter_config()}, host)
    return resource(SCOPE, MODELS_SCOPE, made)


@lru_cache(maxsize=8192)
def _page(body: str) -> Matcher.OnMatch:
    """The answer for one model: the others are as they were when one comes or goes."""
    return parse(_action(_answer(body)), Matcher.OnMatch())


def _written(answer: dict[str, Any]) -> str:
    return json.dumps(answer, separators=(",", ":"))


def _model(name: str, route: ModelRoute) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _created(route), "owned_by": route.metadata.namespace}


def _created(route: ModelRoute) -> int:
    stamp = route.metadata.creation_timestamp
    return int(datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()) if stamp else 0


def _answer(body: str) -> dict[str, Any]:
    return {
        "name": MODELS_SCOPE,
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": body}},
        "response_headers_to_add": [JSON_HEADER],
    }


def _action(route: dict[str, Any]) -> dict[str, Any]:
    return {"action": {"name": "route", "typed_config": known(_ROUTE, route)}}
