"""Serial numbers of certificates as Cloudflare's rules compare them: upper-case hex, in one spelling or in two.

Whether `cf.tls_client_auth.cert_serial` keeps a leading zero, of a nibble or of the byte that DER puts before a number
whose first bit is set, is not documented. So a rule names every spelling that there can be; a serial number is kept
here without leading zeros, and is the same however it was spelt.
"""

from __future__ import annotations


def serial_number(value: int) -> str:
    """A serial number without leading zeros. A negative one (which no CA may issue) as the bytes that encode it."""
    if value >= 0:
        return f"{value:X}"
    length = ((value + 1).bit_length() // 8) + 1
    return value.to_bytes(length, signed=True).hex().upper()


def spellings(serial: str) -> tuple[str, ...]:
    """How a serial number may be spelt at Cloudflare, sorted."""
    if len(serial) % 2:
        return (f"0{serial}", serial)
    return (f"00{serial}", serial) if serial[0] in "89ABCDEF" else (serial,)


def from_spelling(spelling: str) -> str:
    """The serial number that is spelt so."""
    return spelling.lstrip("0") or "0"
