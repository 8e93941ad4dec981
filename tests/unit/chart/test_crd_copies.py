"""The chart ships the generated CRDs, not a second hand-kept copy."""

from __future__ import annotations

from pathlib import Path

DEPLOY = Path(__file__).parents[3] / "deploy"


def files(directory: Path) -> dict[str, bytes]:
    """Contents by name."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_chart_ships_the_generated_crds_byte_for_byte() -> None:
    """Where it fails: `make generate`, which copies deploy/crds into the chart."""
    generated = files(DEPLOY / "crds")

    assert len(generated) == 2
    assert files(DEPLOY / "helm" / "cloudflare-mtls-operator" / "files" / "crds") == generated
