#!/opt/bridge/bin/python
"""Write what the services of compose.yaml need, each file only where it is not there yet.

``compose.yaml`` runs this to its end before anything else starts, as root and without a network. Every
folder below ``/volumes`` belongs to the user of the service that mounts it:

    passwords.json          PostgreSQL's passwords, root's own
    bridge/                 config.yaml, registration.yaml, doublepuppet.yaml; later keys
    synapse/                homeserver.yaml, log.yaml, signing.key, copies of the registrations
    postgres-first-start/   the roles and databases that PostgreSQL makes at its first start
    postgres/, sandbox/     empty

Whatever kills it, the next start goes on: a file is written beside its place and renamed.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML

from bridge.config import example_text

ROOT = Path("/volumes")
BRIDGE, SYNAPSE, POSTGRES = 1337, 991, 999
"""User and group of each service: our image's, and those of the public images."""
FOLDERS = {
    "bridge": BRIDGE,
    "sandbox": BRIDGE,
    "synapse": SYNAPSE,
    "postgres": POSTGRES,
    "postgres-first-start": POSTGRES,
}
REGISTRATIONS = ("registration.yaml", "doublepuppet.yaml")
HOMESERVER = """\
# Written by the first start, and yours from then on.
server_name: {server_name}
public_baseurl: {url}
listeners:
  - port: 8008
    type: http
    tls: false
    x_forwarded: true
    bind_addresses: ["0.0.0.0"]
    resources:
      # Add `federation` to let other homeservers in, and remove federation_domain_whitelist.
      - names: [client]
        compress: false
federation_domain_whitelist: []
database:
  name: psycopg2
  args:
    host: postgres
    dbname: synapse
    user: synapse
    password: {password}
    cp_min: 2
    cp_max: 10
app_service_config_files: {registrations}
media_store_path: /data/media
signing_key_path: /data/signing.key
log_config: /data/log.yaml
pid_file: /tmp/homeserver.pid
macaroon_secret_key: {macaroon}
form_secret: {form}
registration_shared_secret: {registration}
enable_registration: false
report_stats: false
trusted_key_servers: []
url_preview_enabled: false
"""
LOG = """\
version: 1
formatters:
  plain: {format: "%(asctime)s %(levelname)s %(name)s %(message)s"}
handlers:
  console: {class: logging.StreamHandler, formatter: plain}
root: {level: WARNING, handlers: [console]}
disable_existing_loggers: false
"""
ROLES = """\
CREATE ROLE bridge LOGIN PASSWORD '{bridge}';
CREATE DATABASE bridge OWNER bridge ENCODING 'UTF8' TEMPLATE template0;
CREATE ROLE synapse LOGIN PASSWORD '{synapse}';
CREATE DATABASE synapse OWNER synapse ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
"""


def main(environment: Mapping[str, str]) -> int:
    """Write everything that is missing; 0, or 1 with a sentence for a value that cannot be right."""
    server_name, admin = environment["SERVER_NAME"], environment["ADMIN"]
    if not (admin.startswith("@") and admin.endswith(f":{server_name}")):
        sys.stderr.write(f"ADMIN is {admin}, but users of {server_name} look like @you:{server_name}.\n")
        return 1
    for folder, user in FOLDERS.items():
        (ROOT / folder).mkdir(mode=0o700, exist_ok=True)
        give(ROOT / folder, user)
    passwords = passwords_of_postgres()
    write_once("postgres-first-start/password", passwords["postgres"], POSTGRES)
    write_once("postgres-first-start/roles.sql", ROLES.format(**passwords), POSTGRES)
    write_config(environment, passwords["bridge"])
    write_registrations()
    write_homeserver(server_name, environment["HOMESERVER_URL"], passwords["synapse"])
    return 0


def passwords_of_postgres() -> Mapping[str, str]:
    """Role -> password, made at the first start. Letters and digits only, so they need no quoting."""
    made = {role: secrets.token_hex(24) for role in ("postgres", "bridge", "synapse")}
    write_once("passwords.json", json.dumps(made), 0)
    kept: Mapping[str, str] = json.loads((ROOT / "passwords.json").read_text())
    return kept


def write_config(environment: Mapping[str, str], password: str) -> None:
    """The bridge's config: its example with the five values, and where this compose file differs from it."""
    yaml = YAML()
    config = yaml.load(example_text())
    config["network"]["profile"] = environment["NETWORK_PROFILE"]
    config["bridge"]["permissions"] = {environment["ADMIN"]: "admin"}
    config["database"].update(type="postgres", uri=f"postgres://bridge:{password}@postgres/bridge")
    config["homeserver"].update(address="http://synapse:8008", domain=environment["SERVER_NAME"])
    config["appservice"].update(address="http://bridge:29317", hostname="0.0.0.0")
    config["public"]["hostname"] = "0.0.0.0"
    text = io.StringIO()
    yaml.dump(config, text)
    write_once("bridge/config.yaml", text.getvalue(), BRIDGE)


def write_registrations() -> None:
    """Made once by the bridge's own command, which puts their tokens into the config; Synapse gets copies."""
    folder = ROOT / "bridge"
    if not (folder / REGISTRATIONS[0]).exists():
        unfinished = folder / f"{REGISTRATIONS[0]}.new"
        named = ("-c", str(folder / "config.yaml"), "-r", str(unfinished))
        subprocess.run(("interop-bridge", "-g", *named), check=True, stdout=subprocess.DEVNULL)
        unfinished.replace(folder / REGISTRATIONS[0])
        sys.stdout.write("Wrote the bridge's registration and its tokens.\n")
    give(folder / "config.yaml", BRIDGE)
    for name in REGISTRATIONS:
        if (folder / name).exists():
            give(folder / name, BRIDGE)
            replace(ROOT / "synapse" / name, (folder / name).read_text(), SYNAPSE)


def write_homeserver(server_name: str, url: str, password: str) -> None:
    """Synapse's config, its log config and its signing key."""
    key = b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    write_once("synapse/signing.key", f"ed25519 a_{secrets.token_hex(2)} {key}\n", SYNAPSE)
    write_once("synapse/log.yaml", LOG, SYNAPSE)
    named = [f"/data/{name}" for name in REGISTRATIONS if (ROOT / "synapse" / name).exists()]
    values = {
        "server_name": server_name,
        "url": url,
        "password": password,
        "registrations": named,
        **{name: secrets.token_hex(32) for name in ("macaroon", "form", "registration")},
    }
    # JSON is YAML: quoted, a value cannot be read as anything but itself.
    quoted = {name: json.dumps(value) for name, value in values.items()}
    write_once("synapse/homeserver.yaml", HOMESERVER.format(**quoted), SYNAPSE)


def write_once(name: str, text: str, user: int) -> None:
    """A file below the root, unless it is there."""
    if (ROOT / name).exists():
        return
    replace(ROOT / name, text, user)
    sys.stdout.write(f"Wrote {name}.\n")


def replace(path: Path, text: str, user: int) -> None:
    """A private file with ``text``, in one step."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    give(beside, user)
    beside.replace(path)


def give(path: Path, user: int) -> None:
    """Make ``path`` a service's own; a link is not followed, since a service may have put it there."""
    os.chown(path, user, user, follow_symlinks=False)


if __name__ == "__main__":
    sys.exit(main(os.environ))
