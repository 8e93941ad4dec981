"""Certificates of an account: upload, list, get, delete, and where they are used.

The codes of the quota and of "in use" are unknown of the real API, so clients must not rest on ours.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from testbed.cloudflare.calls import Call, Outcome, flag, json_object, page_of, text
from testbed.cloudflare.envelope import RefusalError, timestamp
from testbed.cloudflare.settings import Duplicates, Kind
from testbed.cloudflare.state import Certificate
from testbed.cloudflare.uploads import Upload, check_authority, read_upload


def upload_certificate(call: Call) -> Outcome:
    """POST /accounts/{account_id}/mtls_certificates."""
    fields = json_object(call, {"ca", "certificates", "name", "private_key"}, ("ca", "certificates"))
    authority = flag(fields, "ca", "")
    name = text(fields, "name", "")
    upload = read_upload(text(fields, "certificates", ""))
    if authority:
        check_authority(upload, call.now, intermediates_alone=call.settings.intermediates_alone)
    _check_private_key(text(fields, "private_key", ""), needed=not authority)
    _check_new(call, upload, name)
    if authority:
        _check_quota(call)
    certificate = Certificate(
        id=call.identifiers.uuid(),
        name=name,
        pem=upload.pem,
        ca=authority,
        fingerprints=upload.fingerprints,
        issuer=upload.first.issuer.rfc4514_string(),
        serial_number=str(upload.first.serial_number),
        signature=upload.signature,
        expires_on=upload.first.not_valid_after_utc.timestamp(),
        uploaded_on=call.now,
    )
    return Outcome(
        certificate_json(certificate),
        call.truth.with_certificate(call.account.id, certificate),
    )


def list_certificates(call: Call) -> Outcome:
    """GET /accounts/{account_id}/mtls_certificates with the filters `ca`, `name` and `type`."""
    wanted = {name: call.request.parameter(name) for name in ("ca", "name", "type")}
    held = call.seen(Kind.CERTIFICATES).certificates.get(call.account.id, {}).values()
    matching: list[object] = [certificate_json(item) for item in held if _matches(item, wanted)]
    page, info = page_of(call, matching, default=50, largest=1000)
    return Outcome(page, info=info)


def get_certificate(call: Call) -> Outcome:
    """GET /accounts/{account_id}/mtls_certificates/{certificate_id}."""
    held = call.seen(Kind.CERTIFICATES).certificates.get(call.account.id, {})
    certificate = held.get(call.place["certificate_id"])
    if certificate is None:
        raise _unknown()
    return Outcome(certificate_json(certificate))


def delete_certificate(call: Call) -> Outcome:
    """DELETE /accounts/{account_id}/mtls_certificates/{certificate_id}.

    Refused while the certificate has hostnames in any zone, in truth or in the view of a replica that lags.
    """
    certificate_id = call.place["certificate_id"]
    certificate = call.truth.certificates[call.account.id].get(certificate_id)
    if certificate is None:
        raise _unknown()
    if certificate.type != "custom":
        raise RefusalError(403, 1469, f"A certificate of type {certificate.type} cannot be deleted")
    if call.truth.zones_using(certificate_id) or call.seen(Kind.IN_USE).zones_using(certificate_id):
        raise RefusalError(
            400, 1470, "The certificate is in use by one or more Cloudflare services and cannot be deleted"
        )
    return Outcome(
        certificate_json(certificate),
        call.truth.without_certificate(call.account.id, certificate_id),
    )


def list_uses(call: Call) -> Outcome:
    """GET /accounts/{account_id}/mtls_certificates/{certificate_id}/associations."""
    certificate_id = call.place["certificate_id"]
    if certificate_id not in call.seen(Kind.CERTIFICATES).certificates.get(call.account.id, {}):
        raise _unknown()
    used = call.seen(Kind.IN_USE).zones_using(certificate_id)
    return Outcome([{"service": "api_shield", "status": "active"}] if used else [])


def certificate_json(certificate: Certificate) -> dict[str, object]:
    """A certificate as the API shows it."""
    return {
        "id": certificate.id,
        "name": certificate.name,
        "ca": certificate.ca,
        "certificates": certificate.pem,
        "issuer": certificate.issuer,
        "serial_number": certificate.serial_number,
        "signature": certificate.signature,
        "type": certificate.type,
        "expires_on": timestamp(certificate.expires_on),
        "uploaded_on": timestamp(certificate.uploaded_on),
    }


def _matches(certificate: Certificate, wanted: dict[str, str | None]) -> bool:
    facts = {"ca": str(certificate.ca).lower(), "name": certificate.name, "type": certificate.type}
    return all(value is None or facts[name] == value for name, value in wanted.items())


def _check_new(call: Call, upload: Upload, name: str) -> None:
    new = set(upload.fingerprints)
    for held in call.truth.certificates[call.account.id].values():
        old = set(held.fingerprints)
        some_old = call.settings.duplicates is Duplicates.ANY_CERTIFICATE and not new.isdisjoint(old)
        if new == old or some_old:
            raise RefusalError(400, 1471, "The certificate has already been uploaded", pointer="/certificates")
        if call.settings.unique_names and name and held.name == name:
            raise RefusalError(400, 1472, f'A certificate named "{name}" already exists', pointer="/name")


def _check_quota(call: Call) -> None:
    held = call.truth.certificates[call.account.id].values()
    used = sum(1 for item in held if item.ca and item.type == "custom")
    if used >= call.account.ca_limit:
        limit = call.account.ca_limit
        raise RefusalError(400, 1468, f"You have reached the maximum number of CA certificates ({limit})")


def _check_private_key(pem: str, *, needed: bool) -> None:
    if not pem:
        if needed:
            raise RefusalError(400, 1473, "A leaf certificate needs its private key", pointer="/private_key")
        return
    try:
        load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise RefusalError(400, 1474, "Unable to parse private key", pointer="/private_key") from None


def _unknown() -> RefusalError:
    return RefusalError(404, 1475, "The certificate was not found")
