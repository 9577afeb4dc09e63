"""Values from the environment, from files it names, and from systemd credentials."""

from __future__ import annotations

import pytest

from bridge.config import load
from bridge.errors import Misconfigured
from bridge.ids import UserId
from bridge.states import Level
from tests.words.config_support import MINIMAL, TOKEN, Files, config, refusal

PREFIXED = "env_config_prefix: IB_\n" + MINIMAL
KEY = "0f" * 32


@pytest.mark.parametrize(
    "name", ["IB_APPSERVICE__AS_TOKEN", "IB_APPSERVICE.AS_TOKEN", "IB_appservice.as_token"]
)
def test_levels_are_split_at_dots_or_double_underscores(name: str) -> None:
    token = "x" * 64
    assert config(PREFIXED, {name: token}).appservice.as_token.get_secret_value() == token


def test_numbers_and_switches_can_be_set() -> None:
    read = config(PREFIXED, {"IB_APPSERVICE__PORT": "8080", "IB_MATRIX__DELIVERY_RECEIPTS": "false"})
    assert read.appservice.port == 8080
    assert read.matrix.delivery_receipts is False


def test_free_key_may_contain_dots() -> None:
    read = config(PREFIXED, {"IB_BRIDGE__PERMISSIONS__home.test": "user"})
    assert read.permission_of(UserId("@bea:home.test")) is Level.USER


def test_file_is_read_and_trimmed() -> None:
    read = config(PREFIXED, {"IB_APPSERVICE__AS_TOKEN_FILE": "/run/t"}, Files(__run__t=f"{TOKEN}x\n"))
    assert read.appservice.as_token.get_secret_value() == TOKEN + "x"


def test_file_suffix_is_a_path_unless_the_bare_name_is_a_key() -> None:
    environment = {"IB_NETWORK__SIGNING_KEY_FILE": "k.pem", "IB_BRIDGE__MASTER_KEY_FILE": "/run/m"}
    read = config(PREFIXED, environment, Files(__run__m=KEY))
    assert read.network.signing_key_file == "k.pem"
    assert read.bridge.master_key is not None
    assert read.bridge.master_key.get_secret_value() == KEY


def test_only_secret_files_are_listed() -> None:
    environment = {
        "IB_APPSERVICE__AS_TOKEN_FILE": "/run/t",
        "IB_APPSERVICE__ID_FILE": "/run/i",
        "IB_BRIDGE__MASTER_KEY_FILE": "/run/m",
        "IB_NETWORK__SIGNING_KEY_FILE": "k.pem",
        "IB_APPSERVICE__HS_TOKEN": "y" * 64,
    }
    files = Files(__run__t=TOKEN, __run__i="interop", __run__m=KEY)
    loaded = load(PREFIXED, environment=environment, read_file=files)
    assert loaded.secret_files == {
        "IB_APPSERVICE__AS_TOKEN_FILE": "/run/t",
        "IB_BRIDGE__MASTER_KEY_FILE": "/run/m",
    }


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"IB_APPSERVICE__AS_TOKE": "x"}, "Did you mean appservice.as_token?"),
        ({"IB_NOTHING": "x"}, "names no key"),
        ({"IB_APPSERVICE": "x"}, "names no key"),
        ({"IB_": "x"}, "names no key"),
        ({"IB_A____B": "x"}, "names no key"),
        ({"IB_APPSERVICE__AS_TOKEN_FILE": "/gone"}, "no such file"),
        ({"IB_APPSERVICE__ID": "a", "IB_APPSERVICE.ID": "b"}, "both set appservice.id"),
    ],
)
def test_bad_environment_ends_the_start(environment: dict[str, str], words: str) -> None:
    error = refusal(PREFIXED, environment)
    assert error.exit_code == 10
    assert words in str(error)
    assert error.where.startswith("environment variable")


def test_wrong_value_names_its_variable() -> None:
    error = refusal(PREFIXED, {"IB_APPSERVICE__PORT": "many"})
    assert error.exit_code == 11
    assert error.where == "appservice.port (environment variable IB_APPSERVICE__PORT)"


def test_environment_without_a_prefix_is_ignored() -> None:
    assert config(MINIMAL, {"APPSERVICE__PORT": "1", "IB_APPSERVICE__PORT": "1"}).appservice.port == 29317


def test_missing_section_is_added() -> None:
    assert config(PREFIXED, {"IB_LOGGING__MIN_LEVEL": "debug"}).logging.min_level == "debug"


def test_systemd_credentials_are_found_by_key_name() -> None:
    loaded = load(
        MINIMAL,
        environment={"CREDENTIALS_DIRECTORY": "/creds"},
        read_file=Files(**{"/creds/appservice.as_token": "y" * 64 + "\n"}),
    )
    assert loaded.config.appservice.as_token.get_secret_value() == "y" * 64


def test_unreadable_credential_ends_the_start() -> None:
    def refuse(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    with pytest.raises(Misconfigured) as caught:
        load(MINIMAL, environment={"CREDENTIALS_DIRECTORY": "/creds"}, read_file=refuse)
    assert caught.value.exit_code == 10
    assert "permission denied" in str(caught.value)
