"""The spellings of names and texts that the API accepts, each with its bound and its description for people.

Patterns are ASCII and without look-around, so that the API server (RE2) and pydantic (Rust) read them alike.
"""

from typing import Annotated, Final

from pydantic import Field, StrictBool, StrictInt, StringConstraints

LOOKS_LIKE: Final[dict[str, str]] = {}
"""Pattern -> what a value of it looks like, to finish the sentence "must be …"."""


def spelling(pattern: str, looks_like: str, *, longest: int, shortest: int | None = 1) -> StringConstraints:
    """A constraint on text that can say in words what it asks for."""
    LOOKS_LIKE[pattern] = looks_like
    return StringConstraints(min_length=shortest, max_length=longest, pattern=pattern)


_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
_QUALIFIED = r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
_SUBDOMAIN = rf"^{_LABEL}(\.{_LABEL})*$"
_LOWER = "lower-case letters, digits, - and ., beginning and ending with a letter or digit"

# RFC 1123 subdomain, as Kubernetes asks of metadata.name.
ObjectName = Annotated[str, spelling(_SUBDOMAIN, _LOWER, longest=253)]
# A name that is also used as a label value, which ends at 63 characters.
ShortObjectName = Annotated[str, spelling(_SUBDOMAIN, _LOWER, longest=63)]
Namespace = Annotated[str, spelling(rf"^{_LABEL}$", "lower-case letters, digits and -", longest=63)]
# A word that we or a platform team choose: a data class, a pool, a step, a suite.
Word = Annotated[
    str,
    spelling(
        rf"^{_QUALIFIED}$",
        "letters, digits, -, _ and ., beginning and ending with a letter or digit",
        longest=63,
    ),
]
# A prefix of at most 253 characters and a name of at most 63.
_LONGEST_KEY = 253 + 1 + 63
_KEY_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
LabelKey = Annotated[
    str,
    spelling(
        rf"^({_LABEL}(\.{_LABEL})*/)?{_KEY_NAME}$",
        'a label key such as "team" or "example.com/team", at most 63 characters after the /',
        longest=_LONGEST_KEY,
    ),
]
# Kubernetes looks at the lower-case form of an annotation's key.
_ANY_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
AnnotationKey = Annotated[
    str,
    spelling(
        rf"^({_ANY_LABEL}(\.{_ANY_LABEL})*/)?{_KEY_NAME}$",
        'an annotation key such as "owner" or "example.com/owner", at most 63 characters after the /',
        longest=_LONGEST_KEY,
    ),
]
LabelValue = Annotated[
    str,
    spelling(rf"^({_QUALIFIED})?$", "a label value: letters, digits, -, _ and .", longest=63, shortest=None),
]
# The keys of a Secret's or ConfigMap's data.
DataKey = Annotated[str, spelling(r"^[-._a-zA-Z0-9]+$", "letters, digits, -, _ and .", longest=253)]
EnvironmentName = Annotated[
    str,
    spelling(r"^[A-Za-z_][A-Za-z0-9_]*$", "letters, digits and _, not beginning with a digit", longest=256),
]

# What a client writes as "model". Not "!…", which the gateway keeps to itself; a slash groups names by owner.
ModelName = Annotated[
    str,
    spelling(
        r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$",
        "letters, digits, . _ : / and -, beginning with a letter or digit",
        longest=128,
    ),
]
# The same, optionally with one "*" at the end, for who may claim which names.
ModelNamePattern = Annotated[
    str,
    spelling(
        r"^(\*|[A-Za-z0-9][A-Za-z0-9._:/-]*\*?)$",
        'a model name, with at most one "*" at its end',
        longest=129,
    ),
]
# What a provider calls its model.
ProviderModel = Annotated[
    str,
    spelling(
        r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$",
        "letters, digits, . _ : / @ and -, beginning with a letter or digit",
        longest=256,
    ),
]
# RFC 9110 token; not ":…", which names HTTP/2 pseudo headers.
HeaderName = Annotated[
    str, spelling(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$", "a header name such as x-tier", longest=128)
]
HeaderValue = Annotated[
    str, spelling(r"^[^\x00-\x08\x0a-\x1f\x7f]+$", "text without control characters", longest=1024)
]
# A file that a process of ours reads or writes.
FilePath = Annotated[
    str, spelling(r"^/[^\x00-\x1f\x7f]*[^\x00-\x1f\x7f/]$", "an absolute path of a file", longest=4096)
]
BucketUrl = Annotated[
    str,
    spelling(
        r"^(s3|gs|az)://[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._=-]+)+/?$",
        "a bucket with a prefix, such as s3://audit/fleet",
        longest=1024,
    ),
]
HttpUrl = Annotated[
    str,
    spelling(
        r"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?$",
        "a URL such as https://api.example.com/v1, without user, query and fragment",
        longest=2048,
    ),
]
# A network. Whether the address is one, and has no bits behind the prefix, is a rule of who holds it.
Cidr = Annotated[str, spelling(r"^[0-9A-Fa-f:.]+/[0-9]{1,3}$", "a network such as 10.0.0.0/8", longest=43)]
# What a proxy is not asked for, as NO_PROXY lists it.
NoProxyEntry = Annotated[
    str,
    spelling(r"^[A-Za-z0-9.:/*_-]+$", "a host, a .suffix, an address or a network", longest=253),
]
# Where weights come from; which schemes work depends on where Pointsman runs.
SourceUri = Annotated[
    str,
    spelling(
        r"^(hf|s3|gs|az|oci|pvc|https|file|package)://[!-~]+$",
        "hf://owner/name, s3://, gs://, az://, oci://, pvc://, https://, file:// or package://",
        longest=2048,
    ),
]
Revision = Annotated[
    str,
    spelling(
        r"^[A-Za-z0-9][A-Za-z0-9._:/+-]*$",
        "a commit, tag or version: letters, digits, . _ : / + and -",
        longest=256,
    ),
]
Sha256 = Annotated[
    str, spelling(r"^[0-9a-f]{64}$", "64 hexadecimal digits in lower case", longest=64, shortest=None)
]
ImageReference = Annotated[
    str,
    spelling(
        r"^[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}$",
        "an image pinned by its digest: registry.example.com/name@sha256:…",
        longest=512,
    ),
]
Currency = Annotated[str, spelling(r"^[A-Z]{3}$", "an ISO 4217 code such as USD", longest=3)]

ShortText = Annotated[str, StringConstraints(max_length=253)]
Text = Annotated[str, StringConstraints(max_length=4096)]
LongText = Annotated[str, StringConstraints(max_length=65536)]
Flag = StrictBool
Count = Annotated[StrictInt, Field(ge=0, le=2_147_483_647)]
PositiveCount = Annotated[StrictInt, Field(ge=1, le=2_147_483_647)]
Percent = Annotated[StrictInt, Field(ge=0, le=100)]
Generation = Annotated[StrictInt, Field(ge=0, le=9_007_199_254_740_991)]  # what JSON numbers carry exactly

Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=64)]
