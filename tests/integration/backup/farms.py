"""A small farm whose backups are taken apart and put together again."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from corral.farm.adapters.backup_files.files import AgeBackupFiles
from corral.farm.adapters.backup_files.keys import make_key
from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.farm.application.create_backup import BackupWish, CreatedBackup
from corral.farm.application.ports.backups import BackupKey, Member
from corral.farm.application.progress import Progress
from corral.farm.application.restore_farm import RestoredFarm
from corral.farm.application.verbs import Application
from corral.farm.application.verify_backup import VerifiedBackup
from corral.farm.bootstrap import new_farm, restoring, verifying
from corral.farm.domain.backup.backup import Recipient
from corral.farm.domain.delivery.device import MacAddress, device_name
from corral.farm.domain.estate.farm import ApiUrl, farm_name
from corral.farm.settings import FarmSettings

FILES = AgeBackupFiles(is_signed)


@dataclass
class BackedUpFarm:
    """A farm, the key of its backups, and what is done to them."""

    home: Path
    application: Application
    recipient: Recipient
    key: BackupKey

    @classmethod
    def at(cls, home: Path, database: str | None = None) -> "BackedUpFarm":
        settings = FarmSettings.embedded(home / "farm")
        if database is not None:
            settings = settings.with_database(database)
        application = new_farm(settings)
        application.create_farm(farm_name("small"), (ApiUrl("http://127.0.0.1:10800"),))
        for number in range(20):
            application.register_device(
                device_name(f"pc{number}"), MacAddress.parse(f"52:54:00:00:00:{number:02x}")
            )
        recipient = make_key(home / "backup.key", None)
        return cls(home, application, recipient, BackupKey(home / "backup.key"))

    @property
    def folder(self) -> Path:
        return self.home / "backups"

    def back_up(self, progress: Progress | None = None) -> CreatedBackup:
        wish = BackupWish(self.folder, (self.recipient,))
        return self.application.create_backup(wish, progress or Progress())

    def verify(self, path: Path, key: BackupKey | None = None) -> VerifiedBackup:
        return verifying()(path, key or self.key, Progress())

    def restore(self, path: Path, name: str = "new", database: str | None = None) -> RestoredFarm:
        settings = FarmSettings.embedded(self.home / name)
        if database is not None:
            settings = settings.with_database(database)
        return restoring(settings)(path, self.key, Progress())

    def members(self, path: Path) -> list[Member]:
        with FILES.opened(path, self.key, Progress()) as opened:
            return list(opened.members())

    def rewritten(self, path: Path, change: Callable[[list[Member]], list[Member]]) -> Path:
        """Write a backup whose members are others, as nobody but the farm could."""
        key = self.application.farm_key
        with FILES.opened(path, self.key, Progress()) as opened:
            facts, members = opened.facts, list(opened.members())
        written = FILES.write(
            self.home / "rewritten",
            facts,
            change(members),
            recipients=(self.recipient,),
            key=key,
            progress=Progress(),
        )
        return written.path
