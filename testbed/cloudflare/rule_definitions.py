"""Reading the definition of a custom rule as strictly as Cloudflare does.

Actions, fields and limits: Cloudflare's "Rulesets API" and "WAF custom rules"; `log` is for Enterprise plans.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from testbed.cloudflare.calls import Call, checked_object, flag, text
from testbed.cloudflare.envelope import RefusalError
from testbed.cloudflare.expressions import ExpressionError, parse

ACTIONS = frozenset({"block", "challenge", "js_challenge", "log", "managed_challenge", "skip"})
DEFINITION = frozenset({"id", "action", "expression", "description", "enabled", "ref", "action_parameters", "logging"})
CONTENT_TYPES = frozenset({"text/html", "text/plain", "text/xml", "application/json"})
_LONGEST_CONTENT = 2048


@dataclass(frozen=True, slots=True)
class Definition:
    """What a writer decides about a rule. `ref` is None where it was left out: the rule's id then."""

    action: str
    expression: str
    description: str
    enabled: bool
    ref: str | None
    action_parameters: Mapping[str, object] | None
    logging: Mapping[str, object] | None


def read_definition(call: Call, fields: Mapping[str, object], pointer: str) -> Definition:
    """The definition in `fields`, whose names were checked already.

    What is left out has Cloudflare's default, also when a rule is changed: nothing is kept from before. Raises
    RefusalError.
    """
    for name in ("action", "expression"):
        if name not in fields:
            raise _refused(20016, f'a rule must have the field "{name}"', f"{pointer}/{name}")
    action = text(fields, "action", pointer)
    _check_action(call, action, pointer)
    return Definition(
        action=action,
        expression=_expression(call, text(fields, "expression", pointer), f"{pointer}/expression"),
        description=text(fields, "description", pointer),
        enabled=flag(fields, "enabled", pointer, default=True),
        ref=_ref(fields, pointer),
        action_parameters=_parameters(action, fields.get("action_parameters"), f"{pointer}/action_parameters"),
        logging=_logging(fields.get("logging"), f"{pointer}/logging"),
    )


def _check_action(call: Call, action: str, pointer: str) -> None:
    if action not in ACTIONS:
        message = f"'{action}' is not a valid value for action in the phase http_request_firewall_custom"
        raise _refused(20120, message, f"{pointer}/action")
    if action == "log" and call.zone.plan != "enterprise":
        raise _refused(20121, "not entitled to use the action 'log'", f"{pointer}/action")


def _expression(call: Call, expression: str, pointer: str) -> str:
    if len(expression) > call.settings.expression_limit:
        limit = call.settings.expression_limit
        raise _refused(20128, f"the expression is longer than {limit} characters", pointer)
    try:
        parse(expression)
    except ExpressionError as error:
        message = f"'{expression}' is not a valid value for expression because it is invalid: {error}"
        raise _refused(20127, message, pointer) from None
    return expression


def _ref(fields: Mapping[str, object], pointer: str) -> str | None:
    if "ref" not in fields:
        return None
    ref = text(fields, "ref", pointer)
    if not ref:
        raise _refused(20115, "ref must not be empty", f"{pointer}/ref")
    return ref


def _parameters(action: str, value: object, pointer: str) -> Mapping[str, object] | None:
    if action == "skip":
        return checked_object(value, {"phase", "ruleset", "rulesets", "phases", "products", "rules"}, (), pointer)
    if value is None:
        return None
    if action != "block":
        return checked_object(value, (), (), pointer) or None
    parameters = checked_object(value, {"response"}, (), pointer)
    if "response" in parameters:
        _check_response(parameters["response"], f"{pointer}/response")
    return parameters or None


def _check_response(value: object, pointer: str) -> None:
    names = ("status_code", "content_type", "content")
    response = checked_object(value, names, names, pointer)
    status = response["status_code"]
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 499:
        raise _refused(20130, "status_code must be a number from 400 to 499", f"{pointer}/status_code")
    if response["content_type"] not in CONTENT_TYPES:
        raise _refused(20131, "content_type is not supported", f"{pointer}/content_type")
    if len(text(response, "content", pointer).encode()) > _LONGEST_CONTENT:
        raise _refused(20132, f"content is longer than {_LONGEST_CONTENT} bytes", f"{pointer}/content")


def _logging(value: object, pointer: str) -> Mapping[str, object] | None:
    if value is None:
        return None
    logging = checked_object(value, ("enabled",), ("enabled",), pointer)
    flag(logging, "enabled", pointer)
    return logging


def _refused(code: int, message: str, pointer: str) -> RefusalError:
    return RefusalError(400, code, message, pointer=pointer)
