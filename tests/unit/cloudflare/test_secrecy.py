"""The token and what was sent show up nowhere."""

from __future__ import annotations

import copy
import pickle
import string
import traceback

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_operator.cloudflare import ApiToken, CloudflareError, Rejected
from tests.unit.cloudflare.answering import ACCOUNT, CERTIFICATE, TOKEN, ZONE, Bench, refusal

# Lower-case letters, digits and a digit at the end keep a drawn token from being a word of our own messages.
TOKENS = st.text(alphabet=string.ascii_letters + string.digits + "_-", min_size=24, max_size=60).map(
    lambda drawn: f"{drawn}0"
)


def echoes(token: str) -> list[httpx.Response | BaseException]:
    """Answers and faults that repeat the token, as a careless server or library might."""
    return [
        refusal(400, 1, f"bad header Bearer {token}"),
        refusal(401, 1, f"Invalid API Token {token}"),
        refusal(403, 1, token),
        refusal(503, 1, token),
        httpx.Response(200, text=f"<html>{token}</html>"),
        httpx.Response(200, json={"success": True, "result": {"hostnames": token}}),
        httpx.ConnectError(f"no route for {token}"),
        httpx.LocalProtocolError(f"illegal header value b'Bearer {token}'"),
    ]


async def shown_after(answer: httpx.Response | BaseException, token: str) -> str:
    bench = Bench(answer, token=token)
    with pytest.raises(CloudflareError) as caught:
        await bench.client.get_hostnames(ZONE, CERTIFICATE)
    error = caught.value
    return " ".join([str(error), repr(error), repr(vars(error)), repr(bench.records), repr(bench.client)])


@given(TOKENS, st.integers(min_value=0, max_value=7))
async def test_no_error_shows_the_token_even_if_the_answer_repeats_it(token: str, which: int) -> None:
    shown = await shown_after(echoes(token)[which], token)

    assert token not in shown


@pytest.mark.parametrize("which", range(8))
async def test_no_traceback_shows_the_token(which: int) -> None:
    bench = Bench(echoes(TOKEN)[which])

    with pytest.raises(CloudflareError) as caught:
        await bench.client.get_hostnames(ZONE, CERTIFICATE)

    assert TOKEN not in "".join(traceback.format_exception(caught.value))


@given(TOKENS)
def test_a_token_does_not_show_itself(token: str) -> None:
    held = ApiToken(token)

    assert token not in f"{held} {held!r} {[held]}" + repr((held,))


@pytest.mark.parametrize("hand_on", [pickle.dumps, copy.deepcopy])
def test_a_token_is_not_copied_out_of_the_object(hand_on: object) -> None:
    assert callable(hand_on)

    with pytest.raises(TypeError, match="not pickled or copied"):
        hand_on(ApiToken(TOKEN))


@pytest.mark.parametrize("secret", ["", "  \n", "two words", "line\nbreak", "tökén", "a\x00b", "Bearer abc"])
def test_what_is_no_token_is_refused_without_being_quoted(secret: str) -> None:
    with pytest.raises(ValueError, match="not an API token") as caught:
        ApiToken(secret)

    assert secret.strip() == "" or secret not in str(caught.value)


def test_the_newline_of_an_echoed_token_is_not_part_of_it() -> None:
    assert ApiToken(f"{TOKEN}\n") == ApiToken(TOKEN)
    assert len({ApiToken(f"{TOKEN}\n"), ApiToken(TOKEN)}) == 1


@pytest.mark.parametrize("tail", ["-----END CERTIFICATE-----", ""])
async def test_pem_that_cloudflare_repeats_is_not_passed_on(tail: str) -> None:
    pem = f"-----BEGIN CERTIFICATE-----\nTUlJQ\n{tail}"
    bench = Bench(refusal(400, 1, f"cannot parse {pem}"))

    with pytest.raises(Rejected) as caught:
        await bench.client.upload_certificate(ACCOUNT, name="ca", pem=pem)

    assert "cannot parse <PEM>" in str(caught.value)
    assert "TUlJQ" not in repr(vars(caught.value))


async def test_a_message_that_floods_is_cut() -> None:
    bench = Bench(refusal(400, 1, "word " * 10_000))

    with pytest.raises(Rejected) as caught:
        await bench.client.get_hostnames(ZONE, CERTIFICATE)

    assert len(str(caught.value)) < 1000
