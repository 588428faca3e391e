"""Values to put into records."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from corral.farm.domain.access.token import TokenDigest
from corral.farm.domain.delivery.device import Device, DeviceId, MacAddress, device_name
from corral.farm.domain.delivery.session import Session
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.collection import Collection, CollectionId, collection_name
from corral.farm.domain.estate.farm import ApiUrl, Farm, FarmId, farm_name
from corral.farm.domain.estate.server import Server, ServerId, server_name
from corral.farm.domain.estate.site import FIRST_SITE, Site, SiteId, site_name
from corral.farm.domain.estate.store import FolderId, Store, StoreFolder, StoreId, store_name
from corral.farm.domain.estate.subnet import parse_subnets
from corral.farm.domain.image.image import Image, ImageId, image_name
from corral.farm.domain.image.replica import Replica
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.version import Version, VersionName, VersionNumber

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

FARM = Farm(
    FarmId(UUID(int=1)),
    farm_name("home"),
    bytes(range(32)),
    (ApiUrl("http://a"), ApiUrl("http://b")),
    NOW,
)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def server(name: str, number: int, path: str | None = None) -> Server:
    return Server(
        id=ServerId(UUID(int=100 + number)),
        name=server_name(name),
        store=StoreFolder(FolderId(UUID(int=200 + number)), Path(path or f"/stores/{name}")),
        listen=(Address("127.0.0.1", 10_000 + number), Address("::1", 10_000 + number)),
        advertised=(Address("192.0.2.1", 10_000 + number),),
        chunks_listen=Address("127.0.0.1", 11_000 + number),
        chunks_advertised=Address("192.0.2.1", 11_000 + number),
        token_digest=TokenDigest(number.to_bytes(32, "big")),
        added_at=NOW,
    )


def site(name: str, number: int, *subnets: str) -> Site:
    return Site(SiteId(UUID(int=500 + number)), site_name(name), "é", parse_subnets(subnets))


def collection(name: str, number: int) -> Collection:
    return Collection(
        CollectionId(UUID(int=600 + number)), collection_name(name), FIRST_SITE.id, "room"
    )


def store(name: str, number: int, *, shared: bool = False) -> Store:
    return Store(
        StoreId(UUID(int=700 + number)), store_name(name), "chunks", Path("/srv/é"), shared
    )


def image(name: str, number: int) -> Image:
    return Image(ImageId(UUID(int=300 + number)), image_name(name), NOW, "what it is")


def root(number: int) -> RootHash:
    return RootHash(f"{number:064x}")


def version(of: Image, number: int, root_number: int) -> Version:
    return Version(
        image_id=of.id,
        name=VersionName(of.name, VersionNumber(number)),
        root=root(root_number),
        size_bytes=1 << 43,  # more than 32 bits hold
        signature=bytes(64),
        published_at=later(number),
        description="été ✓",
    )


def replica(of: Server, root_number: int) -> Replica:
    return Replica(of.id, root(root_number), NOW, total_bytes=1 << 43)


def device(name: str, number: int) -> Device:
    return Device(
        id=DeviceId(UUID(int=400 + number)),
        name=device_name(name),
        mac=MacAddress.parse(f"52:54:00:00:00:{number:02x}"),
        key_digest=TokenDigest(number.to_bytes(32, "little")),
        registered_at=NOW,
    )


def session(on: Server, of: Device | None, seconds: float = 0) -> Session:
    return Session(
        on.id, None if of is None else of.id, "debian/1", "[::1]:5", later(seconds), 1 << 40
    )
