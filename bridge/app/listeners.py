"""What is served where: the routes of the three listeners, and the metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bridge.app.assembly import Flows, JournalIntake
from bridge.config import Config
from bridge.flow.context import Parts
from bridge.matrix.endpoint import RefusedCalls, appservice_routes
from bridge.network.push_keys import PushKeys
from bridge.network.push_token import PushTokens
from bridge.network.reachability import Reachability, Trouble
from bridge.network.signing_keys import SigningKeys
from bridge.ports import Web
from bridge.web.health import ECOSYSTEM_PREFIX, Ready, health_routes
from bridge.web.metrics import Labels, Metric, metrics_routes
from bridge.web.public import public_routes
from bridge.web.routes import Authentication, Listener, Route, guarded
from bridge.web.status import status_routes
from bridge.web.wakes import Wakes


@dataclass(frozen=True)
class Front:
    """What the routes need."""

    parts: Parts
    keys: SigningKeys
    wakes: Wakes
    flows: Flows
    refused: RefusedCalls
    reachability: Reachability
    web: Web
    ready: Ready


def build_listeners(config: Config, front: Front) -> Sequence[Listener]:
    """The listeners for the homeserver, the network and the admin, none open yet."""
    return (
        Listener("homeserver", *config.appservice.at, _homeserver_routes(config, front)),
        Listener("public", *config.public.at, _public_routes(front)),
        Listener("admin", *config.admin.at, _admin_routes(front)),
    )


def _homeserver_routes(config: Config, front: Front) -> tuple[Route, ...]:
    parts, section = front.parts, config.appservice
    routes = appservice_routes(
        hs_token=section.hs_token.get_secret_value(),
        intake=JournalIntake(parts.journal, section.ghost_prefix, config.bot_user),
        clock=parts.clock,
        refused=front.refused,
    )
    # Health first: the appservice routes take every other path of the Matrix API.
    health = health_routes(front.ready, prefix=ECOSYSTEM_PREFIX)
    return (*health, *guarded(routes, Authentication.HOMESERVER))


def _public_routes(front: Front) -> tuple[Route, ...]:
    push, clock = front.parts.profile.push, front.parts.clock
    return public_routes(
        jwks=front.keys.jwks,
        push_path=push.path,
        tokens=PushTokens(push, PushKeys(push.jwks, front.web, clock), clock),
        wakes=front.wakes,
        clock=clock,
    )


def _admin_routes(front: Front) -> tuple[Route, ...]:
    return (
        *health_routes(front.ready),
        *status_routes(lambda: _status(front)),
        *metrics_routes(lambda: _metrics(front)),
    )


def _status(front: Front) -> Mapping[str, Any]:
    network = front.reachability
    outage = network.outage
    return {
        "ready": front.ready(),
        "network": {
            "address": f"{network.host}:{network.port}",
            "outage": outage
            and {"reason": outage.trouble.value, "since": outage.since, "failures": outage.failures},
        },
    }


def _metrics(front: Front) -> list[Metric]:
    refused: dict[Labels, float] = {
        (("act", act), ("reason", key)): float(n) for (act, key), n in front.parts.refusals.items()
    }
    lanes = float(front.flows.pump.lanes_at_work)
    network = front.reachability
    failures: dict[Labels, float] = {
        (("reason", trouble.value),): float(network.counts[trouble]) for trouble in Trouble
    }
    return [
        Metric(
            "interop_network_outage",
            "1 while the network's server cannot be reached.",
            "gauge",
            {(): float(network.outage is not None)},
        ),
        Metric("interop_network_failures_total", "Failed connections, by reason.", "counter", failures),
        Metric("interop_refusals_total", "Acts that policy refused.", "counter", refused),
        Metric("interop_lanes", "Lanes with work now.", "gauge", {(): lanes}),
    ]
