"""Who may call a route."""

from typing import Annotated

from pydantic import Field

from pointsman.api.meta import LabelSelector
from pointsman.api.names import Flag, HttpUrl, ShortText
from pointsman.api.record import Record, Rule


class ApiKeys(Record):
    """Clients with a key; each key of each selected Secret names a client, its value is that client's key."""

    secret_selector: LabelSelector

    constraints = (
        Rule(
            cel="(has(self.secretSelector.matchLabels) && size(self.secretSelector.matchLabels) > 0) || "
            "(has(self.secretSelector.matchExpressions) && size(self.secretSelector.matchExpressions) > 0)",
            holds=lambda keys: bool(
                keys.secret_selector.match_labels or keys.secret_selector.match_expressions
            ),
            what="an empty selector would make every Secret of the namespace a list of API keys",
            todo="state matchLabels",
            field="secretSelector",
        ),
    )


class Jwt(Record):
    """Clients with a token of an issuer."""

    issuer: Annotated[str, Field(min_length=1, max_length=2048)]
    audiences: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=16)]
    jwks_uri: HttpUrl
    client_claim: ShortText = "sub"
    """The claim whose value names the client."""


class Authentication(Record):
    api_keys: ApiKeys | None = None
    jwt: Jwt | None = None
    anonymous: Flag | None = None
    """true: anyone may call."""

    constraints = (
        Rule(
            cel="[has(self.apiKeys), has(self.jwt), has(self.anonymous) && self.anonymous]"
            ".filter(stated, stated).size() == 1",
            holds=lambda one: (
                [one.api_keys is not None, one.jwt is not None, bool(one.anonymous)].count(True) == 1
            ),
            what="exactly one of apiKeys, jwt and anonymous: true must be given",
            todo="state how clients are known, or anonymous: true for everyone",
        ),
    )
