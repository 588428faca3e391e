"""A stream server with the image imported, published and offered, on every kind of listener."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import corral_native
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.e2e.interop.disk import Disk

EXPORT = "debian/1"
_FARM = "6f1c9f0e-5f0b-4c0e-9a53-0f6f3f5d9b11"


@dataclass(frozen=True)
class Served:
    """Where the image can be read."""

    root: str
    socket: Path
    address: str
    address_with_tickets: str
    key: Ed25519PrivateKey
    server: corral_native.StreamServer

    def uri(self, transport: str, export: str = EXPORT) -> str:
        """The NBD URI over ``unix``, ``tcp``, or ``ticket``: TCP where logins need a ticket."""
        export = quote(export)
        if transport == "unix":
            return f"nbd+unix:///{export}?socket={self.socket}"
        address = self.address if transport == "tcp" else self.address_with_tickets
        return f"nbd://{address}/{export}"


@contextmanager
def serve(disk: Disk, folder: Path) -> Iterator[Served]:
    """Import the image into a store of its own and serve it until the block ends.

    Nothing is made ready beforehand: the first client of each chunk has it checked, or fetched from
    its pack, as after the start of a real server.
    """
    store = corral_native.Store.create(folder / "store", _FARM)
    imported = store.import_raw(disk.path, corral_native.Progress())
    version = store.serve(imported.root, corral_native.Peers())
    key = Ed25519PrivateKey.generate()
    socket = folder / "stream.sock"
    listeners = [(f"unix:{socket}", "open"), ("127.0.0.1:0", "open"), ("127.0.0.1:0", "ticket")]
    server = corral_native.StreamServer(listeners, None, key.public_key().public_bytes_raw())
    server.apply([(EXPORT, version)])
    _, address, address_with_tickets = server.addresses
    try:
        yield Served(imported.root, socket, address, address_with_tickets, key, server)
    finally:
        server.stop()
