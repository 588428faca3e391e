"""The API as an ASGI application."""

import time
from collections.abc import Callable
from http import HTTPStatus
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry

from corral.farm.domain.access.token import TokenDigest
from corral.farm.entrypoints.http import (
    accounts,
    audit,
    backups,
    balance,
    balance_rules,
    collections,
    computers,
    device_verbs,
    devices,
    difference,
    engines,
    estate_devices,
    estate_servers,
    farm,
    images,
    kit_computers,
    library,
    lists,
    metrics,
    replication,
    republishing,
    rollouts,
    schema,
    scrubs,
    server_verbs,
    servers,
    sign_in,
    sites,
    stores,
    task_rules,
    tasks,
    upgrades,
    users,
    version_verbs,
)
from corral.farm.entrypoints.http.admission import Admission, Limits
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.logins import DATABASE_AWAY, Logins
from corral.farm.entrypoints.http.metrics import FarmCollector
from corral.farm.entrypoints.http.permitted import Gate, OpenTo, open_to, serve_declared
from corral.farm.entrypoints.http.problems import MEDIA_TYPE, answer_with_problems
from corral.farm.entrypoints.http.signals import Signals
from corral.farm.entrypoints.http.tracing import Tracing
from corral.wire.listing import Health
from corral.wire.problem import Problem

_UNHAPPY = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.PRECONDITION_FAILED,
    HTTPStatus.PRECONDITION_REQUIRED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def create_app(
    application: Application,
    reader: TokenDigest,
    limits: Limits | None = None,
    logins: Logins | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> FastAPI:
    """Wire the API to the application.

    ``reader`` is the digest of the key that opens what readers may see; ``logins`` keeps devices
    starting while the database is away. No page that loads scripts from elsewhere is served. The
    description is at ``/openapi.json``.
    """
    app = FastAPI(
        title="Corral",
        summary="Devices log in, servers are configured, people's tools read.",
        version="1",
        docs_url=None,
        redoc_url=None,
        responses={
            int(status): {
                "model": Problem,
                "content": {MEDIA_TYPE: {}},
                "description": status.phrase,
            }
            for status in _UNHAPPY
        },
    )
    answer_with_problems(app)
    limits = limits or Limits()
    signals = Signals(application, limits.signals)
    app.state.signals = signals
    registry = CollectorRegistry()
    registry.register(FarmCollector(application, logins, signals))
    serve_declared(
        app,
        Gate(application, reader),
        (
            devices.routes(application, logins),
            servers.routes(application, logins, reader),
            lists.routes(),
            images.routes(),
            images.cache_routes(),
            republishing.routes(),
            sites.routes(),
            collections.routes(),
            users.user_routes(),
            users.user_group_routes(),
            users.assignment_routes(),
            engines.routes(application, signals),
            computers.routes(),
            computers.code_routes(),
            stores.routes(),
            scrubs.routes(),
            estate_servers.routes(),
            estate_devices.routes(),
            sign_in.routes(application),
            accounts.account_routes(),
            accounts.group_routes(),
            accounts.role_routes(),
            accounts.token_routes(),
            audit.routes(),
            backups.routes(),
            library.folder_routes(),
            library.routes(),
            library.publisher_routes(),
            kit_computers.kit_routes(),
            kit_computers.computer_routes(),
            rollouts.routes(),
            tasks.routes(),
            tasks.wish_routes(),
            tasks.schedule_routes(),
            task_rules.routes(),
            farm.routes(),
            difference.routes(),
            version_verbs.routes(),
            server_verbs.routes(),
            device_verbs.routes(),
            balance.check_routes(),
            upgrades.routes(),
            schema.routes(),
            balance.server_routes(),
            balance.site_routes(),
            balance_rules.rule_routes(),
            balance_rules.affinity_routes(),
            _health(application, logins),
            metrics.routes(registry),
            replication.routes(),
        ),
    )
    app.add_middleware(Admission, limits=limits, monotonic=monotonic)
    app.add_middleware(Tracing, registry=registry)
    return app


def _health(application: Application, logins: Logins | None) -> APIRouter:
    router = APIRouter(prefix="/v1/health", tags=["health"])

    @router.get("", operation_id="health", dependencies=[open_to(OpenTo.EVERYBODY)])
    def health() -> Health:
        """Say that the API is up, and whether it reaches its database. Asks for no token."""
        release = version("corral")
        if logins is None:
            farm = application.show_farm().farm
        elif logins.is_database_away:
            return logins.health(release)
        else:
            try:
                with logins.watching():
                    farm = application.show_farm().farm
            except DATABASE_AWAY:
                return logins.health(release)
        return Health(release=release, farm=farm.id, generation=farm.generation)

    return router
