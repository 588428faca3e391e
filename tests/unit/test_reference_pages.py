"""Reference pages say what the code says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
COUNTERS_PAGE = ROOT / "docs" / "reference" / "counters.md"
STREAM_COUNTERS = ROOT / "crates" / "stream-server" / "src" / "counters.rs"
BINDING = ROOT / "crates" / "native" / "src" / "stream.rs"


def tool(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_command_line_page_is_in_step() -> None:
    reference = tool("cli_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/cli_reference.py"


def test_the_page_of_versions_is_drawn_from_the_table() -> None:
    diagrams = tool("state_diagrams")
    assert diagrams.PAGE.read_text() == diagrams.render(), "run tools/state_diagrams.py"


def test_the_page_of_tasks_is_written_from_the_tables() -> None:
    reference = tool("task_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/task_reference.py"


def test_the_page_of_roles_is_written_from_the_table_and_the_api() -> None:
    reference = tool("role_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/role_reference.py"


def test_the_page_of_the_farm_check_is_in_step() -> None:
    reference = tool("check_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/check_reference.py"


def test_every_counter_of_a_server_is_explained_and_no_other() -> None:
    declared = re.search(
        r"^counters! \{$(.*?)^\}$", STREAM_COUNTERS.read_text(), re.MULTILINE | re.DOTALL
    )
    assert declared is not None
    counted = set(re.findall(r"^ {4}(\w+),$", declared[1], re.MULTILINE))
    counted |= set(re.findall(r'\("(chunk_\w+)",', BINDING.read_text()))
    counted.add("sessions")
    of_servers = COUNTERS_PAGE.read_text().split("## What to watch")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", of_servers, re.MULTILINE)) == counted


def test_every_page_is_listed() -> None:
    listed = DOCS / "index.md", DOCS / "adr" / "index.md"
    found = {
        (index.parent / link).resolve()
        for index in listed
        for link in re.findall(r"\]\(([\w/.-]+\.md)\)", index.read_text())
    }
    assert found | {listed[0]} == set(DOCS.rglob("*.md"))


def test_every_page_but_the_decisions_is_in_the_navigation() -> None:
    named = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")}
    assert named == {page for page in pages if not page.startswith("adr/0")}


def test_every_decision_has_options_and_costs() -> None:
    for record in DOCS.glob("adr/0*.md"):
        text = record.read_text()
        headings = re.findall(r"^## (\w+)", text, re.MULTILINE)
        assert {"Context", "Drivers", "Options", "Decision", "Consequences"} <= {*headings}, record
        assert re.search(r"^Status: (accepted|proposed|replaced by ADR \d+)$", text, re.MULTILINE)
        assert "\n- Bad: " in text, record
