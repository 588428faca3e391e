from datetime import UTC, datetime

from dbos import WorkflowStatusString

from corral.farm.adapters.durable_tasks.plain_json import PlainJson
from corral.farm.adapters.durable_tasks.states import STATES
from corral.farm.domain.task.engine import EngineState


def test_every_state_of_the_engine_is_known() -> None:
    assert set(STATES) == {state.value for state in WorkflowStatusString}
    assert set(STATES.values()) | {EngineState.UNKNOWN} == set(EngineState)


def test_arguments_are_kept_as_json() -> None:
    kept = PlainJson().serialize({"args": (7, 2), "at": datetime(2026, 3, 1, tzinfo=UTC)})
    assert PlainJson().deserialize(kept) == {"args": [7, 2], "at": "2026-03-01T00:00:00+00:00"}
    assert "message" in PlainJson().serialize({"error": ValueError("message")})
