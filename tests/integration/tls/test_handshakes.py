"""The handshake before Python's listeners serve."""

import asyncio
import ssl

from corral.farm.adapters.tls import secured
from corral.farm.domain.estate.certificate import CertificateUnusableError


def _nothing_to_show() -> ssl.SSLContext:
    path = "/farm/own.pem"
    raise CertificateUnusableError(path, "no such file")


async def _what_a_client_reads() -> bytes:
    loop = asyncio.get_running_loop()
    told: list[object] = []
    loop.set_exception_handler(lambda _loop, context: told.append(context.get("exception")))
    server = await loop.create_server(secured(asyncio.Protocol, _nothing_to_show), "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            return await asyncio.wait_for(reader.read(), 10)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


def test_who_connects_while_there_is_nothing_to_show_is_not_left_waiting() -> None:
    assert asyncio.run(_what_a_client_reads()) == b""
