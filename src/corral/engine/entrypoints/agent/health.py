"""How an agent does, as it is seen from outside of what it does."""

from __future__ import annotations

import http.client
from contextlib import closing
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from corral.engine.domain.failures import FarmUnreachableError

if TYPE_CHECKING:
    from corral.engine.entrypoints.agent.serve import Agent

_PAGE_SECONDS: Final = 20.0


class AgentHealth:
    """Asks the agent's parts."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def does_its_work(self) -> bool:
        """Whether the disk process answers it, it saw to every machine, and shows its status."""
        has_disks = self._agent.engine.disks.answers is not False
        return has_disks and self._agent.has_tended and self._shows_its_page()

    def was_heard(self) -> bool:
        """Whether the farm has answered a check-in of it."""
        return self._agent.engine.check_in.heard_at is not None

    def is_cut_off(self) -> bool:
        """Whether there is no farm, or none that could be reached."""
        if self._agent.engine.keeper.place is None:
            return True
        return self._agent.engine.check_in.code == FarmUnreachableError.code

    def _shows_its_page(self) -> bool:
        address = urlsplit(self._agent.page_url)
        line = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=_PAGE_SECONDS
        )
        with closing(line):
            try:
                line.request("GET", "/")
                return line.getresponse().status == http.HTTPStatus.OK
            except (OSError, http.client.HTTPException):
                return False
