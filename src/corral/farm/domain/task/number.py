"""What people call a task."""

from typing import NewType

TaskNumber = NewType("TaskNumber", int)
"""Given in the order in which tasks are asked for, from 1, and never again."""
