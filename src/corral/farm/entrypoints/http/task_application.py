"""What the API needs of the application for tasks and schedules."""

from typing import Protocol

from corral.farm.application.cancel_task import CancelTask
from corral.farm.application.create_backup import CreateBackup
from corral.farm.application.list_backups import ListBackups
from corral.farm.application.list_tasks import ListTasks, ShowTask
from corral.farm.application.pause_task import PauseTask
from corral.farm.application.resume_task import ResumeTask
from corral.farm.application.retry_task import RetryTask
from corral.farm.application.roll_up_backups import RollUpBackups
from corral.farm.application.schedule_tasks import (
    AddSchedule,
    CancelScheduledRun,
    ListSchedules,
    RemoveSchedule,
)
from corral.farm.application.set_backups import SetBackups
from corral.farm.application.set_task_rules import SetTaskRules
from corral.farm.application.show_task_rules import ShowTaskRules
from corral.farm.application.start_task import StartTask


class TaskApplication(Protocol):
    """The wired use cases."""

    @property
    def create_backup(self) -> CreateBackup: ...  # noqa: D102 - each names itself
    @property
    def list_backups(self) -> ListBackups: ...  # noqa: D102
    @property
    def roll_up_backups(self) -> RollUpBackups: ...  # noqa: D102
    @property
    def set_backups(self) -> SetBackups: ...  # noqa: D102
    @property
    def start_task(self) -> StartTask: ...  # noqa: D102 - each names itself
    @property
    def list_tasks(self) -> ListTasks: ...  # noqa: D102
    @property
    def show_task_rules(self) -> ShowTaskRules: ...  # noqa: D102
    @property
    def set_task_rules(self) -> SetTaskRules: ...  # noqa: D102
    @property
    def show_task(self) -> ShowTask: ...  # noqa: D102
    @property
    def cancel_task(self) -> CancelTask: ...  # noqa: D102
    @property
    def pause_task(self) -> PauseTask: ...  # noqa: D102
    @property
    def resume_task(self) -> ResumeTask: ...  # noqa: D102
    @property
    def retry_task(self) -> RetryTask: ...  # noqa: D102
    @property
    def add_schedule(self) -> AddSchedule: ...  # noqa: D102
    @property
    def list_schedules(self) -> ListSchedules: ...  # noqa: D102
    @property
    def remove_schedule(self) -> RemoveSchedule: ...  # noqa: D102
    @property
    def cancel_scheduled_run(self) -> CancelScheduledRun: ...  # noqa: D102
