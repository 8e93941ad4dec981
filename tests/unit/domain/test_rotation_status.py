"""What a rotation looks like in the status of a CA, and how it is read back."""

from __future__ import annotations

from datetime import UTC, datetime

from mtls_operator.api.certificate_authority import CertificateAuthorityStatus, RotationPhase, RotationStatus
from mtls_operator.domain.rotation import NOTHING_IN_FORCE, Retiring, Rotation, Standing
from mtls_operator.domain.rotation_status import standing_of, with_rotation
from tests.unit.domain.binding_records import CERTIFICATE

BEGUN = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
ROTATION = Rotation(RotationPhase.WIDENING, frozenset({"ab" * 32, "cd" * 32}), BEGUN)
RETIRING = (
    Retiring(frozenset({"01" * 32}), BEGUN + 60, provisional=True, key_identifiers=frozenset({"AB", "CD"})),
    Retiring(frozenset(), BEGUN, certificate_id=CERTIFICATE),
)


def test_a_rotation_is_written_as_the_api_shows_it_and_read_back_equal() -> None:
    before = CertificateAuthorityStatus(fingerprints=("ef" * 32,), key_identifiers=("EF",))

    written = with_rotation(before, ROTATION, RETIRING)

    assert written.to_wire() == {
        "fingerprints": ["ef" * 32],
        "keyIdentifiers": ["EF"],
        "rotation": {
            "phase": "Widening",
            "target": ["ab" * 32, "cd" * 32],
            "startedAt": "2026-03-01T00:00:00Z",
        },
        "retiring": [
            {
                "fingerprints": ["01" * 32],
                "keyIdentifiers": ["AB", "CD"],
                "retireAfter": "2026-03-01T00:01:00Z",
                "provisional": True,
            },
            {
                "certificateId": CERTIFICATE,
                "fingerprints": [],
                "keyIdentifiers": [],
                "retireAfter": "2026-03-01T00:00:00Z",
            },
        ],
    }
    assert standing_of(written) == Standing(frozenset({"ef" * 32}), frozenset({"EF"}), ROTATION, RETIRING)


def test_a_moment_between_two_seconds_is_written_as_the_later_one() -> None:
    written = with_rotation(CertificateAuthorityStatus(), ROTATION, (Retiring(frozenset({"01" * 32}), BEGUN + 0.2),))

    assert standing_of(written).retiring[0].retire_after == BEGUN + 1


def test_nothing_is_left_of_a_rotation_that_is_over() -> None:
    over = with_rotation(with_rotation(CertificateAuthorityStatus(), ROTATION, RETIRING), None, ())

    assert over == CertificateAuthorityStatus()
    assert standing_of(over) == NOTHING_IN_FORCE


def test_in_a_phase_of_a_newer_version_nothing_narrows() -> None:
    newer = RotationStatus(phase="Pausing", target=(), started_at=datetime(2026, 3, 1, tzinfo=UTC))

    rotation = standing_of(CertificateAuthorityStatus(rotation=newer)).rotation

    assert rotation is not None
    assert rotation.phase is RotationPhase.WIDENING
