"""``interop-bridge healthcheck``: whether the bridge on this machine answers that it lives."""

from __future__ import annotations

import http.client

from bridge.cli.outcomes import FATAL
from bridge.config import Config
from bridge.errors import Misconfigured

PATH = "/_matrix/mau/live"
TIMEOUT_SECONDS = 5.0
"""Less than the time a container runtime gives a health check."""
ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound


def healthcheck(config: Config) -> None:
    """Ask the homeserver listener; Misconfigured (exit 1) when it does not answer 200."""
    host = ANY_ADDRESS.get(config.appservice.hostname, config.appservice.hostname)
    connection = http.client.HTTPConnection(host, config.appservice.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", PATH)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise _unwell(config, type(error).__name__) from None
    finally:
        connection.close()
    if status != http.client.OK:
        raise _unwell(config, str(status))


def _unwell(config: Config, seen: str) -> Misconfigured:
    return Misconfigured(
        f"port {config.appservice.port}",
        f"the bridge does not answer its health check as it should ({seen}).",
        "Look at its log.",
        exit_code=FATAL,
    )
