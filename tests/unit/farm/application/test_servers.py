from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk

from corral.farm.application.add_server import NewServer
from corral.farm.application.progress import Progress
from corral.farm.application.take_server_report import ReportedReplica, ServerReport
from corral.farm.domain.access.token import Token, TokenWrongError
from corral.farm.domain.delivery.errors import NoServerForVersionError
from corral.farm.domain.estate.address import Address, AddressUnreachableError
from corral.farm.domain.estate.errors import (
    FarmExistsError,
    ServerNameTakenError,
    ServerUnknownError,
    StoreTakenError,
)
from corral.farm.domain.estate.farm import FarmId, farm_name
from corral.farm.domain.estate.server import ServerState, server_name
from corral.farm.domain.image.errors import (
    SignatureWrongError,
    StoreOtherFarmError,
    VersionNotHeldError,
)
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version import VersionName

LISTEN = Address("127.0.0.1", 10_811)
CHUNKS = Address("127.0.0.1", 10_901)


def wanted(name: str = "s1", path: str = "/stores/s1", **changes: object) -> NewServer:
    new = NewServer(server_name(name), Path(path), (LISTEN,), CHUNKS)
    return replace(new, **changes)  # type: ignore[arg-type] # each test passes the right ones


def test_a_second_farm_is_never_made_over_the_first(farm: FarmInMemory) -> None:
    with pytest.raises(FarmExistsError, match="home"):
        farm.application.create_farm(farm_name("other"), ())


def test_server_is_advertised_as_it_listens_unless_told(farm: FarmInMemory) -> None:
    server = farm.application.add_server(wanted()).server
    assert server.advertised == (LISTEN,)
    assert server.chunk_url == "http://127.0.0.1:10901"


def test_wildcard_is_fine_to_listen_on_but_not_to_advertise(farm: FarmInMemory) -> None:
    everywhere = (Address("0.0.0.0", 10_811),)  # noqa: S104 - the point of the test
    with pytest.raises(AddressUnreachableError):
        farm.application.add_server(wanted(listen=everywhere))
    named = (Address("192.0.2.1", 10_811),)
    server = farm.application.add_server(wanted(listen=everywhere, advertised=named)).server
    assert server.advertised == named


def test_names_and_stores_of_servers_are_their_own(farm: FarmInMemory) -> None:
    farm.application.add_server(wanted())
    with pytest.raises(ServerNameTakenError):
        farm.application.add_server(wanted(path="/stores/other"))
    with pytest.raises(StoreTakenError, match="s1"):
        farm.application.add_server(wanted(name="s2"))
    assert Path("/stores/other") not in farm.ports.chunk_stores.stores


def test_store_of_another_farm_is_refused(farm: FarmInMemory) -> None:
    farm.ports.chunk_stores.create(Path("/stores/s1"), FarmId(farm.ports.ids.new()))
    with pytest.raises(StoreOtherFarmError):
        farm.application.add_server(wanted())
    assert farm.application.list_servers() == ()


def test_token_is_in_the_file_and_only_its_digest_in_the_records(farm: FarmInMemory) -> None:
    added = farm.application.add_server(wanted())
    assert added.file is not None
    token = farm.ports.secret_files.written[added.file]
    assert farm.application.recognise_server(token) == added.server.id
    assert token.reveal() not in repr(added.server)
    assert token.reveal() not in repr(token)
    with pytest.raises(TokenWrongError):
        farm.application.recognise_server(Token(bytes(32)))


def test_server_is_online_while_it_reports(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    assert farm.application.show_server(server.name).state is ServerState.UNKNOWN
    farm.report(server)
    assert farm.application.show_server(server.name).state is ServerState.ONLINE
    farm.wait(5)
    assert farm.application.show_server(server.name).state is ServerState.ONLINE
    farm.wait(0.001)
    assert farm.application.show_server(server.name).state is ServerState.UNKNOWN


def test_configuration_names_exports_replicas_and_peers(farm: FarmInMemory) -> None:
    first, second = farm.add_server("s1"), farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    farm.application.replicate_version(version.name, [second.name])
    told = farm.application.configure_server(second.id)
    assert told.exports == ()  # it does not hold the version yet
    (replica,) = told.replicas
    assert replica.root == version.root
    assert [(peer.server, peer.url) for peer in replica.peers] == [("s1", first.chunk_url)]
    farm.report(second, holds=(version,))
    after = farm.application.configure_server(second.id)
    assert [str(export.name) for export in after.exports] == ["debian/1"]
    assert after.generation > told.generation


def test_configuration_stays_the_same_for_a_day(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    told = farm.application.configure_server(server.id)
    farm.wait(timedelta(hours=20).total_seconds())
    assert farm.application.configure_server(server.id) == told
    farm.wait(timedelta(hours=4).total_seconds())
    later = farm.application.configure_server(server.id)
    assert later.replication_ticket != told.replication_ticket
    assert later.generation == told.generation


def test_replica_that_is_fetched_anew_stays_on_offer(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1, 2)).version
    report = ReportedReplica(version.root, ReplicaState.FETCHING, 65_536, 131_072)
    farm.application.take_server_report(server.id, ServerReport(farm.generation, (report,)))
    assert len(farm.application.configure_server(server.id).exports) == 1


def test_report_of_an_unwanted_replica_is_left_aside(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    second = farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    farm.report(second, holds=(version,))
    (only,) = farm.application.show_version(version.name).replicas
    assert only.server.name == "s1"


def test_report_that_changes_nothing_is_no_news(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    before = farm.application.show_farm().farm.generation
    farm.report(server, holds=(version,))
    assert farm.application.show_farm().farm.generation == before


def test_replication_can_be_watched(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    second = farm.add_server("s2")
    version = farm.import_disk("debian", disk(1, 2)).version
    (replica,) = farm.application.replicate_version(version.name, [second.name])
    assert replica.state is ReplicaState.WANTED
    report = ReportedReplica(version.root, ReplicaState.FETCHING, 65_536, 131_072, 65_536)
    farm.application.take_server_report(second.id, ServerReport(farm.generation, (report,)))
    seen = farm.application.show_version(version.name).replicas[1]
    assert seen.server.name == "s2"
    assert seen.replica.state is ReplicaState.FETCHING
    assert (seen.replica.done_bytes, seen.replica.total_bytes) == (65_536, 131_072)


def test_replicating_twice_does_not_start_again(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    (replica,) = farm.application.replicate_version(version.name, [server.name])
    assert replica.is_complete


def test_replicating_to_an_unknown_server_changes_nothing(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    second = farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    with pytest.raises(ServerUnknownError):
        farm.application.replicate_version(version.name, [second.name, server_name("s3")])
    assert len(farm.application.show_version(version.name).replicas) == 1


def test_damaged_replica_gets_no_device_until_it_is_sound(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1, 2)).version
    store = farm.store_of("s1")
    name, sound = next(iter(store.chunks.items()))
    store.chunks[name] = b"rot"
    report = farm.application.verify_store(server.name, Progress())
    assert not report.found.is_sound
    assert report.affected == (version.name,)
    device = farm.add_device("pc1", "debian")
    farm.report(server)
    with pytest.raises(NoServerForVersionError):
        farm.application.log_device_in(device.id)
    assert len(farm.application.configure_server(server.id).exports) == 1  # nobody is cut off
    found = farm.application.verify_version(version.name, server.name, Progress())
    assert not found.is_sound
    assert not farm.application.heal_store(server.name, Progress()).healing.is_sound
    store.chunks[name] = sound
    assert farm.application.heal_store(server.name, Progress()).healing.is_sound
    assert farm.application.log_device_in(device.id).servers[0].name == "s1"


def test_version_whose_record_was_altered_is_not_vouched_for(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    with farm.ports.transactions.writing() as records:
        records.versions.move(version, replace(version, signature=bytes(64)))
    with pytest.raises(SignatureWrongError):
        farm.application.verify_version(version.name, None, Progress())


def test_version_is_verified_only_where_it_is_held(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    second = farm.add_server("s2")
    version = farm.import_disk("debian", disk(1)).version
    assert farm.application.verify_version(version.name, None, Progress()).is_sound
    with pytest.raises(VersionNotHeldError, match="s2"):
        farm.application.verify_version(version.name, second.name, Progress())


def test_status_shows_who_streams_what(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    version = farm.import_disk("debian", disk(1)).version
    device = farm.add_device("pc1", "debian")
    farm.report(server, sessions=((device, version),))
    (session,) = farm.application.show_status().sessions
    assert session.device is not None
    assert (session.device.name, session.session.export, session.server.name) == (
        "pc1",
        "debian/1",
        "s1",
    )
    farm.wait(60)
    (session,) = farm.application.show_status().sessions
    assert session.server_state is ServerState.UNKNOWN
    farm.report(server)
    assert farm.application.show_status().sessions == ()


def test_unknown_version_is_named(farm: FarmInMemory) -> None:
    farm.add_server("s1")
    farm.import_disk("debian", disk(1))
    with pytest.raises(Exception, match="debian/9"):
        farm.application.verify_version(VersionName.parse("debian/9"), None, Progress())
