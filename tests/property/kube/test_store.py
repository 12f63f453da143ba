"""The store's index by owner says the same as looking through everything."""

from hypothesis import given
from hypothesis import strategies as st

from pointsman.kube.objects import key_of, owners_of
from pointsman.kube.store import Store
from tests.support.kube_objects import seen

OWNERS = ("u1", "u2", "u3")
puts = st.builds(
    lambda name, owners: ("put", name, tuple(owners)),
    st.sampled_from("abcd"),
    st.lists(st.sampled_from(OWNERS), unique=True),
)
removals = st.builds(lambda name: ("remove", name, ()), st.sampled_from("abcd"))


@given(steps=st.lists(puts | removals, max_size=30))
def test_the_index_follows_every_change(steps: list[tuple[str, str, tuple[str, ...]]]) -> None:
    store = Store()
    for number, (what, name, owners) in enumerate(steps):
        obj = seen(name, str(number), owners=owners)
        if what == "put":
            store.put(obj)
        else:
            store.remove(key_of(obj))
        for uid in OWNERS:
            plain = sorted((obj for obj in store.values() if uid in owners_of(obj)), key=key_of)
            assert list(store.owned_by(uid)) == plain
