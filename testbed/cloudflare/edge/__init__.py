"""Cloudflare's edge: what a client gets that connects to a hostname of a zone.

It answers the question that all the rest is for: does this request get through? The parts, from the inside out:

    settings            what is unknown of the real one, as choices
    hostnames           whose zone a hostname is in, and what `http.host` shows of it
    trust               which CAs count for a hostname
    verification        a client's chain against these CAs, as OpenSSL verifies it in a handshake
    certificate_fields  what rules see of the client's certificate
    request_fields      what rules see of the request
    firewall            IP Access rules and custom rules, in order
    visit               a connection and the requests on it: the whole, without a socket
    server              a real TLS server around it

`visit` takes states and times as values, so that a test can ask at any virtual instant what would happen to whom.
"""
