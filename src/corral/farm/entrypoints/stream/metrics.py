"""What Prometheus reads of a stream process: the stream server's own counters and latencies."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable

    import corral_native as native
    from prometheus_client.core import Metric

CONTENT_TYPE: Final = exposition.CONTENT_TYPE_LATEST
_GAUGES: Final = frozenset({"sessions"})


class StreamMetrics(Collector):
    """Reads the Rust server's counters whenever it is asked."""

    def __init__(self, server: native.StreamServer) -> None:
        self._server = server
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Give all of them in Prometheus's text format."""
        return exposition.generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Give the figures of now."""
        see = "See the reference of counters."
        for name, value in sorted(self._server.counters().items()):
            kind = GaugeMetricFamily if name in _GAUGES else CounterMetricFamily
            yield kind(f"corral_stream_{name}", see, value=float(value))
        yield GaugeMetricFamily(
            "corral_stream_draining",
            "Whether it lets nobody in any more.",
            value=float(self._server.is_draining),
        )
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
