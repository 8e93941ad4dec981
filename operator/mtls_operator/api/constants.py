"""Names by which the API is known to Kubernetes."""

from __future__ import annotations

from typing import Final

GROUP: Final = "apishield-mtls.io"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
CATEGORY: Final = "cloudflare"

CERTIFICATE_AUTHORITY_KIND: Final = "MtlsCertificateAuthority"
CERTIFICATE_AUTHORITY_PLURAL: Final = "mtlscertificateauthorities"
CERTIFICATE_AUTHORITY_SHORT_NAME: Final = "mtlsca"

HOST_BINDING_KIND: Final = "MtlsHostBinding"
HOST_BINDING_PLURAL: Final = "mtlshostbindings"
HOST_BINDING_SHORT_NAME: Final = "mtlshb"

# Ours, set and removed by the engine; kopf removes its own finalizer name from objects, so the names must differ.
FINALIZER: Final = f"{GROUP}/cleanup"

# A new value forces a reconcile; it is acknowledged in status.lastHandledReconcileAt.
RECONCILE_REQUESTED_AT: Final = f"{GROUP}/reconcile-requested-at"
# "true" on a resource being deleted releases it without touching Cloudflare.
FORCE_ORPHAN: Final = f"{GROUP}/force-orphan"
