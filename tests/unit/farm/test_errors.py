"""Every error of the domain can be told to a person, a program and a browser."""

import importlib
import importlib.util
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import corral.farm.domain
from corral.farm.domain.errors import DomainError, concrete_errors
from corral.farm.entrypoints.cli.failures import EXIT_CODES, ExitCode, exit_code_of
from corral.farm.entrypoints.http.problems import status_of

for module in pkgutil.walk_packages(corral.farm.domain.__path__, "corral.farm.domain."):
    importlib.import_module(module.name)

TOOL = Path(__file__).parents[3] / "tools" / "error_reference.py"
ERRORS = [kind for kind in concrete_errors() if kind.__module__.startswith("corral.")]


def subclasses(kind: type[DomainError]) -> set[type[DomainError]]:
    return {kind}.union(*(subclasses(child) for child in kind.__subclasses__()))


def test_every_leaf_has_a_code_and_no_code_is_used_twice() -> None:
    leaves = {
        kind
        for kind in subclasses(DomainError)
        if not kind.__subclasses__() and kind.__module__.startswith("corral.")
    }
    assert leaves == set(ERRORS)
    codes = [kind.code for kind in leaves]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.code)
def test_error_can_be_told(kind: type[DomainError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert kind.__name__.endswith("Error")
    assert any(ancestor in EXIT_CODES for ancestor in kind.__mro__)
    assert exit_code_of(kind) not in (ExitCode.DONE, ExitCode.USAGE, ExitCode.UNEXPECTED)
    status = status_of(kind)
    assert status is not None
    assert status >= 400
    document = inspect.getdoc(kind)
    assert document is not None
    assert vars(kind)["__doc__"], "the docstring is the entry of docs/reference/errors.md"


def test_reference_page_is_in_step() -> None:
    specification = importlib.util.spec_from_file_location("page", TOOL)
    assert specification is not None
    assert specification.loader is not None
    tool = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(tool)
    assert tool.PAGE.read_text() == tool.render(), "run tools/error_reference.py"
