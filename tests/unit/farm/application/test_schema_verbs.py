"""To look at the schema, to expand and to contract it; over a schema in memory."""

import pytest
from tests.farm_in_memory import FarmInMemory, MemoryPorts

from corral.farm.adapters.memory.schema import MemoryDatabaseSchema
from corral.farm.application import change_schema
from corral.farm.domain.estate.errors import FarmNewerError, FarmUnknownError
from corral.farm.domain.upgrade.errors import (
    SchemaBehindError,
    SchemaDamagedError,
    SchemaInUseError,
)
from corral.farm.domain.upgrade.schema import (
    Half,
    ReleaseSchema,
    SchemaStep,
    SeenSchema,
    Standing,
)

E, C = Half.EXPAND, Half.CONTRACT
NEXT = ReleaseSchema(
    tuple(SchemaStep(f"{n:04}", half, f"step_{n}") for n, half in enumerate((E, E, E, C), 1))
)
"""Knows two expand steps more than the farm has, and a contract step."""


def farm(seen: SeenSchema, own: ReleaseSchema = NEXT) -> FarmInMemory:
    return FarmInMemory(MemoryPorts(schema=MemoryDatabaseSchema(own, seen), release="5.0"))


def test_expanding_takes_the_steps_that_add_and_no_other() -> None:
    there = farm(SeenSchema("0001", "0001"))
    view = there.application.show_schema()
    assert view.standing is Standing.BEHIND
    assert [one.revision for one in view.half(C)] == ["0004"]
    assert view.servers == (), "records cannot be read before"
    done = there.application.expand_schema()
    assert [one.revision for one in done.steps] == ["0002", "0003"]
    assert done.seen == SeenSchema("0003", "0001")
    assert there.application.expand_schema().steps == ()
    (noted,) = there.ports.schema.noted
    assert (noted.what, (noted.after or {})["step"]) == ("schema.expand", "0003")


def test_contracting_names_every_server_that_is_not_there_yet() -> None:
    there = farm(SeenSchema("0003", "0001"))
    there.add_server("s1")
    there.add_server("s2")
    with pytest.raises(SchemaInUseError, match=r"s1 \(never seen\), s2 \(never seen\)"):
        there.application.contract_schema(is_agreed=False)
    assert there.ports.schema.seen == SeenSchema("0003", "0001")
    done = there.application.contract_schema(is_agreed=True)
    assert [one.revision for one in done.steps] == ["0004"]
    assert there.ports.schema.seen == SeenSchema("0004", "0004")
    # Where nothing is left to be done, nobody need agree to it.
    assert there.application.contract_schema(is_agreed=False).steps == ()


def test_what_is_to_be_expanded_is_not_contracted() -> None:
    there = farm(SeenSchema("0002", "0001"))
    with pytest.raises(SchemaBehindError, match="corral schema expand"):
        there.application.contract_schema(is_agreed=True)


def test_an_upgrade_that_was_never_finalised_is_finalised_first() -> None:
    after_next = ReleaseSchema((*NEXT.steps, SchemaStep("0005", E, "more")))
    there = farm(SeenSchema("0003", "0001"), after_next)
    with pytest.raises(SchemaBehindError, match="0004, with which the upgrade before it"):
        there.application.expand_schema()
    there.application.contract_schema(is_agreed=True)
    assert there.application.expand_schema().seen == SeenSchema("0005", "0004")


@pytest.mark.parametrize(
    ("seen", "error"),
    [
        (SeenSchema(), FarmUnknownError),
        (SeenSchema("0009", "0009"), FarmNewerError),
        (SeenSchema("0009", "0004", damage="torn"), SchemaDamagedError),
    ],
)
def test_what_is_none_of_this_release_s_is_left_alone(
    seen: SeenSchema, error: type[Exception]
) -> None:
    there = farm(seen)
    with pytest.raises(error):
        there.application.expand_schema()
    with pytest.raises(error):
        there.application.contract_schema(is_agreed=True)
    assert there.ports.schema.seen == seen
    assert there.application.show_schema().pending == () or seen == SeenSchema()


def test_finalising_says_which_command_lines_are_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    there = farm(SeenSchema("0004", "0004"))
    monkeypatch.setattr(change_schema, "OLDEST_CONSOLE", "4.5")
    there.add_server("s1")
    with pytest.raises(SchemaInUseError):
        there.application.contract_schema(is_agreed=False)
    assert there.application.contract_schema(is_agreed=True).seen.oldest_console == "4.5"
    # An older release cannot open what a newer one has closed.
    monkeypatch.setattr(change_schema, "OLDEST_CONSOLE", "4.0")
    assert there.application.contract_schema(is_agreed=True).seen.oldest_console == "4.5"
