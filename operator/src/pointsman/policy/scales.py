"""Rules of one's own over the number of replicas, as they are asked of a scale.

`kubectl scale` and autoscalers write another resource than the object: a limit on `object.spec.replicas`
would not be asked there. A scale has a name, a namespace and replicas, and says none where they are zero.
"""

import re

from pointsman.policy.cel import Broken, reads

_REPLICAS = ("spec", "replicas")
_OF_SCALES = frozenset({_REPLICAS, ("metadata", "name"), ("metadata", "namespace"), ("metadata", "uid")})
_STRING = r"""[rR]?(?:\"{3}.*?\"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
_NUMBER = "object.spec.?replicas.orValue(0)"
# Each may be written with spaces between its parts.
_FIELD = r"(?<![\w.])object\s*\.\s*spec\s*\.\s*"
_FORMS = re.compile(
    rf"(?P<string>{_STRING})"
    rf"|(?P<has>\bhas\s*\(\s*{_FIELD}replicas\s*\))"
    rf"|(?P<optional>{_FIELD}\?\s*replicas\b)"
    rf"|(?P<plain>{_FIELD}replicas\b)",
    re.DOTALL,
)


def reads_replicas(expression: str) -> bool:
    """Whether it looks at the number of replicas, or may. Broken where it does not compile."""
    return any(_REPLICAS[: len(path)] == path for path in reads(expression))


def scale_form(expression: str) -> str | None:
    """The same of a scale; None where it reads what that does not have. Broken where it does not compile."""
    if reads(expression) - _OF_SCALES:
        return None
    return _FORMS.sub(_written, expression)


def stated_scale_form(expression: str, where: str) -> str:
    """Of an expression that is stated for scales. Broken where it reads what they do not have."""
    other = sorted(reads(expression) - _OF_SCALES)
    if other:
        raise Broken(
            f"reads {'.'.join(('object', *other[0]))}, which a scale does not have",
            where=where,
            todo="read object.spec.replicas, object.metadata.name and object.metadata.namespace alone",
        )
    return _FORMS.sub(_written, expression)


def _written(found: re.Match[str]) -> str:
    if found["string"] is not None:
        return found[0]
    if found["has"] is not None:
        return "true"
    return f"optional.of({_NUMBER})" if found["optional"] is not None else _NUMBER
