"""The times that the sharing protocol rests on hold together."""

from __future__ import annotations

from mtls_operator.cloudflare.sending import WHOLE_CALL_TIMEOUT
from mtls_operator.domain.zone_places import FRESH_SECONDS, Timing


def test_a_list_that_is_written_on_fresh_readings_is_there_or_given_up_within_what_others_allow_for() -> None:
    slow_call = Timing(window=90.0, settle=90.0).slow_call

    assert slow_call >= FRESH_SECONDS + WHOLE_CALL_TIMEOUT
