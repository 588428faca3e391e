"""What may stop the demonstration, each with the way out in its message."""

from __future__ import annotations


class DemoError(Exception):
    """A step could not be done; the message names the thing, what was wrong and what to do."""


class MissingProgramError(DemoError):
    """A program that a step runs is not installed."""

    def __init__(self, program: str, package: str) -> None:
        super().__init__(
            f"`{program}` is not installed: run `make setup` (or `apt-get install {package}`)"
        )


class NeedsRootError(DemoError):
    """A step needs root and says for what."""

    def __init__(self, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs root: run `sudo make demo` once (the result is cached and later "
            "runs need none), or give an image with `--image PATH`",
        )


class ProgramFailedError(DemoError):
    """A program that was run ended with a failure."""

    def __init__(self, program: str, exit_code: int, said: str, log: str) -> None:
        super().__init__(f"`{program}` ended with exit code {exit_code}: {said} (log: {log})")
        self.exit_code = exit_code
        self.said = said


class PromiseBrokenError(DemoError):
    """Everything ran, but something that Corral promises was not so."""


class TooLateError(DemoError):
    """Something did not happen within the time that is allowed for it."""
