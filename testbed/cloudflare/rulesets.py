"""The custom rules of a zone: entry point, creation, and the endpoints for single rules.

Every write makes a new version and answers with the whole ruleset. PUT of the entry point replaces the rules of
everybody: it works here as it does there, and the monitor shouts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from testbed.cloudflare.calls import Call, Outcome, checked_object, json_object, text
from testbed.cloudflare.envelope import RefusalError, timestamp
from testbed.cloudflare.rule_definitions import DEFINITION, Definition, read_definition
from testbed.cloudflare.rule_positions import placed
from testbed.cloudflare.settings import Kind
from testbed.cloudflare.state import Rule, Ruleset

PHASE = "http_request_firewall_custom"
_POSITION = frozenset({"position"})


def get_entry_point(call: Call) -> Outcome:
    """GET /zones/{zone_id}/rulesets/phases/{phase}/entrypoint: 404 until the first rule was ever created."""
    ruleset = call.seen(Kind.RULESETS).rulesets.get(call.zone.id) if call.place["phase"] == PHASE else None
    if ruleset is None:
        raise RefusalError(404, 10003, f"could not find entrypoint ruleset in the {call.place['phase']} phase")
    return _shown(call, ruleset)


def put_entry_point(call: Call) -> Outcome:
    """PUT /zones/{zone_id}/rulesets/phases/{phase}/entrypoint."""
    if call.place["phase"] != PHASE:
        raise RefusalError(400, 20000, f"this simulation has only the phase {PHASE}")
    fields = json_object(call, {"rules", "description", "name", "kind", "phase"}, ("rules",))
    old = call.truth.rulesets.get(call.zone.id)
    base = old or _empty(call, "default", "")
    kept = {rule.id: rule for rule in base.rules}
    rules = _read_rules(call, fields["rules"], kept)
    new = replace(
        base,
        description=text(fields, "description", "", base.description),
        rules=rules,
        version=base.version + 1 if old else 1,
        last_updated=call.now,
    )
    return _written(call, new)


def create_ruleset(call: Call) -> Outcome:
    """POST /zones/{zone_id}/rulesets: only while the zone has no entry point in the phase."""
    names = {"name", "kind", "phase", "rules", "description"}
    fields = json_object(call, names, ("name", "kind", "phase"))
    if text(fields, "kind", "") != "zone":
        raise RefusalError(400, 20001, "kind must be 'zone' for a ruleset of a zone", pointer="/kind")
    if text(fields, "phase", "") != PHASE:
        raise RefusalError(400, 20002, f"this simulation has only the phase {PHASE}", pointer="/phase")
    if call.zone.id in call.truth.rulesets:
        message = f"exceeded maximum number of zone rulesets for phase {PHASE}: an entry point exists already"
        raise RefusalError(400, 20003, message)
    base = _empty(call, text(fields, "name", ""), text(fields, "description", ""))
    return _written(call, replace(base, rules=_read_rules(call, fields.get("rules", []), {})))


def get_ruleset(call: Call) -> Outcome:
    """GET /zones/{zone_id}/rulesets/{ruleset_id}."""
    ruleset = call.seen(Kind.RULESETS).rulesets.get(call.zone.id)
    if ruleset is None or ruleset.id != call.place["ruleset_id"]:
        raise _unknown_ruleset(call)
    return _shown(call, ruleset)


def create_rule(call: Call) -> Outcome:
    """POST /zones/{zone_id}/rulesets/{ruleset_id}/rules: at the end unless `position` says otherwise."""
    old = _ruleset(call)
    fields = json_object(call, DEFINITION - {"id"} | _POSITION, ())
    definition = read_definition(call, fields, "")
    rule = _new_rule(call, call.identifiers.hexadecimal(), definition)
    rules = placed(old.rules, rule, fields.get("position", {"after": ""}))
    return _next_version(call, old, rules)


def edit_rule(call: Call) -> Outcome:
    """PATCH /zones/{zone_id}/rulesets/{ruleset_id}/rules/{rule_id}.

    With nothing but a position the rule only moves. Else the body is the whole new definition: fields that are left
    out are lost ("You must include all the rule fields", Cloudflare's "Update a rule in a ruleset").
    """
    old = _ruleset(call)
    rule = _rule(call, old)
    fields = json_object(call, DEFINITION | _POSITION, ())
    if not fields:
        raise RefusalError(400, 20017, "the body must have a definition or a position")
    if fields.get("id", rule.id) != rule.id:
        raise RefusalError(400, 20018, "the id of a rule cannot be changed", pointer="/id")
    new = rule if set(fields) == _POSITION else _changed(call, rule, read_definition(call, fields, ""))
    if "position" not in fields:
        return _next_version(call, old, [new if item.id == new.id else item for item in old.rules])
    others = [item for item in old.rules if item.id != rule.id]
    return _next_version(call, old, placed(others, new, fields["position"]))


def delete_rule(call: Call) -> Outcome:
    """DELETE /zones/{zone_id}/rulesets/{ruleset_id}/rules/{rule_id}."""
    old = _ruleset(call)
    gone = _rule(call, old)
    return _next_version(call, old, [rule for rule in old.rules if rule.id != gone.id])


def _read_rules(call: Call, value: object, kept: Mapping[str, Rule]) -> tuple[Rule, ...]:
    """The rules of a whole ruleset; those with the id of a rule that exists are that rule, changed."""
    if not isinstance(value, list):
        raise RefusalError(400, 20019, "rules must be a list", pointer="/rules")
    return tuple(_read_rule(call, item, kept, f"/rules/{index}") for index, item in enumerate(value))


def _read_rule(call: Call, value: object, kept: Mapping[str, Rule], pointer: str) -> Rule:
    fields = checked_object(value, DEFINITION | {"version", "last_updated"}, (), pointer)
    definition = read_definition(call, fields, pointer)
    if "id" not in fields:
        return _new_rule(call, call.identifiers.hexadecimal(), definition)
    rule = kept.get(text(fields, "id", pointer))
    if rule is None:
        raise RefusalError(400, 20018, "no rule has this id", pointer=f"{pointer}/id")
    return _changed(call, rule, definition)


def _new_rule(call: Call, rule_id: str, definition: Definition) -> Rule:
    return Rule(
        id=rule_id,
        ref=definition.ref or rule_id,
        version=1,
        action=definition.action,
        expression=definition.expression,
        description=definition.description,
        enabled=definition.enabled,
        last_updated=call.now,
        action_parameters=definition.action_parameters,
        logging=definition.logging,
    )


def _changed(call: Call, rule: Rule, definition: Definition) -> Rule:
    return replace(_new_rule(call, rule.id, definition), version=rule.version + 1)


def _empty(call: Call, name: str, description: str) -> Ruleset:
    return Ruleset(call.identifiers.hexadecimal(), name, description, 1, (), call.now)


def _next_version(call: Call, old: Ruleset, rules: Sequence[Rule]) -> Outcome:
    return _written(call, replace(old, rules=tuple(rules), version=old.version + 1, last_updated=call.now))


def _written(call: Call, ruleset: Ruleset) -> Outcome:
    limit = call.settings.rules_by_plan[call.zone.plan]
    before = call.truth.rulesets.get(call.zone.id)
    if len(ruleset.rules) > max(limit, len(before.rules) if before else 0):
        raise RefusalError(400, 20217, f"exceeded the maximum number of rules in the phase {PHASE}: {limit}")
    refs = [rule.ref for rule in ruleset.rules]
    if len(set(refs)) < len(refs):
        raise RefusalError(400, 20116, "two rules of a ruleset cannot have the same ref", pointer="/ref")
    return replace(_shown(call, ruleset), state=call.truth.with_ruleset(call.zone.id, ruleset))


def _shown(call: Call, ruleset: Ruleset) -> Outcome:
    shown: dict[str, object] = {
        "id": ruleset.id,
        "name": ruleset.name,
        "description": ruleset.description,
        "kind": "zone",
        "version": str(ruleset.version),
        "last_updated": timestamp(ruleset.last_updated),
        "phase": PHASE,
    }
    if ruleset.rules or not call.settings.omit_empty_rules:
        shown["rules"] = [_rule_json(rule) for rule in ruleset.rules]
    return Outcome(shown)


def _rule_json(rule: Rule) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": rule.id,
        "version": str(rule.version),
        "action": rule.action,
        "expression": rule.expression,
        "description": rule.description,
        "last_updated": timestamp(rule.last_updated),
        "ref": rule.ref,
        "enabled": rule.enabled,
    }
    if rule.action_parameters is not None:
        shown["action_parameters"] = rule.action_parameters
    if rule.logging is not None:
        shown["logging"] = rule.logging
    return shown


def _ruleset(call: Call) -> Ruleset:
    ruleset = call.truth.rulesets.get(call.zone.id)
    if ruleset is None or ruleset.id != call.place["ruleset_id"]:
        raise _unknown_ruleset(call)
    return ruleset


def _rule(call: Call, ruleset: Ruleset) -> Rule:
    rule = ruleset.rule(call.place["rule_id"])
    if rule is None:
        raise RefusalError(404, 10002, f"could not find rule {call.place['rule_id']!r}")
    return rule


def _unknown_ruleset(call: Call) -> RefusalError:
    return RefusalError(404, 10001, f"could not find ruleset {call.place['ruleset_id']!r}")
