"""Run the verb of a task, and say how that ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.task_kinds import carry_out
from corral.farm.application.work_on_task import Failed, Finished, PutOff, Stopped
from corral.farm.domain.errors import DomainError, TryAgainError
from corral.farm.domain.image.errors import WorkCancelledError
from corral.farm.domain.task.errors import TaskLostError
from corral.farm.domain.task.task import Failure

if TYPE_CHECKING:
    from corral.farm.application.task_work import Surroundings, Verbs
    from corral.farm.application.work_on_task import Ending
    from corral.farm.domain.task.task import Task


class RunTask:
    """Does what a claimed task asks for."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs

    def __call__(self, task: Task, around: Surroundings) -> Ending:
        """Give how it ended; raises only what no rule of the farm knows, and ``TaskLostError``."""
        if task.result:
            # An earlier run made it, and was killed before it could say so.
            return Finished(task.result)
        try:
            return Finished(carry_out(self._verbs, task, around))
        except WorkCancelledError:
            return Stopped()
        except TaskLostError:
            raise
        except TryAgainError as error:
            return PutOff(error.message)
        except DomainError as error:
            return Failed(Failure.of(error))
