"""A placed model as Kubernetes objects: which engine starts how, in which pods, and what surrounds them.

Pure. `freeze` decides once, from the catalogue and the placement; `render` wraps what was decided, as often
as asked for, and always alike; `renewal` says when to decide anew. What a user asked for that cannot be is in
`refusals`. Writing objects, and reading their state, is not done here.
"""

from pointsman.workloads.containers import AGENT_PORT
from pointsman.workloads.engine import PORT
from pointsman.workloads.freeze import freeze
from pointsman.workloads.refusals import refusals
from pointsman.workloads.render import render
from pointsman.workloads.rendering import PoolRendering, Rendering
from pointsman.workloads.revision import (
    Renewal,
    controller_revision,
    frozen_placement,
    frozen_rendering,
    renewal,
    revision_name,
    spec_hash,
)
from pointsman.workloads.surroundings import Images, Peers, Surroundings, surroundings_of

__all__ = [
    "AGENT_PORT",
    "PORT",
    "Images",
    "Peers",
    "PoolRendering",
    "Rendering",
    "Renewal",
    "Surroundings",
    "controller_revision",
    "freeze",
    "frozen_placement",
    "frozen_rendering",
    "refusals",
    "render",
    "renewal",
    "revision_name",
    "spec_hash",
    "surroundings_of",
]
