"""Which release opens which schema: every row of the gate, and every pair of releases."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corral.farm.domain.upgrade.schema import (
    GATE,
    Half,
    Opening,
    ReleaseSchema,
    SchemaStep,
    SeenSchema,
    Standing,
    opening,
    standing,
)

E, C = Half.EXPAND, Half.CONTRACT


def release(*halves: Half) -> ReleaseSchema:
    numbered = enumerate(halves, 1)
    return ReleaseSchema(tuple(SchemaStep(f"{n:04}", half, "it") for n, half in numbered))


LAST = release(E, E)
THIS = release(E, E, E, C)
NEXT = release(E, E, E, C, E)


@pytest.mark.parametrize(
    ("own", "revision", "readable_from", "expected"),
    [
        (THIS, None, None, Standing.EMPTY),
        (THIS, "0001", "0001", Standing.BEHIND),
        (THIS, "0001", None, Standing.BEHIND),
        (THIS, "0002", "0001", Standing.BEHIND),
        (THIS, "0003", "0001", Standing.SERVES),
        (THIS, "0004", "0003", Standing.SERVES),
        (THIS, "0005", "0004", Standing.NEWER),
        (THIS, "0005", "0005", Standing.TOO_NEW),
        (THIS, "0005", None, Standing.TOO_NEW),
        (THIS, "0003", "0009", Standing.TOO_NEW),
        (THIS, "0000", "0000", Standing.DAMAGED),
        (THIS, "f3a9", "0001", Standing.DAMAGED),
        (THIS, "0003", "now!", Standing.DAMAGED),
        (THIS, "", None, Standing.DAMAGED),
        (LAST, "0003", "0001", Standing.NEWER),
        (LAST, "0004", "0003", Standing.TOO_NEW),
        (NEXT, "0002", "0001", Standing.UNFINISHED),
        (NEXT, "0003", "0001", Standing.UNFINISHED),
        (NEXT, "0004", "0003", Standing.BEHIND),
        (NEXT, "0005", "0003", Standing.SERVES),
    ],
)
def test_where_a_schema_is(
    own: ReleaseSchema, revision: str | None, readable_from: str | None, expected: Standing
) -> None:
    assert standing(SeenSchema(revision, readable_from), own) is expected


def test_damage_goes_before_all_else() -> None:
    assert standing(SeenSchema(damage="torn"), THIS) is Standing.DAMAGED


@pytest.mark.parametrize(("where", "is_embedded"), list(product(Standing, (True, False))))
def test_every_standing_has_a_row(where: Standing, is_embedded: bool) -> None:  # noqa: FBT001
    decided = GATE[where, is_embedded]
    if not is_embedded:
        assert decided is not Opening.EXPAND, "a shared database is never changed by opening it"
    assert (decided is Opening.CREATE) is (where is Standing.EMPTY)
    if where in {Standing.DAMAGED, Standing.TOO_NEW, Standing.UNFINISHED}:
        assert decided.name.startswith("REFUSE_")


words = st.one_of(st.none(), st.from_regex(r"[0-9]{4}", fullmatch=True), st.text(max_size=5))
chains = st.lists(st.sampled_from(Half), max_size=6).map(lambda more: release(E, *more))


@given(chains, words, words, st.booleans())
def test_the_gate_answers_whatever_a_database_says(
    own: ReleaseSchema,
    revision: str | None,
    readable_from: str | None,
    is_embedded: bool,  # noqa: FBT001
) -> None:
    seen = SeenSchema(revision, readable_from)
    decided = opening(seen, own, is_embedded=is_embedded)
    if decided is Opening.EXPAND:
        steps = own.to_expand(str(revision))
        assert steps
        assert steps[-1].revision >= own.needs
        assert {one.half for one in steps} == {Half.EXPAND}
    if decided is Opening.READY and readable_from is not None:
        assert readable_from <= own.head


@given(chains, st.integers(0, 6))
def test_expanding_and_contracting_by_turns_leads_to_the_end(own: ReleaseSchema, at: int) -> None:
    revision = f"{min(at, len(own.steps)):04}"
    for _ in own.steps:
        for half in (own.to_expand, own.to_contract):
            steps = half(revision)
            if steps:
                assert [one.revision for one in steps] == sorted(one.revision for one in steps)
                assert steps[0].revision > revision
                revision = steps[-1].revision
    assert revision == own.head
