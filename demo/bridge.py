"""A bridge in its own folder, set up with the command line as an admin would, and run as a process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from demo.synapse import free_port

START_TRIES = 600
TRY_EVERY_S = 0.1
"""One minute in all: a cold start on a busy machine takes about ten seconds."""
STOP_S = 8.0
"""Below the ten seconds that a container gets before it is killed."""
COMMAND = (sys.executable, "-m", "bridge")
ERROR_LINE = re.compile(r"^\S+ (?:ERROR|CRITICAL) .*$", re.MULTILINE)
"""The level follows the time. The bridge logs only its own mistakes at these levels."""


class BridgeProcess:
    """One bridge. ``command`` starts it; tests pass one with faulty ports."""

    def __init__(
        self,
        folder: Path,
        *,
        homeserver_url: str,
        server_name: str,
        profile: Path,
        admin: str,
        public_port: int,
        command: Sequence[str] = COMMAND,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.folder = folder
        self.port, self.admin_port, self.public_port = free_port(), free_port(), public_port
        self._values: dict[str, dict[str, Any]] = {
            "network": {"profile": str(profile)},
            "bridge": {"permissions": {admin: "admin", server_name: "user"}},
            "homeserver": {"address": homeserver_url, "domain": server_name},
            "appservice": {"address": f"http://127.0.0.1:{self.port}", "port": self.port},
            "public": {"port": public_port},
            "admin": {"port": self.admin_port},
        }
        for section, values in (settings or {}).items():
            self._values.setdefault(section, {}).update(values)
        self._command = tuple(command)
        self._process: subprocess.Popen[bytes] | None = None

    def set_up(self) -> list[dict[str, Any]]:
        """Run ``-e``, fill in the config, run ``-g``; the registrations for the homeserver."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._call("-e")
        self.configure(self._values)
        self._call("-g")
        reader = YAML(typ="safe")
        names = ("registration.yaml", "doublepuppet.yaml")
        return [reader.load(self.folder / name) for name in names if (self.folder / name).exists()]

    def configure(self, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Change fields of the config; they take effect at the next start."""
        yaml = YAML()
        path = self.folder / "config.yaml"
        config = yaml.load(path)
        for section, fields in values.items():
            config[section].update(fields)
        yaml.dump(config, path)

    def start(self, *, environment: Mapping[str, str] | None = None, wait: bool = True) -> None:
        """Start the process; with ``wait``, return when it is ready."""
        with (self.folder / "bridge.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )
        if wait:
            self._wait()

    def kill(self) -> None:
        """Send SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int | None:
        """Send SIGTERM; the exit code."""
        return self._end(signal.SIGTERM)

    def wait_for_end(self, timeout: float) -> int:
        """Wait until the process ends by itself; the exit code."""
        assert self._process is not None
        return self._process.wait(timeout)

    @property
    def is_running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    def log(self, lines: int = 30) -> str:
        """The last lines of the log."""
        return "\n".join(self._logged().splitlines()[-lines:])

    def errors(self) -> list[str]:
        """The error lines of the log, over all runs."""
        return ERROR_LINE.findall(self._logged())

    def _logged(self) -> str:
        path = self.folder / "bridge.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _end(self, how: signal.Signals) -> int | None:
        if self._process is None:
            return None
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            return self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _call(self, *arguments: str) -> None:
        done = subprocess.run(
            [*COMMAND, *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"interop-bridge {' '.join(arguments)}: {done.stdout}{done.stderr}")

    def _wait(self) -> None:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(START_TRIES):
            try:
                with direct.open(f"http://127.0.0.1:{self.admin_port}/ready", timeout=2):
                    return
            except OSError:
                if not self.is_running:
                    break
                time.sleep(TRY_EVERY_S)
        raise RuntimeError(f"the bridge did not start:\n{self.log()}")
