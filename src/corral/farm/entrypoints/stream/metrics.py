"""What Prometheus reads of a stream process: the stream server's own counters and latencies."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import corral_native as native
    from prometheus_client.core import Metric

    from corral.wire.server import ScrubReport

CONTENT_TYPE: Final = exposition.CONTENT_TYPE_LATEST
_GAUGES: Final = frozenset({"sessions", "most_handshakes", "relay_computers", "relay_undelivered"})


class StreamMetrics(Collector):
    """Reads the Rust server's counters whenever it is asked."""

    def __init__(
        self,
        server: native.StreamServer,
        scrub: Callable[[], ScrubReport | None],
        counters: Callable[[], Mapping[str, int]] | None = None,
    ) -> None:
        """Read ``server``; ``counters`` gives more than those of its own."""
        self._server = server
        self._counters = counters or server.counters
        self._scrub = scrub
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Give all of them in Prometheus's text format."""
        return exposition.generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Give the figures of now."""
        see = "See the reference of counters."
        for name, value in sorted(self._counters().items()):
            kind = GaugeMetricFamily if name in _GAUGES else CounterMetricFamily
            yield kind(f"corral_stream_{name}", see, value=float(value))
        yield GaugeMetricFamily(
            "corral_stream_draining",
            "Whether it lets nobody in any more.",
            value=float(self._server.is_draining),
        )
        yield from _of_scrub(self._scrub())
        latency = self._server.latency()
        counts = accumulate(count for _, count in latency)
        buckets = [
            ("+Inf" if math.isinf(bound) else f"{bound:g}", float(count))
            for (bound, _), count in zip(latency, counts, strict=True)
        ]
        if buckets:
            yield HistogramMetricFamily(
                "corral_stream_read_seconds",
                "From a read's arrival to its answer.",
                buckets=buckets,
                sum_value=None,
            )


def _of_scrub(scrub: ScrubReport | None) -> Iterable[Metric]:
    if scrub is None:
        return
    see = "See the reference of counters."
    for name, value in (
        ("checked_bytes", scrub.checked_bytes),
        ("damaged_chunks", scrub.damaged_chunks),
        ("healed_chunks", scrub.healed_chunks),
    ):
        yield CounterMetricFamily(f"corral_stream_scrub_{name}", see, value=float(value))
    unhealed = float(scrub.unhealed_chunks)
    yield GaugeMetricFamily("corral_stream_scrub_unhealed_chunks", see, value=unhealed)
