"""The control API of a simulation that runs as a process of its own: JSON under `/simulation`, no token needed.

    GET    /simulation/log?since=N     the log from index N on
    GET    /simulation/state           certificates, hostname lists and rulesets: the truth, without tokens
    GET    /simulation/violations      what the invariant monitor saw so far
    POST   /simulation/verdict         the same with what only the end shows: ask once, when everything has settled
    POST   /simulation/faults          {"effect": {"kind": ...}, "match": {"method", "path"}, "times", "skip"}
    DELETE /simulation/faults          nothing goes wrong any more
    POST   /simulation/hostnames       {"zone_id", "certificate_id", "hostnames"}: the list as somebody else left it
    POST   /simulation/rules           {"zone_id", "expression", ...}: a rule of somebody else
    POST   /simulation/access-rules    {"scope_id", "mode", "target"}: an IP Access rule of a zone or an account

Kinds of effects: `status` {status, retry_after}, `page` {status}, `truncated`, `malformed`, `cut` {moment},
`delay` {seconds, moment}; `moment` is `before` or `after` the request is handled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict

from testbed.cloudflare import faults
from testbed.cloudflare.envelope import JSON_HEADERS, encode
from testbed.cloudflare.messages import Answer, Request
from testbed.cloudflare.simulation import CloudflareSimulation
from testbed.cloudflare.state import State

Body = Mapping[str, object]


def answer_control(simulation: CloudflareSimulation, request: Request) -> Answer:
    """Answer one request of the control API: 404 where there is nothing, 400 for a body that makes no sense."""
    action = _ACTIONS.get((request.method, request.path.rstrip("/")))
    if action is None:
        return _json(404, {"error": f"nothing at {request.method} {request.path}"})
    try:
        return _json(200, action(simulation, request))
    except (ValueError, KeyError, TypeError) as error:
        return _json(400, {"error": f"{type(error).__name__}: {error}"})


def state_json(state: State) -> dict[str, object]:
    """The truth as JSON, without tokens."""
    return {
        "accounts": [asdict(account) for account in state.accounts.values()],
        "zones": [asdict(zone) for zone in state.zones.values()],
        "certificates": {
            account: [asdict(item) for item in held.values()] for account, held in state.certificates.items()
        },
        "lists": [
            {"zone_id": zone, "certificate_id": certificate, "hostnames": sorted(hostnames)}
            for (zone, certificate), hostnames in state.lists.items()
        ],
        "rulesets": {zone: asdict(ruleset) for zone, ruleset in state.rulesets.items()},
        "access_rules": {scope: [asdict(rule) for rule in rules] for scope, rules in state.access_rules.items()},
    }


def _log(simulation: CloudflareSimulation, request: Request) -> object:
    since = int(request.parameter("since") or 0)
    return [entry.as_json() for entry in simulation.log if entry.index >= since]


def _state(simulation: CloudflareSimulation, _: Request) -> object:
    return state_json(simulation.state)


def _violations(simulation: CloudflareSimulation, _: Request) -> object:
    return [str(violation) for violation in simulation.monitor.violations]


def _verdict(simulation: CloudflareSimulation, _: Request) -> object:
    return [str(violation) for violation in simulation.monitor.finish()]


def _add_fault(simulation: CloudflareSimulation, request: Request) -> object:
    simulation.faults.add(_fault(_body(request)))
    return {}


def _clear_faults(simulation: CloudflareSimulation, _: Request) -> object:
    simulation.faults.clear()
    return {}


def _put_hostnames(simulation: CloudflareSimulation, request: Request) -> object:
    body = _body(request)
    hostnames = body["hostnames"]
    if not isinstance(hostnames, list):
        raise ValueError("hostnames must be a list")
    certificate_id = body.get("certificate_id")
    simulation.put_foreign_hostnames(
        str(body["zone_id"]), None if certificate_id is None else str(certificate_id), map(str, hostnames)
    )
    return {}


def _add_rule(simulation: CloudflareSimulation, request: Request) -> object:
    body = _body(request)
    rule = simulation.add_foreign_rule(
        str(body["zone_id"]),
        expression=str(body["expression"]),
        action=str(body.get("action", "block")),
        description=str(body.get("description", "")),
        enabled=body.get("enabled") is not False,
        action_parameters=_mapping(body["action_parameters"]) if "action_parameters" in body else None,
        first=body.get("first") is True,
    )
    return asdict(rule)


def _add_access_rule(simulation: CloudflareSimulation, request: Request) -> object:
    body = _body(request)
    return asdict(simulation.add_access_rule(str(body["scope_id"]), str(body["mode"]), str(body["target"])))


_ACTIONS: Mapping[tuple[str, str], Callable[[CloudflareSimulation, Request], object]] = {
    ("GET", "/simulation/log"): _log,
    ("GET", "/simulation/state"): _state,
    ("GET", "/simulation/violations"): _violations,
    ("POST", "/simulation/verdict"): _verdict,
    ("POST", "/simulation/faults"): _add_fault,
    ("DELETE", "/simulation/faults"): _clear_faults,
    ("POST", "/simulation/hostnames"): _put_hostnames,
    ("POST", "/simulation/rules"): _add_rule,
    ("POST", "/simulation/access-rules"): _add_access_rule,
}


def _fault(body: Body) -> faults.Fault:
    match, times = _mapping(body.get("match", {})), body.get("times", 1)
    return faults.Fault(
        effect=_effect(_mapping(body["effect"])),
        match=faults.Match(method=_text(match.get("method")), path=_text(match.get("path"))),
        times=None if times is None else _whole(times),
        skip=_whole(body.get("skip", 0)),
    )


def _effect(body: Body) -> faults.Effect:
    kind = body["kind"]
    moment = faults.Moment(body.get("moment", "after"))
    if kind == "status":
        after = body.get("retry_after")
        return faults.AnswerStatus(_whole(body["status"]), None if after is None else _whole(after))
    if kind == "page":
        return faults.AnswerPage(_whole(body.get("status", 502)))
    if kind == "cut":
        return faults.Cut(moment)
    if kind == "delay":
        return faults.Delay(float(str(body["seconds"])), moment)
    return faults.Garble(kind)


def _body(request: Request) -> Body:
    return _mapping(json.loads(request.body))


def _mapping(value: object) -> Body:
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number: {value!r}")
    return value


def _json(status: int, value: object) -> Answer:
    return Answer(status, JSON_HEADERS, encode(value))
