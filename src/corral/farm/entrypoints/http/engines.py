"""Engines register their computers, check in, and wait for a signal to."""

from typing import Annotated
from uuid import UUID

import structlog
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from corral.farm.domain.access.actor import Actor, ActorKind
from corral.farm.domain.computer.computer import ComputerId
from corral.farm.domain.computer.errors import CheckInForeignError
from corral.farm.domain.estate.farm import FarmId
from corral.farm.entrypoints.http import engine_messages
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.permitted import OpenTo, address_of, open_to
from corral.farm.entrypoints.http.signals import Signals
from corral.wire import engine as wire
from corral.wire.relay import COMPUTER_KEY_HEADER

_log = structlog.get_logger("corral.http")


def routes(application: Application, signals: Signals) -> APIRouter:
    """Give the routes. What a computer says is believed by its signature alone."""
    router = APIRouter(
        prefix="/v1/computers", tags=["engines"], dependencies=[open_to(OpenTo.COMPUTERS)]
    )

    @router.post("/register", operation_id="register_computer")
    def register(message: wire.SignedRegistration, request: Request) -> wire.RegistrationAnswer:
        """Register a computer: at once with a one-time code, else once somebody approves it.

        Asking again with the same key changes nothing, and tells how it stands.
        """
        said = engine_messages.read(wire.Registration, message.registration)
        address = address_of(request)
        asked = engine_messages.asked(said, address)
        acting = application.acting_as(Actor(ActorKind.COMPUTER, asked.name, address))
        answer = acting.register_computer(
            asked,
            wire.registration_message(message.registration),
            engine_messages.decoded(message.signature),
        )
        computer = answer.computer
        _log.info("registered", computer=computer.name, state=computer.state.value, at=address)
        return engine_messages.registered(answer)

    @router.post("/{computer}/check-in", operation_id="check_in")
    def check_in(
        computer: UUID, message: wire.SignedCheckIn, request: Request, response: Response
    ) -> wire.SignedOrders:
        """Take what a computer says of itself, and tell it what should be on it."""
        known = application.recognise_computer(
            ComputerId(computer),
            wire.check_in_message(message.check_in),
            engine_messages.decoded(message.signature),
        )
        # For a relay, which asks nobody for it while its line is cut. It is no secret.
        response.headers[COMPUTER_KEY_HEADER] = engine_messages.encoded(known.public_key)
        said = engine_messages.read(wire.CheckIn, message.check_in)
        if said.computer != computer:
            raise CheckInForeignError
        address = address_of(request)
        acting = application.acting_as(Actor(ActorKind.COMPUTER, known.name, address))
        told = acting.take_check_in(
            FarmId(said.farm),
            engine_messages.said(said, address),
            engine_messages.news(said),
            has_erased_itself=said.erased,
        )
        return engine_messages.signed_orders(told, application.farm_key)

    @router.get("/{computer}/signal", operation_id="signal")
    async def signal(
        computer: UUID, request: Request, generation: Annotated[int, Query(ge=0)] = 0
    ) -> wire.Signal:
        """Wait until there are newer orders than ``generation``, for up to a minute."""
        newest = await signals.wait(ComputerId(computer), generation, request)
        return wire.Signal(generation=newest)

    return router
