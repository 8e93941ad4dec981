"""The whole operator in virtual time between a simulated cluster and a simulated Cloudflare, while everything happens.

    python -m testbed.chaos RUNS --seed S     random stories, one per seed
    python -m testbed.chaos crash             each scenario, killed at each of its requests

See `story` for what is played, `exclusions` for what is not, and `expectation` for what has to be true at the end. All
the while `visitors` ask the edge whether the hostnames of Ready bindings are closed, and to whom.
"""
