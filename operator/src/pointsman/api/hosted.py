"""A model that a provider hosts."""

import ipaddress
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from pointsman.api.meta import Credentials
from pointsman.api.names import Flag, HttpUrl, PositiveCount, ProviderModel, Word
from pointsman.api.record import Record, Rule
from pointsman.api.scalars import Money


class Provider(StrEnum):
    OPENAI = "openai"
    AZURE = "azure"
    ANTHROPIC = "anthropic"
    GOOGLE = "google"
    MISTRAL = "mistral"
    CUSTOM = "custom"


class DataTerms(Record):
    """What the contract with the provider says about data."""

    retention_days: Annotated[StrictInt, Field(ge=0, le=36_500)]
    trains_on_data: Flag


class Price(Record):
    """What the provider asks, in the fleet's currency."""

    input_per_million_tokens: Money
    cached_input_per_million_tokens: Money | None = None
    output_per_million_tokens: Money


class HostedLimits(Record):
    """What the provider allows."""

    requests_per_minute: PositiveCount | None = None
    tokens_per_minute: PositiveCount | None = None


def _brackets_hold_an_address(hosted: "Hosted") -> bool:
    """Whether a host in brackets is an IPv6 address; as for the API server, none with IPv4 mapped into it."""
    _, bracket, rest = hosted.base_url.partition("[")
    try:
        return not bracket or ipaddress.IPv6Address(rest.partition("]")[0]).ipv4_mapped is None
    except ValueError:
        return False


class Hosted(Record):
    provider: Provider
    """Whose API it is; custom: any other that is shaped like OpenAI's."""
    base_url: HttpUrl
    """Where the API begins, with its version: https://api.openai.com/v1"""
    model: ProviderModel
    """The provider's name of the model."""
    credentials: Credentials | None = None
    """The key; its Secret's annotation pointsman.dev/allowed-hosts names the hosts it may go to."""
    ca_certificates: Credentials | None = None
    """PEM certificates to trust instead of the system's, for a server with a private authority."""
    region: Word | None = None
    data_terms: DataTerms | None = None
    price: Price | None = None
    limits: HostedLimits | None = None

    constraints = (
        Rule(
            cel="!self.baseURL.contains('[') || [self.baseURL.split('[', 2)[1].split(']', 2)[0]]"
            ".all(host, isIP(host) && ip(host).family() == 6)",
            holds=_brackets_hold_an_address,
            what="what stands in brackets is no IPv6 address",
            todo="correct it",
            field="baseURL",
        ),
        Rule(
            cel="!has(self.caCertificates) || self.baseURL.startsWith('https://')",
            holds=lambda hosted: hosted.ca_certificates is None or hosted.base_url.startswith("https://"),
            what="certificates are of no use without TLS",
            todo="use an https baseURL or remove caCertificates",
            field="caCertificates",
        ),
    )
