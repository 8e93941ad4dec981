"""What is counted, as a scrape shows it."""

from __future__ import annotations

from datetime import UTC, datetime

from prometheus_client import generate_latest

from mtls_operator.observability import Metrics


def scraped(metrics: Metrics) -> list[str]:
    return generate_latest(metrics.registry).decode().splitlines()


def test_calls_are_counted_by_method_endpoint_and_status() -> None:
    metrics = Metrics()

    metrics.cloudflare_call("GET", "/zones", 200, 0.2)
    metrics.cloudflare_call("GET", "/zones", None, 60)

    lines = scraped(metrics)
    assert 'cfmtls_cloudflare_requests_total{endpoint="/zones",method="GET",status="200"} 1.0' in lines
    assert 'cfmtls_cloudflare_requests_total{endpoint="/zones",method="GET",status="none"} 1.0' in lines
    assert 'cfmtls_cloudflare_request_duration_seconds_count{endpoint="/zones",method="GET"} 2.0' in lines


def test_an_unknown_budget_is_no_series() -> None:
    metrics = Metrics()

    metrics.rate_budget("ns/one", 1100)
    metrics.rate_budget("ns/two", 7)
    metrics.rate_budget("ns/two", None)
    metrics.rate_budget("ns/three", None)

    budgets = [line for line in scraped(metrics) if line.startswith("cfmtls_cloudflare_rate_budget")]
    assert budgets == ['cfmtls_cloudflare_rate_budget_remaining_requests{credential="ns/one"} 1100.0']


def test_only_a_success_moves_the_time_of_the_last_one() -> None:
    times = iter([1000.0, 2000.0])
    metrics = Metrics(wall_clock=lambda: next(times))

    metrics.reconciled("zone", "z1", "ok", 0.5, success=True)
    metrics.reconciled("zone", "z1", "rate-limited", 0.1, success=False)

    lines = scraped(metrics)
    assert 'cfmtls_last_successful_reconcile_timestamp_seconds{key="z1",kind="zone"} 1000.0' in lines
    assert 'cfmtls_reconciles_total{kind="zone",result="ok"} 1.0' in lines
    assert 'cfmtls_reconciles_total{kind="zone",result="rate-limited"} 1.0' in lines
    assert 'cfmtls_reconcile_duration_seconds_count{kind="zone"} 2.0' in lines


def test_resources_that_are_gone_are_not_counted() -> None:
    metrics = Metrics()

    metrics.resources([("MtlsHostBinding", "True"), ("MtlsHostBinding", "True"), ("MtlsHostBinding", "False")])
    metrics.resources([("MtlsHostBinding", "False")])

    resources = [line for line in scraped(metrics) if line.startswith("cfmtls_resources")]
    assert resources == ['cfmtls_resources{kind="MtlsHostBinding",ready="False"} 1.0']


def test_events_and_deaf_watches_are_counted() -> None:
    metrics = Metrics()

    metrics.event_emitted("Warning", "Conflicted")
    metrics.deaf_watch("MtlsHostBinding", 1)

    lines = scraped(metrics)
    assert 'cfmtls_events_emitted_total{reason="Conflicted",type="Warning"} 1.0' in lines
    assert 'cfmtls_deaf_watches_total{kind="MtlsHostBinding"} 1.0' in lines


def test_looks_and_repairs_are_counted() -> None:
    metrics = Metrics()

    metrics.resynced("zone")
    metrics.repaired("association")

    lines = scraped(metrics)
    assert 'cfmtls_resyncs_total{kind="zone"} 1.0' in lines
    assert 'cfmtls_repairs_total{kind="association"} 1.0' in lines


def test_the_last_complete_look_is_told_as_long_as_there_is_one() -> None:
    metrics = Metrics()

    metrics.looked("zone", "z1", 1000.0)
    metrics.looked("zone", "z2", 2000.0)
    metrics.looked("zone", "z2", None)
    metrics.looked("zone", "z3", None)

    looks = [line for line in scraped(metrics) if line.startswith("cfmtls_last_complete_look")]
    assert looks == ['cfmtls_last_complete_look_timestamp_seconds{key="z1",kind="zone"} 1000.0']


def test_when_a_token_expires_is_told_where_it_does() -> None:
    metrics = Metrics()

    metrics.token_expires("Secret ns/one", datetime(2026, 3, 1, tzinfo=UTC))
    metrics.token_expires("Secret ns/two", None)

    told = [line for line in scraped(metrics) if line.startswith("cfmtls_token_expiry")]
    assert told == ['cfmtls_token_expiry_timestamp_seconds{credential="Secret ns/one"} 1.7723232e+09']


def test_two_operators_in_one_process_do_not_share_their_metrics() -> None:
    one, two = Metrics(), Metrics()

    one.deaf_watch("MtlsHostBinding", 1)

    assert not [line for line in scraped(two) if line.startswith("cfmtls_deaf_watches_total{")]


def test_bindings_are_counted_by_what_they_are_exposed_to() -> None:
    metrics = Metrics()

    metrics.exposed(["NotProxied", "BypassedByAccessRule", "NotProxied"])
    metrics.exposed(["NotProxied"])
    metrics.exposed(["NotProxied"])

    exposed = [line for line in scraped(metrics) if line.startswith("cfmtls_exposed_bindings")]
    assert exposed == ['cfmtls_exposed_bindings{reason="NotProxied"} 1.0']


def test_a_check_that_is_made_again_is_not_left_out() -> None:
    metrics = Metrics()

    metrics.exposure_check("z1", "dns_records", left_out=True)
    metrics.exposure_check("z1", "access_rules", left_out=True)
    metrics.exposure_check("z1", "access_rules", left_out=False)

    left_out = [line for line in scraped(metrics) if line.startswith("cfmtls_exposure_checks_left_out")]
    assert left_out == ['cfmtls_exposure_checks_left_out{check="dns_records",zone="z1"} 1.0']
