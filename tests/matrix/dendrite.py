"""A real Dendrite for the deep tests: a configuration, a process.

``python -m tests.matrix.dendrite`` builds it from Go's modules, in a few minutes; where it cannot, it
says so and the tests are skipped.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shutil
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from demo.synapse import ROOT, free_port

VERSION = "v0.13.8"
MODULE = f"github.com/matrix-org/dendrite/cmd/dendrite@{VERSION}"
PROGRAM = ROOT / ".cache" / f"dendrite-{VERSION}" / "dendrite"
TOOLCHAINS = ("/usr/local/go/bin", "/usr/lib/go/bin")
"""Where Go stands when it is not on the path."""
START_TRIES = 600
TRY_EVERY_S = 0.1
STOP_SECONDS = 10.0


def build() -> str | None:
    """Build Dendrite where it is not built yet; why that is not possible here, or None."""
    if PROGRAM.exists():
        return None
    go = _go()
    if go is None:
        return "no Go toolchain here (apt install golang)"
    environment = {**os.environ, "GOBIN": str(PROGRAM.parent), "GOFLAGS": "-p=1"}
    done = subprocess.run(
        [go, "install", MODULE], env=environment, capture_output=True, text=True, check=False
    )
    return f"'go install {MODULE}' failed: {done.stderr[-500:]}" if done.returncode else None


def _go() -> str | None:
    return shutil.which("go") or shutil.which("go", path=os.pathsep.join(TOOLCHAINS))


def program() -> Path:
    """Dendrite's program, or a skip that says why there is none.

    Also with REQUIRE_ALL=1: Go does not come from the package registries that the other programs come from.
    """
    if not PROGRAM.exists():
        remedy = "" if _go() else "there is no Go toolchain here (apt install golang); then "
        pytest.skip(f"Dendrite was not tried: {remedy}python -m tests.matrix.dendrite")
    return PROGRAM


class Dendrite:
    """One Dendrite with its files in ``folder``; nothing federates, and no limit is set."""

    def __init__(self, folder: Path, *, server_name: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder, self._server_name = folder, server_name
        self._program = program()
        self._secret = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, registrations: Sequence[Mapping[str, Any]]) -> None:
        """Write all files; JSON is YAML."""
        self._folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, registration in enumerate(registrations):
            path = self._folder / f"registration-{number}.yaml"
            path.write_text(json.dumps(registration))
            paths.append(str(path))
        seed = b64encode(secrets.token_bytes(32)).decode()
        (self._folder / "matrix_key.pem").write_text(
            f"-----BEGIN MATRIX PRIVATE KEY-----\nKey-ID: ed25519:demo\n\n{seed}\n"
            "-----END MATRIX PRIVATE KEY-----\n"
        )
        (self._folder / "dendrite.yaml").write_text(json.dumps(self._config(paths), indent=1))

    def start(self) -> None:
        """Start and wait until it answers; ``RuntimeError`` with the end of its log when it does not."""
        with (self._folder / "dendrite.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-config", "dendrite.yaml", "-http-bind-address", f"127.0.0.1:{self.port}"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        for _ in range(START_TRIES):
            try:
                self._get("/_matrix/client/versions")
            except OSError:
                if self._process.poll() is not None:
                    break
                time.sleep(TRY_EVERY_S)
            else:
                return
        self.stop()
        raise RuntimeError(f"Dendrite did not start:\n{self.log()}")

    def stop(self) -> None:
        """End the process; harmless when it is not running."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def register(self, localpart: str, password: str, *, admin: bool = False) -> str:
        """Register a user by the shared secret; returns the user id."""
        path = "/_synapse/admin/v1/register"
        nonce = self._get(path)["nonce"]
        words = "\0".join((nonce, localpart, password, "admin" if admin else "notadmin")).encode()
        mac = hmac.new(self._secret.encode(), words, hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac}
        return str(self._get(path, body)["user_id"])

    def log(self, lines: int = 20) -> str:
        """The end of what Dendrite logged."""
        path = self._folder / "dendrite.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def _get(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=30) as answer:
            return json.load(answer)

    def _config(self, registrations: Sequence[str]) -> dict[str, Any]:
        def database(name: str) -> dict[str, str]:
            return {"connection_string": f"file:{name}.db"}

        parts = {"federation_api", "key_server", "mscs", "relay_api", "room_server", "sync_api"}
        return {
            "version": 2,
            "global": {
                "server_name": self._server_name,
                "private_key": "matrix_key.pem",
                "disable_federation": True,
                "jetstream": {"storage_path": str(self._folder)},
                "presence": {"enable_inbound": False, "enable_outbound": False},
            },
            "app_service_api": {"config_files": list(registrations)},
            "client_api": {
                "registration_disabled": True,
                "guests_disabled": True,
                "registration_shared_secret": self._secret,
                "rate_limiting": {"enabled": False},
            },
            "media_api": {"base_path": str(self._folder / "media"), "database": database("media_api")},
            "user_api": {"account_database": database("user_api"), "bcrypt_cost": 4},
            "logging": [{"type": "std", "level": "warn"}],
            **{name: {"database": database(name)} for name in sorted(parts)},
        }


if __name__ == "__main__":
    why_not = build()
    print(f"Dendrite will not be tried: {why_not}" if why_not else f"Dendrite {VERSION} is built.")
