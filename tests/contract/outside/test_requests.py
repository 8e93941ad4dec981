"""What is sent, and what becomes of every kind of answer, with servers of all sorts."""

from __future__ import annotations

import asyncio
import logging
import ssl

import pytest

from mtls_operator.domain.verification import (
    Answered,
    Caller,
    HostForm,
    NotContacted,
    Question,
    RefusedInHandshake,
    Unanswered,
)
from mtls_operator.outside.addresses import Directory, Place
from mtls_operator.outside.contexts import UnusableIdentityError, client_context
from mtls_operator.outside.identities import Identity, Imitated
from mtls_operator.outside.visits import Papers, Visitor
from tests.certificates import make_ca
from tests.contract.outside.servers import HOSTNAME, insisting, served, somebody

OK = b"HTTP/1.1 200 OK\r\nServer: cloudflare\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"


async def test_a_request_is_one_get_with_the_hostname_as_server_name_whatever_the_host_header() -> None:
    async with served(OK) as server:
        await server.answers()

    first = server.requests[0].decode().split("\r\n")
    assert first[0] == "GET /health?deep=1 HTTP/1.1"
    assert {each.split(b" ")[0] for each in server.requests} == {b"GET"}
    assert set(server.server_names) == {HOSTNAME}
    assert {each.decode().split("\r\n")[1] for each in server.requests} == {
        f"Host: {form.of(HOSTNAME)}" for form in HostForm
    }


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (OK, Answered(200, "text/plain; charset=utf-8")),
        (b"HTTP/1.1 403 Forbidden\r\nCF-Ray: 1\r\n\r\n", Answered(403)),
        (b"HTTP/1.1 403 Forbidden\r\nServer: nginx\r\n\r\n", Answered(403, by_edge=False)),
        (b"HTTP/1.1 403 X\r\nserver: Cloudflare\r\ncf-mitigated: challenge\r\n\r\n", Answered(403, challenged=True)),
        (b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.test/\r\n\r\n", Answered(302, by_edge=False)),
        (b"HTTP/1.0 200\r\n\r\n", Answered(200, by_edge=False)),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK, Answered(200, "text/plain; charset=utf-8")),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n", Answered(200, by_edge=False)),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", Answered(200, by_edge=False)),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 6, Unanswered("it only ever announces an answer")),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", Unanswered("its answer is not HTTP/1.1")),
        (b"y" * 100_000, Unanswered("its answer is not HTTP/1.1")),
        (b"HTTP/1.1 200 OK\r\nServer: cl", Unanswered("the connection was refused or cut")),
        (b"", Unanswered("the connection was refused or cut")),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else "",
)
async def test_an_answer_is_read_up_to_the_end_of_its_head(head: bytes, answer: object) -> None:
    async with served(head) as server:
        assert await server.answer() == answer


async def test_a_body_that_never_ends_is_not_waited_for() -> None:
    async def for_ever(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        while True:
            writer.write(b"x" * 1024)
            await writer.drain()

    async with served(for_ever) as server:
        assert isinstance(await server.answer(), Answered)


async def test_a_server_that_does_not_answer_is_given_up_in_time() -> None:
    async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with served(silence) as server:
        assert await server.answer(patience=0.3) == Unanswered("no answer within 0.3 s")


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2])
async def test_an_alert_about_the_certificate_of_a_client_is_a_refusal(newest: ssl.TLSVersion) -> None:
    with insisting(make_ca().pem, newest) as server:
        assert await server.answer(Caller.SELF_SIGNED) == RefusedInHandshake("unknown CA")


async def test_an_alert_about_the_signature_of_an_imitated_ca_is_a_refusal() -> None:
    ca = make_ca()
    papers = Papers(Imitated(ca.certificate.subject.rfc4514_string(), ca.key_identifier))
    with insisting(ca.pem) as server:
        answers = await server.answers(papers)

    assert answers[Question(HOSTNAME, Caller.STRANGER)] == RefusedInHandshake("signature not accepted")


async def test_a_client_without_a_certificate_is_refused_by_name() -> None:
    with insisting(make_ca().pem) as server:
        assert await server.answer() == RefusedInHandshake("certificate required")


async def test_a_handshake_that_fails_without_a_word_about_certificates_is_no_refusal() -> None:
    with insisting(make_ca().pem, ssl.TLSVersion.TLSv1_2) as server:
        answer = await server.answer()

    assert isinstance(answer, Unanswered)
    assert "HANDSHAKE_FAILURE" in answer.why


async def test_a_server_whose_certificate_is_not_trusted_is_sent_nothing() -> None:
    async with served(OK) as server, served(OK) as other:
        report = await server.visitor(trusted=other.trusted).visit([HOSTNAME], "/", Papers())

    assert server.requests == []
    assert "the certificate of its server is not accepted" in str(report.answers[0][1])


async def test_a_closed_port_is_no_answer() -> None:
    async with served(OK) as server:
        visitor = server.visitor()
    report = await visitor.visit([HOSTNAME], "/", Papers())

    assert {answer for _, answer in report.answers} == {Unanswered("the connection was refused or cut")}


async def test_a_private_address_is_not_contacted_unless_that_is_allowed() -> None:
    async with served(OK) as server:
        directory = Directory(known={HOSTNAME: Place("127.0.0.1", server.port)})
        report = await Visitor(directory, server.trusted, 10.0).visit([HOSTNAME], "/", Papers())

    assert {answer for _, answer in report.answers} == {NotContacted("127.0.0.1", "loopback")}
    assert server.server_names == []


async def test_a_name_that_the_dns_does_not_know_is_no_answer() -> None:
    report = await Visitor(Directory(), None, 10.0).visit(["nowhere.invalid"], "/", Papers())

    assert {answer for _, answer in report.answers} == {Unanswered("its name leads nowhere in the DNS")}


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with served(OK) as server:
        assert isinstance(await server.answer(), Answered)


async def test_a_redirect_is_not_followed() -> None:
    async with served(OK) as target:
        location = f"https://{HOSTNAME}:{target.port}/".encode()
        async with served(b"HTTP/1.1 301 Moved\r\nLocation: " + location + b"\r\n\r\n") as server:
            await server.answers()

    assert target.requests == []


UNUSABLE = [
    (Identity(b"", somebody().key), "there is no certificate in PEM"),
    (Identity(somebody().certificate, b""), "there is no private key in PEM"),
    (Identity(somebody().certificate, somebody().key), "certificate and private key do not go together"),
    (
        Identity(
            somebody().certificate,
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        ),
        "the private key is encrypted",
    ),
]


@pytest.mark.parametrize(("identity", "problem"), UNUSABLE, ids=[problem for _, problem in UNUSABLE])
async def test_only_the_client_that_cannot_come_is_left_out(identity: Identity, problem: str) -> None:
    async with served(OK) as server:
        report = await server.visitor().visit([HOSTNAME], "/", Papers(good=identity))

    assert problem in report.left_out[Caller.GOOD]
    assert {question.caller for question, _ in report.answers} == {Caller.WITHOUT, Caller.SELF_SIGNED, Caller.STRANGER}


def test_nothing_of_a_private_key_is_in_an_error_or_a_description(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    identity = Identity(somebody().certificate, somebody().key)  # of two different clients
    with pytest.raises(UnusableIdentityError) as caught:
        client_context(identity, None)
    lines = [line for line in identity.key.decode().splitlines() if "-----" not in line]

    told = f"{caught.value!r} {caught.value.__cause__!r} {identity!r} {Papers(good=identity)!r} {caplog.text}"
    assert not [line for line in lines if line in told]
