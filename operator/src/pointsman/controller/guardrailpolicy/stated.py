"""The GuardrailPolicies that the fleet settings state: kept in the cluster as they stand there.

Written when a replica begins to lead: a chart cannot hold objects of a kind that it brings itself.
"""

from collections.abc import Mapping
from contextlib import aclosing

import structlog

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import GuardrailPolicySpec
from pointsman.api.meta import GROUP
from pointsman.kube.errors import KubeError
from pointsman.kube.objects import GUARDRAIL_POLICY, key_of, label_selector, uid_of
from pointsman.kube.ports import Reader, Selection, Writer

MANAGER = "pointsman-fleet"
"""The field manager of such a policy's spec: the operator's own is that of its status."""
LABEL = f"{GROUP}/from-fleet"

_log = structlog.get_logger(__name__)


async def keep_stated(reader: Reader, writer: Writer, policies: Mapping[str, GuardrailPolicySpec]) -> None:
    """Write those that are stated, and delete those that were. What cannot be written is logged: the models
    need not wait for it.
    """
    labels = {LABEL: "true"}
    try:
        for name, spec in sorted(policies.items()):
            metadata = {"name": name, "labels": labels}
            stated = {
                "apiVersion": GUARDRAIL_POLICY.api_version,
                "kind": GUARDRAIL_POLICY.kind,
                "metadata": metadata,
                "spec": spec.to_document(),
            }
            await writer.apply(stated, MANAGER, force=True)
        there: list[tuple[ObjectKey, str]] = []
        selection = Selection(GUARDRAIL_POLICY, labels=label_selector(labels))
        async with aclosing(reader.chunks(selection)) as chunks:
            async for chunk in chunks:
                there += [(key_of(one), uid_of(one)) for one in chunk.items]
        for key, uid in there:
            if key.name not in policies:
                await writer.delete(GUARDRAIL_POLICY, key, uid)
    except KubeError as error:
        _log.warning("policies_not_written", why=str(error))
