"""What Prometheus reads of an API process: its requests, and the farm as it knows it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Final

from fastapi import APIRouter, Response
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from corral.farm.application.show_status import FarmStatus
from corral.farm.domain.access.permission import Permission
from corral.farm.domain.estate.scrub import SeenScrub
from corral.farm.domain.estate.server import ServerState
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.entrypoints.http.application import Application
from corral.farm.entrypoints.http.logins import DATABASE_AWAY, Logins
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.signals import Signals

_FREE: Final = "Free space of the file system under a server's store, as it last said."


def routes(registry: CollectorRegistry) -> APIRouter:
    """Give the route."""
    router = APIRouter(tags=["metrics"])

    @router.get("/metrics", operation_id="read_metrics", response_class=Response)
    def metrics(_caller: Annotated[Caller, permitted(Permission.STATUS_READ)]) -> Response:
        """Give the metrics of this process and of the farm, in Prometheus's text format."""
        return Response(
            exposition.generate_latest(registry), media_type=exposition.CONTENT_TYPE_LATEST
        )

    return router


class FarmCollector(Collector):
    """Looks at the farm whenever it is asked; without its database it says only that."""

    def __init__(
        self, application: Application, logins: Logins | None, signals: Signals | None = None
    ) -> None:
        self._application = application
        self._logins = logins
        self._signals = signals

    def collect(self) -> Iterable[Metric]:
        """Give the gauges of now."""
        is_away = self._logins is not None and self._logins.is_database_away
        farm: list[Metric] = []
        if not is_away:
            try:
                farm = list(self._farm())
            except DATABASE_AWAY:
                is_away = True
        yield _gauge("corral_database_up", "Whether the farm's database answers.", not is_away)
        taken_at = None if self._logins is None else self._logins.kept.taken_at
        if taken_at is not None:
            text = "When the snapshot of logins was taken, in seconds since 1970."
            yield _gauge("corral_logins_taken_at_seconds", text, taken_at.timestamp())
        if self._signals is not None:
            text = "Engines that wait at this process for a signal."
            yield _gauge("corral_engines_waiting", text, self._signals.count)
        yield from farm

    def _farm(self) -> Iterator[Metric]:
        status = self._application.show_status()
        yield _gauge("corral_farm_generation", "Rises with each change.", status.farm.generation)
        states = Counter(line.state for line in status.servers)
        yield _labelled("corral_servers", "Servers by state.", "state", states, ServerState)
        for name, text, value in (
            ("corral_server_up", "Whether a server has reported in the last seconds.", "up"),
            ("corral_server_draining", "Whether a server drains.", "draining"),
            ("corral_server_sessions", "Streams of a server.", "sessions"),
        ):
            family = GaugeMetricFamily(name, text, labels=("server",))
            for line in status.servers:
                figures = {
                    "up": line.state is ServerState.ONLINE,
                    "draining": line.server.draining,
                    "sessions": line.session_count,
                }
                family.add_metric((line.server.name,), float(figures[value]))
            yield family
        free = GaugeMetricFamily("corral_store_free_bytes", _FREE, labels=("server",))
        for line in status.servers:
            report = line.server.last_report
            if report is not None and report.free_bytes is not None:
                free.add_metric((line.server.name,), float(report.free_bytes))
        yield free
        yield from _scrubs(status)
        replicas = Counter(
            held.replica.state for view in self._application.list_servers() for held in view.held
        )
        yield _labelled("corral_replicas", "Replicas by state.", "state", replicas, ReplicaState)
        yield _gauge(
            "corral_device_warnings",
            "Devices whose write cache is nearly full or not as configured, or whose disk on a"
            " server has a problem.",
            len(status.warnings),
        )
        summary = self._application.show_farm()
        yield _gauge("corral_devices", "Devices that the farm knows.", summary.devices)
        yield _gauge("corral_images", "Images that the farm has.", summary.images)


def _scrubs(status: FarmStatus) -> Iterator[Metric]:
    """Give what servers last said of their scrubs. The figures of a store go on with its folder."""
    seen = [
        (line.server.name, line.server.last_report.scrub)
        for line in status.servers
        if line.server.last_report is not None and line.server.last_report.scrub is not None
    ]
    for name, text, read in _OF_SCRUBS:
        is_counter = name.endswith("_total")
        family = (CounterMetricFamily if is_counter else GaugeMetricFamily)(
            name.removesuffix("_total"), text, labels=("server",)
        )
        for server, scrub in seen:
            value = read(scrub)
            if value is not None:
                family.add_metric((server,), float(value))
        yield family


def _last_pass(scrub: SeenScrub) -> float | None:
    ended = None if scrub.last is None else scrub.last.finished_at
    return None if ended is None else ended.timestamp()


_OF_SCRUBS: Final[tuple[tuple[str, str, Callable[[SeenScrub], float | None]], ...]] = (
    (
        "corral_scrub_checked_bytes_total",
        "Bytes that scrubs of a server's store have read.",
        lambda scrub: scrub.checked_bytes,
    ),
    (
        "corral_scrub_damaged_chunks_total",
        "Chunks of a server's store that scrubs have found damaged or gone.",
        lambda scrub: scrub.damaged_chunks,
    ),
    (
        "corral_scrub_healed_chunks_total",
        "Those of them that were made good.",
        lambda scrub: scrub.healed_chunks,
    ),
    (
        "corral_scrub_unhealed_chunks",
        "Chunks that a version needs and no server could give.",
        lambda scrub: scrub.unhealed_chunks,
    ),
    (
        "corral_scrub_last_pass_seconds",
        "When the last full reading of a server's store ended, in seconds since 1970.",
        _last_pass,
    ),
)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))


def _labelled(
    name: str,
    text: str,
    label: str,
    counts: Counter[ServerState] | Counter[ReplicaState],
    every: Iterable[ServerState] | Iterable[ReplicaState],
) -> GaugeMetricFamily:
    """Every state is there, also with 0: an alert on one that never was would never fire."""
    family = GaugeMetricFamily(name, text, labels=(label,))
    for state in every:
        family.add_metric((state.value,), float(counts[state]))  # type: ignore[index] # same kind
    return family
