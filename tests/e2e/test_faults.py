"""What goes wrong on the way to Cloudflare delays a set-up and a tear-down, and changes nothing about their end."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from testbed.cloudflare.faults import AnswerPage, AnswerStatus, Cut, Effect, Garble, Moment
from testbed.cloudflare.journal import LogEntry
from tests.e2e.expected_rules import Sight, held_and_enforced, sights
from tests.e2e.story import disorder, uploads
from tests.e2e.tenant import Tenant
from tests.e2e.world import WINDOW, World

LOST_ANSWER = Cut(Moment.AFTER)
NEVER_ARRIVED = Cut(Moment.BEFORE)
UNAVAILABLE = AnswerStatus(503)
TOO_MANY = AnswerStatus(429, retry_after=1)
HTML = AnswerPage(502)
TRUNCATED = Garble.TRUNCATED

CERTIFICATES, CERTIFICATE = "/mtls_certificates", "/mtls_certificates/"
LIST = "/hostname_associations"
RULESETS, RULES, RULE = "/rulesets", "/rules", "/rules/"
Trouble = Callable[[Tenant], None]


def trouble(effect: Effect, method: str, path: str, times: int = 1) -> Trouble:
    """The next requests of that kind go wrong."""
    return lambda tenant: tenant.fault(effect, method=method, path=path, times=times)


TROUBLES: Mapping[str, Trouble] = {
    "the answer of the upload is lost": trouble(LOST_ANSWER, "POST", CERTIFICATES),
    "the upload never arrives": trouble(NEVER_ARRIVED, "POST", CERTIFICATES),
    "the answer of the upload is cut short": trouble(TRUNCATED, "POST", CERTIFICATES),
    "the answer of the first claim is lost": trouble(LOST_ANSWER, "POST", RULESETS),
    "the answers of all claims are lost": trouble(LOST_ANSWER, "PATCH", RULE, times=2),
    "the answers of the enforcement are lost": trouble(LOST_ANSWER, "POST", RULES, times=2),
    "the answers of the association are lost": trouble(LOST_ANSWER, "PUT", LIST, times=2),
    "the answer of the association is cut short": trouble(TRUNCATED, "PUT", LIST),
    "the answer of the association is no JSON": trouble(Garble.MALFORMED, "PUT", LIST),
    "the association is answered by a page": trouble(HTML, "PUT", LIST, times=2),
    "reading the list is answered by a page": trouble(HTML, "GET", LIST, times=2),
    "reading the rules fails": trouble(UNAVAILABLE, "GET", "/entrypoint", times=2),
    "too many requests": trouble(TOO_MANY, "PUT", LIST),
    "the answers of deleted rules are lost": trouble(LOST_ANSWER, "DELETE", RULE, times=2),
    "deleting the rule fails": trouble(AnswerStatus(500), "DELETE", RULE, times=2),
    "the answer of the deleted certificate is lost": trouble(LOST_ANSWER, "DELETE", CERTIFICATE),
    "deleting the certificate is answered by a page": trouble(HTML, "DELETE", CERTIFICATE),
}
SEEDS = range(3)


def storm(tenant: Tenant, seed: int) -> None:
    """One in five of the first forty requests, by chance, goes wrong in some way."""
    dice = random.Random(seed)
    effects = (LOST_ANSWER, NEVER_ARRIVED, UNAVAILABLE, HTML, TRUNCATED, AnswerStatus(500))
    for number in range(40):
        if dice.random() < 1 / 5:
            tenant.fault(dice.choice(effects), method=None, path="", skip=number)


@dataclass
class Course:
    """A tenant whose way was troubled, what it had when it was ready, and what was left when it was gone."""

    tenant: Tenant
    lists: dict[str, frozenset[str]]
    rules: list[Sight]


def run_all(world: World, troubles: Mapping[str, Trouble]) -> dict[str, Course]:
    """Set up and tear down one tenant for each trouble, all side by side: most of the time is waiting to try again."""
    tenants = {name: Tenant.arrive(world) for name in troubles}
    for name, tenant in tenants.items():
        troubles[name](tenant)
        tenant.apply_set_up("api")
    courses = {}
    for name, tenant in tenants.items():
        tenant.wait_ready()
        courses[name] = Course(tenant, tenant.lists, sights(tenant.rules()))
    world.clear()
    return courses


@pytest.fixture(scope="module")
def courses(module_world: World) -> dict[str, Course]:
    storms = {f"storm {seed}": functools.partial(storm, seed=seed) for seed in SEEDS}
    return run_all(module_world, {**TROUBLES, **storms})


def went_wrong(entry: LogEntry) -> bool:
    """Whether a request met one of the faults of this module."""
    lost, refused = not entry.delivered, (entry.status or 0) >= 429
    return lost or refused or entry.answer_body.startswith("{]") or not entry.answer_body.endswith("}")


every_course = pytest.mark.parametrize("name", [*TROUBLES, *(f"storm {seed}" for seed in SEEDS)])


@every_course
def test_a_set_up_in_trouble_ends_like_any_other(courses: dict[str, Course], name: str) -> None:
    course = courses[name]
    hostname = course.tenant.zone.host("api")

    assert course.lists == {course.tenant.zone.name: {hostname}}
    assert course.rules == held_and_enforced(course.tenant.ca.key_identifier, hostname)
    assert len([each for each in uploads(course.tenant.history) if each.entry.status == 200]) == 1


@every_course
def test_a_tear_down_in_trouble_leaves_nothing_and_keeps_the_order(courses: dict[str, Course], name: str) -> None:
    tenant = courses[name].tenant

    assert tenant.certificates == []
    assert tenant.lists == {}
    assert tenant.rules() == ()
    assert disorder(tenant.history, window=WINDOW) == []
    assert tenant.violations == []


@pytest.mark.parametrize("name", TROUBLES)
def test_every_trouble_happened(courses: dict[str, Course], name: str) -> None:
    entries = [each.entry for each in courses[name].tenant.history]

    assert [
        each
        for each in entries
        if not each.delivered
        or (each.status or 0) >= 429
        or "{]" in each.answer_body[:2]
        or not each.answer_body.endswith("}")
    ] != []


def test_an_outage_is_said_in_the_condition_and_nothing_else_changes(world: World) -> None:
    tenant = Tenant.arrive(world)
    tenant.fault(UNAVAILABLE, method="POST", path=CERTIFICATES, times=2)

    tenant.apply_set_up("api")
    message = tenant.wait_condition("mtlsca/partners", "Ready", "False", "CloudflareUnavailable")
    tenant.wait_ready()

    assert "503" in message
    assert tenant.lists == {tenant.zone.name: {tenant.zone.host("api")}}
