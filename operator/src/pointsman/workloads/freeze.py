"""From a placed deployment to everything that must not move until its spec does."""

from typing import Any

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.api.hardware import Capacity
from pointsman.api.podoverlay import PodOverlay
from pointsman.catalog import Catalog, has_live_adapters
from pointsman.json_text import dumped, loaded
from pointsman.placement.devices import device_named
from pointsman.placement.result import Placement, Pool
from pointsman.workloads import adapters, containers, files, pod
from pointsman.workloads.engine import ChosenEngine, choose, own, start_of
from pointsman.workloads.rendering import PoolRendering, Rendering
from pointsman.workloads.revision import spec_hash
from pointsman.workloads.scheduling import nodes_for
from pointsman.workloads.surroundings import Images, Surroundings
from pointsman.workloads.weights import supply

# From "no pod yet" to "the container starts": scheduling, a new node, and an engine's image of 10 GB.
_ARRIVAL_SECONDS = 1200


def freeze(
    deployment: ModelDeployment,
    placement: Placement,
    catalogue: Catalog,
    images: Images,
    *,
    fleet: FleetSettings | None = None,
    surroundings: Surroundings | None = None,
    weights_revision: str | None = None,
    weights_name: str = "",
) -> Rendering:
    """The rendering of today: today's catalogue, images and prices. `weights_revision` is what a revision
    that can move (a branch, or none) was resolved to, and `weights_name` what was asked for.

    PointsmanError for what cannot be rendered at all: a hosted model, an accelerator for which the engine has
    no image, a source that the cluster cannot mount. What a user should not have written is in `refusals`.
    """
    model, _ = own(deployment)
    settings, around = fleet or FleetSettings(), surroundings or Surroundings()
    revision = weights_revision if weights_revision is not None else model.revision or ""
    made = [
        _pool(deployment, placement, pool, catalogue, images, settings, around, revision)
        for pool in placement.pools
    ]
    _, first, _ = made[0]
    live = _is_live(deployment, first)
    return Rendering(
        engine=first.facts.name.value,
        version=first.version or "",
        image=first.image,
        agent_image=images.agent,
        catalogue=catalogue.revision,
        weights_revision=revision,
        weights_name=weights_name,
        spec_hash=spec_hash(deployment, live_adapters=live),
        refresh=deployment.spec.refresh,
        placement=placement,
        pools=tuple(rendering for rendering, _, _ in made),
        files={name: text for _, _, texts in made for name, text in texts.items()},
        workload_labels=pod.workload_labels(deployment.spec.template or PodOverlay()),
        adapters=adapters.listed(deployment) if live else "",
    )


def _pool(
    deployment: ModelDeployment,
    placement: Placement,
    pool: Pool,
    catalogue: Catalog,
    images: Images,
    fleet: FleetSettings,
    around: Surroundings,
    revision: str,
) -> tuple[PoolRendering, ChosenEngine, dict[str, str]]:
    model, _ = own(deployment)
    device = device_named(pool.accelerator, fleet, catalogue) if pool.accelerator else None
    chosen = choose(deployment, device, catalogue, images)
    live = _is_live(deployment, chosen)
    supplied = supply(model, chosen.facts, around, revision, live=live)
    seconds = containers.startup_seconds(chosen.facts, placement.weights_bytes)
    leader = start_of(deployment, placement, pool, chosen, supplied, startup_seconds=seconds, live=live)
    worker = start_of(deployment, placement, pool, chosen, supplied, startup_seconds=seconds, worker=True)
    texts = files.contents(deployment, pool, placement, leader.values)
    spans = placement.nodes > 1
    plan = pod.PodPlan(
        pool=pool.name,
        nodes=nodes_for(pool, _capacity(deployment, pool), fleet, catalogue),
        resource=pool.resource,
        devices=pool.accelerators_per_replica // placement.nodes,
        memory_bytes=placement.memory_bytes,
        startup_seconds=seconds,
        spans_nodes=spans,
    )
    parts = pod.PodParts(deployment, chosen, supplied, texts, images, around, live)
    downloading = containers.download_seconds(chosen.facts, placement.weights_bytes)
    rendering = PoolRendering(
        name=pool.name,
        template=_plain(pod.template(parts, plan, leader)),
        worker_template=_plain(pod.template(parts, plan, worker)) if spans else None,
        nodes=placement.nodes,
        progress_deadline_seconds=_ARRIVAL_SECONDS + seconds + (downloading if supplied.downloads else 0),
        on_accelerator=bool(pool.accelerator),
    )
    return rendering, chosen, texts


def _is_live(deployment: ModelDeployment, chosen: ChosenEngine) -> bool:
    """Whether adapters come and go in running pods; an image for certain tasks has a version of its own."""
    live = chosen.facts.launch.live_adapters
    return live is not None and live.holds_in(chosen.version) and has_live_adapters(deployment, chosen.facts)


def _capacity(deployment: ModelDeployment, pool: Pool) -> Capacity | None:
    """Spot pools are kept to spot nodes; the others away from them only where both kinds are told apart."""
    hardware = deployment.spec.hardware
    stated = hardware.pools if hardware is not None else ()
    if pool.capacity is Capacity.SPOT or any(one.capacity is Capacity.SPOT for one in stated):
        return pool.capacity
    return None


def _plain(template: dict[str, Any]) -> dict[str, Any]:
    """JSON values of its own: what is frozen shares nothing with what it was made from."""
    copied: dict[str, Any] = loaded(dumped(template))
    return copied
