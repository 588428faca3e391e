"""A line between two networks: slow, long, and it can be cut.

Each end is a network namespace with an interface whose packets come to this process, which holds
each as long as the line would, in the order in which they came. What a kernel is built with does
not matter, and what went over the line is known to the byte.
"""

import fcntl
import os
import select
import struct
import subprocess
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Final

FAR, NEAR = "10.77.0.1", "10.77.0.2"
"""The farm's end, and that of the site."""
_SET_INTERFACE: Final = 0x400454CA
_TUN_WITHOUT_HEADER: Final = 0x1001
_PACKET_BYTES: Final = 65_536
_TCP: Final = 6
_QUEUE_SECONDS: Final = 0.5
"""What a router would hold of a line that is full; what comes on top is lost."""
_LOOK_SECONDS: Final = 0.05


def run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def is_possible() -> bool:
    return os.geteuid() == 0 and os.access("/dev/net/tun", os.R_OK | os.W_OK)


@dataclass
class _Way:
    """What goes in one direction."""

    into: int
    free_at: float = 0.0
    held: deque[tuple[float, bytes]] = field(default_factory=deque)


class ThinLine:
    """Carries from when it is made until it is closed."""

    def __init__(self, bits_a_second: int, delay_seconds: float) -> None:
        self._seconds_a_byte = 8 / bits_a_second
        self._delay = delay_seconds
        name = f"cr{os.getpid() % 1_000_000}"
        self.farm, self.site = f"{name}-farm", f"{name}-site"
        self._lock = threading.Lock()
        self._is_cut = False
        self._is_closed = False
        self._cut_at: tuple[str, int, int] | None = None
        self._carried: Counter[tuple[str, int]] = Counter()
        far = self._end(self.farm, f"{name}a", FAR)
        near = self._end(self.site, f"{name}b", NEAR)
        self._ends = (far, near)
        self._ways = {far: _Way(near), near: _Way(far)}
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def within(self, namespace: str) -> tuple[str, ...]:
        """Give the words before a command that is to run at one end."""
        return ("ip", "netns", "exec", namespace)

    def cut(self) -> None:
        """Lose whatever is under way, and all that comes."""
        with self._lock:
            self._cut()

    def _cut(self) -> None:
        self._is_cut = True
        for way in self._ways.values():
            way.held.clear()

    def cut_after(self, address: str, port: int, count: int) -> None:
        """Be cut as soon as so many bytes have come over from a TCP port."""
        with self._lock:
            self._cut_at = (address, port, count)

    @property
    def is_cut(self) -> bool:
        """Whether it carries nothing."""
        return self._is_cut

    def mend(self) -> None:
        """Carry again."""
        with self._lock:
            self._is_cut = False
            self._cut_at = None

    def carried_from(self, address: str, port: int) -> int:
        """Give the bytes of packets that came over from a TCP port."""
        with self._lock:
            return self._carried[address, port]

    def close(self) -> None:
        """End it; whatever still runs at its ends has no network any more."""
        self._is_closed = True
        self._thread.join()
        for end in self._ends:
            os.close(end)
        for namespace in (self.farm, self.site):
            run("ip", "netns", "delete", namespace)

    @staticmethod
    def _end(namespace: str, name: str, address: str) -> int:
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(end, _SET_INTERFACE, struct.pack("16sH14x", name.encode(), _TUN_WITHOUT_HEADER))
        run("ip", "netns", "add", namespace)
        run("ip", "link", "set", name, "netns", namespace)
        inside = ("ip", "-n", namespace)
        run(*inside, "address", "add", f"{address}/30", "dev", name)
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "link", "set", name, "up")
        return end

    def _carry(self) -> None:
        while not self._is_closed:
            now = time.monotonic()
            with self._lock:
                heads = [way.held[0][0] for way in self._ways.values() if way.held]
            wait = min([_LOOK_SECONDS, *(max(0.0, head - now) for head in heads)])
            ready, _, _ = select.select(self._ends, (), (), wait)
            now = time.monotonic()
            with self._lock:
                for end in ready:
                    self._take(self._ways[end], os.read(end, _PACKET_BYTES), now)
                for way in self._ways.values():
                    while way.held and way.held[0][0] <= now:
                        self._give(way.into, way.held.popleft()[1])

    def _take(self, way: _Way, packet: bytes, now: float) -> None:
        begins = max(now, way.free_at)
        if self._is_cut or begins - now > _QUEUE_SECONDS:
            return
        way.free_at = begins + len(packet) * self._seconds_a_byte
        way.held.append((way.free_at + self._delay, packet))

    def _give(self, end: int, packet: bytes) -> None:
        os.write(end, packet)
        if packet[0] >> 4 == 4 and packet[9] == _TCP:
            source = ".".join(map(str, packet[12:16]))
            (port,) = struct.unpack_from(">H", packet, (packet[0] & 15) * 4)
            self._carried[source, port] += len(packet)
            wanted = self._cut_at
            if wanted is not None and self._carried[wanted[:2]] >= wanted[2]:
                self._cut()
