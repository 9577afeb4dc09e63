"""The examples of the sandbox's guide, run as written."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from tests.contract.bare_client import BareClient
from tests.contract.support import control_of, partner_at, sandbox_process

GUIDE = Path(__file__).parents[2] / "docs/guide/sandbox.md"
USER = "@ada:demo.localhost"


def examples() -> list[tuple[str, str, Any]]:
    """(method, path, body) of each line that calls the control API; curl's -d makes a POST."""
    found = []
    for line in re.findall(r"^control (/.*)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE):
        path, *words = shlex.split(line)
        options = dict(zip(words[::2], words[1::2], strict=True))
        assert options.keys() <= {"-X", "-d"}, line
        body = json.loads(options["-d"]) if "-d" in options else None
        found.append((options.get("-X", "GET" if body is None else "POST"), path, body))
    return found


async def test_guide_examples_work_in_order(tmp_path: Path) -> None:
    calls = examples()
    assert {path.split("/")[1] for _, path, _ in calls} == {"", "people", "faults", "accounts", "clock"}
    with sandbox_process(tmp_path / "sandbox") as running:
        async with partner_at(running) as partner, control_of(running) as control:
            ada = BareClient(partner, USER, "Ada")
            await ada.start()
            answers = [await control.call(*call) for call in calls]
            await ada.close()
    written = next(body for _, path, body in calls if path.endswith("/write"))
    shown = next(
        a
        for (method, path, _), a in zip(calls, answers, strict=True)
        if (method, path.count("/")) == ("GET", 2)
    )
    assert [each["text"] for each in shown["sent"]] == [written["text"]]
    assert any(answer.get("offset") == 86_400 for answer in answers)
