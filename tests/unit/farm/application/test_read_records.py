"""Every record is read with the code of a release, and none is left out."""

import re
from dataclasses import fields
from inspect import getsource

from tests.farm_in_memory import FarmInMemory

from corral.farm.adapters.memory.records import MemoryRecords
from corral.farm.application import read_records

FOUND_BY_WHAT_THEY_BELONG_TO = {
    "version_changes",
    "moves",
    "rollout_members",
    "computer_events",
}
"""Their rows are read as such."""


def test_every_repository_is_asked_for_what_it_has() -> None:
    asked = set(re.findall(r"records\.(\w+)\.", getsource(read_records)))
    there = {field.name for field in fields(MemoryRecords)}
    assert there - asked == FOUND_BY_WHAT_THEY_BELONG_TO


def test_what_is_there_is_counted(farm: FarmInMemory) -> None:
    before = farm.application.read_records()
    farm.add_server("s1")
    after = farm.application.read_records()
    assert after.things - before.things == 2, "the server, and its entry of the audit log"
