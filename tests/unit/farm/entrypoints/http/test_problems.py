import importlib
import pkgutil

import pytest

import corral.farm.domain
from corral.farm.domain.errors import DomainError, concrete_errors
from corral.farm.entrypoints.http.problems import status_of

for module in pkgutil.walk_packages(corral.farm.domain.__path__, "corral.farm.domain."):
    importlib.import_module(module.name)


@pytest.mark.parametrize("kind", list(concrete_errors()), ids=lambda kind: kind.code)
def test_every_error_of_the_domain_has_a_status(kind: type[DomainError]) -> None:
    assert status_of(kind) is not None, f"add {kind.__name__} or its family to problems.STATUS"


def test_an_error_without_a_row_is_noticed() -> None:
    assert status_of(DomainError) is None
