"""Reference pages say what the code says."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
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
