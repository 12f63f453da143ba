"""What is said of adapters, as replicas load them, cannot, start, and are asked."""

from __future__ import annotations

from typing import Any

from pointsman.api import Adapter, FleetSettings
from pointsman.catalog.adapter_report import AdapterReport, ReportedAdapter
from pointsman.controller.modeldeployment.adapters import LOADING, NO_REPLICA, SILENT
from pointsman.controller.modeldeployment.snapshot import Reports
from pointsman.kube.objects import key_of
from pointsman.workloads.adapters import FILE, path_of
from tests.support.decided_cluster import Cluster, own_model

Json = dict[str, Any]

DE = {"name": "de", "source": "hf://acme/de"}
FR = {"name": "fr", "source": "hf://acme/fr", "revision": "2"}
L4 = FleetSettings.model_validate({"accelerators": [{"name": "L4"}]})
MISSING = "RepositoryNotFound: hf://acme/fr: does not exist"


def manifest(*adapters: Json, replicas: int = 2, **engine: Any) -> Json:
    model = {
        "source": "hf://acme/base",
        "revision": "0" * 40,
        "quantization": None,
        "adapters": list(adapters),
    }
    return own_model(
        model=model, engine={"name": "vllm", **engine}, hardware={"accelerators": ["L4"]}, replicas=replicas
    )


def running(*adapters: Json, **stated: Any) -> Cluster:
    cluster = Cluster(manifest(*adapters, **stated), fleet=L4)
    cluster.settle()
    cluster.run_pods()
    return cluster


def report(*adapters: Json, **troubles: str) -> AdapterReport:
    """That these are loaded, but for those with a trouble."""
    found = (
        ReportedAdapter(
            one["name"], path_of(Adapter(**one)), one["name"] not in troubles, troubles.get(one["name"], "")
        )
        for one in adapters
    )
    return AdapterReport("digest", tuple(found))


def tell(cluster: Cluster, *reports: AdapterReport) -> None:
    """The replicas tell, one after another."""
    names = [key_of(pod).name for pod in cluster.pods]
    cluster.reports = Reports(adapters=dict(zip(names, reports, strict=False)))
    cluster.settle()


def said(cluster: Cluster) -> dict[str, tuple[int, str]]:
    """Name -> in how many replicas, and why not in all."""
    found = cluster.deployment["status"].get("adapters", ())
    return {one["name"]: (one.get("loaded", 0), one.get("reason", "")) for one in found}


def test_another_list_changes_a_config_map_and_no_workload() -> None:
    cluster = running(DE)
    before = cluster.workload()
    cluster.change(manifest(DE, FR))
    written = cluster.step()
    assert [one.split()[0] for one in written] == ["ControllerRevision", "ConfigMap", "status"], written
    assert cluster.workload() == before
    cluster.settle()
    cluster.change(manifest(DE))
    cluster.settle()
    assert cluster.workload() == before


def test_replicas_are_counted_and_the_reason_goes_once_all_have_it() -> None:
    cluster = running(DE, FR)
    tell(cluster, report(DE, FR), report(DE))
    assert said(cluster) == {"de": (2, ""), "fr": (1, LOADING)}
    assert cluster.condition("WeightsAvailable") == ("True", "Available")
    tell(cluster, report(DE, FR), report(DE, FR))
    assert said(cluster) == {"de": (2, ""), "fr": (2, "")}
    assert cluster.deployment["status"]["adapters"][1]["revision"] == "2"


def test_what_cannot_be_loaded_is_named_announced_and_takes_nothing_else_away() -> None:
    cluster = running(DE, FR)
    tell(cluster, report(DE, FR), report(DE, FR))
    names = [key_of(pod).name for pod in cluster.pods]
    cluster.reports = Reports(adapters=dict.fromkeys(names, report(DE, FR, fr=MISSING)))
    [event] = cluster.plan().announcements
    assert (event.reason, event.is_warning) == ("AdapterNotLoaded", True)
    cluster.settle()
    assert said(cluster) == {"de": (2, ""), "fr": (0, MISSING)}
    assert cluster.condition("WeightsAvailable") == ("False", "AdapterNotLoaded")
    assert cluster.message("WeightsAvailable") == f"fr: {MISSING}"
    assert cluster.condition("Ready") == ("True", "ReplicasReady")
    tell(cluster, report(DE, FR), report(DE, FR))
    assert cluster.condition("WeightsAvailable") == ("True", "Available")


def test_other_weights_of_a_name_are_not_those_that_are_loaded() -> None:
    cluster = running(DE)
    tell(cluster, report(DE), report(DE))
    later = {**DE, "revision": "3"}
    cluster.change(manifest(later))
    cluster.settle()
    assert said(cluster) == {"de": (0, LOADING)}
    tell(cluster, report(later), report(later))
    assert said(cluster) == {"de": (2, "")}


def test_an_operator_that_begins_says_what_was_said_until_it_has_asked() -> None:
    cluster = running(DE, FR)
    tell(cluster, report(DE, FR, fr=MISSING), report(DE, FR, fr=MISSING))
    cluster.reports = Reports()
    assert cluster.step() == []
    tell(cluster, report(DE, FR))
    assert said(cluster)["fr"] == (0, MISSING)
    tell(cluster, AdapterReport(""), AdapterReport(""))
    assert said(cluster) == {"de": (0, SILENT), "fr": (0, SILENT)}


def test_without_a_replica_none_is_loaded() -> None:
    cluster = Cluster(manifest(DE), fleet=L4)
    cluster.settle()
    assert said(cluster) == {"de": (0, NO_REPLICA)}
    assert cluster.condition("WeightsAvailable") == ("False", "Fetching")


def test_adapters_that_are_a_part_of_the_pods_are_there_with_them() -> None:
    cluster = running(DE, version="0.30.0")
    cluster.settle()
    assert said(cluster) == {"de": (2, "")}


def test_a_spec_that_cannot_be_changes_no_list() -> None:
    cluster = running(DE)
    tell(cluster, report(DE), report(DE))
    [before] = [one for one in cluster.children.values() if FILE in one.get("data", {})]
    wrong = {"name": "chat", "source": "hf://acme/it"}
    cluster.change(manifest(DE, wrong))
    cluster.settle()
    assert cluster.condition("Progressing") == ("False", "InvalidSpec")
    [after] = [one for one in cluster.children.values() if FILE in one.get("data", {})]
    assert after == before
    assert said(cluster) == {"de": (2, "")}


def test_the_list_goes_with_the_last_adapter() -> None:
    cluster = running(DE)
    cluster.change(manifest())
    cluster.settle()
    assert [one for one in cluster.children.values() if FILE in one.get("data", {})] == []
    assert said(cluster) == {}
