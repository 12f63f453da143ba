"""Objects by key and by owner."""

from pointsman.api.meta import ObjectKey
from pointsman.kube.store import Store
from tests.support.kube_objects import seen

ONE = ObjectKey("default", "one")


def test_the_last_one_put_is_there_and_the_one_before_is_given() -> None:
    store = Store()
    first, second = seen("one", "1"), seen("one", "2")
    assert store.put(first) is None
    assert store.put(second) is first
    assert store[ONE] is second
    assert list(store) == [ONE]
    assert store.remove(ONE) is second
    assert store.remove(ONE) is None
    assert len(store) == 0


def test_owners_are_followed_when_they_change() -> None:
    store = Store()
    store.put(seen("one", "1", owners=("a", "b")))
    store.put(seen("two", "1", owners=("a",)))
    assert [obj["metadata"]["name"] for obj in store.owned_by("a")] == ["one", "two"]
    store.put(seen("one", "2", owners=("b",)))
    assert [obj["metadata"]["name"] for obj in store.owned_by("a")] == ["two"]
    assert [obj["metadata"]["name"] for obj in store.owned_by("b")] == ["one"]
    store.remove(ONE)
    assert store.owned_by("b") == ()
