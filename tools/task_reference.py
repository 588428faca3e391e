"""Write docs/reference/tasks.md from the tables of tasks; ``--check`` only compares."""

import sys
from pathlib import Path
from typing import Final

from corral.farm.application.task_kinds import KINDS
from corral.farm.domain.task.limits import Limits
from corral.farm.domain.task.rules import KEPT_FOR
from corral.farm.domain.task.state import TRANSITIONS, TaskState

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "tasks.md"

HEAD: Final = """\
# Tasks

Written by `tools/task_reference.py` from the tables that every task is checked by; change those,
then run it. How to work with tasks is told in [Run and follow tasks](../how-to/run-tasks.md).

## States

```mermaid
"""

STATES: Final = {
    TaskState.QUEUED: "waits for its turn, for a limit, or for a worker; `task show` says for what",
    TaskState.RUNNING: "a worker, or a command in somebody's terminal, is at it",
    TaskState.PAUSED: "rests until somebody resumes it; what it has done is kept",
    TaskState.DONE: "for ever; its result says what it came to",
    TaskState.FAILED: "its cause has a code of the [list of errors](errors.md); it can be retried",
    TaskState.CANCELLED: "somebody wanted it to end; it can be retried",
}

BETWEEN: Final = """\
Queued, running and paused tasks are *active*: `corral task list` shows all of them, whatever their
age. What is asked of a task that runs is a *wish* until its worker has heard of it, within a
second. `claim` and `lose` are the workers' own: a run begins, and a worker is gone or hands it
back. Each time a task is queued is another *run*; one run is claimed at most once, and whoever
writes for a run that is over is refused with `task-lost`.
"""


def render() -> str:
    """Give the page."""
    return "\n".join([*_states(), *_kinds(), *_limits()]) + "\n"


def _states() -> list[str]:
    lines = [HEAD.rstrip("\n"), "stateDiagram-v2", "    [*] --> queued: start"]
    lines += [f"    {old} --> {new}: {event}" for (old, event), new in TRANSITIONS.items()]
    lines += ["    done --> [*]", "```", "", "| state | meaning |", "|---|---|"]
    lines += [f"| {state} | {STATES[state]} |" for state in TaskState]
    return [*lines, "", BETWEEN.rstrip("\n")]


def _kinds() -> list[str]:
    lines = [
        "",
        "## Kinds",
        "",
        (
            "| kind | arguments | permission in the API | usually at once | cancelled half way"
            " | paused |"
        ),
        "|---|---|---|---:|---|---|",
    ]
    limits = Limits()
    for kind, rules in KINDS.items():
        arguments = ", ".join(
            f"**{name}**" if place < rules.must_have else name
            for place, name in enumerate(rules.takes)
        )
        lines.append(
            f"| {kind} | {arguments} | `{rules.permission}` | {limits.of_kind[kind]}"
            f" | {rules.cancel_leaves} | {rules.goes_on or 'all of it rests'} |"
        )
    return [
        *lines,
        "",
        (
            "Arguments in bold must be given. Paths are those of the worker's machine."
            " No argument can hold a secret."
        ),
    ]


def _limits() -> list[str]:
    limits = Limits()
    said = (
        f"A server's store is worked on by {limits.of_server} tasks at once,"
        f" {limits.of_kind_on_server} of each kind. Tasks that are bound to no server are"
        f" {limits.of_farm} at once. The limits of kinds are in the table above."
        " `corral task limit` shows them as the farm has them, and changes them. An import in a"
        " terminal counts, but never waits."
    )
    kept = (
        f"A task is remembered, with its log, for {KEPT_FOR.days} days after its end, or for as"
        " long as `corral task limit --keep-days` says; then a worker forgets it. An active task"
        " never is, nor is the one with the highest number."
    )
    return ["", "## Limits", "", said, "", kept]


def main() -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
