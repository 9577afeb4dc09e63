"""Which rows of which tables a statement touches, as far as its text says so by equality.

Used to decide what may be merged: two runs of statements that touch different rows may change
places. Where the text does not say it plainly, the answer is that it may touch any row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bridge.store.columns import Columns
from bridge.store.tokens import Is, Token, split

_ENDS = ("GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET")
_VAGUE = frozenset({"OR", "BETWEEN", "CASE"})
"""In a condition with one of these outside parentheses no equality is sure to hold."""
_SET_OPERATIONS = frozenset({"UNION", "INTERSECT", "EXCEPT"})


class NotPlain(Exception):
    """The statement has a form that cannot be merged."""


@dataclass(frozen=True)
class Touch:
    """A table that a statement reads or writes, and the columns that equal a parameter in each row of it."""

    table: str
    writes: bool
    equal: Mapping[str, str]
    changes: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Parts:
    """A plain INSERT, UPDATE, DELETE or SELECT cut into its clauses; tokens without space."""

    verb: str
    table: str
    columns: tuple[str, ...]
    values: tuple[Token, ...]
    where: tuple[Token, ...]
    conflict: tuple[Token, ...]


def cut(tokens: Sequence[Token]) -> Parts:
    """Cut a statement into its parts; ``NotPlain`` when it has a form that is not known here."""
    verb = tokens[0].word
    if verb == "INSERT":
        return _cut_insert(tokens)
    if verb == "UPDATE" and len(tokens) > 3 and tokens[2].word == "SET":
        values, where = _divide(tokens[3:], "WHERE")
        _refuse(values, "FROM")
        return Parts(verb, tokens[1].text, (), values, where, ())
    if verb == "DELETE" and len(tokens) > 3 and tokens[3].word == "WHERE":
        return Parts(verb, tokens[2].text, (), (), tuple(tokens[4:]), ())
    if verb == "SELECT" and not _words(tokens) & _SET_OPERATIONS:
        return Parts(verb, "", (), tuple(tokens), (), ())
    raise NotPlain(verb)


def _cut_insert(tokens: Sequence[Token]) -> Parts:
    body, tail = _divide(tokens, "ON")
    if tail and [token.word for token in tail[-2:]] != ["DO", "NOTHING"]:
        raise NotPlain("an upsert")
    if len(body) < 4 or body[1].word != "INTO" or body[3].text != "(":
        raise NotPlain("INSERT")
    end = next(index for index, token in enumerate(body) if token.text == ")")
    columns = tuple(token.text for token in body[4:end] if token.text != ",")
    source = body[end + 1 :]
    where: tuple[Token, ...] = ()
    if source[0].word == "VALUES":
        groups = split(source[1:], ",")
        if len(groups) != 1:
            raise NotPlain("several rows of values")
        values = tuple(source[2:-1])
    elif source[0].word == "SELECT":
        _refuse(source, "FROM", "DISTINCT", *_ENDS, *_SET_OPERATIONS)
        values, where = _divide(source[1:], "WHERE")
    else:
        raise NotPlain("INSERT")
    return Parts("INSERT", body[2].text, columns, values, where, tail)


def touches(parts: Parts, columns: Columns) -> tuple[Touch, ...]:
    """All tables that a statement touches, its target first."""
    found: list[Touch] = []
    if parts.verb == "INSERT":
        pairs = zip(parts.columns, split(parts.values, ","), strict=True)
        given = {name: value[0].text for name, value in pairs if [t.kind for t in value] == [Is.PARAMETER]}
        found.append(Touch(parts.table, True, given))
    elif parts.verb in ("UPDATE", "DELETE"):
        changes = frozenset(part[0].text for part in split(parts.values, ",") if part)
        equal = _equalities(parts.where, parts.table, "", columns)
        found.append(Touch(parts.table, True, equal, changes))
    else:
        found.extend(_of_select(parts.values, columns))
    for inner in _subqueries((*parts.values, *parts.where)):
        found.extend(_of_select(inner, columns))
    return tuple(found)


def _of_select(tokens: Sequence[Token], columns: Columns) -> Iterator[Touch]:
    if _words(tokens) & _SET_OPERATIONS:
        raise NotPlain("a set operation")
    _, source = _divide(tokens, "FROM")
    source, where = _divide(source, "WHERE")
    if not source:
        return
    names = [token for token in source if token.word != "AS"]
    if len(names) <= 2 and all(token.kind is Is.WORD for token in names):
        alias = names[-1].text
        yield Touch(names[0].text, False, _equalities(where, names[0].text, alias, columns))
    else:
        for table in columns.tables.keys() & {token.text for token in source}:
            yield Touch(table, False, {})


def _equalities(where: Sequence[Token], table: str, alias: str, columns: Columns) -> Mapping[str, str]:
    """Columns of ``table`` that the condition says equal a parameter."""
    for word in _ENDS:
        where, _ = _divide(where, word)
    if _words(where) & _VAGUE:
        return {}
    known = columns.tables.get(table, frozenset())
    found: dict[str, str] = {}
    for term in split(where, "AND"):
        left = term[2:] if len(term) == 5 and term[0].text in (table, alias) and term[1].text == "." else term
        if len(left) == 3 and left[1].text == "=" and left[2].kind is Is.PARAMETER and left[0].text in known:
            found[left[0].text] = left[2].text
    return found


def _subqueries(tokens: Sequence[Token]) -> Iterator[tuple[Token, ...]]:
    """The insides of all parentheses that begin with SELECT, nested ones too."""
    opened: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind is Is.MARK and token.text == "(":
            opened.append(index)
        elif token.kind is Is.MARK and token.text == ")":
            inner = tuple(tokens[opened.pop() + 1 : index])
            if inner and inner[0].word == "SELECT":
                yield inner


def _divide(tokens: Sequence[Token], word: str) -> tuple[tuple[Token, ...], tuple[Token, ...]]:
    """What is before and after the first ``word`` outside parentheses."""
    before, *after = split(tokens, word)
    return before, tuple(tokens[len(before) + 1 :]) if after else ()


def _words(tokens: Sequence[Token]) -> set[str]:
    """The keywords outside parentheses."""
    depth, found = 0, set()
    for token in tokens:
        depth += (token.text == "(") - (token.text == ")") if token.kind is Is.MARK else 0
        if depth == 0 and token.word:
            found.add(token.word)
    return found


def _refuse(tokens: Sequence[Token], *words: str) -> None:
    if refused := _words(tokens) & set(words):
        raise NotPlain(", ".join(sorted(refused)))
