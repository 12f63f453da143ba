"""The spellings of names and texts that the API accepts, each with its bound.

Patterns are ASCII and without look-around, so that the API server (RE2) and pydantic (Rust) read them alike.
"""

from typing import Annotated

from pydantic import Field, StrictBool, StrictInt, StringConstraints

_LABEL = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"

# RFC 1123 subdomain, as Kubernetes asks of metadata.name.
ObjectName = Annotated[
    str, StringConstraints(min_length=1, max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})*$")
]
# A name that is also used as a label value, which ends at 63 characters.
ShortObjectName = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=rf"^{_LABEL}(\.{_LABEL})*$")
]
Namespace = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=rf"^{_LABEL}$")]
# A word that we or a platform team choose: a data class, a pool, a step, a suite.
Word = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$")
]
LabelKey = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=317,
        pattern=rf"^({_LABEL}(\.{_LABEL})*/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$",
    ),
]
LabelValue = Annotated[
    str, StringConstraints(max_length=63, pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$")
]
# The keys of a Secret's or ConfigMap's data.
DataKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=r"^[-._a-zA-Z0-9]+$")]
EnvironmentName = Annotated[
    str, StringConstraints(min_length=1, max_length=256, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
]

# What a client writes as "model". Not "!…", which the gateway keeps to itself; a slash groups names by owner.
ModelName = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")
]
# The same with one "*" at the end, for who may claim which names.
ModelNamePattern = Annotated[
    str, StringConstraints(min_length=1, max_length=129, pattern=r"^(\*|[A-Za-z0-9][A-Za-z0-9._:/-]*\*?)$")
]
# RFC 9110 token; not ":…", which names HTTP/2 pseudo headers.
HeaderName = Annotated[
    str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
]
HeaderValue = Annotated[
    str, StringConstraints(min_length=1, max_length=1024, pattern=r"^[^\x00-\x08\x0a-\x1f\x7f]+$")
]
HttpUrl = Annotated[
    str,
    StringConstraints(
        max_length=2048,
        pattern=r"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?$",
    ),
]
# Where weights come from; which schemes work depends on where Pointsman runs.
SourceUri = Annotated[
    str, StringConstraints(max_length=2048, pattern=r"^(hf|s3|gs|az|oci|pvc|https|file|package)://[^\s]+$")
]
Revision = Annotated[
    str, StringConstraints(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/+-]*$")
]
Sha256 = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-f]{64}$")]
ImageReference = Annotated[
    str, StringConstraints(max_length=512, pattern=r"^[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}$")
]
Currency = Annotated[str, StringConstraints(max_length=3, pattern=r"^[A-Z]{3}$")]
# Five fields of cron, as Kubernetes' CronJob reads them.
CronExpression = Annotated[
    str,
    StringConstraints(
        max_length=100, pattern=r"^[0-9*/,-]+ [0-9*/,-]+ [0-9*/,-]+ [0-9A-Za-z*/,-]+ [0-9A-Za-z*/,-]+$"
    ),
]
TimeZone = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$")
]

ShortText = Annotated[str, StringConstraints(max_length=253)]
Text = Annotated[str, StringConstraints(max_length=4096)]
LongText = Annotated[str, StringConstraints(max_length=65536)]
Flag = StrictBool
Count = Annotated[StrictInt, Field(ge=0, le=2_147_483_647)]
PositiveCount = Annotated[StrictInt, Field(ge=1, le=2_147_483_647)]
Percent = Annotated[StrictInt, Field(ge=0, le=100)]
Generation = Annotated[StrictInt, Field(ge=0, le=9_007_199_254_740_991)]  # what JSON numbers carry exactly

Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=64)]
