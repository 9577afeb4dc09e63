"""The bridge's statements, read as text: they name only what the schema has, and guard what they must."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from bridge.ports import Kind, Statement
from bridge.store import kinds
from bridge.store.dialect import for_sqlite
from bridge.store.migrations import load_schema
from bridge.store.tables import accounts, contacts, entries, installation, messages

COLUMNS = load_schema().columns
TABLES = (accounts, contacts, entries, installation, messages)

ADD_AND_REMEMBER = (entries.ADD, entries.ADD_SEEN)
GUARDED = {
    *("arrive", "open", "await", "shown", "identity", "know", "meet"),
    *("seal", "accepted", "changed", "renew", "waiting", "portal"),
    *("keys", "prekeys", "uploaded", "enlisted", "account-state", "connected", "leave", "left"),
}
UNGUARDED = {
    *("install", "take-over", "expire"),
    *("intake", "settle", "owe", "postpone"),
    *("agree", "manage", "unmanage", "talked"),
}
"""They change the journal, rooms of the bot, an account that is new, or all accounts of an owner."""


def declared() -> dict[str, Statement]:
    """Every statement of the tables, by ``table.NAME``."""
    return {
        f"{module.__name__.rpartition('.')[2]}.{name}": value
        for module in TABLES
        for name, value in vars(module).items()
        if isinstance(value, Statement)
    }


def used() -> Iterator[Statement]:
    for kind in kinds.ALL:
        yield from kind.statements.values()


@pytest.mark.parametrize("name", declared())
def test_every_parameter_is_named_like_a_column(name: str) -> None:
    unknown = [each for each in for_sqlite(declared()[name].sql).names if COLUMNS.type_of(each) is None]
    assert unknown == []


@pytest.mark.parametrize("name", declared())
def test_every_statement_is_used_by_a_kind(name: str) -> None:
    assert declared()[name] in list(used())


def test_every_counting_statement_names_its_error() -> None:
    assert [s.sql for s in declared().values() if (s.expect is None) != (s.error is None)] == []


def test_kinds_use_declared_statements_only() -> None:
    assert [s.sql for s in used() if s not in declared().values()] == []


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
def test_every_added_entry_is_remembered(kind: Kind) -> None:
    statements = list(kind.statements.values())
    assert (entries.ADD in statements) == (entries.ADD_SEEN in statements)
    if entries.ADD in statements:
        assert statements.index(entries.ADD) < statements.index(entries.ADD_SEEN), "it would hide its own"


def test_only_kinds_that_add_entries_wake_the_pump() -> None:
    adding = {kind.name for kind in kinds.ALL if "INSERT INTO entry " in str(list(kind.statements.values()))}
    assert adding == kinds.WAKES
    assert {"intake", "arrive", "settle", "owe"} <= kinds.WAKES
    assert "postpone" not in kinds.WAKES


def test_every_kind_is_guarded_or_needs_no_guard() -> None:
    names = {kind.name for kind in kinds.ALL}
    assert names == GUARDED | UNGUARDED
    assert {kind.name for kind in kinds.ALL if "fence" in kind.statements} == GUARDED


@pytest.mark.parametrize("name", sorted(GUARDED))
def test_guard_is_the_first_statement(name: str) -> None:
    kind = next(kind for kind in kinds.ALL if kind.name == name)
    assert next(iter(kind.statements.items())) == ("fence", accounts.FENCE)


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.name)
def test_statement_outside_guarded_kinds_changes_no_row_of_an_account(kind: Kind) -> None:
    of_accounts = r"(INTO|UPDATE|FROM) (account|contact|session|prekey|message)\b"
    for statement in kind.statements.values():
        changes = re.match(r"(INSERT|UPDATE|DELETE) ", statement.sql) and re.search(
            of_accounts, statement.sql
        )
        if kind.name in UNGUARDED and changes:
            assert statement in (accounts.ADD, accounts.TAKE_OVER, messages.CLEAR_BODIES)


@pytest.mark.parametrize("name", sorted(GUARDED))
def test_unit_that_changes_an_account_needs_its_fence(name: str) -> None:
    kind = next(kind for kind in kinds.ALL if kind.name == name)
    for each in kinds._GUARDED[name]:
        with pytest.raises(ValueError, match="without its fence"):
            kinds.unit(kind, **{each: [{}]})
        assert kinds.unit(kind, fence=[{}], **{each: [{}]}).kind is kind
    assert kinds._GUARDED[name]


def test_leaving_deletes_every_row_but_the_agreement() -> None:
    of_accounts = {name for name, columns in COLUMNS.tables.items() if "account_id" in columns}
    destroyed = {
        table
        for table in of_accounts
        for statement in kinds.LEFT.statements.values()
        if f"DELETE FROM {table} WHERE account_id = :account_id" in statement.sql
    }
    assert of_accounts - destroyed == {"account", "agreement"}
    assert accounts.DESTROY_KEYS in kinds.LEFT.statements.values()


def test_unit_with_unknown_statement_is_rejected() -> None:
    with pytest.raises(ValueError, match=r"settle has no statement \['seal'\]"):
        kinds.unit(kinds.SETTLE, settle=[], seal=[])
