"""Where a test has a network of its own, pods have addresses that EndpointSlices carry."""

from __future__ import annotations

import json

from tests.support.processes import StartedProcess, python_module


def test_endpoint_slices_carry_the_pods_of_a_process_node() -> None:
    inner = python_module("tests.integration.pods_of_a_service")
    with StartedProcess(python_module("tests.support.cluster.own_network", *inner)) as running:
        assert running.wait(120) == 0, running.output
        found = json.loads(running.output.splitlines()[-1])
    assert all(address.startswith("10.244.3.") for address in found["addresses"])
    assert len(found["addresses"]) == 2
    assert found["models"] == ["/weights"]
