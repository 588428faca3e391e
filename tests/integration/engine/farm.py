"""A farm that speaks the wire, and nothing else of a farm: it signs, and remembers what it heard.

Chunks come from the real stream server over the real store.
"""

import base64
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from uuid import UUID

import corral_native as native
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from demo.processes import wait_until

from corral.farm.domain.access.ticket import Purpose, Ticket
from corral.farm.domain.image.root import RootHash
from corral.wire import engine as wire
from corral.wire.message import Message

FARM: Final = UUID("6d1f2f9e-6f0b-4d7e-8f4b-0d7f1f3a9c11")
COMPUTER: Final = UUID("0c8a9a7e-51f2-4c1d-9b5e-2f6f4f0e1d22")
CODE: Final = "ABCD-EFGH"
SOON: Final = datetime(2100, 1, 1, tzinfo=UTC)
SECONDS: Final = 300.0
_SIGNAL_SECONDS: Final = 2.0


@dataclass
class ChunkSource:
    """A server that gives chunks, and can be cut off."""

    store: native.Store
    public_key: bytes
    server: native.StreamServer | None = None
    address: str = "127.0.0.1:0"

    def start(self) -> None:
        self.server = native.StreamServer([], self.address, self.public_key)
        self.server.serve_store(self.store)
        chosen = self.server.chunk_address
        assert chosen is not None
        self.address = chosen

    def cut(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def sent_bytes(self) -> int:
        return 0 if self.server is None else self.server.counters()["chunk_sent_bytes"]


@dataclass
class SimulatedFarm:
    """Answers over HTTP on loopback."""

    folder: Path
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    machines: tuple[wire.MachineOrder, ...] = ()
    kit: wire.KitOrder | None = None
    epoch: int = 0
    generation: int = 1
    erases: bool = False
    rate: int | None = None
    not_yet: tuple[str, ...] = ()
    standing: wire.ComputerState = wire.ComputerState.REGISTERED
    computer_key: bytes = b""
    heard: list[wire.CheckIn] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self.store = native.Store.create(self.folder / "source", str(FARM))
        self.chunks = ChunkSource(self.store, self.public_key)
        self.chunks.start()
        self._api: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Answer."""
        farm = self

        class Handler(_Handler):
            simulated = farm

        self._api = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._port = self._api.server_address[1]
        threading.Thread(target=self._api.serve_forever, args=(0.05,), daemon=True).start()

    def cut(self) -> None:
        """Answer nobody: neither check-ins nor requests for chunks."""
        self.chunks.cut()
        if self._api is not None:
            self._api.shutdown()
            self._api.server_close()
            self._api = None

    def mend(self) -> None:
        """Answer again."""
        self.chunks.start()
        self.start()

    def publish(self, disk: Path) -> native.Imported:
        return self.store.import_raw(disk, native.Progress())

    def order(  # noqa: PLR0913 - an order has that many parts
        self,
        number: int,
        imported: native.Imported,
        *,
        mode: wire.MachineMode = wire.MachineMode.SHARED,
        attempt: int = 0,
        policy: wire.MachinePolicy | None = None,
        image: str = "debian",
        guest_tools: str | None = None,
    ) -> wire.MachineOrder:
        message = RootHash(imported.root).signed_message()
        return wire.MachineOrder(
            image=image,
            user="rboston",
            mode=mode,
            version=f"{image}/{number}",
            root=imported.root,
            signature=base64.b64encode(self.key.sign(message)).decode(),
            size_bytes=imported.size_bytes,
            attempt=attempt,
            guest_tools=guest_tools,
            policy=policy or wire.MachinePolicy(memory_mib=256, soak_seconds=1),
        )

    def kit_order(
        self, release: str, imported: native.Imported, *, attempt: int = 0
    ) -> wire.KitOrder:
        message = RootHash(imported.root).signed_message()
        return wire.KitOrder(
            kit=f"engine-{release}",
            release=release,
            root=imported.root,
            signature=base64.b64encode(self.key.sign(message)).decode(),
            size_bytes=imported.size_bytes,
            attempt=attempt,
        )

    def want_kit(self, kit: wire.KitOrder | None) -> None:
        """Order this release of the engine from now on."""
        self.change(lambda one: setattr(one, "kit", kit))

    def want(self, *machines: wire.MachineOrder) -> None:
        """Order these from now on."""
        with self._changed:
            self.machines = machines
            self.generation += 1
            self._changed.notify_all()

    def change(self, change: Callable[["SimulatedFarm"], None]) -> None:
        with self._changed:
            change(self)
            self.generation += 1
            self._changed.notify_all()

    def signed_orders(self) -> wire.SignedOrders:
        orders = wire.Orders(
            farm=FARM,
            computer=COMPUTER,
            epoch=self.epoch,
            generation=self.generation,
            issued_at=0,
            state=self.standing,
            erases=self.erases,
            api_urls=(self.url,),
            machines=self.machines,
            kit=self.kit,
            sources=(wire.Source(server="s1", url=self.chunks.url),),
            tickets=tuple(
                wire.RootTicket(root=one.root, ticket=self._ticket())
                for one in (*self.machines, *(() if self.kit is None else (self.kit,)))
            ),
            not_yet=self.not_yet,
            rate=self.rate,
            check_in_seconds=30,
        )
        text = orders.model_dump_json()
        signature = self.key.sign(wire.orders_message(text))
        return wire.SignedOrders(orders=text, signature=base64.b64encode(signature).decode())

    def _ticket(self) -> str:
        ticket = Ticket(Purpose.REPLICATE, COMPUTER, SOON)
        return ticket.sealed(self.key.sign(ticket.message()))

    def register(self, signed: wire.SignedRegistration) -> wire.RegistrationAnswer | str:
        asked = wire.Registration.model_validate_json(signed.registration)
        key = base64.b64decode(asked.public_key)
        message = wire.registration_message(signed.registration)
        if not _is_signed(key, message, signed.signature):
            return "signature-wrong"
        if asked.code != CODE:
            return "code-unknown"
        self.computer_key = key
        return wire.RegistrationAnswer(
            computer=COMPUTER,
            name=asked.name,
            state=self.standing,
            farm=FARM,
            farm_name="north",
            farm_public_key=base64.b64encode(self.public_key).decode(),
            api_urls=(self.url,),
        )

    def check_in(self, signed: wire.SignedCheckIn) -> wire.SignedOrders | str:
        message = wire.check_in_message(signed.check_in)
        if not _is_signed(self.computer_key, message, signed.signature):
            return "signature-wrong"
        said = wire.CheckIn.model_validate_json(signed.check_in)
        with self._changed:
            if self.heard and said.sequence <= self.heard[-1].sequence:
                return "check-in-played-again"
            self.heard.append(said)
            self._changed.notify_all()
            return self.signed_orders()

    def signal(self, generation: int) -> wire.Signal:
        with self._changed:
            self._changed.wait_for(lambda: self.generation > generation, _SIGNAL_SECONDS)
            return wire.Signal(generation=self.generation)

    def wait_until(self, condition: Callable[[wire.CheckIn], bool], otherwise: str) -> wire.CheckIn:
        """Wait for a check-in that says something, among those that were and those to come."""
        start = len(self.heard)
        found: list[wire.CheckIn] = []

        def is_so() -> bool:
            found.extend(one for one in self.heard[max(start - 1, 0) :] if condition(one))
            return bool(found)

        wait_until(is_so, SECONDS, f"{otherwise}; last heard: {self.last()}")
        return found[0]

    def last(self) -> str:
        return self.heard[-1].model_dump_json(indent=1) if self.heard else "nothing"


class _Handler(BaseHTTPRequestHandler):
    simulated: SimulatedFarm
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        # Whoever asked may be killed meanwhile.
        with suppress(ConnectionError):
            super().handle()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        answer: object
        if self.path == "/v1/computers/register":
            answer = self.simulated.register(wire.SignedRegistration.model_validate_json(body))
        else:
            assert self.path == f"/v1/computers/{COMPUTER}/check-in", self.path
            answer = self.simulated.check_in(wire.SignedCheckIn.model_validate_json(body))
        self._answer(answer)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        assert path == f"/v1/computers/{COMPUTER}/signal", path
        self._answer(self.simulated.signal(int(query.removeprefix("generation="))))

    def _answer(self, answer: object) -> None:
        if isinstance(answer, str):
            text = json.dumps(
                {
                    "type": f"urn:corral:problem:{answer}",
                    "title": "Refused",
                    "status": 403,
                    "code": answer,
                    "detail": answer,
                }
            )
            self.send_response(403)
        else:
            assert isinstance(answer, Message)
            text = answer.model_dump_json()
            self.send_response(200)
        content = text.encode()
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def _is_signed(key: bytes, message: bytes, signature: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True
