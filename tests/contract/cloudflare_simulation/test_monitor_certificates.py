"""Invariants 2, 5 and 7 on uploaded certificates."""

import pytest

from testbed.cloudflare.monitor import Monitor
from tests.contract.cloudflare_simulation.monitored import (
    CERTIFICATES,
    OTHER_ROOT,
    ROOT,
    WINDOW,
    Monitored,
    make_monitored,
)
from tests.contract.cloudflare_simulation.world import ACCOUNT, ZONE, ca


@pytest.fixture
def world() -> Monitored:
    return make_monitored()


def test_deleting_an_unused_certificate_with_a_mark_is_fine(world: Monitored) -> None:
    world.west.http.delete(f"{CERTIFICATES}/{world.certificate}")

    assert world.violated == []


@pytest.mark.parametrize("name", ["", "demo", "demo (mtls-operator east)", "demo 0123abcd (mtls-operator east) old"])
def test_deleting_a_certificate_without_a_mark_violates_invariant_5(world: Monitored, name: str) -> None:
    certificate = world.simulation.add_certificate(ACCOUNT, ca("Root B").pem, name=name)

    world.east.http.delete(f"{CERTIFICATES}/{certificate}")

    assert world.violated == [5]


def test_a_person_may_delete_any_certificate(world: Monitored) -> None:
    certificate = world.simulation.add_certificate(ACCOUNT, ca("Root B").pem)

    world.person.http.delete(f"{CERTIFICATES}/{certificate}")

    assert world.violated == []


@pytest.mark.parametrize("state", ["arriving", "held", "leaving"])
def test_trying_to_delete_a_certificate_before_its_hostnames_are_off_the_list_violates_invariant_2(
    world: Monitored, state: str
) -> None:
    world.east.claim(state, world.certificate, "a.example.com")
    world.east.put(world.certificate, "a.example.com")

    world.east.http.delete(f"{CERTIFICATES}/{world.certificate}")

    assert world.violated == [2]


def test_deleting_a_certificate_after_its_hostnames_left_is_fine(world: Monitored) -> None:
    world.east.claim("leaving", world.certificate, "a.example.com")
    world.east.put(world.certificate)

    world.east.http.delete(f"{CERTIFICATES}/{world.certificate}")

    assert world.violated == []


def test_trying_to_delete_a_certificate_that_others_use_is_no_violation_of_invariant_2(world: Monitored) -> None:
    world.simulation.put_foreign_hostnames("b" * 32, world.certificate, ["x.example.com"])

    world.east.http.delete(f"{CERTIFICATES}/{world.certificate}")

    assert world.violated == []


def test_deleting_a_certificate_that_another_installation_has_long_claimed_violates_invariant_5(
    world: Monitored,
) -> None:
    world.west.claim("arriving", world.certificate, "a.example.com")
    world.wait()

    world.east.http.delete(f"{CERTIFICATES}/{world.certificate}")

    assert world.violated == [5]


@pytest.mark.parametrize(("heard_by", "violated"), [("nothing", []), ("its own claim there", [5]), ("the list", [5])])
def test_who_has_nothing_in_a_zone_may_be_let_off_for_not_hearing_of_what_arrives_there(
    heard_by: str, violated: list[int]
) -> None:
    world = make_monitored(Monitor(window=WINDOW, hears_of_arrivals=False))
    world.west.claim("arriving", world.certificate, "a.example.com")
    if heard_by == "its own claim there":
        world.east.claim("leaving", world.certificate, "b.example.com")
    if heard_by == "the list":
        world.west.put(world.certificate, "a.example.com")
    world.wait()

    world.east.http.delete(f"{CERTIFICATES}/{world.certificate}")

    assert world.violated == violated


def _certificate_that_a_person_took_a_hostname_of_west_from(world: Monitored) -> str:
    certificate = world.certificate_of(OTHER_ROOT)
    world.west.claim("held", certificate, "a.example.com")
    world.west.put(certificate, "a.example.com")
    world.wait()
    world.person.put(certificate)
    world.monitor.excuse(ZONE, world.clock.now + 60)
    return certificate


def test_who_has_nothing_in_a_zone_cannot_know_of_a_claim_on_what_a_person_took_off_the_list(world: Monitored) -> None:
    certificate = _certificate_that_a_person_took_a_hostname_of_west_from(world)

    world.east.http.delete(f"{CERTIFICATES}/{certificate}")

    assert world.violated == []


def test_who_has_something_in_the_zone_has_to_know_of_the_claim_whatever_a_person_did(world: Monitored) -> None:
    certificate = _certificate_that_a_person_took_a_hostname_of_west_from(world)
    world.east.claim("arriving", world.certificate, "b.example.com")

    world.east.http.delete(f"{CERTIFICATES}/{certificate}")

    assert world.violated == [5]


@pytest.mark.parametrize(("listed_for", "violated"), [(10.0, []), (WINDOW + 20.0, [5])])
def test_nobody_may_delete_a_certificate_that_is_claimed_and_has_to_be_known_as_used_whatever_a_person_did(
    world: Monitored, listed_for: float, violated: list[int]
) -> None:
    certificate = _certificate_that_a_person_took_a_hostname_of_west_from(world)
    world.west.put(certificate, "a.example.com")
    world.clock.advance(listed_for)

    world.east.http.delete(f"{CERTIFICATES}/{certificate}")

    assert world.violated == violated


def test_deleting_a_certificate_while_another_installation_claims_another_one_is_fine(world: Monitored) -> None:
    world.west.claim("arriving", world.certificate_of(ca("Root B")), "a.example.com")
    world.wait()

    world.east.http.delete(f"{CERTIFICATES}/{world.certificate}")

    assert world.violated == []


def test_deleting_a_certificate_that_another_installation_claimed_just_now_is_no_violation(world: Monitored) -> None:
    world.west.claim("arriving", world.certificate, "a.example.com")

    world.east.http.delete(f"{CERTIFICATES}/{world.certificate}")

    assert world.violated == []


def test_uploading_what_the_installation_has_uploaded_violates_invariant_7_though_it_is_refused(
    world: Monitored,
) -> None:
    answer = world.east.upload(ROOT)

    assert answer.status_code == 400
    assert world.violated == [7]


def test_uploading_the_same_set_in_another_order_violates_invariant_7(world: Monitored) -> None:
    first, second = ca("Root B").pem, ca("Root C").pem
    world.east.upload(certificates=first + second)

    world.east.upload(certificates=second + first)

    assert world.violated == [7]


def test_uploading_under_a_name_without_a_mark_is_remembered(world: Monitored) -> None:
    authority = ca("Root B")
    world.east.upload(authority, name="demo")

    world.east.upload(authority, name="demo")

    assert world.violated == [7]


def test_uploading_other_certificates_is_fine(world: Monitored) -> None:
    world.east.upload(ca("Root B"))
    world.east.upload(ca("Root C"))

    assert world.violated == []


def test_uploading_what_another_installation_has_uploaded_is_no_violation(world: Monitored) -> None:
    world.west.upload(ROOT)

    assert world.violated == []


def test_uploading_again_what_was_deleted_is_fine(world: Monitored) -> None:
    world.east.http.delete(f"{CERTIFICATES}/{world.certificate}")

    world.east.upload(ROOT)

    assert world.violated == []


def test_an_upload_that_was_refused_may_be_tried_again(world: Monitored) -> None:
    authority = ca("Root B")
    world.east.upload(authority, ca="yes")

    world.east.upload(authority)

    assert world.violated == []
