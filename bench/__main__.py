"""``python -m bench``: measure, then write the figures and the page."""

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import facts, first_read, store
from bench.disturbance import TOLERATED_SHARE, Patience
from bench.image import make_image
from bench.page import write_page
from bench.run import compare_generators, measure_fresh, measure_running
from bench.servers import corral, nbdkit, nbdkit_null, qemu_nbd
from bench.summary import summarise
from bench.work import build_load_generator, idle_memory, random_read, sequential_read

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build" / "bench"
RESULT = ROOT / "bench" / "results" / "latest.json"
PAGE = ROOT / "docs" / "explanation" / "performance.md"


def main() -> None:
    """Run everything: a few minutes by default, some seconds with ``--quick``."""
    arguments = _arguments()
    # So that servers and files are cleared away however the run ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended before it was done"))
    started = time.perf_counter()
    result = measure(arguments)
    result["took_seconds"] = time.perf_counter() - started
    output = BUILD / "quick.json" if arguments.quick else RESULT
    output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    if not arguments.quick:
        write_page(PAGE, result)
    for name, told in result["work"].items():
        print(f"{name:20} {told['ratio_to_best_peer']:.2f} x the best peer")
    print(f"Written to {output.relative_to(ROOT)} after {result['took_seconds']:.0f} s.")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Carry out the whole run and return what is kept of it."""
    load = build_load_generator(ROOT, arguments.seconds)
    image = make_image(BUILD, arguments.image_mib)
    size = image.stat().st_size
    before = facts.load()
    with tempfile.TemporaryDirectory(prefix="run-", dir=BUILD) as name:
        folder = Path(name)
        stored = store.measure(image, folder)
        first = first_read.measure(stored.path, store.FARM, stored.root, folder)
        idle_server = nbdkit_null(size, folder)
        generators = compare_generators(idle_server, load)
        candidates = [
            nbdkit(image, folder),
            *qemu_nbd(image, folder),
            corral(stored.path, stored.root, folder),
        ]
        works = [
            sequential_read(size, 1),
            sequential_read(size, 8),
            random_read(load, 1, 1),
            random_read(load, 1, 64),
            random_read(load, 8, 64),
        ]
        also = [random_read(load, 1, 64, batched=False), random_read(load, 8, 64, batched=False)]
        patience = Patience(arguments.patience)
        collected = [
            *measure_running(
                [*works, *also], [*candidates, idle_server], arguments.rounds, patience
            ),
            measure_fresh(idle_memory(arguments.idle_connections), candidates, arguments.rounds),
        ]
    summaries = {one.work.name: summarise(one.work, one.samples) for one in collected}
    also_names = [work.name for work in also]
    return {
        "format": 1,
        "facts": facts.gather(ROOT),
        "settings": {
            "rounds": arguments.rounds,
            "seconds_of_each_random_read": arguments.seconds,
            "image_bytes": size,
            "servers": {one.name: one.settings for one in [*candidates, idle_server]},
            "patience_seconds": arguments.patience,
            "tolerated_disturbance": TOLERATED_SHARE,
        },
        "machine_load": {"before": before, "after": facts.load()},
        "generators_against_nbdkit_null": generators,
        "work": {name: told for name, told in summaries.items() if name not in also_names},
        "also": {name: summaries[name] for name in also_names},
        "first_read": first,
        "store": stored.figures,
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="one short round, kept in build/: does it still run?"
    )
    parser.add_argument("--rounds", type=int, help="how often each server is measured (5)")
    parser.add_argument("--seconds", type=float, help="length of each random read (0.5)")
    parser.add_argument("--image-mib", type=int, help="size of the image in MiB (1024)")
    parser.add_argument(
        "--patience", type=float, help="seconds for measuring again what others disturbed (30)"
    )
    parser.add_argument("--idle-connections", type=int, help="how many are held idle (500)")
    arguments = parser.parse_args()
    names = ("rounds", "seconds", "image_mib", "patience", "idle_connections")
    defaults = (1, 0.3, 64, 0, 50) if arguments.quick else (5, 0.5, 1024, 30, 500)
    for name, default in zip(names, defaults, strict=True):
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
    return arguments


if __name__ == "__main__":
    main()
