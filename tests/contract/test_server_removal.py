"""Nothing that a server leaves behind keeps it in any database, or leads back to it."""

import pytest

from corral.farm.application.maintain_image import MaintenanceRequest
from corral.farm.application.ports.records import Transactions
from corral.farm.domain.delivery.device import Login
from corral.farm.domain.estate.errors import ServerRemovedError, ServerUnknownError
from corral.farm.domain.estate.server import FormerServer
from corral.farm.domain.image.image import image_name
from tests.contract.things import NOW, device, later, server, session
from tests.farm_in_memory import FarmInMemory, MemoryPorts, disk


def test_a_removed_server_is_known_by_its_token_alone(transactions: Transactions) -> None:
    gone, stays, pc1 = server("s1", 1), server("s2", 2), device("pc1", 1)
    with transactions.writing() as records:
        for one in (gone, stays):
            records.servers.add(one)
        records.devices.add(pc1)
        records.devices.set_login(pc1.id, Login(gone.id, NOW, None, "2001:db8::7"))
        records.sessions.replace(gone.id, [session(gone, pc1)])
    with transactions.writing() as records:
        records.sessions.replace(gone.id, [])
        records.servers.remove(gone.id, later(5))
    with transactions.reading() as records:
        assert records.servers.all() == [stays]
        assert records.sessions.all() == []
        assert records.servers.with_token(gone.token_digest) is None
        former = records.servers.with_former_token(gone.token_digest)
        assert former == FormerServer(gone.name, later(5))
        assert records.servers.with_former_token(stays.token_digest) is None
        assert records.devices.with_id(pc1.id).last_login == Login(None, NOW, None, "2001:db8::7")
    with transactions.writing() as records:
        # Its name, its folder and its address are free again.
        again = server("s1", 3, path="/stores/s1")
        records.servers.add(again)
        assert [one.id for one in records.servers.all()] == [again.id, stays.id]
        with pytest.raises(ServerUnknownError):
            records.servers.with_id(gone.id)


def test_a_lost_server_with_everything_that_can_be_on_one_goes_whole(
    transactions: Transactions,
) -> None:
    farm = FarmInMemory(MemoryPorts(transactions=transactions))
    servers = [farm.add_server(name) for name in ("s1", "s2", "s3")]
    version = farm.import_disk("debian", disk(1)).version
    for one in servers:
        farm.report(one)
        farm.replicate(version, one)
    reader, writer = farm.add_device("pc1", "debian"), farm.add_device("pc2", "debian")
    view = farm.application.maintain_image(MaintenanceRequest(image_name("debian"), writer.name))
    lost = view.server
    farm.report(lost, holds=(version,), sessions=((reader, version),))
    farm.application.log_device_in(reader.id, running=version.root)
    farm.application.start_task("heal", {"server": str(lost.name)})
    farm.wait(6)
    for one in servers:
        if one.id != lost.id:
            farm.report(one, holds=(version,))
    removal = farm.application.remove_server(lost.name, is_lost=True)
    assert len(removal.disks) == len(removal.copies) == len(removal.tasks) == 1
    with transactions.reading() as records:
        assert lost.id not in {one.id for one in records.servers.all()}
        assert lost.id not in {one.server_id for one in records.replicas.all()}
        assert [*records.overlays.all(), *records.sessions.all()] == []
        assert [*records.places.all(), *records.moves.in_progress()] == []
    # Every list that people look at is whole.
    assert farm.application.list_devices()
    assert [line.server.id == lost.id for line in farm.application.show_status().servers] == [
        False,
        False,
    ]
    assert farm.application.check_farm().findings
    assert farm.application.log_device_in(reader.id, running=version.root).servers
    [token] = [
        token for path, token in farm.ports.secret_files.written.items() if path.stem == lost.name
    ]
    with pytest.raises(ServerRemovedError):
        farm.application.recognise_server(token)
