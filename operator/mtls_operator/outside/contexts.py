"""TLS as one client speaks it.

Python's `ssl` takes a certificate and its key from a file only. That file is one in memory that has no name, so that a
key never reaches a disk.
"""

from __future__ import annotations

import os
import ssl

from mtls_operator.outside.identities import Identity


class UnusableIdentityError(ValueError):
    """A certificate and a key that no client can come with; says what is wrong, and nothing of the key."""


def client_context(identity: Identity | None, trusted: str | None) -> ssl.SSLContext:
    """A client that comes with this certificate (None: without one), and believes servers that a CA of `trusted` (PEM;
    None: the system's) vouches for. Raises UnusableIdentityError."""
    context = ssl.create_default_context(cadata=trusted)
    context.set_alpn_protocols(["http/1.1"])
    if identity is not None:
        _load(context, identity)
    return context


def _load(context: ssl.SSLContext, identity: Identity) -> None:
    memory = os.memfd_create("identity", os.MFD_CLOEXEC)
    try:
        with os.fdopen(memory, "wb", closefd=False) as file:
            file.write(identity.certificate.strip() + b"\n" + identity.key.strip() + b"\n")
        # Without a password to give, OpenSSL would ask for one at the terminal.
        context.load_cert_chain(f"/proc/self/fd/{memory}", password=b"")
    except (ssl.SSLError, OSError):
        raise UnusableIdentityError(_problem(identity)) from None
    finally:
        os.close(memory)


def _problem(identity: Identity) -> str:
    if b"-----BEGIN CERTIFICATE-----" not in identity.certificate:
        return "there is no certificate in PEM"
    if b"PRIVATE KEY-----" not in identity.key:
        return "there is no private key in PEM"
    if b"ENCRYPTED" in identity.key:
        return "the private key is encrypted"
    return "certificate and private key do not go together, or OpenSSL takes one of them for broken or too weak"
