"""Long verbs, interrupted."""

import signal
from threading import Event, main_thread

import pytest

from corral.farm.application.progress import Amounts, Progress
from corral.farm.domain.image.errors import WorkCancelledError
from corral.farm.entrypoints.cli.work import run_shown


def press_ctrl_c() -> None:
    """Interrupt the thread that waits, in the middle of its waiting."""
    signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)


class Interruptions:
    """A verb whose reader presses Ctrl-C while it works."""

    def __init__(self) -> None:
        self.was_cancelled = Event()

    def amounts(self) -> Amounts:
        return Amounts()

    def cancel(self) -> None:
        self.was_cancelled.set()

    def __call__(self, progress: Progress) -> None:
        progress.watch(self)
        press_ctrl_c()
        assert self.was_cancelled.wait(60)
        raise WorkCancelledError("the verb")


def test_interrupt_cancels_the_verb_and_waits_for_its_end() -> None:
    verb = Interruptions()
    with pytest.raises(WorkCancelledError):
        run_shown("verb", verb, is_quiet=True)
    assert verb.was_cancelled.is_set()


def test_second_interrupt_does_not_wait() -> None:
    never = Event()

    def stubborn(progress: Progress) -> None:
        interruptions = Interruptions()
        with pytest.raises(WorkCancelledError):
            interruptions(progress)
        press_ctrl_c()
        never.wait(60)

    with pytest.raises(KeyboardInterrupt):
        run_shown("verb", stubborn, is_quiet=True)
    never.set()
