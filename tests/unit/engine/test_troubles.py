"""What a failed call means to the user, and how long the next try waits."""

from __future__ import annotations

import random

import pytest

from mtls_operator.api.host_binding import HostBindingStatus
from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare import errors
from mtls_operator.cluster.errors import ApiServerUnavailable, ClusterError
from mtls_operator.domain.verdicts import Outcome
from mtls_operator.engine.troubles import PATIENCE_WITH_FRESH_TOKEN, pause_after, told_trouble, trouble_of
from tests.unit.domain.binding_records import binding

CALL = "GET /zones/z/rulesets"
DENIED = errors.PermissionDenied(CALL, "refused", permission="Zone / Zone WAF: Edit", status=403)
UNAVAILABLE = (Outcome.WAITING, "CloudflareUnavailable")
Trouble = errors.CloudflareError | ClusterError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (errors.Unreachable(CALL, "no answer, ConnectTimeout"), UNAVAILABLE),
        (errors.Unreachable(CALL, "no answer, ReadError", answer_lost=True), UNAVAILABLE),
        (errors.MalformedAnswer(CALL, "status 200 with HTML instead of JSON", status=200), UNAVAILABLE),
        (errors.MalformedAnswer(CALL, "JSON that is cut off or broken", status=200, answer_lost=True), UNAVAILABLE),
        (errors.ServerFault(CALL, "Cloudflare failed with 408", status=408), UNAVAILABLE),
        (errors.ServerFault(CALL, "Cloudflare failed with 502", status=502), UNAVAILABLE),
        (errors.RateLimited(CALL, "too many", status=429, retry_after=300.0), (Outcome.WAITING, "RateLimited")),
        (errors.RateLimited(CALL, "not sent", retry_after=90.0), (Outcome.WAITING, "RateLimited")),
        (errors.Unauthorized(CALL, "not accepted", status=401), (Outcome.BLOCKED, "CredentialsInvalid")),
        (errors.NotFound(CALL, "not found", status=404), (Outcome.WAITING, "CloudflareRefused")),
        (errors.AlreadyExists(CALL, "there already", status=400), (Outcome.WAITING, "Progressing")),
        (errors.CertificateInUse(CALL, "in use", status=409), (Outcome.WAITING, "Progressing")),
        (errors.QuotaExceeded(CALL, "no place", status=400), (Outcome.WAITING, "QuotaExhausted")),
        (errors.Rejected(CALL, "refused", status=400), (Outcome.BLOCKED, "CloudflareRefused")),
        (ApiServerUnavailable("no usable answer"), (Outcome.WAITING, "Progressing")),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_each_failure_is_told_by_its_reason_and_goes_on_by_itself_or_needs_somebody(
    error: Trouble, told: tuple[Outcome, str]
) -> None:
    verdict = trouble_of(error, 1, 0.0)

    assert (verdict.outcome, verdict.reason.value) == told


def test_a_lack_of_permission_is_one_only_after_some_patience_and_names_what_is_missing() -> None:
    first, last, then = (trouble_of(DENIED, n, 0.0) for n in (1, PATIENCE_WITH_FRESH_TOKEN, 6))

    assert [each.reason.value for each in (first, last, then)] == [
        "CredentialsPending",
        "CredentialsPending",
        "CredentialsInsufficient",
    ]
    assert "Give the token the permission Zone / Zone WAF: Edit." in then.message


@pytest.mark.parametrize(
    ("reason", "generation", "told"),
    [
        (Reason.CREDENTIALS_INVALID, 3, "CredentialsInvalid"),
        (Reason.CREDENTIALS_INVALID, 2, None),
        (Reason.DELETION_BLOCKED, 3, "DeletionBlocked"),
        (Reason.ARRIVING, 3, None),
        (None, 3, None),
    ],
    ids=["in trouble", "in trouble with a spec that has changed", "deletion blocked", "under way", "nothing said yet"],
)
def test_trouble_that_a_resource_tells_of_its_present_spec_is_left_until_it_was_tried_anew(
    reason: Reason | None, generation: int, told: str | None
) -> None:
    said = {
        "type": "Ready",
        "status": "False",
        "reason": reason.value if reason else "",
        "message": "",
        "observedGeneration": generation,
        "lastTransitionTime": "2026-03-01T00:00:00Z",
    }
    status = HostBindingStatus.model_validate({"conditions": [said] if reason else []})

    assert told_trouble(binding(status=status)) == told


@pytest.mark.parametrize(
    ("error", "failures", "shortest", "longest"),
    [
        (errors.Unreachable(CALL, "no answer"), 1, 0.5, 1.0),
        (errors.ServerFault(CALL, "failed", status=503), 4, 4.0, 8.0),
        (errors.ServerFault(CALL, "failed", status=503), 50, 30.0, 60.0),
        (errors.ServerFault(CALL, "failed", status=503, retry_after=20.0), 1, 20.0, 22.0),
        (errors.ServerFault(CALL, "failed", status=503, retry_after=2.0), 50, 30.0, 60.0),
        (errors.RateLimited(CALL, "too many", status=429, retry_after=300.0), 1, 300.0, 330.0),
        (errors.Rejected(CALL, "refused", status=400), 50, 150.0, 300.0),
        (errors.Unauthorized(CALL, "not accepted", status=401), 50, 150.0, 300.0),
        (DENIED, 5, 8.0, 16.0),
        (DENIED, 50, 150.0, 300.0),
        (ApiServerUnavailable("no usable answer"), 50, 30.0, 60.0),
    ],
)
def test_pauses_grow_have_jitter_and_are_never_shorter_than_cloudflare_asks(
    error: Trouble, failures: int, shortest: float, longest: float
) -> None:
    pauses = [pause_after(error, failures, random.Random(seed)) for seed in range(50)]

    assert shortest <= min(pauses) < max(pauses) <= longest
