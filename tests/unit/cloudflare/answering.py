"""A Cloudflare of one scripted answer after the other, as an HTTP transport."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import httpx

from mtls_operator.cloudflare import ApiToken, CallRecord, CloudflareClient, RateBudget, open_http
from mtls_operator.domain.observed import CertificateId

ACCOUNT: Final = "a" * 32
ZONE: Final = "b" * 32
RULESET: Final = "c" * 32
RULE: Final = "d" * 32
CERTIFICATE: Final = CertificateId("11111111-2222-4333-8444-555555555555")
OTHER_CERTIFICATE: Final = CertificateId("66666666-2222-4333-8444-555555555555")
TOKEN: Final = "unit-test-token-0123456789abcdef"


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Script:
    """Answers in turn, the last one for ever; keeps what was asked."""

    def __init__(self, *answers: httpx.Response | BaseException) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    @property
    def last_body(self) -> object:
        return json.loads(self.requests[-1].content)


class Bench:
    """A client whose Cloudflare is a script. `records` are the calls that were reported."""

    def __init__(self, *answers: httpx.Response | BaseException, token: str = TOKEN) -> None:
        self.script = Script(*answers)
        self.clock = Clock()
        self.budget = RateBudget(self.clock)
        self.records: list[CallRecord] = []
        self.token = ApiToken(token)
        self.http = open_http(transport=httpx.MockTransport(self.script))
        self.client = CloudflareClient(self.http, self.token, self.budget, self.records.append)


def success(result: object, headers: Mapping[str, str] | None = None, **more: object) -> httpx.Response:
    document = {"success": True, "errors": [], "messages": [], "result": result, **more}
    return httpx.Response(200, json=document, headers=dict(headers or {}))


def refusal(
    status: int, code: int = 1000, message: str = "no", headers: Mapping[str, str] | None = None
) -> httpx.Response:
    document = {"success": False, "errors": [{"code": code, "message": message}], "messages": [], "result": None}
    return httpx.Response(status, json=document, headers=dict(headers or {}))


def certificate_json(certificate_id: str = CERTIFICATE, **more: object) -> dict[str, object]:
    return {"id": certificate_id, "name": "ca", "certificates": "-----BEGIN CERTIFICATE-----", "ca": True, **more}


def ruleset_json(*rules: dict[str, object], version: object = "3") -> dict[str, object]:
    return {"id": RULESET, "version": version, "kind": "zone", "rules": list(rules)}


def rule_json(rule_id: str = RULE, **more: object) -> dict[str, object]:
    return {"id": rule_id, "version": "1", "action": "log", "expression": "true", "enabled": False, **more}
