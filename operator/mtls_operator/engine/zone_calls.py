"""One step of a zone's plan at Cloudflare: one call, and what is known after it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from mtls_operator.cloudflare.client import CloudflareClient
from mtls_operator.domain.marks import Installation
from mtls_operator.domain.observed import Ruleset
from mtls_operator.domain.zone_knowledge import ZoneKnowledge
from mtls_operator.domain.zone_steps import (
    Conclude,
    DeleteRule,
    NoteReplacement,
    ReadList,
    ReadRules,
    WriteList,
    WriteRule,
)
from mtls_operator.engine.clock import Clock

CloudflareStep = ReadRules | ReadList | WriteList | WriteRule | DeleteRule | NoteReplacement | Conclude


@dataclass(frozen=True)
class ZoneCalls:
    """Makes the calls of one zone's steps with one token. `window` is the consistency window in seconds."""

    client: CloudflareClient
    zone_id: str
    us: Installation
    clock: Clock
    window: float

    async def perform(self, step: CloudflareStep, known: ZoneKnowledge) -> ZoneKnowledge:
        """Make the call of a step and return what is known then. Raises CloudflareError."""
        begun = self.clock.now()
        match step:
            case ReadRules():
                read = await self.client.get_entrypoint(self.zone_id)
                return known.with_rules_read(read, begun=begun, now=self.clock.now(), us=self.us, window=self.window)
            case ReadList(certificate):
                hostnames = await self.client.get_hostnames(self.zone_id, certificate)
                return known.with_list_read(certificate, hostnames, begun)
            case WriteList():
                await self._write_list(step)
                return known.with_list_written(step.certificate, step.hostnames, self.clock.now())
            case WriteRule() | DeleteRule():
                written = await self._write_rule(known.rules.value if known.rules else None, step)
                return known.with_rules_written(written, begun=begun, now=self.clock.now(), us=self.us)
            case NoteReplacement():
                return known.with_replaced(self.clock.now())
            case Conclude(places):
                return known.with_released(places)
            case _:
                assert_never(step)

    async def _write_list(self, step: WriteList) -> None:
        if step.hostnames:
            await self.client.put_hostnames(self.zone_id, step.certificate, step.hostnames)
        else:
            await self.client.clear_hostnames(self.zone_id, step.certificate)

    async def _write_rule(self, present: Ruleset | None, step: WriteRule | DeleteRule) -> Ruleset:
        if isinstance(step, DeleteRule):
            return await self.client.delete_rule(self.zone_id, present.id if present else "", step.rule_id)
        if present is None:
            return await self.client.create_entrypoint(self.zone_id, [step.body])
        if step.rule_id is None:
            return await self.client.add_rule(self.zone_id, present.id, step.body, step.before)
        return await self.client.update_rule(self.zone_id, present.id, step.rule_id, step.body, step.before)
