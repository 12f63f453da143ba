"""What of a deployment's hardware is wrong on any nodes: the model's rules, slices, precision."""

import difflib
from collections.abc import Iterator

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.api.findings import Finding
from pointsman.api.hardware import Hardware, Parallelism
from pointsman.catalog import Catalog, refusal
from pointsman.placement.arguments import as_told
from pointsman.placement.devices import device_named, known_names
from pointsman.placement.precision import Cannot, cannot_become, precision_on
from pointsman.placement.shape import ModelShape, shape_of
from pointsman.placement.spread import device_refusal, spread_of, tensor_refusal


def refusals(deployment: ModelDeployment, fleet: FleetSettings | None, catalog: Catalog) -> list[Finding]:
    """Errors that hold on any nodes, each with its fix. Lines and files are the caller's to add.

    Without a fleet, accelerators that the catalogue does not know are left alone: its settings may know them.
    """
    return list(_refusals(deployment, fleet, catalog))


def _refusals(
    deployment: ModelDeployment, fleet: FleetSettings | None, catalog: Catalog
) -> Iterator[Finding]:
    spec = deployment.spec
    model, engine = spec.model, spec.engine
    if model is None or engine is None:
        return
    hardware = spec.hardware or Hardware()
    parallelism = hardware.parallelism or Parallelism()
    shape = shape_of(model, catalog.model_at(model.source))
    if shape is not None:
        shape = as_told(shape, engine)
        unfit = cannot_become(shape, engine.name)
        if unfit is not None and model.quantization is not None:
            yield refusal(deployment, "spec.model.quantization", unfit.what, unfit.todo)
        if parallelism.tensor is not None:
            against = tensor_refusal(shape, parallelism.tensor, engine.name)
            if against is not None:
                yield refusal(deployment, f"spec.{against.field}", against.what, against.todo)
    yield from _pool_refusals(deployment, hardware, shape, fleet, catalog)


def _pool_refusals(
    deployment: ModelDeployment,
    hardware: Hardware,
    shape: ModelShape | None,
    fleet: FleetSettings | None,
    catalog: Catalog,
) -> Iterator[Finding]:
    engine = deployment.spec.engine
    settings = fleet or FleetSettings()
    parallelism = hardware.parallelism or Parallelism()
    for index, pool in enumerate(hardware.pools):
        at = f"spec.hardware.pools[{index}]"
        device = device_named(pool.accelerator, settings, catalog)
        if device is None:
            if fleet is not None:
                yield _unknown(deployment, f"{at}.accelerator", pool.accelerator, fleet, catalog)
            continue
        spread = spread_of(hardware, pool.accelerators_per_replica)
        if engine is None or spread is None:
            continue
        against = device_refusal(spread, device, engine.name)
        if against is None and shape is not None and parallelism.tensor is None:
            against = tensor_refusal(shape, spread.tensor, engine.name)
        if against is not None:
            yield refusal(deployment, f"{at}.acceleratorsPerReplica", against.what, against.todo)
        if shape is not None:
            precision = precision_on(device, shape, engine.name)
            if isinstance(precision, Cannot):
                yield refusal(deployment, f"{at}.accelerator", precision.what, precision.todo)
    for index, name in enumerate(hardware.accelerators):
        if fleet is not None and device_named(name, fleet, catalog) is None:
            yield _unknown(deployment, f"spec.hardware.accelerators[{index}]", name, fleet, catalog)


def _unknown(
    deployment: ModelDeployment, path: str, name: str, fleet: FleetSettings, catalog: Catalog
) -> Finding:
    close = _close(name, list(known_names(fleet, catalog)))
    todo = f'did you mean "{close}"?' if close else "state its facts in the fleet settings"
    return refusal(deployment, path, f"{name} is no accelerator that the catalogue knows", todo)


def _close(name: str, names: list[str]) -> str:
    """The one that is meant, whatever its case and dashes; "" where none is near."""
    plain = {_plain(each): each for each in names}
    found = difflib.get_close_matches(_plain(name), plain, 1)
    return plain[found[0]] if found else ""


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace("nvidia", "")
