"""The pages name nothing that is not there."""

from __future__ import annotations

import re

import pytest
from prometheus_client import Counter, Gauge, Histogram

from mtls_operator.api.constants import FINALIZER, FORCE_ORPHAN
from mtls_operator.api.reasons import Reason
from mtls_operator.cloudflare import endpoints
from mtls_operator.cloudflare.endpoints import Endpoint
from mtls_operator.observability.metrics import Metrics
from tests.unit.docs import pages
from tests.unit.docs.pages import PAGES

OPERATIONS = "docs/operations.md"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    assert pages.broken_links(page) == []


@pytest.mark.parametrize("page", PAGES)
def test_file_names_are_those_of_files(page: str) -> None:
    assert pages.unknown_paths(page) == []


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    assert pages.make_targets(page) <= pages.defined_targets()


def test_the_readme_names_the_commands_that_the_project_is_about() -> None:
    assert pages.make_targets("README.md") >= {"demo", "test", "playground", "image"}


def test_reasons_in_the_troubleshooting_exist() -> None:
    table = pages.text(OPERATIONS).split("## Troubleshooting")[1]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row)}

    assert len(named) > 20
    assert named - set(Reason) == set()


def test_the_table_of_metrics_is_complete() -> None:
    metrics = Metrics()
    ours = {
        (metric.name, sample)
        for collector in vars(metrics).values()
        if isinstance(collector, Counter | Gauge | Histogram)
        for metric, sample in [(next(iter(collector.describe())), type(collector).__name__)]
    }
    exposed = {f"{name}_total" if kind == "Counter" else name for name, kind in ours}

    assert pages.words(OPERATIONS, r"cfmtls_\w+") == exposed


def test_the_readme_asks_for_exactly_the_permissions_that_the_endpoints_need() -> None:
    needed = {each.permission for each in vars(endpoints).values() if isinstance(each, Endpoint)}
    edited = {each for each in needed if each.endswith(": Edit")}
    read = {each for each in needed if each.endswith(": Read")} - {each.replace("Edit", "Read") for each in edited}
    table = set(re.findall(r"^\| ((?:Account|Zone) / .*?) \|", pages.text("README.md"), re.MULTILINE))

    assert table == edited | read


@pytest.mark.parametrize("page", [OPERATIONS])
def test_the_finalizer_and_the_way_out_are_named_as_they_are(page: str) -> None:
    assert {FINALIZER} <= pages.words(page, r"apishield.*cleanup")
    assert f"{FORCE_ORPHAN}=true" in pages.text(page)
