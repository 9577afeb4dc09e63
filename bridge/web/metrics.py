"""Counters for the admin, in the text form that Prometheus reads; no word about anybody in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiohttp import web

from bridge.web.routes import Authentication, Route

CONTENT_TYPE = "text/plain; version=0.0.4"

Labels = tuple[tuple[str, str], ...]
"""Names and values of one row of a metric."""


@dataclass(frozen=True)
class Metric:
    """One metric: its name, what it says, and a value for each set of labels."""

    name: str
    help: str
    kind: str
    values: Mapping[Labels, float]


def metrics_routes(read: Callable[[], Sequence[Metric]]) -> tuple[Route, ...]:
    """``/metrics`` for the admin listener; ``read`` gives the values of the moment."""

    async def metrics(_request: web.Request) -> web.StreamResponse:
        text = "".join(f"{_text(metric)}\n" for metric in read())
        return web.Response(text=text, headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    return (Route("GET", "/metrics", metrics, Authentication.NONE),)


def _text(metric: Metric) -> str:
    lines = [f"# HELP {metric.name} {metric.help}", f"# TYPE {metric.name} {metric.kind}"]
    for labels, value in sorted(metric.values.items()):
        shown = ",".join(f'{name}="{word}"' for name, word in labels)
        lines.append(f"{metric.name}{{{shown}}} {value:g}" if shown else f"{metric.name} {value:g}")
    return "\n".join(lines)
