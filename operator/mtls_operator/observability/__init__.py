"""What an operator of this operator sees: logs, metrics, probes."""

from mtls_operator.observability.health import Health, health_app, serving
from mtls_operator.observability.logging import configure_logging
from mtls_operator.observability.metrics import Metrics
from mtls_operator.observability.redaction import redact

__all__ = ["Health", "Metrics", "configure_logging", "health_app", "redact", "serving"]
