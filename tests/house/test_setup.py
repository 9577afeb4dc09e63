"""The set-up program says what is missing, and finds what is there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.house.source import ROOT, text_of
from tools import setup


def test_a_python_without_ensurepip_is_told_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(setup.CannotSetUp, match=rf"apt install python3\.{sys.version_info[1]}-venv"):
        setup.make_environment(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_an_environment_of_this_python_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "there"
    (home / "bin").mkdir(parents=True)
    (home / "bin" / f"python3.{sys.version_info[1]}").touch()
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    setup.make_environment(home)
    assert (home / "bin").exists()


def test_a_python_that_is_too_old_or_too_new_is_told_which_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(setup, "THIS", (3, 9))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert setup.main(["runtime"]) == 1
    assert "Python 3.11, 3.12 or 3.13 is needed, and this is 3.9" in capsys.readouterr().err


def test_the_supported_pythons_are_the_declared_ones() -> None:
    (low, high) = setup.OLDEST, setup.NEWEST
    assert f'requires-python = ">={low[0]}.{low[1]},<{high[0]}.{high[1] + 1}"' in text_of("pyproject.toml")


def test_no_word_and_a_wrong_word_show_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main([]) == 2
    assert setup.main(["everything"]) == 2
    assert "synapse" in capsys.readouterr().out


def test_a_changed_lock_file_asks_for_a_new_set_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = setup.fingerprint(("runtime",))
    for name in (*setup.PROJECT_FILES, "requirements/runtime.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(setup, "ROOT", tmp_path)
    assert setup.fingerprint(("runtime",)) == before
    (tmp_path / "requirements/runtime.txt").write_text("another==1\n")
    assert setup.fingerprint(("runtime",)) != before
