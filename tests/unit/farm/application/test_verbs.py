"""Every verb of the application can be made."""

import pytest
from tests.farm_in_memory import MemoryPorts

from corral.farm.application.verbs import Application, Verb

VERBS = [name for name, one in vars(Application).items() if isinstance(one, Verb)]


def test_there_are_verbs() -> None:
    assert "import_image" in VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_finds_every_port_that_its_constructor_asks_for(verb: str) -> None:
    assert getattr(Application(MemoryPorts()), verb)
