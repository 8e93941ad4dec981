"""Asking for a hostname from outside, as clients of an API do. A thin shell: what answers mean is decided in
`mtls_operator.domain.verification`.

    identities   certificates that bad clients come with, and the one of a good client
    contexts     TLS settings of each client; the only place where a private key is handed to the TLS library
    addresses    where a hostname leads, and whether that may be contacted
    requests     one connection, one GET, the head of its answer
    visits       every client at every hostname, a few at a time
"""
