"""A Cloudflare that behaves like the real one, for tests, the demo and the playground.

It knows certificates, hostname associations, custom rules, zones and tokens; is as strict as the real one about what
it accepts; shows reads that lag; fails on order; and watches the safety invariants on every request. How to use it:

    in this process     simulation.py, with transport.py for httpx
    over HTTP           server.py, with control.py beside the API
    as a process        python -m testbed.cloudflare --help
    as a visitor        edge/, where TLS clients find out whether they get through

What of the real API is known, and how surely, is written down where it is used. Error codes that nobody has published
are ours, so nothing may rest on them.
"""
