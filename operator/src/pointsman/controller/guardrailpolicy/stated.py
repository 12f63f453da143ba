"""The GuardrailPolicies that the fleet settings state: kept in the cluster as they stand there.

Written when a replica begins to lead: a chart cannot hold objects of a kind that it brings itself.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

import structlog

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import GuardrailPolicySpec
from pointsman.api.meta import GROUP
from pointsman.controller.work_queue import RETRIES
from pointsman.kube.errors import KubeError, LeadershipLost
from pointsman.kube.objects import GUARDRAIL_POLICY, key_of, label_selector, uid_of
from pointsman.kube.ports import Reader, Selection, Writer

MANAGER = "pointsman-fleet"
"""The field manager of such a policy's spec: the operator's own is that of its status."""
LABEL = f"{GROUP}/from-fleet"

Sleep = Callable[[float], Awaitable[None]]

_log = structlog.get_logger(__name__)


async def keep_stated(
    reader: Reader, writer: Writer, policies: Mapping[str, GuardrailPolicySpec], sleep: Sleep = asyncio.sleep
) -> None:
    """Write those that are stated, and delete those that were, until all of it is done. What cannot be
    written is logged and tried again: neither the models nor the other policies wait for it.
    """
    failures = 0
    while troubles := await _kept(reader, writer, policies):
        failures += 1
        _log.warning("policies_not_written", why="; ".join(troubles))
        await sleep(RETRIES.wait_seconds(failures, 1.0))


async def _kept(reader: Reader, writer: Writer, policies: Mapping[str, GuardrailPolicySpec]) -> list[str]:
    labels = {LABEL: "true"}
    troubles: list[str] = []
    for name, spec in sorted(policies.items()):
        stated = {
            "apiVersion": GUARDRAIL_POLICY.api_version,
            "kind": GUARDRAIL_POLICY.kind,
            "metadata": {"name": name, "labels": labels},
            "spec": spec.to_document(),
        }
        try:
            await writer.apply(stated, MANAGER, force=True)
        except LeadershipLost:
            raise
        except KubeError as error:
            troubles.append(f"{name}: {error}")
    try:
        there: list[tuple[ObjectKey, str]] = []
        selection = Selection(GUARDRAIL_POLICY, labels=label_selector(labels))
        async with aclosing(reader.chunks(selection)) as chunks:
            async for chunk in chunks:
                there += [(key_of(one), uid_of(one)) for one in chunk.items]
        for key, uid in there:
            if key.name not in policies:
                await writer.delete(GUARDRAIL_POLICY, key, uid)
    except LeadershipLost:
        raise
    except KubeError as error:
        troubles.append(str(error))
    return troubles
