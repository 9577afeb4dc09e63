"""The English catalogue; the source of every other language."""

from __future__ import annotations

ENGLISH: dict[str, str] = {}
