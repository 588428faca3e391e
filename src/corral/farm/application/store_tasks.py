"""Tasks that read whole stores: verify, heal, collect, scrub."""

from __future__ import annotations

from typing import TYPE_CHECKING

from corral.farm.application.choose_version import published_version
from corral.farm.application.task_work import Arguments, Subject
from corral.farm.application.verify_version import server_to_check
from corral.farm.domain.estate.errors import NoServerError
from corral.farm.domain.estate.replication import bytes_a_second
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.errors import (
    VersionDamagedError,
)
from corral.farm.domain.image.version import VersionName
from corral.farm.domain.task.errors import (
    StoreFoundDamagedError,
    StoreUnhealedError,
)

if TYPE_CHECKING:
    from corral.farm.application.collect_store import CollectionReport
    from corral.farm.application.heal_store import HealingReport
    from corral.farm.application.ports.records import Records
    from corral.farm.application.scrub_store import ScrubReport
    from corral.farm.application.task_work import Verbs, Work
    from corral.farm.application.verify_store import StoreReport
    from corral.farm.application.verify_version import VersionVerification


def read_verify_task(arguments: Arguments, records: Records) -> Subject:
    """Read which store, or which version where."""
    server, text = arguments.server(), arguments.text("version")
    if text:
        version = published_version(records, VersionName.parse(text))
        return Subject(text, server_to_check(records, version, server).name)
    if server is None:
        reason = "it needs a server, a version, or both"
        raise arguments.refused(reason)
    return Subject(server, records.servers.get(server).name)


def run_verify_task(verbs: Verbs, work: Work) -> str:
    """Verify one or the other."""
    version, server = work.arguments.text("version"), work.task.request.server
    if version:
        name = VersionName.parse(version)
        return tell_version(verbs.verify_version(name, server, work.around.progress))
    if server is None:
        raise NoServerError
    return tell_store(verbs.verify_store(server, work.around.progress))


def tell_version(found: VersionVerification) -> str:
    """Say what verifying a version came to; raises ``VersionDamagedError``."""
    if not found.is_sound:
        raise VersionDamagedError(str(found.version.name), found.server.name)
    return f"{found.version.name} is sound on {found.server.name}"


def tell_store(report: StoreReport) -> str:
    """Say what verifying a store came to; raises ``StoreFoundDamagedError``."""
    found = report.found
    if not found.is_sound:
        name = report.server.name
        raise StoreFoundDamagedError(name, found.damaged_chunks, found.checked_chunks)
    return f"{found.checked_chunks} chunks of {report.server.name} are sound"


def read_store_task(arguments: Arguments, records: Records) -> Subject:
    """Read whose store."""
    server = records.servers.get(server_name(arguments.text("server")))
    return Subject(server.name, server.name)


def run_heal_task(verbs: Verbs, work: Work) -> str:
    """Heal a store."""
    server = server_name(work.arguments.text("server"))
    return tell_healing(verbs.heal_store(server, work.around.progress))


def tell_healing(report: HealingReport) -> str:
    """Say what healing a store came to; raises ``StoreFoundDamagedError``."""
    healing, name = report.healing, report.server.name
    if not healing.is_sound:
        left = healing.damaged_chunks - healing.healed_chunks
        raise StoreFoundDamagedError(name, left, healing.damaged_chunks)
    return f"healed {healing.healed_chunks} chunks of {name}"


def read_collect_task(arguments: Arguments, records: Records) -> Subject:
    """Read whose store, and whether anything is to change."""
    arguments.flag("dry_run")
    return read_store_task(arguments, records)


def run_collect_task(verbs: Verbs, work: Work) -> str:
    """Collect a store, and name what nobody wants there."""
    server = server_name(work.arguments.text("server"))
    report = verbs.collect_store(
        server, work.around.progress, is_dry_run=work.arguments.flag("dry_run")
    )
    for version in report.strange:
        work.around.say(f"kept, although nobody wants it there: {version.root}")
    return tell_collection(report)


def tell_collection(report: CollectionReport) -> str:
    """Say what collecting a store came to."""
    name, kept = report.server.name, f"versions kept: {len(report.plan.kept_roots)}"
    if report.done is None:
        return f"{report.plan.freed_bytes} bytes of {name} would be freed; {kept}"
    return f"freed {report.done.freed_bytes} bytes of {name}; {kept}"


def read_scrub_task(arguments: Arguments, records: Records) -> Subject:
    """Read whose store, and how fast."""
    server = records.servers.get(server_name(arguments.text("server")))
    _rate(arguments)
    return Subject(server.name, server.name)


def _rate(arguments: Arguments) -> int | None:
    text = arguments.text("rate")
    return bytes_a_second(text) if text else None


def run_scrub_task(verbs: Verbs, work: Work) -> str:
    """Make a pass; one that an earlier run of the task began is gone on with."""
    server = server_name(work.arguments.text("server"))
    rate = _rate(work.arguments)
    return tell_scrub(verbs.scrub_store(server, rate, work.around.progress, work.task.created_at))


def tell_scrub(report: ScrubReport) -> str:
    """Say what a scrub came to; raises ``StoreUnhealedError``."""
    scrub, name = report.scrub, report.server.name
    if not scrub.is_sound:
        raise StoreUnhealedError(name, scrub.unhealed_chunks, report.affected)
    if not scrub.damaged_chunks:
        return f"{scrub.checked_bytes} bytes of {name} are sound"
    return f"healed {scrub.healed_chunks} chunks of {name}, the rest of it is sound"
