"""What Envoy is given for each input, kept as YAML; and that the real Envoy takes it.

`UPDATE_GOLDEN=1` writes the files anew: read the difference before committing it.
"""

import os
import platform
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.gateway.bootstrap import DISCOVERY_SOCKET
from pointsman.gateway.discovery import DiscoveryServer
from pointsman.gateway.envoy import Envoy
from pointsman.gateway.store import ResourceStore
from pointsman.routing import Compiler, ProxySettings, Resource, ResourceSet, RoutingInput
from pointsman.routing.resources import CLUSTER, LISTENER, SCOPE
from tests.golden.routing.inputs import AUTHORITY, INPUTS
from tests.support.envoy_messages import as_json, compiled
from tests.support.polling import eventually_async
from tests.support.ports import free_ports

HERE = Path(__file__).parent
# Where our filters are installed differs from machine to machine.
PLACES = {"filename"}


def readable(value: Any, key: str = "") -> Any:
    """In the order of names, places of files as their names."""
    if isinstance(value, dict):
        return {name: readable(inner, name) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        return [readable(inner, key) for inner in value]
    if key in PLACES:
        return Path(value).name
    return value


def rendered(name: str, given: RoutingInput) -> str:
    """Every resource of an input; what is the same for all inputs stands in the first file alone."""
    shown: dict[str, dict[str, Any]] = {}
    for type_url, resources in compiled(given).items():
        if type_url == LISTENER and name != "quickstart":
            continue
        kind = shown.setdefault(type_url.rsplit(".", 1)[-1], {})
        for one in resources.values():
            if one.name[0] == "!" and one.name != "!models" and name != "quickstart":
                continue
            kind[one.name] = readable(as_json(one))
    return yaml.safe_dump(shown, sort_keys=True, width=110, allow_unicode=True)


@pytest.mark.parametrize("name", INPUTS)
def test_envoy_is_given_what_is_kept(name: str) -> None:
    kept = HERE / f"{name}.yaml"
    now = rendered(name, INPUTS[name]())
    if os.environ.get("UPDATE_GOLDEN") == "1":
        kept.write_text(now, encoding="utf-8")
    assert now == kept.read_text(encoding="utf-8"), "UPDATE_GOLDEN=1 writes it anew"


def test_no_file_is_kept_for_an_input_that_is_gone() -> None:
    assert {file.stem for file in HERE.glob("*.yaml")} == set(INPUTS)


def every(resources: ResourceSet, *types: str) -> list[Resource]:
    return [one for type_url in types for one in resources[type_url].values()]


def is_settled(discovery: DiscoveryServer) -> bool:
    return discovery.session is not None and discovery.session.settled()


async def test_envoy_takes_each_and_each_after_the_other(tmp_path: Path) -> None:
    listen, tombstone = free_ports(2)
    # Not every machine has its authorities at the same place.
    settings = replace(
        ProxySettings(processor=platform.machine()),
        listen_port=listen,
        tombstone_port=tombstone,
        trusted_ca_file=str(AUTHORITY),
    )
    store = ResourceStore()
    discovery, compiler = DiscoveryServer(store), Compiler(settings)
    with tempfile.TemporaryDirectory(prefix="pm-") as folder:
        envoy = Envoy(settings, Path(folder), tmp_path / "envoy.log")
        await discovery.start(Path(folder) / DISCOVERY_SOCKET)
        try:
            await envoy.start()
            for name in [*INPUTS, *reversed(INPUTS)]:
                desired = compiler.compile(INPUTS[name]())
                store.replace(desired)
                await eventually_async(lambda: is_settled(discovery), 60, f"Envoy's word on {name}")
                assert store.refusals == {}, name
                session = discovery.session
                held = [session is not None and session.holds(one) for one in every(desired, CLUSTER, SCOPE)]
                assert all(held), name
        finally:
            await envoy.stop(0)
            await discovery.stop()
    assert "error" not in (tmp_path / "envoy.log").read_text().lower()
