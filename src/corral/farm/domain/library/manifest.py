"""What a release says about itself, read from its manifest.

Each fact has an id (``engine-4.5/runs-image-formats``) by which a refusal names it, and may say why
it is so. Facts are said by whoever can know them: a release knows the older ones that it gets on
with, never the newer ones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final, NewType

from corral.farm.domain.fields import Fields, read_object
from corral.farm.domain.library.errors import ManifestInvalidError, ReleaseInvalidError
from corral.farm.domain.library.release import Component, Release

FORMAT: Final = 1
FactId = NewType("FactId", str)

_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_PRE_ACTION: Final = re.compile(r"[a-z0-9][a-z0-9-]*", re.ASCII)
_REVISION: Final = re.compile(r"[0-9]{4}", re.ASCII)
_HIGHEST_FORMAT: Final = 65_535


class PreActionKind(StrEnum):
    """What a release can ask for before anything is disturbed on the way to it: the whole list."""

    BACKUP_WITH_CHUNKS = "backup-with-chunks"
    """The backup that counts has the chunks of every version beside it. The farm sees that."""
    BY_HAND = "by-hand"
    """Something that no program sees: a person says that it is done, by accepting it."""


@dataclass(frozen=True)
class PreAction:
    """One thing that is asked for."""

    kind: PreActionKind
    because: str
    name: str
    """What people call it; that of the kind for what the farm sees itself."""
    before: Release | None = None
    """Only those who come from a release older than this have to; none for all."""


@dataclass(frozen=True)
class Upgrades:
    """From where a release can be reached, and whether it may be left out on the way further up."""

    oldest: Release | None = None
    """The oldest release that can be upgraded to this one at once; none for every older one."""
    refused: frozenset[Release] = frozenset()
    """Releases in between that cannot."""
    is_barrier: bool = False
    """Whether everything older has to pass through this release, never around it."""
    back_to: Release | None = None
    """The oldest release that one can go back to from this one; none for none at all."""
    because: str = ""
    first: tuple[PreAction, ...] = ()
    """What has to be done before anything is disturbed on the way here."""

    def asked_of(self, now: Release) -> tuple[PreAction, ...]:
        """Give what is asked of those who come from a release."""
        return tuple(one for one in self.first if one.before is None or now < one.before)


@dataclass(frozen=True)
class EngineManifest:
    """What a release of the engine can do."""

    image_formats: frozenset[int]
    """The formats of images that it runs."""
    guest_tools: Release | None = None
    """The guest tools that it brings along."""
    oldest_guest_tools: Release | None = None
    """The oldest guest tools that it works with, or can bring up to date; none for all."""
    newest_guest_tools: Release | None = None
    """The newest guest tools that it works with; none for whatever there will be."""
    oldest_farm: Release | None = None
    """The oldest farm that it understands; none for all."""
    because: str = ""


@dataclass(frozen=True)
class SchemaFacts:
    """What a release of the farm does to the schema of the database. Revisions are four digits."""

    expands_to: str
    """The revision that it needs; it only adds to what was there."""
    readable_from: str
    """The oldest last-known revision of a release that still works on the expanded schema."""
    contracts_to: str | None = None
    """The revision that finalising brings, without what only older releases need; none for none."""

    @property
    def head(self) -> str:
        """The last revision that the release knows."""
        return self.contracts_to or self.expands_to


@dataclass(frozen=True)
class FarmManifest:
    """What a release of the farm's software does."""

    image_format: int
    """The format of the images that it publishes."""
    guest_tools: Release | None = None
    """The guest tools that it puts into images which are published anew."""
    oldest_engine: Release | None = None
    """The oldest engine that it answers; none for all."""
    schema: SchemaFacts | None = None
    """Which schema it needs; none if it does not say so."""
    oldest_relay: Release | None = None
    """The oldest relay that may serve beside it; none if relays have to be of its own release."""
    oldest_console: Release | None = None
    """The oldest command line that its API answers; none for all."""
    oldest_server: Release | None = None
    """The oldest stream process that its API directs; none for all."""
    oldest_target: Release | None = None
    """The oldest client of a device that it streams to; none for all."""
    because: str = ""


@dataclass(frozen=True)
class ReleaseManifest:
    """A release with all that it says about itself."""

    component: Component
    release: Release
    digest: str
    """SHA-256 of what it installs, as 64 hexadecimal digits."""
    released_on: date
    document: str
    """The version of the document that describes it (S1)."""
    facts: EngineManifest | FarmManifest
    upgrades: Upgrades = Upgrades()
    ships_with: tuple[tuple[Component, Release], ...] = ()
    """The other components that were released together with it; engines come alone, too (S16)."""

    @property
    def name(self) -> str:
        """What people call it: ``engine-5.0``."""
        return f"{self.component}-{self.release}"

    def fact(self, kind: str) -> FactId:
        """Give the id of one of its facts."""
        return fact_id(self.component, self.release, kind)


def fact_id(component: Component, release: Release, kind: str) -> FactId:
    """Give the id of a fact."""
    return FactId(f"{component}-{release}/{kind}")


def read_manifest(text: str) -> ReleaseManifest:
    """Read a manifest; raises ``ManifestInvalidError``."""
    fields = read_object(text, ManifestInvalidError)
    manifest = manifest_in(fields)
    fields.finish()
    return manifest


def manifest_in(fields: Fields) -> ReleaseManifest:
    """Take a manifest's fields; whoever calls refuses what is left."""
    if fields.number("format", 1, _HIGHEST_FORMAT) != FORMAT:
        fields.refuse("format", f"this farm knows format {FORMAT} only")
    component = _component(fields, "component", fields.text("component"))
    release = _release(fields, "release")
    digest = fields.text("digest")
    if _DIGEST.fullmatch(digest) is None:
        fields.refuse("digest", "it must be a SHA-256 as 64 lower-case hexadecimal digits")
    released_on = _date(fields)
    document = fields.text("document", 64)
    facts = _engine(fields) if component is Component.ENGINE else _farm(fields)
    because = fields.text_or_nothing("because")
    manifest = ReleaseManifest(
        component,
        release,
        digest,
        released_on,
        document,
        replace(facts, because=because),
        _upgrades(fields, release),
        _ships_with(fields, component),
    )
    if isinstance(facts, FarmManifest):
        _refuse_beyond(fields, release, facts)
    elif manifest.upgrades.first:
        fields.refuse("upgrades.first", "only an upgrade of the farm waits for it")
    oldest, newest = _tools_range(facts)
    if oldest is not None and newest is not None and newest < oldest:
        fields.refuse("newest_guest_tools", "it is older than the oldest")
    return manifest


def _engine(fields: Fields) -> EngineManifest:
    return EngineManifest(
        image_formats=frozenset(fields.numbers("runs_image_formats", 1, _HIGHEST_FORMAT)),
        guest_tools=_release_or_none(fields, "brings_guest_tools"),
        oldest_guest_tools=_release_or_none(fields, "oldest_guest_tools"),
        newest_guest_tools=_release_or_none(fields, "newest_guest_tools"),
        oldest_farm=_release_or_none(fields, "oldest_farm"),
    )


def _farm(fields: Fields) -> FarmManifest:
    return FarmManifest(
        image_format=fields.number("publishes_image_format", 1, _HIGHEST_FORMAT),
        guest_tools=_release_or_none(fields, "publishes_guest_tools"),
        oldest_engine=_release_or_none(fields, "oldest_engine"),
        schema=_schema(fields),
        oldest_relay=_release_or_none(fields, "oldest_relay"),
        oldest_console=_release_or_none(fields, "oldest_console"),
        oldest_server=_release_or_none(fields, "oldest_server"),
        oldest_target=_release_or_none(fields, "oldest_target"),
    )


def _schema(fields: Fields) -> SchemaFacts | None:
    if not fields.has("schema"):
        return None
    said = fields.object("schema")
    facts = SchemaFacts(
        expands_to=_revision(said, "expands_to"),
        readable_from=_revision(said, "readable_from"),
        contracts_to=_revision(said, "contracts_to") if said.has("contracts_to") else None,
    )
    said.finish()
    if facts.contracts_to is not None and facts.contracts_to <= facts.expands_to:
        said.refuse("contracts_to", "what takes away comes after what adds")
    if facts.readable_from > facts.head:
        said.refuse("readable_from", "the release itself could not work on its schema")
    return facts


def _revision(fields: Fields, name: str) -> str:
    text = fields.text(name, 4)
    if _REVISION.fullmatch(text) is None:
        fields.refuse(name, "a revision of the schema is four digits")
    return text


def _refuse_beyond(fields: Fields, release: Release, facts: FarmManifest) -> None:
    """Whoever is of the same release always gets on with it."""
    for name in ("oldest_relay", "oldest_console", "oldest_server", "oldest_target"):
        oldest: Release | None = getattr(facts, name)
        if oldest is not None and oldest > release:
            fields.refuse(name, f"it must not be newer than {release} itself")


def _tools_range(facts: EngineManifest | FarmManifest) -> tuple[Release | None, Release | None]:
    if isinstance(facts, FarmManifest):
        return None, None
    return facts.oldest_guest_tools, facts.newest_guest_tools


def _upgrades(fields: Fields, release: Release) -> Upgrades:
    if not fields.has("upgrades"):
        return Upgrades()
    said = fields.object("upgrades")
    upgrades = Upgrades(
        oldest=_release_or_none(said, "oldest"),
        refused=frozenset(_read(said, "refused", one) for one in said.texts("refused")),
        is_barrier=said.flag("barrier"),
        back_to=_release_or_none(said, "back_to"),
        because=said.text_or_nothing("because"),
        first=_pre_actions(said),
    )
    said.finish()
    for name, other in (("oldest", upgrades.oldest), ("back_to", upgrades.back_to)):
        if other is not None and other >= release:
            said.refuse(name, f"it must be older than {release} itself")
    if (upgrades.is_barrier or upgrades.refused) and not upgrades.because:
        said.refuse("because", "a barrier and a refusal say why they are there")
    return upgrades


def _pre_actions(said: Fields) -> tuple[PreAction, ...]:
    if not said.has("first"):
        return ()
    found: dict[str, PreAction] = {}
    for one in said.objects("first"):
        text = one.text("action", 64)
        try:
            kind = PreActionKind(text)
        except ValueError:
            known = ", ".join(PreActionKind)
            one.refuse("action", f"{text!r} is nothing that this farm knows: {known}")
        because = one.text("because")
        is_by_hand = kind is PreActionKind.BY_HAND
        name = one.text("name", 63) if is_by_hand else kind.value
        if _PRE_ACTION.fullmatch(name) is None:
            one.refuse("name", "it is of lower-case letters, digits and hyphens")
        if name in found or (is_by_hand and name in set(PreActionKind)):
            one.refuse("name", "each action stands there once, under a name of its own")
        found[name] = PreAction(kind, because, name, _release_or_none(one, "before"))
        one.finish()
    return tuple(found.values())


def _ships_with(fields: Fields, own: Component) -> tuple[tuple[Component, Release], ...]:
    if not fields.has("ships_with"):
        return ()
    found: dict[Component, Release] = {}
    for one in fields.objects("ships_with"):
        component = _component(one, "component", one.text("component"))
        if component is own or component in found:
            one.refuse("component", "each other component stands there once")
        found[component] = _release(one, "release")
        one.finish()
    return tuple(sorted(found.items()))


def _release(fields: Fields, name: str) -> Release:
    return _read(fields, name, fields.text(name))


def _release_or_none(fields: Fields, name: str) -> Release | None:
    return _release(fields, name) if fields.has(name) else None


def _read(fields: Fields, name: str, text: str) -> Release:
    try:
        return Release.parse(text)
    except ReleaseInvalidError:
        fields.refuse(name, f"{text[:64]!r} is no release")


def _component(fields: Fields, name: str, text: str) -> Component:
    try:
        return Component(text)
    except ValueError:
        known = ", ".join(Component)
        fields.refuse(name, f"{text[:64]!r} is none of {known}")


def _date(fields: Fields) -> date:
    text = fields.text("released_on", 10)
    try:
        return date.fromisoformat(text)
    except ValueError:
        fields.refuse("released_on", "it must be a day such as 2026-11-30")
