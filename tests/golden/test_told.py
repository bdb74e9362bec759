"""Nothing that is said of a store changes unnoticed; where it is meant to, `python -m tests.golden.told` writes it."""

from __future__ import annotations

from pathlib import Path

import pytest

from inspector.format import Format
from tests.contract.corpus import Case, case_id, cases
from tests.golden import asked, damages, declared, ledgers, readers, told
from tests.proof_stores import Store


def _kept(path: Path, head: str) -> list[str]:
    """The lines below the one that begins so, and that one."""
    kept = path.read_text(encoding="utf-8").splitlines()
    first = next((n for n, line in enumerate(kept) if line.startswith(head)), len(kept))
    last = next((n for n, line in enumerate(kept) if n > first and line.startswith("# ")), len(kept))
    return kept[first:last]


@pytest.mark.parametrize("case", cases(), ids=case_id)
def test_what_is_said_of_a_sample_is_what_was_said(case: Case) -> None:
    assert list(told.told(case)) == _kept(told.path_of(case.format), f"# {case.path.name}:")


@pytest.mark.parametrize("case", [c for form in asked.FORMATS for c in asked.cases_of(form)], ids=case_id)
def test_what_a_sample_answers_is_what_it_answered(case: Case) -> None:
    kept = _kept(asked.path_of(case.format), f"# {case.path.name}")
    for line in asked.told(case):
        assert line in kept[:1]
        del kept[0]
    assert not kept


@pytest.mark.parametrize(
    ("store", "family"),
    [(store, family) for store in damages.STORES for family in damages.families_of(store)],
    ids=lambda one: one if isinstance(one, str) else one.name,
)
def test_what_becomes_of_a_changed_store_is_what_became_of_it(store: Store, family: str) -> None:
    kept = _kept(damages.path_of(store.form), f"# {store.name}: {family}")
    for line in damages.told(store, family):
        assert line in kept[:1]
        del kept[0]
    assert not kept


@pytest.mark.parametrize("form", declared.FORMATS, ids=lambda form: f"{form.name}/declared")
def test_what_a_format_declares_is_what_it_declared(form: Format) -> None:
    assert list(declared.lines_of(form)) == declared.path_of(form).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize(
    ("form", "reader"),
    [(form, reader) for form in readers.FORMATS for reader in readers.readers_of(form)],
    ids=lambda one: f"{one.name}/readers" if isinstance(one, Format) else one.name,
)
def test_what_a_reader_makes_of_bytes_is_what_it_made(form: Format, reader: readers.Reader) -> None:
    kept = readers.path_of(form).read_text(encoding="utf-8").splitlines()
    assert [line for line in kept if line.startswith(f"{reader.name}: ")] == [readers.line(reader)]


@pytest.mark.parametrize("part", range(ledgers.PARTS))
@pytest.mark.parametrize("family", [f"snarkos/{family}" for family in ledgers.FAMILIES])
def test_what_is_said_of_a_changed_ledger_is_what_was_said(family: str, part: int) -> None:
    name = family.removeprefix("snarkos/")
    assert [f"# {name} {part}", *ledgers.lines_of(name, part)] == _kept(ledgers.PATH, f"# {name} {part}")
