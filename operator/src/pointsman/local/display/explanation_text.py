"""An explanation in words. Pure: from the document that `-o json` prints."""

from collections.abc import Iterator
from typing import Any

from pointsman.api import target_label
from pointsman.api.modeldeployment_status import ScalingState


def in_words(explained: dict[str, Any], *, live: bool) -> str:
    """Some short paragraphs, each with a heading; `live` while what wrote its status runs."""
    body = _route(explained) if explained["kind"] == "ModelRoute" else _deployment(explained)
    return "\n".join([*_heading(explained, live), *body, *_conditions(explained)]) + "\n"


def _heading(explained: dict[str, Any], live: bool) -> Iterator[str]:
    ready = next((one for one in explained["conditions"] if one["type"] == "Ready"), {"status": "Unknown"})
    state = {"True": "ready", "False": "not ready"}.get(ready["status"], "not known yet")
    why = f": {ready['message']}" if ready.get("message") and state != "ready" else ""
    name = f"{explained['namespace']}/{explained['name']}"
    is_, then = ("is", "") if live else ("was", ", as it was when `pointsman up` ended")
    yield f"{explained['kind']} {name} {is_} {state}{why} (generation {explained['generation']}){then}"


def _deployment(explained: dict[str, Any]) -> Iterator[str]:
    if "hosted" in explained:
        hosted = explained["hosted"]
        yield "Hosted"
        yield f"  {explained['model']} by {hosted['provider']} at {hosted['baseURL']}"
        yield f"  credentials: {hosted['credentials'] or 'none'}"
    else:
        yield "Placement"
        yield f"  {explained['placement'].get('reason', 'not placed yet')}"
        for other in explained["placement"].get("alternatives", ()):
            each = f"{other['acceleratorsPerReplica']} × " if other.get("acceleratorsPerReplica") else ""
            yield f"  otherwise {each}{other['accelerator']}: {other.get('reason', '')}"
        engine = explained["engine"]
        replicas = explained["replicas"]
        yield f"Engines ({engine.get('name', '')}, {engine.get('version', 'version unknown')})"
        yield f"  {replicas['ready']} of {replicas['desired']} replicas ready"
        for one in explained["engines"]:
            where = one["endpoint"] or "starting"
            at = f"pid {one['pid']}" if "pid" in one else f"on {one['node'] or 'no node yet'}"
            yield f"  replica {one['replica']}  {where:<21}  {at}  {one['log']}"
        if "adapters" in explained:
            yield "Adapters"
            for adapter in explained["adapters"]:
                yield from _adapter(adapter, replicas["ready"])
        if "scaling" in explained:
            yield from _scaling(explained["scaling"])
    yield "Used by"
    for use in explained["usedBy"] or ():
        share = f"weight {use['weight']}" if use["weight"] else "as fallback"
        adapter = f", adapter {use['adapter']}" if "adapter" in use else ""
        yield f"  route {use['route']} ({', '.join(use['models'])}){adapter}, {share}"
    if not explained["usedBy"]:
        yield "  no route: nobody can call it"


def _adapter(adapter: dict[str, Any], ready: int) -> Iterator[str]:
    at = f" at {adapter['revision']}" if adapter.get("revision") else ""
    why = f": {adapter['reason']}" if adapter.get("reason") else ""
    yield f"  {adapter['name']}{at}: loaded by {adapter.get('loaded', 0)} of {ready} ready replicas{why}"


def _scaling(scaling: dict[str, Any]) -> Iterator[str]:
    """The last decision on its replicas."""
    yield "Scaling"
    if not scaling.get("state"):
        yield "  nothing was decided yet"
        return
    pools = ", ".join(f"{pool['replicas']} in pool {pool['name']}" for pool in scaling.get("pools", ()))
    yield f"  {_replicas_since(scaling)}{f' ({pools})' if pools else ''}"
    for said in (scaling.get("reason"), scaling.get("message")):
        if said:
            yield f"  {said}"
    if scaling.get("history"):
        yield "  before:"
    for past in scaling.get("history", ()):
        state = past.get("state", "")
        held = "" if state == ScalingState.ACTIVE else f" ({state})"
        yield f"    {_replicas_since(past)}{held}"
        if past.get("reason"):
            yield f"      {past['reason']}"


def _replicas_since(decided: dict[str, Any]) -> str:
    count = decided.get("forReplicas", 0)
    return f"{count} replica{'' if count == 1 else 's'} since {decided.get('since') or 'some time'}"


def _route(explained: dict[str, Any]) -> Iterator[str]:
    yield "Answers"
    yield f"  {explained['url'] or 'nowhere yet'} to the model names {', '.join(explained['models'])}"
    yield f"  for {_callers(explained['authentication'])}"
    if explained["dataClass"]:
        yield f"  requests carry {explained['dataClass']}: every target may receive it"
    for number, rule in enumerate(explained["rules"], start=1):
        yield f"Rule {number}: {_match(rule['match'])}"
        for target in rule["targets"]:
            yield f"  {target['percent']:g} %  {_label(target)}{_state(target)}"
        yield from _fallback(rule["fallback"])
        timeouts = rule["timeouts"]
        first = timeouts["firstToken"] or "not limited"
        yield f"  timeouts: request {timeouts['request']}, first token {first}, idle {timeouts['idle']}"
        if rule["affinity"] is not None:
            by = rule["affinity"].get("header")
            yield f"  the same {f'header {by}' if by else 'prompt_cache_key'} goes to the same replica"
    if explained["mirror"] is not None:
        mirror = explained["mirror"]
        yield "Mirror"
        yield f"  a copy of {mirror['percent']} % goes to {_label(mirror)}; its answers are thrown away"


def _callers(authentication: dict[str, Any]) -> str:
    callers = []
    if authentication["apiKeysFrom"] is not None:
        labels = authentication["apiKeysFrom"].get("matchLabels", {})
        shown = ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "the route's selector"
        callers.append(f"clients with an API key of a Secret labelled {shown}")
    if authentication["anonymous"]:
        callers.append("anyone")
    return " and ".join(callers) or "nobody: state spec.authentication"


def _match(match: dict[str, Any] | None) -> str:
    if match is None:
        return "every request" + " that no rule before it matches"
    terms = [
        f"header {header['name']} is {header['value']}"
        if "value" in header
        else f"header {header['name']} matches {header['regex']}"
        for header in match.get("headers", ())
    ]
    if "minPromptTokens" in match:
        terms.append(f"the prompt has about {match['minPromptTokens']} tokens or more")
    return "requests where " + " and ".join(terms)


def _fallback(fallback: dict[str, Any] | None) -> Iterator[str]:
    if fallback is None:
        yield "  if it fails: another replica of it is tried; there is no fallback"
        return
    yield f"  on {', '.join(fallback['when'])}:"
    yield "    first another replica of the same target, then in this order"
    for number, target in enumerate(fallback["targets"], start=1):
        yield f"    {number}. {_label(target)}{_state(target)}"
    cooldown = fallback["cooldown"]
    yield f"  a replica that fails {cooldown['failures']} times in a row is left alone for {cooldown['for']}"


def _label(target: dict[str, Any]) -> str:
    return target_label(target["deployment"], target.get("adapter"))


def _state(target: dict[str, Any]) -> str:
    return "" if target["ready"] else "  (cannot answer now)"


def _conditions(explained: dict[str, Any]) -> Iterator[str]:
    yield "Conditions"
    for one in explained["conditions"]:
        said = f"  {one['message']}" if one.get("message") else ""
        yield f"  {one['type']:<17} {one['status']:<8} {one.get('reason', '')}{said}"
