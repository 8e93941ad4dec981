"""A CA that may not adopt what it wants: identical certificates are in the account and carry no mark of this operator.

Cloudflare refuses to have them twice (error 1471), so there is nothing to do but to look whether they are gone.
"""

from __future__ import annotations

from mtls_operator.domain.account_demands import Account, Agenda, Demand
from mtls_operator.domain.account_search import find_marked_or_not
from mtls_operator.domain.account_steps import ReadCertificates
from mtls_operator.domain.marks import certificate_owner


def is_adoption_refused(account: Account, agenda: Agenda, demand: Demand, fingerprint: str) -> bool:
    """Whether a bundle is there and the CA may not have it. Looked at again each window, and said meanwhile."""
    if demand.adopts:
        return False
    found = find_marked_or_not(account, demand, fingerprint)
    if found is None or certificate_owner(found[0].name) is not None:
        return False
    agenda.not_adopted[demand.authority] = found[0]
    again = account.known.listings[demand.token].begun + account.timing.window
    if account.now >= again:
        agenda.steps.append(ReadCertificates(demand.authority))
    else:
        agenda.wakes.append(again)
    return True
