"""From samples to the figures that are kept. Pure: no file, no clock, no process."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.servers import CORRAL, DOES_NOTHING
from bench.work import Sample, Work

Samples = Mapping[str, Sequence[Sample]]
"""For each server, its samples in the order of the rounds."""


@dataclass(frozen=True)
class Spread:
    """A median and how far the runs lay around it."""

    median: float
    min: float
    q1: float
    q3: float
    max: float


def spread(values: Sequence[float]) -> Spread:
    """Summarise the runs of one server."""
    if len(values) == 1:
        (only,) = values
        return Spread(only, only, only, only, only)
    q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(median, min(values), q1, q3, max(values))


def summarise(work: Work, by_transport: Mapping[str, Samples]) -> dict[str, Any]:
    """Everything that is kept of one work.

    The headline ``ratio_to_best_peer`` is the worse one of the transports: Corral is as fast as the
    fastest peer only if it is so on both.
    """
    transports = {
        transport: _one_transport(work, samples) for transport, samples in by_transport.items()
    }
    ratios = [told["ratio_to_best_peer"] for told in transports.values()]
    return {
        "says": work.says,
        "unit": work.unit,
        "cpu_unit": work.cpu_unit,
        "higher_is_better": work.higher_is_better,
        "ratio_to_best_peer": min(ratios),
        "transports": transports,
    }


def _one_transport(work: Work, samples: Samples) -> dict[str, Any]:
    choose = max if work.higher_is_better else min
    settings = {name: _one_server(runs) for name, runs in samples.items()}
    servers: dict[str, dict[str, Any]] = {}
    for program in dict.fromkeys(map(program_of, settings)):
        own = [name for name in settings if program_of(name) == program]
        fastest = choose(own, key=lambda name: settings[name]["median"])
        servers[program] = {"setting": fastest, **settings.pop(fastest)}
    peers = [name for name in servers if name not in {CORRAL, DOES_NOTHING}]
    best = choose(peers, key=lambda name: servers[name]["median"])
    best_runs = samples[servers[best]["setting"]]
    told: dict[str, Any] = {
        "servers": servers,
        "other_settings": settings,
        "best_peer": best,
        "ratio_to_best_peer": _ratio(work, servers[CORRAL]["median"], servers[best]["median"]),
        # Neighbours in time: the ratio that suffers least from a machine with other work.
        "ratio_of_each_round": asdict(
            spread(
                [
                    _ratio(work, ours.value, theirs.value)
                    for ours, theirs in zip(samples[CORRAL], best_runs, strict=True)
                ]
            )
        ),
    }
    if work.cpu_unit is not None:
        cheapest = min(servers[name]["cpu"]["median"] for name in peers)
        told["cpu_ratio_to_best_peer"] = cheapest / servers[CORRAL]["cpu"]["median"]
    return told


def program_of(server: str) -> str:
    """Take the setting that a program was run with off its name."""
    return server.partition(" ")[0]


def _one_server(runs: Sequence[Sample]) -> dict[str, Any]:
    told: dict[str, Any] = asdict(spread([run.value for run in runs]))
    told["runs"] = [run.value for run in runs]
    for key, values in (
        ("cpu", [run.cpu_seconds for run in runs]),
        ("p50_us", [run.p50_us for run in runs]),
        ("p99_us", [run.p99_us for run in runs]),
        ("threads", [run.threads for run in runs]),
        ("disturbance", [run.disturbance for run in runs]),
    ):
        known = [value for value in values if value is not None]
        if known:
            told[key] = asdict(spread(known))
    return told


def _ratio(work: Work, ours: float, theirs: float) -> float:
    """Above 1 where Corral is better."""
    return ours / theirs if work.higher_is_better else theirs / ours
