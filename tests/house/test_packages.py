"""What is installed is pinned, hashed, named once, and what is imported is among it."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import packages_distributions

from tests.house.source import ROOT, files, imports, modules, show, text_of

LOCKS = ("bootstrap", "build", "runtime", "synapse", "test")
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)$")


def plain(name: str) -> str:
    """A package's name in its one form."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked(name: str) -> dict[str, str]:
    """Package -> version of a requirements/*.in file."""
    lines = text_of(f"requirements/{name}.in").splitlines()
    wanted = [line for line in lines if line and not line.startswith(("#", "-"))]
    matches = [PIN.match(line) for line in wanted]
    assert all(matches), f"requirements/{name}.in: a package without an exact version"
    return {plain(match[1]): match[2] for match in matches if match}


def pinned(name: str) -> dict[str, str]:
    """Package -> version of a lock file."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text_of(f"requirements/{name}.txt"), re.MULTILINE)
    return {plain(package): version for package, version in found}


def test_the_locks_are_made_from_the_present_lists() -> None:
    problems = [
        f"requirements/{name}.txt: {package} is not {version}; run 'make lock'"
        for name in LOCKS
        for package, version in asked(name).items()
        if pinned(name).get(package) != version
    ]
    assert not problems, show(problems)


def test_every_pin_has_its_hashes() -> None:
    problems = []
    for name in LOCKS:
        blocks = re.split(r"^(?=[A-Za-z0-9])", text_of(f"requirements/{name}.txt"), flags=re.MULTILINE)
        problems += [block.split()[0] for block in blocks if "==" in block and "--hash=sha256:" not in block]
    assert not problems, show(problems)


def test_what_shares_an_environment_agrees_on_versions() -> None:
    runtime, test, build = pinned("runtime"), pinned("test"), pinned("build")
    assert {name: v for name, v in runtime.items() if test.get(name) != v} == {}
    assert {name: v for name, v in build.items() if test.get(name, v) != v} == {}


def test_the_project_depends_on_what_is_pinned_and_nothing_else() -> None:
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    declared = {plain(re.split(r"[<>=!~;\[ ]", line)[0]) for line in project["dependencies"]}
    assert declared == set(asked("runtime"))


def test_the_product_imports_only_its_own_dependencies() -> None:
    owners = packages_distributions()
    allowed = set(pinned("runtime"))
    problems = []
    for module in modules("bridge"):
        for name, line in imports(module):
            top = name.partition(".")[0]
            if top in sys.stdlib_module_names or top in {"bridge", "__future__"}:
                continue
            if not {plain(owner) for owner in owners.get(top, [])} & allowed:
                problems.append(f"{module.path}:{line}: imports {name}")
    assert not problems, show(problems)


def test_every_runtime_dependency_is_imported() -> None:
    owners = packages_distributions()
    tops = {name.partition(".")[0] for module in modules("bridge") for name, _ in imports(module)}
    used = {plain(owner) for top in tops for owner in owners.get(top, [])}
    assert set(asked("runtime")) - used == set()


def test_every_dependency_beyond_the_list_has_its_decision() -> None:
    listed = {
        "mautrix", "aiohttp", "asyncpg", "apsw", "cryptography", "pynacl", "ruamel-yaml",
        "pydantic", "click", "structlog", "pyjwt", "protobuf",
    }  # fmt: skip
    decisions = "\n".join(text_of(path) for path in files() if path.startswith("docs/decisions/"))
    assert [name for name in asked("runtime") if name not in listed and f"`{name}`" not in decisions] == []


def test_the_set_up_program_reads_the_locks_that_exist() -> None:
    found = {path.name.removesuffix(".txt") for path in (ROOT / "requirements").glob("*.txt")}
    assert found == set(LOCKS)
