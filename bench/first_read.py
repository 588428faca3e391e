"""What the first read of a chunk costs, which the comparison with the peers leaves out.

In order, on one store: nothing is in the flat file yet, so that every chunk comes from its pack;
then, as after a restart of the server, all is there but nothing is checked; then all is checked.
"""

import subprocess
import time
from pathlib import Path

import corral_native

from bench.image import MEBIBYTE
from bench.process import Endpoint, Transport

_EXPORT = "bench/1"


def measure(store: Path, farm: str, root: str, folder: Path) -> dict[str, dict[str, float]]:
    """Read the version once in each state, over one connection on a unix socket."""
    from_packs = _read(corral_native.Store.open(store, farm).serve(root, _NO_PEERS), folder)
    restarted = corral_native.Store.open(store, farm).serve(root, _NO_PEERS)
    return {
        "first_read_from_packs": from_packs,
        "first_read_after_start": _read(restarted, folder),
        "second_read": _read(restarted, folder),
    }


_NO_PEERS = corral_native.Peers()


def _read(version: corral_native.ServedVersion, folder: Path) -> dict[str, float]:
    endpoint = Endpoint(Transport.UNIX, str(folder / "first.sock"), _EXPORT)
    # Open listeners take no ticket, so there is nothing for the farm's key to check.
    server = corral_native.StreamServer([(f"unix:{endpoint.address}", "open")], None, bytes(32))
    server.apply([(_EXPORT, version)])
    start, cpu = time.perf_counter(), time.process_time()
    subprocess.run(["nbdcopy", "--connections=1", endpoint.uri, "null:"], check=True)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    server.stop()
    mebibytes = version.size_bytes / MEBIBYTE
    return {"mib_per_second": mebibytes / seconds, "cpu_seconds_per_gib": cpu * 1024 / mebibytes}
