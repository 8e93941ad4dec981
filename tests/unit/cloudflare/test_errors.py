"""Which error an answer becomes, and what the error says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import httpx
import pytest

from mtls_operator.cloudflare import (
    AlreadyExists,
    ApiToken,
    CertificateInUse,
    CloudflareClient,
    CloudflareError,
    MalformedAnswer,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RateBudget,
    RateLimited,
    Rejected,
    ServerFault,
    Unauthorized,
    Unreachable,
    open_http,
    sending,
)
from mtls_operator.domain.observed import RuleBody
from tests.unit.cloudflare.answering import (
    ACCOUNT,
    CERTIFICATE,
    RULESET,
    TOKEN,
    ZONE,
    Bench,
    refusal,
    success,
)

RULE = RuleBody(ref="r", action="log", expression="(true)", description="d", enabled=False)

Call = Callable[[CloudflareClient], Awaitable[object]]


def read(client: CloudflareClient) -> Awaitable[object]:
    return client.get_hostnames(ZONE, CERTIFICATE)


def put(client: CloudflareClient) -> Awaitable[object]:
    return client.put_hostnames(ZONE, CERTIFICATE, ["a.example.com"])


def upload(client: CloudflareClient) -> Awaitable[object]:
    return client.upload_certificate(ACCOUNT, name="ca", pem="-----BEGIN CERTIFICATE-----")


def delete(client: CloudflareClient) -> Awaitable[object]:
    return client.delete_certificate(ACCOUNT, CERTIFICATE)


def create_ruleset(client: CloudflareClient) -> Awaitable[object]:
    return client.create_entrypoint(ZONE, [RULE])


def add_rule(client: CloudflareClient) -> Awaitable[object]:
    return client.add_rule(ZONE, RULESET, RULE)


async def failure_of(call: Call, *answers: httpx.Response | Exception) -> CloudflareError:
    with pytest.raises(CloudflareError) as caught:
        await call(Bench(*answers).client)
    return caught.value


HTML = "<html><title>502 Bad Gateway</title></html>"


@pytest.mark.parametrize(
    ("call", "answer", "expected"),
    [
        (read, httpx.Response(200, text=HTML), MalformedAnswer),
        (read, httpx.Response(200, text=""), MalformedAnswer),
        (read, httpx.Response(200, text='{"success": true, "result": {"hostn'), MalformedAnswer),
        (read, httpx.Response(200, text="[1, 2]"), MalformedAnswer),
        (read, httpx.Response(200, json={"result": {"hostnames": []}}), MalformedAnswer),
        (read, httpx.Response(200, content=b"\xff\xfe{}"), MalformedAnswer),
        (read, httpx.Response(200, text="[" * 100_000), MalformedAnswer),
        (read, refusal(200, 1000, "a refusal that says 200"), MalformedAnswer),
        (read, httpx.Response(403, text=HTML), MalformedAnswer),
        (read, httpx.Response(404, text=HTML), MalformedAnswer),
        (read, httpx.Response(407, text=HTML), MalformedAnswer),
        (read, httpx.Response(301, text=""), MalformedAnswer),
        (read, httpx.Response(404, json={"success": True, "result": {"hostnames": []}}), NotFound),
        (read, httpx.Response(502, text=HTML), ServerFault),
        (read, refusal(500), ServerFault),
        (read, refusal(408), ServerFault),
        (read, httpx.Response(429, text=HTML), RateLimited),
        (read, refusal(401, 1000, "Invalid API Token"), Unauthorized),
        (read, refusal(400, 6003, "Invalid request headers"), Unauthorized),
        (read, refusal(403, 9109, "Invalid access token"), Unauthorized),
        (read, refusal(403, 9109, "Unauthorized to access requested resource"), PermissionDenied),
        (read, refusal(403, 10000, "Authentication error"), PermissionDenied),
        (read, refusal(404, 7003, "Could not route"), NotFound),
        (read, refusal(400, 1001, "Invalid hostname"), Rejected),
        (read, refusal(409, 1, "in use"), Rejected),
        (put, refusal(400, 1, "too many hostnames"), Rejected),
        (add_rule, refusal(400, 1, "a rule with this ref already exists"), Rejected),
        (upload, refusal(400, 1471, "certificate already exists"), AlreadyExists),
        (upload, refusal(409, 1471, "anything"), AlreadyExists),
        (upload, refusal(400, 1, "You have reached the maximum number of CA certificates"), QuotaExceeded),
        (upload, refusal(403, 1, "anything"), PermissionDenied),
        (upload, refusal(400, 1, "certificate exceeds the maximum size"), Rejected),
        (upload, refusal(400, 1, "Unable to parse certificate"), Rejected),
        (delete, refusal(409, 1, "conflict"), CertificateInUse),
        (delete, refusal(400, 1, "certificate is in use by one or more services"), CertificateInUse),
        (delete, refusal(400, 1, "certificate has hostname associations"), CertificateInUse),
        (delete, refusal(400, 1, "cannot delete certificate of type gateway_managed"), Rejected),
        (delete, refusal(404, 1, "not found"), NotFound),
        (create_ruleset, refusal(400, 20217, "exceeded maximum number of zone rulesets for phase"), AlreadyExists),
        (add_rule, refusal(400, 1, "exceeded maximum number of rules in the phase"), QuotaExceeded),
        (add_rule, refusal(400, 1, "expression exceeds the maximum length of 4096 characters"), Rejected),
    ],
)
async def test_an_answer_becomes_the_error_that_tells_what_to_do(
    call: Call, answer: httpx.Response, expected: type[CloudflareError]
) -> None:
    error = await failure_of(call, answer)

    assert type(error) is expected


async def test_the_message_names_the_call_cloudflares_words_and_the_way_out() -> None:
    error = await failure_of(put, refusal(400, 1406, "hostname is not in the zone"))

    assert str(error) == (
        f"PUT /zones/{ZONE}/certificate_authorities/hostname_associations: refused (400): "
        "hostname is not in the zone (code 1406). "
        "The same request would be refused again: correct what the message names."
    )


async def test_the_reason_in_an_error_chain_is_told() -> None:
    chain = [{"code": 6111, "message": "Invalid format for Authorization header"}]
    errors = [{"code": 1, "message": "bad", "error_chain": chain, "source": {"pointer": "/rules/0"}}]
    answer = httpx.Response(400, json={"success": False, "errors": errors, "result": None})

    error = await failure_of(read, answer)

    assert [str(complaint) for complaint in error.complaints] == [
        "bad at /rules/0 (code 1)",
        "Invalid format for Authorization header (code 6111)",
    ]
    assert type(error) is Unauthorized


@pytest.mark.parametrize(
    ("call", "permission"),
    [
        (read, "Zone / SSL and Certificates: Read"),
        (put, "Zone / SSL and Certificates: Edit"),
        (upload, "Account / SSL and Certificates: Edit"),
        (add_rule, "Zone / Zone WAF: Edit"),
    ],
)
async def test_a_lack_of_permission_names_the_permission(call: Call, permission: str) -> None:
    error = await failure_of(call, refusal(403, 10000, "Authentication error"))

    assert isinstance(error, PermissionDenied)
    assert error.permission == permission
    assert f"Give the token the permission {permission}." in str(error)


@pytest.mark.parametrize(
    "fault", [httpx.ConnectError("refused"), httpx.ConnectTimeout("slow"), httpx.PoolTimeout("busy")]
)
async def test_a_write_that_was_never_sent_is_not_lost(fault: Exception) -> None:
    error = await failure_of(put, fault)

    assert isinstance(error, Unreachable)
    assert error.answer_lost is False


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.WriteError("reset"),
        httpx.WriteTimeout("slow"),
        httpx.RemoteProtocolError("closed"),
    ],
)
async def test_a_write_without_an_answer_may_have_been_carried_out(fault: Exception) -> None:
    error = await failure_of(put, fault)

    assert isinstance(error, Unreachable)
    assert error.answer_lost is True
    assert "may have been carried out" in str(error)


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(504), httpx.Response(200, text=HTML), httpx.Response(404, text=HTML), refusal(408), refusal(200)],
)
async def test_a_write_whose_answer_is_not_cloudflares_may_have_been_carried_out(answer: httpx.Response) -> None:
    error = await failure_of(put, answer)

    assert error.answer_lost is True


async def test_a_rule_that_was_added_though_the_answer_is_odd_may_be_there() -> None:
    error = await failure_of(add_rule, success({"id": RULESET}))

    assert isinstance(error, MalformedAnswer)
    assert error.answer_lost is True


@pytest.mark.parametrize("answer", [refusal(400), refusal(403), refusal(404), refusal(429), refusal(401)])
async def test_a_write_that_cloudflare_refused_was_not_carried_out(answer: httpx.Response) -> None:
    error = await failure_of(put, answer)

    assert error.answer_lost is False


@pytest.mark.parametrize("answer", [httpx.ReadTimeout("slow"), httpx.Response(503), httpx.Response(200, text=HTML)])
async def test_a_read_leaves_nothing_behind(answer: httpx.Response | Exception) -> None:
    error = await failure_of(read, answer)

    assert error.answer_lost is False


@pytest.mark.parametrize("call", [read, put, upload, delete, create_ruleset, add_rule])
@pytest.mark.parametrize("answer", [httpx.ReadTimeout("slow"), httpx.Response(503), refusal(429), refusal(409)])
async def test_a_failed_call_is_sent_only_once(call: Call, answer: httpx.Response | Exception) -> None:
    bench = Bench(answer)

    with pytest.raises(CloudflareError):
        await call(bench.client)

    assert len(bench.script.requests) == 1


async def test_a_fault_that_asks_for_patience_says_how_long() -> None:
    error = await failure_of(read, httpx.Response(503, headers={"Retry-After": "7"}))

    assert error.retry_after == 7


async def test_a_failed_call_is_reported_with_its_error() -> None:
    bench = Bench(httpx.ReadTimeout("slow"))

    with pytest.raises(Unreachable):
        await put(bench.client)

    assert [(record.status, record.error) for record in bench.records] == [(None, "Unreachable")]


async def test_an_answer_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "WHOLE_CALL_TIMEOUT", 0.01)

    async def never(request: httpx.Request) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError(request)

    http = open_http(transport=httpx.MockTransport(never))
    client = CloudflareClient(http, ApiToken(TOKEN), RateBudget(lambda: 0.0))

    with pytest.raises(Unreachable) as caught:
        await put(client)

    assert caught.value.answer_lost is True


async def test_a_cancelled_call_is_reported_as_such() -> None:
    bench = Bench(asyncio.CancelledError())

    with pytest.raises(asyncio.CancelledError):
        await read(bench.client)

    assert [record.error for record in bench.records] == ["Cancelled"]
