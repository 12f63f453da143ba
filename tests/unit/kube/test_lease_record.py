"""What is written over which lease."""

from datetime import UTC, datetime

from pointsman.api.meta import ObjectKey
from pointsman.kube.lease_record import LeaseRecord

KEY = ObjectKey("ns", "lease")
NOW = datetime(2027, 1, 31, 12, 0, 0, 0, UTC)
TEXT = "2027-01-31T12:00:00.000000Z"


def held_by(holder: str) -> LeaseRecord:
    spec = {"holderIdentity": holder, "acquireTime": "earlier", "renewTime": "r", "leaseTransitions": 3}
    lease = {"metadata": {"resourceVersion": "7"}, "spec": {**spec, "leaseDurationSeconds": 15}}
    return LeaseRecord.read(lease, KEY)


def test_a_lease_that_nobody_wrote_is_created() -> None:
    lease = LeaseRecord(KEY).taken("me", 15, NOW)
    assert lease["metadata"]["resourceVersion"] is None
    assert lease["spec"] == {
        "holderIdentity": "me",
        "leaseDurationSeconds": 15,
        "acquireTime": TEXT,
        "renewTime": TEXT,
        "leaseTransitions": 0,
    }


def test_a_renewal_keeps_when_it_was_acquired() -> None:
    spec = held_by("me").taken("me", 15, NOW)["spec"]
    assert (spec["acquireTime"], spec["renewTime"], spec["leaseTransitions"]) == ("earlier", TEXT, 3)


def test_taking_it_from_another_is_a_transition_over_the_version_that_was_read() -> None:
    lease = held_by("other").taken("me", 15, NOW)
    assert lease["metadata"]["resourceVersion"] == "7"
    spec = lease["spec"]
    assert (spec["acquireTime"], spec["leaseTransitions"]) == (TEXT, 4)


def test_a_released_lease_has_no_holder() -> None:
    spec = held_by("me").released(NOW)["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("", 1, 3)


def test_an_empty_lease_is_read_as_nobodys() -> None:
    record = LeaseRecord.read({"metadata": {"resourceVersion": "1"}}, KEY)
    assert (record.holder, record.duration_seconds, record.is_new) == ("", 0, False)
