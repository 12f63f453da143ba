"""What Envoy says of a refused resource is repeated without what it quotes."""

import pytest

from pointsman.gateway.refusal_reason import legible
from tests.support.builders import secret

KEY = "sk-verysecret-123"
SECRETS = [secret("clients", {"alice": KEY, "short": "a", "pem": "first line\nsecond line"})]


@pytest.mark.parametrize(
    ("words", "want"),
    [
        ("invalid repetition size: {10}", "invalid repetition size: {10}"),
        (f"Duplicated credential key: '{KEY}'", "Duplicated credential key: '[redacted]'"),
        ("cannot load\nfirst line\nsecond line\n", "cannot load [redacted]"),
        (
            f'goo.gle/debugstr   \nkey: "{KEY}"\n}}\n: Proto constraint validation failed (Key: no)',
            "…: Proto constraint validation failed (Key: no)",
        ),
        (
            f'Unable to unpack as Scope: goo.gle/debugonly  value: "\\{KEY}"',
            "Unable to unpack as Scope: …",
        ),
        (
            "a: goo.gle/debugstr x { }: Proto constraint validation failed (A)\n"
            "b: goo.gle/debugproto y { }: Proto constraint validation failed (B)",
            "a: …: Proto constraint validation failed (A) b: …: Proto constraint validation failed (B)",
        ),
        (
            f'goo.gle/debugstr   \nkey: "{KEY}"\nand so on',
            "a field breaks a rule of its message (which one, Envoy cut off)",
        ),
        ("x" * 100_000, "x" * 2000),
    ],
)
def test_a_reason_is_one_line_without_the_resource(words: str, want: str) -> None:
    assert legible(words, SECRETS) == want
