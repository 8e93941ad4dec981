"""Render argocd-cm.yaml from health.lua: `python deploy/argocd/render.py > deploy/argocd/argocd-cm.yaml`.

The script is kept as Lua, so that editors and tests see Lua; Argo CD wants it inside a ConfigMap, once per kind.
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import indent

_GROUP = "apishield-mtls.io"
_KINDS = ("MtlsCertificateAuthority", "MtlsHostBinding")
_HEADER = """\
# Rendered from health.lua by `python deploy/argocd/render.py`; do not edit.
# Teaches Argo CD the health of both kinds. Only adds these two keys to the settings that are there:
#   kubectl --namespace argocd patch configmap argocd-cm --patch-file deploy/argocd/argocd-cm.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: argocd-cm
  namespace: argocd
data:
"""


def config_map(script: str) -> str:
    """The patch of Argo CD's ConfigMap, as YAML."""
    entries = (f"  resource.customizations.health.{_GROUP}_{kind}: |\n{indent(script, '    ')}" for kind in _KINDS)
    return _HEADER + "".join(entries)


if __name__ == "__main__":
    sys.stdout.write(config_map(Path(__file__).with_name("health.lua").read_text(encoding="utf-8")))
