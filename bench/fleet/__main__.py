"""``python -m bench.fleet``: measure fleets of several sizes; write the figures and the page."""

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any

from demo.processes import wait_until

from bench import facts
from bench.fleet.engines import Fleet
from bench.fleet.farm import Farm, running_farm
from bench.fleet.page import write_page
from bench.summary import spread

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "bench"
RESULT = ROOT / "bench" / "results" / "fleet.json"
PAGE = ROOT / "docs" / "explanation" / "fleet-cost.md"
SIZES = (125, 250, 500, 1000)
_ROLLOUT_SECONDS = 1800.0
_PAUSE_SECONDS = 5.0


def main() -> None:
    """Measure 125 to 1,000 engines; with ``--quick`` one small fleet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    before = facts.load()
    sizes = [
        measure(computers, arguments.rounds) for computers in ((8,) if arguments.quick else SIZES)
    ]
    result = {
        "format": 1,
        "facts": facts.gather(ROOT),
        "load": {"before": before, "after": facts.load()},
        "rounds": arguments.rounds,
        "sizes": sizes,
        "ratio_largest_to_smallest": {
            name: sizes[-1][name]["median"] / sizes[0][name]["median"]
            for name in ("quiet_check_in_cpu_ms", "rollout_check_in_cpu_ms")
        },
    }
    output = BUILD / "fleet-quick.json" if arguments.quick else RESULT
    output.write_text(json.dumps(result, indent=1) + "\n")
    if not arguments.quick:
        write_page(PAGE, result)
    print(f"Written to {output.relative_to(ROOT)}.")


def measure(computers: int, rounds: int) -> dict[str, Any]:
    """Have so many engines register, check in, and get a new version in waves."""
    print(f"{computers} engines", flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="fleet-", dir=BUILD) as name,
        running_farm(Path(name)) as farm,
    ):
        empty = farm.memory_bytes()
        fleet = Fleet.of(farm.url, computers)
        code = farm.admit(computers)
        started = farm.cpu_seconds()
        fleet.register(code)
        registering = 1000 * (farm.cpu_seconds() - started) / computers
        # Told what to run, fetching it, running it: nothing is new to anybody from then on.
        settling = [_round(farm, fleet) for _ in range(3)]
        quiet = [_round(farm, fleet) for _ in range(rounds)]
        rolling = _roll_out(farm, fleet)
        return {
            "computers": computers,
            "register_cpu_ms": registering,
            "settling_check_in_cpu_ms": asdict(spread(settling)),
            "quiet_check_in_cpu_ms": asdict(spread(quiet)),
            "rollout_check_in_cpu_ms": asdict(spread(rolling)),
            "rollout_rounds": len(rolling),
            "memory_bytes": farm.memory_bytes(),
            "memory_empty_bytes": empty,
        }


def _round(farm: Farm, fleet: Fleet) -> float:
    """Give the milliseconds of the API's processor time for each check-in of a round."""
    before = farm.cpu_seconds()
    fleet.check_in()
    return 1000 * (farm.cpu_seconds() - before) / len(fleet.engines)


def _roll_out(farm: Farm, fleet: Fleet) -> list[float]:
    """Give the same of each round until every gate of a rollout has passed."""
    farm.roll_out()
    rounds: list[float] = []

    def is_complete() -> bool:
        begun = time.monotonic()
        rounds.append(_round(farm, fleet))
        is_over = farm.is_rolled_out()
        # Gates are looked at once a minute: in between, engines do not check in all the time.
        while not is_over and time.monotonic() < begun + _PAUSE_SECONDS:
            Event().wait(0.1)
        return is_over

    wait_until(is_complete, _ROLLOUT_SECONDS, "the rollout is not complete")
    return rounds


if __name__ == "__main__":
    main()
