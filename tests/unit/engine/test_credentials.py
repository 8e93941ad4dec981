"""Which token is used: the one that is there, and the last one where its Secret is gone."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

import httpx
import pytest

from mtls_operator.cloudflare import CloudflareError, open_http
from mtls_operator.domain.sources import CredentialKey, SourceData, SourceKey, SourceKind, Unreadable
from mtls_operator.domain.urgency import Urgency
from mtls_operator.engine.credentials import Credentials
from mtls_operator.observability.metrics import Metrics
from tests.unit.engine.fixed_clock import FixedClock

SECRET = SourceKey(SourceKind.SECRET, "ns", "cloudflare")
TOKEN = CredentialKey(SECRET, "token")
OLD, NEW = "old-token-" + "0" * 30, "new-token-" + "0" * 30


def credentials_of(contents: dict[SourceKey, SourceData], accepted: Collection[str] = (OLD, NEW)) -> Credentials:
    """With a Cloudflare that accepts these tokens, and that has nothing."""

    def answer(request: httpx.Request) -> httpx.Response:
        is_known = request.headers["authorization"].removeprefix("Bearer ") in accepted
        errors = [] if is_known else [{"code": 10000, "message": "Authentication error"}]
        return httpx.Response(200 if is_known else 401, json={"success": is_known, "errors": errors, "result": []})

    return Credentials(open_http(transport=httpx.MockTransport(answer)), contents, FixedClock(), Metrics())


def revealed(credentials: Credentials) -> str | None:
    token = credentials.token(TOKEN)
    return token.reveal() if token else None


def test_an_exchanged_token_is_used_from_then_on() -> None:
    contents: dict[SourceKey, SourceData] = {SECRET: {"token": OLD.encode()}}
    credentials = credentials_of(contents)
    revealed(credentials)

    contents[SECRET] = {"token": NEW.encode() + b"\n"}

    assert revealed(credentials) == NEW


def test_the_last_token_outlives_its_secret() -> None:
    contents: dict[SourceKey, SourceData] = {SECRET: {"token": OLD.encode()}}
    credentials = credentials_of(contents)
    revealed(credentials)

    contents[SECRET] = None

    assert revealed(credentials) == OLD


def test_a_secret_that_can_no_longer_be_read_takes_no_token_away() -> None:
    contents: dict[SourceKey, SourceData] = {SECRET: {"token": OLD.encode()}}
    credentials = credentials_of(contents)
    revealed(credentials)

    contents[SECRET] = Unreadable("403")

    assert revealed(credentials) == OLD


def test_a_token_that_was_replaced_by_something_else_is_not_used_on_in_silence() -> None:
    contents: dict[SourceKey, SourceData] = {SECRET: {"token": OLD.encode()}}
    credentials = credentials_of(contents)
    revealed(credentials)

    contents[SECRET] = {"token": b"not a token"}

    assert revealed(credentials) is None


async def answered(credentials: Credentials) -> None:
    """A call with the token that is used now, answered as its Cloudflare does."""
    client = credentials.client(TOKEN, Urgency.ARRIVAL)
    assert client is not None
    with suppress(CloudflareError):
        await client.list_certificates("a" * 32)


@pytest.mark.parametrize(
    ("accepted", "used"),
    [({OLD, NEW}, NEW), ({OLD}, OLD), ({NEW}, NEW), (set(), NEW)],
    ids=["both worked", "only the old one ever worked", "only the new one", "none"],
)
async def test_where_the_secret_is_gone_the_last_token_that_was_accepted_is_used(accepted: set[str], used: str) -> None:
    contents: dict[SourceKey, SourceData] = {SECRET: {"token": OLD.encode()}}
    credentials = credentials_of(contents, accepted)
    await answered(credentials)
    contents[SECRET] = {"token": NEW.encode()}
    await answered(credentials)
    present = revealed(credentials)

    contents[SECRET] = None

    assert (present, revealed(credentials)) == (NEW, used)


async def test_who_asks_is_told_of_a_token_that_is_not_accepted() -> None:
    credentials = credentials_of({SECRET: {"token": OLD.encode()}}, accepted=set())
    told: list[CredentialKey] = []
    credentials.on_refused = told.append

    await answered(credentials)

    assert told == [TOKEN]


def test_without_a_secret_there_is_no_client() -> None:
    assert credentials_of({}).client(TOKEN, Urgency.ARRIVAL) is None


@pytest.mark.parametrize(
    ("left", "resets_in", "urgency", "is_quiet"),
    [
        (200, 250, Urgency.DRIFT_CHECK, True),
        (200, 250, Urgency.ARRIVAL, False),
        (50, 40, Urgency.ARRIVAL, True),
        (50, 250, Urgency.ARRIVAL, False),
        (50, 250, Urgency.WITHDRAWAL, False),
        (0, 40, Urgency.WITHDRAWAL, True),
    ],
)
def test_nobody_is_told_of_a_short_wait_or_of_one_that_only_puts_off_a_look(
    left: int, resets_in: int, urgency: Urgency, is_quiet: bool
) -> None:
    credentials = credentials_of({SECRET: {"token": OLD.encode()}})
    budget = credentials.budget(TOKEN)
    assert budget is not None

    budget.note(200, {"ratelimit": f'"default";r={left};t={resets_in}', "ratelimit-policy": '"default";q=1200;w=300'})

    assert (credentials.quiet_until(TOKEN, urgency) is not None) is is_quiet


def test_where_there_is_no_token_there_is_nothing_to_wait_for() -> None:
    assert credentials_of({}).quiet_until(TOKEN, Urgency.DRIFT_CHECK) is None
