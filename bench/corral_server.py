"""Corral's stream server in a process of its own, as the stream process of a farm holds it.

Prints one line once it serves: a JSON object with ``address`` and ``export``. Runs until SIGTERM.
"""

import json
import signal
import sys
from pathlib import Path

import corral_native

from bench.process import Transport

EXPORT = "bench/1"


def main() -> None:
    """Serve the version with this root hash from that store; every chunk of it is checked first."""
    store_folder, root, transport, folder = sys.argv[1:]
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    farm = json.loads((Path(store_folder) / "store.json").read_text())["farm"]
    store = corral_native.Store.open(store_folder, farm)
    version = store.serve(root, corral_native.Peers())
    version.materialise(corral_native.Progress())
    address = "127.0.0.1:0" if transport == Transport.TCP else f"unix:{folder}/corral.sock"
    # Open listeners take no ticket, so there is nothing for the farm's key to check.
    server = corral_native.StreamServer([(address, "open")], None, bytes(32))
    server.apply([(EXPORT, version)])
    (listening,) = server.addresses
    told = {"address": listening.removeprefix("unix:"), "export": EXPORT}
    print(json.dumps(told), flush=True)
    signal.sigwait({signal.SIGTERM})
    server.stop()


if __name__ == "__main__":
    main()
