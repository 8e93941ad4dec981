"""`make demo`: the whole job, live, on a real API server and a simulated Cloudflare. See `__main__`.

stage         what it plays on: control plane, simulated Cloudflare and its edge, the operator as helm installs it
scenario      the steps, each with what must be seen before the next one
quickstart    what the user applies, with a CA that the demo has the key of
client_ca     that CA, and the clients to whom it issues certificates
verification  who gets through, asked with `cfmtls verify`
calls         what each call that reaches Cloudflare means, in words
order         whether the calls came in the order that keeps everybody safe
holdings      what is at Cloudflare, and whether nothing is left and nobody else's things were touched
resources     the resources as the API server has them
screen        where all of this is shown: `live` on a terminal, `plain` elsewhere
playground    the same stage, left to the user
"""
