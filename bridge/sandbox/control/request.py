"""Reading requests to the control API; invalid ones are refused in one way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from aiohttp import web

from bridge.ids import Jid
from bridge.sandbox.rules.faults import Parameter
from bridge.sandbox.rules.state import State

_Wanted = TypeVar("_Wanted")


def refuse(what: str, status: int = 400) -> web.HTTPException:
    """An answer ``{"error": what}``."""
    text = json.dumps({"error": what})
    kinds: dict[int, type[web.HTTPException]] = {
        400: web.HTTPBadRequest,
        404: web.HTTPNotFound,
        409: web.HTTPConflict,
    }
    return kinds[status](text=text, content_type="application/json")


@dataclass(frozen=True)
class Body:
    """A JSON object; each getter refuses a value of another type."""

    values: Mapping[str, Any]

    def text(self, name: str, default: str | None = None) -> str:
        """A text; required when there is no default."""
        found = self._typed(name, str)
        if found is None and default is None:
            raise refuse(f"{name} is missing")
        return found if found is not None else default or ""

    def optional_text(self, name: str) -> str | None:
        """A text or None."""
        return self._typed(name, str)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        found = self._typed(name, bool)
        return default if found is None else found

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number."""
        found = self._typed(name, int)
        if found is None and default is None:
            raise refuse(f"{name} is missing")
        return found if found is not None else default or 0

    def data(self, name: str) -> bytes:
        """Bytes in hexadecimal."""
        try:
            return bytes.fromhex(self.text(name))
        except ValueError:
            raise refuse(f"{name} is not hexadecimal") from None

    def texts(self, name: str) -> list[str]:
        """A list of texts; empty when missing."""
        found = self._typed(name, list) or []
        if not all(isinstance(each, str) for each in found):
            raise refuse(f"{name} is not a list of texts")
        return list(found)

    def inner(self, name: str) -> Body:
        """A nested object; required."""
        return Body(self._typed(name, dict) or _missing(name))

    def bodies(self, name: str) -> list[Body]:
        """A list of objects; empty when missing."""
        return [Body(each) for each in self._typed(name, list) or []]

    def parameters(self) -> dict[str, Parameter]:
        """All values; refused when one is nested."""
        if not all(isinstance(value, str | int | float | bool) for value in self.values.values()):
            raise refuse("parameters must be strings, numbers or booleans")
        return dict(self.values)

    def _typed(self, name: str, wanted: type[_Wanted]) -> _Wanted | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
            raise refuse(f"{name} is not of type {wanted.__name__}")
        return value


async def read_body(request: web.Request) -> Body:
    """The request's JSON object; an empty one when there is no body."""
    if not request.body_exists:
        return Body({})
    try:
        values = await request.json()
    except ValueError:
        raise refuse("the body is not JSON") from None
    if not isinstance(values, dict):
        raise refuse("the body is not a JSON object")
    return Body(values)


def member(state: State, text: str) -> Jid:
    """An account or person by JID, or by identifier when it is unique."""
    try:
        jid = Jid.parse(text)
    except ValueError:
        jid = None
    if jid is not None and (jid in state.registry.accounts or jid in state.people):
        return jid
    named = [each.jid for each in state.registry.accounts.values() if each.identifier == text]
    named += [each.jid for each in state.people.values() if each.identifier == text]
    if len(named) == 1:
        return named[0]
    raise refuse(f"there is no member {text}", 404)


def _missing(name: str) -> Any:
    raise refuse(f"{name} is missing")
