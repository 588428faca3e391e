"""The benchmark still runs. What it finds is not judged: this machine may be doing anything."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = [
    "seq_read_1conn",
    "seq_read_8conn",
    "rand4k_qd1_1conn",
    "rand4k_qd64_1conn",
    "rand4k_qd64_8conn",
    "idle_conn_memory",
]


def test_a_quick_run_measures_fleets_until_a_version_is_everywhere() -> None:
    subprocess.run([sys.executable, "-m", "bench.fleet", "--quick"], check=True, cwd=ROOT)
    told = json.loads((ROOT / "build/bench/fleet-quick.json").read_text())
    assert [one["computers"] for one in told["sizes"]] == [8]
    assert all(one["quiet_check_in_cpu_ms"]["median"] > 0 for one in told["sizes"])


def test_a_quick_run_measures_every_work_on_every_server() -> None:
    subprocess.run([sys.executable, "-m", "bench", "--quick"], check=True, cwd=ROOT)
    work = json.loads((ROOT / "build/bench/quick.json").read_text())["work"]
    assert list(work) == NAMES
    for told in work.values():
        assert told["ratio_to_best_peer"] > 0
        assert list(told["transports"]) == ["unix", "tcp"]
        for transport in told["transports"].values():
            assert {"corral", "nbdkit", "qemu-nbd"} <= set(transport["servers"])
            assert all(server["median"] > 0 for server in transport["servers"].values())
