"""Which certificates other installations rely on in a zone, so that none of them is deleted under them.

A claim that is only `leaving` is no such reliance: of two installations that leave at once one has to delete.
"""

from __future__ import annotations

from collections.abc import Collection

from mtls_operator.domain.marks import Claim, ClaimState, Installation, read_mark
from mtls_operator.domain.observed import CertificateId, Ruleset


def relied_on_elsewhere(ruleset: Ruleset | None, ours: Collection[Installation]) -> frozenset[CertificateId]:
    """The certificates that an installation claims as arriving or held that is not among `ours`: us, and those whose
    marks become ours."""
    marks = [read_mark(rule) for rule in ruleset.rules] if ruleset else []
    claims = [each for each in marks if isinstance(each, Claim) and each.installation not in ours]
    relying = [each.certificate_ids for each in claims if each.state is not ClaimState.LEAVING]
    return frozenset[CertificateId]().union(*relying)
