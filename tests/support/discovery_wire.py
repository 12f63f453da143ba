"""A discovery session, an Envoy stand-in, and a wire whose messages a test delivers one by one."""

from collections import Counter, deque

from envoy.service.discovery.v3.discovery_pb2 import DeltaDiscoveryRequest, DeltaDiscoveryResponse

from pointsman.gateway.session import DeltaSession
from pointsman.gateway.store import ResourceStore
from pointsman.routing import ResourceSet
from pointsman.routing.resources import LISTENER
from tests.support.envoy_stand_in import EnvoyStandIn

# Far above what any of the tests' inputs needs: reaching it means that the two will talk for ever.
_MOST_MESSAGES = 1_000


class DiscoveryWire:
    """Messages wait on the wire until they are delivered; both directions keep their order."""

    def __init__(self, store: ResourceStore, envoy: EnvoyStandIn) -> None:
        self.store = store
        self.envoy = envoy
        self.sent: Counter[str] = Counter()
        """Responses by type URL, for as long as the test does not clear it."""
        self.reconnect()

    def reconnect(self) -> None:
        """The stream breaks, with all that is on it, and Envoy opens another."""
        self.session = DeltaSession(self.store)
        self._to_session: deque[DeltaDiscoveryRequest] = deque(self.envoy.connect())
        self._to_envoy: deque[DeltaDiscoveryResponse] = deque()

    def restart_envoy(self) -> None:
        """Envoy ends and is started again."""
        self.envoy.restart()
        self.reconnect()

    def update(self, desired: ResourceSet) -> None:
        """The store takes a new set, and the stream is woken."""
        self.store.replace(desired)
        self._push()

    def listen_again(self) -> None:
        """What was refused of listeners is tried once more."""
        self.store.retry(LISTENER)
        self._push()

    def deliver_request(self) -> bool:
        """One message from Envoy arrives; whether there was one."""
        if not self._to_session:
            return False
        self.session.receive(self._to_session.popleft())
        self._push()
        return True

    def next_response(self) -> DeltaDiscoveryResponse | None:
        """What Envoy reads next."""
        return self._to_envoy[0] if self._to_envoy else None

    def deliver_response(self) -> bool:
        """One message from the session arrives; whether there was one."""
        if not self._to_envoy:
            return False
        self._to_session.extend(self.envoy.take(self._to_envoy.popleft()))
        return True

    def settle(self) -> int:
        """Deliver until nobody has more to say; how many messages that took."""
        self._push()
        for count in range(_MOST_MESSAGES):
            if not self.deliver_request() and not self.deliver_response():
                return count
        raise AssertionError(f"still talking after {_MOST_MESSAGES} messages: {dict(self.sent)}")

    def _push(self) -> None:
        for response in self.session.responses():
            self.sent[response.type_url] += 1
            self._to_envoy.append(response)
