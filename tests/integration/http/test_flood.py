"""One address floods the API on a real socket; devices elsewhere log in all the same."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx

from corral.farm.domain.access.password import Password, PasswordDigest
from corral.farm.entrypoints.http.admission import Limits
from corral.farm.entrypoints.http.connections import FewConnections
from tests.integration.http.conftest import SmallFarm, bearer, served

FLOODER = "127.0.0.2"
LOGIN = "/v1/devices/pc1/login"
PLENTY = 1_000_000
SECONDS = 60.0


class Flood:
    """Threads that log in as fast as they are answered, until they are told to stop."""

    def __init__(self, url: str, headers: dict[str, str], threads: int) -> None:
        self.statuses: Counter[int] = Counter()
        self.has_begun = threading.Barrier(threads + 1)
        self._url, self._headers = url, headers
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    @contextmanager
    def going_on(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            self.has_begun.wait(SECONDS)
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join(SECONDS)

    def _run(self) -> None:
        transport = httpx.HTTPTransport(local_address=FLOODER)
        with httpx.Client(base_url=self._url, transport=transport, timeout=SECONDS) as client:
            is_first = True
            while not self._stop.is_set():
                with suppress(httpx.TransportError):
                    answer = client.post(LOGIN, headers=self._headers)
                    self.statuses[answer.status_code] += 1
                if is_first:
                    is_first = False
                    self.has_begun.wait(SECONDS)


def test_a_flood_from_one_address_does_not_keep_a_device_elsewhere_waiting(
    farm: SmallFarm,
) -> None:
    farm.report_in()
    limits = Limits(
        logins_at_once=1,
        logins_waiting_of_one=4,
        logins_in_a_burst=PLENTY,
        logins_per_second=PLENTY,
        login_seconds=SECONDS,
    )
    with served(farm, limits) as api:
        flood = Flood(str(api.base_url), bearer(farm.device_key), threads=12)
        with flood.going_on():
            mine = [api.post(LOGIN, headers=bearer(farm.device_key)) for _ in range(30)]
        assert [answer.status_code for answer in mine] == [200] * 30
        # It was a flood: more came than there was room for, and that was bounded.
        assert flood.statuses[503] > 0
        assert api.post(LOGIN, headers=bearer(farm.device_key)).status_code == 200


def test_an_address_beyond_its_rate_is_told_so_and_others_are_served(farm: SmallFarm) -> None:
    farm.report_in()
    with served(farm, Limits(logins_in_a_burst=5, logins_per_second=0.001)) as api:
        flood = Flood(str(api.base_url), bearer(farm.device_key), threads=4)
        with flood.going_on():
            mine = [api.post(LOGIN, headers=bearer(farm.device_key)) for _ in range(5)]
        assert [answer.status_code for answer in mine] == [200] * 5
        assert flood.statuses[200] <= 5
        assert flood.statuses[429] > 0


class Stuck:
    """Passwords that take for ever to hash, until they are let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.busy = threading.Semaphore(0)

    def digest(self, password: Password) -> PasswordDigest:
        return PasswordDigest(password.reveal())

    def match(self, digest: PasswordDigest | None, password: Password) -> bool:
        del digest, password
        self.busy.release()
        self.go.wait(SECONDS)
        return False


def test_devices_do_not_wait_for_people_who_guess(farm: SmallFarm) -> None:
    farm.report_in()
    passwords = Stuck()
    farm.ports.passwords = passwords

    def guess(url: str, name: int) -> None:
        body = {"account": f"nobody{name}", "password": "whatever it may be"}
        httpx.post(f"{url}/v1/sign-in", json=body, timeout=SECONDS)

    with served(farm, Limits(logins_at_once=2, sign_ins_at_once=2)) as api:
        url = str(api.base_url)
        guesses = [threading.Thread(target=guess, args=(url, name)) for name in range(6)]
        for one in guesses:
            one.start()
        try:
            assert passwords.busy.acquire(timeout=SECONDS)
            assert passwords.busy.acquire(timeout=SECONDS)
            for _ in range(3):
                assert api.post(LOGIN, headers=bearer(farm.device_key)).status_code == 200
        finally:
            passwords.go.set()
            for one in guesses:
                one.join(SECONDS)


def test_connections_of_one_address_leave_room_for_those_of_others(farm: SmallFarm) -> None:
    class Two(FewConnections):
        of_one_address = 2

    with served(farm, protocol=Two) as api:
        url = api.base_url
        held = []
        try:
            for _ in range(5):
                place = (url.host, url.port or 0)
                held.append(socket.create_connection(place, SECONDS, (FLOODER, 0)))
            request = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n"
            answers = [answer_of(one, request) for one in held]
            assert sorted(bool(answer) for answer in answers) == [False, False, False, True, True]
            assert api.get("/v1/health").status_code == 200
        finally:
            for one in held:
                one.close()


def answer_of(connection: socket.socket, request: bytes) -> bytes:
    try:
        connection.sendall(request)
        return connection.recv(12)
    except OSError:
        return b""


def test_a_login_that_anybody_may_send_is_small(farm: SmallFarm) -> None:
    with served(farm) as api:
        for path in (LOGIN, "/v1/sign-in"):
            refused = api.post(path, content=b"x" * 70_000)
            assert refused.status_code == 413
