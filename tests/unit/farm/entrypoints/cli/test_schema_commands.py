"""``corral schema``: what a person reads, what a program reads, and how it ends."""

import json

from tests.farm_in_memory import FarmInMemory
from tests.unit.farm.entrypoints.cli.conftest import CommandLine

from corral.farm.domain.upgrade.schema import Half, ReleaseSchema, SchemaStep, SeenSchema
from corral.farm.entrypoints.cli.failures import ExitCode

STEPS = ReleaseSchema(
    (
        SchemaStep("0001", Half.EXPAND, "initial"),
        SchemaStep("0002", Half.EXPAND, "new_names"),
        SchemaStep("0003", Half.CONTRACT, "old_names"),
    )
)


def test_a_schema_is_shown_expanded_and_contracted(farm: FarmInMemory, corral: CommandLine) -> None:
    farm.ports.schema.own = STEPS
    farm.add_server("s1")
    shown = corral("schema", "show")
    assert shown.code == ExitCode.DONE
    for words in ("behind, at step 0001", "0002 new names", "0003 old names", "0001 or later"):
        assert words in shown.out
    document = corral("schema", "show", "--json").json
    assert (document["standing"], document["needs"], document["head"]) == ("behind", "0002", "0003")
    assert [one["half"] for one in document["pending"]] == ["expand", "contract"]
    assert "expanded to step 0002: 0002 (new names)" in corral("schema", "expand").out
    assert "nothing to do" in corral("schema", "expand").out
    assert corral("schema", "expand", "--json").json["taken"] == []
    refused = corral("schema", "contract", "--json")
    assert refused.code == ExitCode.REFUSED
    assert json.loads(refused.err)["code"] == "schema-in-use"
    assert "s1" in refused.err
    done = corral("schema", "contract", "--yes", "--json")
    assert (done.json["step"], done.json["readable_from"]) == ("0003", "0003")
    assert farm.ports.schema.seen.revision == "0003"


def test_damage_is_shown_and_nothing_is_done_to_it(farm: FarmInMemory, corral: CommandLine) -> None:
    farm.ports.schema.seen = SeenSchema("0001", damage="it says 2 revisions where one should be")
    assert "2 revisions" in corral("schema", "show").out
    assert corral("schema", "expand").code == ExitCode.DAMAGED
    assert corral("schema", "contract", "--yes").code == ExitCode.DAMAGED


def test_a_script_is_printed_without_a_farm(corral: CommandLine) -> None:
    said = corral("schema", "script", "--from", "0031", "--to", "0032", "--dialect", "postgresql")
    assert said.code == ExitCode.DONE
    assert "CREATE TABLE schema_gate" in said.out
    wrong = corral("schema", "script", "--from", "0032", "--to", "0031", "--dialect", "sqlite")
    assert wrong.code == ExitCode.REFUSED
    assert "schema-script-invalid" in wrong.err
