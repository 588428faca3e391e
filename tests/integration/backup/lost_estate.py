"""A farm of real processes that is lost with its machine, and restored from a backup."""

import json
from dataclasses import replace
from typing import Any

from tests.integration.farm.command import CommandLine
from tests.integration.farm.disks import write_mixed_disk
from tests.integration.farm.estate import DEVICE, IMAGE, Estate


class LostEstate:
    """An estate that was backed up with its chunks, and what becomes of it."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.running = dict(estate.servers)
        """With the files from which their processes run."""
        self.backups = estate.home / "backups"
        self.key = estate.home / "backup.key"
        corral = estate.corral
        made = corral.ask("backup", "key", str(self.key))
        recipient = made["recipient"]
        corral.ask("backup", "set", "--to", str(self.backups), "--recipient", recipient)

    def back_up(self, *words: str) -> dict[str, Any]:
        created: dict[str, Any] = self.estate.corral.ask("backup", "create", *words)
        return created

    def restore(self, path: str) -> dict[str, Any]:
        """Restore to a new folder, which is the farm from now on."""
        estate = self.estate
        folder = estate.home / "restored"
        done: dict[str, Any] = estate.corral.ask(
            *("backup", "restore", path, "--folder", str(folder), "--key", str(self.key))
        )
        estate.corral = CommandLine(folder, estate.corral.log)
        estate.servers = {
            name: replace(one, file=folder / "servers" / f"{name}.json")
            for name, one in estate.servers.items()
        }
        estate.key_file = folder / "devices" / f"{DEVICE}.key"
        return done

    def publish(self, name: str) -> str:
        """Publish the next version of the image on both servers; give its root."""
        disk = write_mixed_disk(self.estate.home / f"{name}.raw")
        made = self.estate.corral.ask("image", "import", IMAGE, str(disk), "--server", "s1")
        version = f"{IMAGE}/{made['number']}"
        self.estate.corral.ask("image", "replicate", version, "--to", "s2", "--wait")

        def is_offered() -> bool:
            kept = [self.kept_by(server)["exports"] for server in self.running]
            return all(version in {one["name"] for one in exports} for exports in kept)

        self.estate.wait_for(is_offered, f"not both servers offer {version}")
        return str(made["root"])

    def kept_by(self, name: str) -> dict[str, Any]:
        """Give what a server would go on with; nothing if it has nothing."""
        path = self.running[name].kept_configuration
        kept: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return kept

    def wait_until_all_were_heard(self) -> dict[str, Any]:
        """Give the difference as soon as both servers have said what they hold."""
        found: dict[str, Any] = {}

        def are_heard() -> bool:
            found.update(self.estate.corral.ask("farm", "difference"))
            return not any(one["code"] == "server-unheard" for one in found["differences"])

        self.estate.wait_for(are_heard, "not both servers said what they hold")
        return found

    def come_back(self) -> None:
        """Start the servers' processes where they ran before, with what they have kept there."""
        self.estate.servers = dict(self.running)
        for name in self.running:
            self.estate.start_stream(name)

    def wait_until_all_work_as_always(self) -> None:
        """Wait until no server is observed any more, and each has heard of it."""
        self.estate.wait_for(
            lambda: self.estate.status()["observing"] is None, "servers are still observed"
        )
        self.estate.wait_for(
            lambda: not any(self.kept_by(name)["observes"] for name in self.running),
            "not all servers work as always",
        )
