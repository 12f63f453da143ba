"""Which requests a rule of a ModelRoute is for."""

from typing import Annotated

from pydantic import Field, StrictInt

from pointsman.api.markers import ListMap
from pointsman.api.names import HeaderName, HeaderValue
from pointsman.api.record import Record, Rule
from pointsman.api.regularexpressions import is_regular_expression


class HeaderMatch(Record):
    """A header that the request must have, with this value or matching this expression (RE2, whole value)."""

    name: HeaderName
    value: HeaderValue | None = None
    regex: Annotated[str, Field(min_length=1, max_length=512)] | None = None

    constraints = (
        Rule(
            cel="has(self.value) != has(self.regex)",
            holds=lambda header: (header.value is None) != (header.regex is None),
            what="exactly one of value and regex must be given",
            todo="state one of them",
        ),
        Rule(
            cel="!has(self.regex) || ''.matches(self.regex) in [true, false]",
            holds=lambda header: header.regex is None or is_regular_expression(header.regex),
            what="is not a regular expression that RE2 can read",
            todo="check brackets and escapes; look-around and backreferences are not available",
            field="regex",
        ),
    )


class Match(Record):
    """Which requests a rule is for; all that is given must hold."""

    headers: (
        Annotated[tuple[HeaderMatch, ...], Field(min_length=1, max_length=16), ListMap("name")] | None
    ) = None
    min_prompt_tokens: Annotated[StrictInt, Field(ge=1, le=100_000_000)] | None = None
    """Prompts that have at least about this many tokens (estimated from the body's size)."""

    constraints = (
        Rule(
            cel="has(self.headers) || has(self.minPromptTokens)",
            holds=lambda match: match.headers is not None or match.min_prompt_tokens is not None,
            what="says nothing to match",
            todo="state headers or minPromptTokens, or remove match to make this the default rule",
        ),
    )
