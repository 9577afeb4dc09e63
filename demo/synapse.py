"""A real Synapse for the demo and the tests: its own virtual environment, a configuration, a process.

Synapse is AGPL: it runs as a program of its own and is never imported here. Nothing federates, limits
are raised, passwords are hashed cheaply: this is for a demonstration, never for people.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.request
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".synapse"
REQUIREMENTS = ROOT / "requirements" / "synapse.txt"
STAMP = "installed-from"
FIRST_PORT, LAST_PORT = 20_000, 32_000
"""Below the ephemeral ports (RFC 6335 from 49152, Linux from 32768)."""
PORT_TRIES = 100
START_SECONDS = 120.0
"""A cold start takes 3 to 5 s on an idle machine; this allows for a busy one."""
STOP_SECONDS = 30.0
ANSWER_SECONDS = 30.0


def installed(environment: Path = ENVIRONMENT) -> Path | None:
    """The Python of Synapse's environment when it is complete and matches the requirements, else None."""
    stamp, python = environment / STAMP, environment / "bin" / "python"
    return python if stamp.exists() and stamp.read_text() == _stamp() and python.exists() else None


def install(environment: Path = ENVIRONMENT) -> Path:
    """Make Synapse's environment; does nothing when it is there. Returns its Python.

    ``subprocess.CalledProcessError`` when packages cannot be had.
    """
    there = installed(environment)
    if there is not None:
        return there
    shutil.rmtree(environment, ignore_errors=True)
    uv = [sys.executable, "-m", "uv"]
    python = environment / "bin" / "python"
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    subprocess.run(
        [*uv, "pip", "install", "--quiet", "--require-hashes", "--python", python, "-r", REQUIREMENTS],
        check=True,
    )
    (environment / STAMP).write_text(_stamp())
    return python


def free_port(host: str = "127.0.0.1") -> int:
    """A free TCP port outside the ephemeral range, so that it stays free over a restart."""
    for _ in range(PORT_TRIES):
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT)
        with suppress(OSError), socket.create_server((host, port)):
            return port
    with socket.create_server((host, 0)) as server:  # raises when the address is wrong
        return int(server.getsockname()[1])


class Synapse:
    """One Synapse with its files in ``folder``. Stopping keeps them, so it can be started again."""

    def __init__(
        self,
        folder: Path,
        *,
        python: Path,
        server_name: str = "hs.test",
        bind: str = "127.0.0.1",
        port: int | None = None,
    ) -> None:
        self.server_name = server_name
        self.port = port or free_port(bind)
        host = "127.0.0.1" if bind == "0.0.0.0" else bind
        self.url = f"http://{host}:{self.port}"
        self._folder, self._python, self._bind = folder, python, bind
        self._secret = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return self._bind == "127.0.0.1"

    @property
    def public_url(self) -> str:
        """The address for a client: with BIND=0.0.0.0 this machine's own name."""
        host = socket.gethostname() if self._bind in ("0.0.0.0", "::") else self._bind
        return f"http://{host}:{self.port}"

    def configure(self, registrations: Sequence[Mapping[str, Any]]) -> None:
        """Write all files; the registrations take effect at the next start."""
        self._folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, registration in enumerate(registrations):
            paths.append(str(self._write(f"registration-{number}.yaml", registration)))
        if not (self._folder / "signing.key").exists():
            seed = b64encode(secrets.token_bytes(32)).decode().rstrip("=")
            (self._folder / "signing.key").write_text(f"ed25519 a_demo {seed}\n")
        self._write("log.yaml", _logging(self._folder / "synapse.log"))
        self._write("homeserver.yaml", self._config(paths))

    def start(self) -> None:
        """Start and wait until it answers; ``RuntimeError`` with the end of its log when it does not."""
        with (
            tempfile.TemporaryDirectory(prefix="ib-") as folder,  # a socket's path must be short
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready,
        ):
            ready.bind(f"{folder}/ready")
            self._process = self._run(f"{folder}/ready")
            self._wait(ready, self._process)
        self._get("/health")

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
        role = "admin" if admin else "notadmin"
        words = "\0".join((nonce, localpart, password, role)).encode()
        mac = hmac.new(self._secret.encode(), words, hashlib.sha1).hexdigest()
        answer = self._get(
            path,
            {"nonce": nonce, "username": localpart, "password": password, "admin": admin, "mac": mac},
        )
        return str(answer["user_id"])

    def log(self, lines: int = 20) -> str:
        """The last lines of Synapse's log."""
        paths = [self._folder / "synapse.out", self._folder / "synapse.log"]
        text = "\n".join(path.read_text(errors="replace") for path in paths if path.exists())
        return "\n".join(text.splitlines()[-lines:])

    def _run(self, ready: str) -> subprocess.Popen[bytes]:
        with (self._folder / "synapse.out").open("wb") as output:
            return subprocess.Popen(
                [self._python, "-m", "synapse.app.homeserver", "-c", self._folder / "homeserver.yaml"],
                cwd=self._folder,
                env={**os.environ, "NOTIFY_SOCKET": ready},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C ends the bridge first, then this
            )

    def _wait(self, ready: socket.socket, process: subprocess.Popen[bytes]) -> None:
        """Wait for Synapse's systemd notification that it is ready."""
        ready.settimeout(1.0)
        for _ in range(int(START_SECONDS)):
            try:
                if b"READY=1" in ready.recv(4096):
                    return
            except TimeoutError:
                if process.poll() is not None:
                    break
        self.stop()
        raise RuntimeError(f"Synapse did not start:\n{self.log()}")

    def _get(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"})
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=ANSWER_SECONDS) as answer:
            text: bytes = answer.read()
        return json.loads(text) if text.startswith(b"{") else text

    def _write(self, name: str, document: Mapping[str, Any]) -> Path:
        """JSON is YAML."""
        path = self._folder / name
        path.write_text(json.dumps(document, indent=1))
        return path

    def _config(self, registrations: Sequence[str]) -> dict[str, Any]:
        folder = self._folder
        return {
            "server_name": self.server_name,
            "public_baseurl": self.url + "/",
            "listeners": [
                {
                    "port": self.port,
                    "type": "http",
                    "tls": False,
                    "bind_addresses": [self._bind],
                    "resources": [{"names": ["client"], "compress": False}],
                }
            ],
            "database": {"name": "sqlite3", "args": {"database": str(folder / "hs.db")}},
            "media_store_path": str(folder / "media"),
            "signing_key_path": str(folder / "signing.key"),
            "log_config": str(folder / "log.yaml"),
            "pid_file": str(folder / "hs.pid"),
            "macaroon_secret_key": self._secret,
            "form_secret": self._secret,
            "registration_shared_secret": self._secret,
            "enable_registration": False,
            "report_stats": False,
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "federation_domain_whitelist": [],
            "url_preview_enabled": False,
            "presence": {"enabled": False},
            "bcrypt_rounds": 4,
            "app_service_config_files": list(registrations),
            **_limits(),
        }


def _stamp() -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return version + " " + hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


def _limits() -> dict[str, Any]:
    """Raise all rate limits: by default a user must wait after eleven messages."""
    free = {"per_second": 10_000, "burst_count": 10_000}
    return {
        "rc_message": free,
        "rc_registration": free,
        "rc_login": {"address": free, "account": free, "failed_attempts": free},
        "rc_admin_redaction": free,
        "rc_joins": {"local": free, "remote": free},
        "rc_joins_per_room": free,
        "rc_invites": {"per_room": free, "per_user": free, "per_issuer": free},
        "rc_room_creation": free,
    }


def _logging(path: Path) -> dict[str, Any]:
    return {
        "version": 1,
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "handlers": {"file": {"class": "logging.FileHandler", "formatter": "plain", "filename": str(path)}},
        "root": {"level": "WARNING", "handlers": ["file"]},
        "disable_existing_loggers": False,
    }
