"""Reference pages say what the code says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from corral.farm.entrypoints.cli.main import app
from corral.farm.entrypoints.stream import relay_front

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


def test_the_page_of_the_engine_is_in_step() -> None:
    reference = tool("engine_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/engine_reference.py"


def test_the_page_of_versions_is_drawn_from_the_table() -> None:
    diagrams = tool("state_diagrams")
    assert diagrams.PAGE.read_text() == diagrams.render(), "run tools/state_diagrams.py"


def test_the_page_of_differences_is_in_step() -> None:
    reference = tool("difference_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/difference_reference.py"


def test_the_page_of_computers_is_written_from_the_tables() -> None:
    reference = tool("computer_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/computer_reference.py"


def test_the_page_of_rollouts_is_drawn_from_the_tables() -> None:
    diagrams = tool("state_diagrams")
    assert diagrams.ROLLOUTS_PAGE.read_text() == diagrams.render_rollouts(), (
        "run tools/state_diagrams.py"
    )
    assert diagrams.LIBRARY_PAGE.read_text() == diagrams.render_library(), (
        "run tools/state_diagrams.py"
    )
    assert diagrams.UPGRADES_PAGE.read_text() == diagrams.render_upgrades(), (
        "run tools/state_diagrams.py"
    )
    assert diagrams.RELEASES_PAGE.read_text() == diagrams.render_releases(), (
        "run tools/state_diagrams.py"
    )


def test_every_defect_of_others_has_its_test() -> None:
    page = (DOCS / "explanation" / "rollouts.md").read_text()
    named = set(re.findall(r"`(test_\d\w+)`", page))
    domain = ROOT / "tests" / "unit" / "farm" / "domain"
    there = set(re.findall(r"def (test_\d\w+)", (domain / "test_rollout_defects.py").read_text()))
    assert named == there
    assert "def who_may_have_it_is_counted(" in (domain / "test_rollout_machine.py").read_text()
    defects = page.partition("## What went wrong elsewhere")[2]
    assert re.findall(r"^\| (\d+) \|", defects, re.MULTILINE) == [str(n) for n in range(1, 22)]


def test_every_statement_of_a_synchronizer_is_answered_by_tests_that_are_there() -> None:
    page = (DOCS / "explanation" / "coming-from-a-synchronizer.md").read_text()
    answered: set[int] = set()
    for row in re.findall(r"^\| (S\d[^:|]*)", page, re.MULTILINE):
        for first, last in re.findall(r"S(\d+)(?: to S(\d+))?", row):
            answered |= set(range(int(first), int(last or first) + 1))
    assert answered == set(range(1, 75))
    tests = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", tests))
    assert set(re.findall(r"`(test_\w+)`", page)) <= there
    assert all((ROOT / path).exists() for path in re.findall(r"`(tests/[\w/.]+)`", page))


def test_the_page_of_tasks_is_written_from_the_tables() -> None:
    reference = tool("task_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/task_reference.py"


def test_the_page_of_roles_is_written_from_the_table_and_the_api() -> None:
    reference = tool("role_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/role_reference.py"


def test_every_command_has_a_call_of_the_api_or_a_reason_why_not_and_the_other_way_round() -> None:
    reference = tool("verb_reference")
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    commands = {
        f"{name} {verb}" if verb else name
        for name, one in root.commands.items()
        if not one.hidden
        for verb in (one.commands if isinstance(one, TyperGroup) else ("",))
    }
    assert commands == set(reference.COMMANDS)
    called = {
        call for calls in reference.COMMANDS.values() if isinstance(calls, tuple) for call in calls
    }
    assert not called & set(reference.CALLS)
    assert called | set(reference.CALLS) == set(reference.routes())
    assert reference.PAGE.read_text() == reference.render(), "run tools/verb_reference.py"


def test_the_page_of_the_farm_check_is_in_step() -> None:
    reference = tool("check_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/check_reference.py"


def test_the_page_of_what_is_in_the_way_of_an_upgrade_is_in_step() -> None:
    reference = tool("upgrade_reference")
    assert reference.PAGE.read_text() == reference.render(), "run tools/upgrade_reference.py"


def test_every_counter_of_a_server_is_explained_and_no_other() -> None:
    declared = re.search(
        r"^counters! \{$(.*?)^\}$", STREAM_COUNTERS.read_text(), re.MULTILINE | re.DOTALL
    )
    assert declared is not None
    counted = set(re.findall(r"^ {4}(\w+),$", declared[1], re.MULTILINE))
    counted |= set(re.findall(r'\("(chunk_\w+)",', BINDING.read_text()))
    counted |= {"sessions", "most_handshakes", "relay_computers", "relay_undelivered"}
    counted |= set(relay_front.COUNTED)
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


def test_every_command_that_a_page_names_exists_with_its_options() -> None:
    """A command is whatever follows ``corral`` in code; formats and decisions name other things."""
    root = get_command(app)
    wrong = []
    pages = (page for page in sorted(DOCS.rglob("*.md")) if page.parent.name not in NO_COMMANDS)
    for page in pages:
        for line in re.findall(
            r"(?<![\w./-])corral ((?:[a-z][a-z-]*)(?: [^`\n|]*)?)", code_in(page)
        ):
            words = line.replace("'", " ").split()
            command: Any = root
            while words and isinstance(command, TyperGroup) and words[0] in command.commands:
                command = command.commands[words.pop(0)]
            if command is root or (isinstance(command, TyperGroup) and words):
                wrong.append(f"{page.name}: corral {line}")
                continue
            known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
            known |= {"--farm", "--json", "--help", "--debug"}
            options = {word.partition("=")[0] for word in words if word.startswith("--")} - {"--"}
            wrong += [f"{page.name}: corral {line}: {one}" for one in sorted(options - known)]
    assert not wrong, "\n".join(wrong)


NO_COMMANDS = ("adr", "formats")


def code_in(page: Path) -> str:
    """Give what a page sets as code, a piece each line."""
    text = page.read_text()
    blocks = re.findall(r"```(?:console|sh|bash)?\n(.*?)```", text, re.DOTALL)
    rest = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", rest)])


def test_what_goes_wrong_most_is_tried_where_the_page_says() -> None:
    for what, code, file, test in tool("error_reference").BAD_INPUT:
        text = (ROOT / file).read_text()
        begins = text.find(f"def {test}(")
        assert begins >= 0, f"{what}: {file} has no {test}"
        assert f'"{code}"' in text[begins:].partition("\ndef ")[0], f"{what}: {test} sees no {code}"
