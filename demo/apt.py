"""The machine's own Debian mirror: where it is, and packages from it.

The address is read from the machine's apt configuration each time. Packages are looked up in a
private copy of the lists, so that neither the machine's state (a container often has none) nor its
other sources
matter, and no root is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from demo.errors import DemoError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from demo.processes import Runner

_ETC_APT: Final = Path("/etc/apt")
_DEFAULT_KEYRING: Final = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Source:
    """One place and suite to get binary packages from."""

    uri: str
    suite: str
    components: tuple[str, ...]
    keyring: str = _DEFAULT_KEYRING
    """The file of the keys that sign it."""

    def line(self) -> str:
        """Give the source in apt's one-line form."""
        return f"deb [signed-by={self.keyring}] {self.uri} {self.suite} {' '.join(self.components)}"


def machine_sources(release: str, folder: Path = _ETC_APT) -> list[Source]:
    """Give this machine's apt sources of ``release``; refuse to guess if there are none."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    found: dict[Source, None] = {}
    for file in files:
        if not file.is_file() or file.suffix not in {".list", ".sources"}:
            continue
        parse = parse_deb822 if file.suffix == ".sources" else parse_lines
        for source in parse(file.read_text(encoding="utf-8")):
            if source.suite == release or source.suite.startswith(f"{release}-"):
                found[source] = None
    if not any(source.suite == release for source in found):
        message = (
            f"apt on this machine has no source for Debian {release} (looked in "
            f"{folder}/sources.list and {folder}/sources.list.d): add one, or give an image "
            "with `--image PATH`"
        )
        raise DemoError(message)
    for source in found:
        if not Path(source.keyring).is_file():
            message = (
                f"Debian's signing keys are missing ({source.keyring}): "
                "apt-get install debian-archive-keyring"
            )
            raise DemoError(message)
    return list(found)


def parse_lines(text: str) -> Iterator[Source]:
    """Read apt's one-line form: ``deb [options] uri suite component…``."""
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if not words or words[0] != "deb":
            continue
        rest, options = words[1:], []
        if rest and rest[0].startswith("["):
            end = next((n for n, word in enumerate(rest) if word.endswith("]")), len(rest))
            options, rest = " ".join(rest[: end + 1]).strip("[] ").split(), rest[end + 1 :]
        keyring = next(
            (word.partition("=")[2] for word in options if word.startswith("signed-by=/")),
            _DEFAULT_KEYRING,
        )
        match rest:
            case [uri, suite, *components] if components:
                yield Source(uri.rstrip("/"), suite, tuple(components), keyring)
            case _:
                continue


def parse_deb822(text: str) -> Iterator[Source]:
    """Read apt's stanza form (``Types:``, ``URIs:``, ``Suites:``, ``Components:``)."""
    for stanza in _stanzas(text.splitlines()):
        if (
            "deb" not in stanza.get("types", "").split()
            or stanza.get("enabled", "yes").lower() == "no"
        ):
            continue
        components = tuple(stanza.get("components", "").split())
        signed_by = stanza.get("signed-by", "").strip()
        keyring = signed_by if signed_by.startswith("/") else _DEFAULT_KEYRING
        for uri in stanza.get("uris", "").split():
            for suite in stanza.get("suites", "").split():
                if components:
                    yield Source(uri.rstrip("/"), suite, components, keyring)


def _stanzas(lines: Iterable[str]) -> Iterator[Mapping[str, str]]:
    stanza: dict[str, str] = {}
    key = ""
    for line in lines:
        if line.startswith("#"):
            continue
        if not line.strip():
            if stanza:
                yield stanza
            stanza, key = {}, ""
        elif line[0].isspace():
            stanza[key] = f"{stanza.get(key, '')} {line.strip()}"
        else:
            name, _, value = line.partition(":")
            key = name.strip().lower()
            stanza[key] = value.strip()
    if stanza:
        yield stanza


@dataclass(frozen=True)
class PackageLists:
    """A private copy of the package lists of some sources, in a folder of its own."""

    folder: Path
    runner: Runner

    @classmethod
    def fetch(cls, folder: Path, sources: Iterable[Source], runner: Runner) -> PackageLists:
        """Download the lists into ``folder``."""
        for part in ("state/lists/partial", "cache/archives/partial", "etc"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        text = "".join(f"{source.line()}\n" for source in sources)
        (folder / "etc" / "sources.list").write_text(text, encoding="utf-8")
        lists = cls(folder, runner)
        runner.run(
            "package-lists",
            ["apt-get", *lists.options(), "update"],
            what="fetching the package lists",
        )
        return lists

    def options(self) -> list[str]:
        """Give the options that make apt use this folder instead of the machine's."""
        values = {
            "Dir::State": self.folder / "state",
            "Dir::State::status": "/dev/null",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": self.folder / "etc" / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            # apt's sandbox user could not write into a private folder.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
        }
        return [word for key, value in values.items() for word in ("-o", f"{key}={value}")]

    def dependency(self, package: str, prefix: str) -> str:
        """Name the first package ``prefix…`` that ``package`` depends on."""
        said = self.runner.run(
            "package-lists",
            ["apt-cache", *self.options(), "depends", package],
            what=f"looking up {package}",
        )
        for line in said.splitlines():
            kind, _, name = line.strip().partition(" ")
            if kind == "Depends:" and name.startswith(prefix):
                return name
        message = f"package {package} of this machine's mirror depends on no {prefix}… package"
        raise DemoError(message)

    def download(self, package: str) -> Path:
        """Download one package and return its file."""
        before = set(self.folder.glob("*.deb"))
        self.runner.run(
            "package-download",
            ["apt-get", *self.options(), "download", package],
            what=f"downloading {package}",
            folder=self.folder,
            watch=self.folder / "cache",
        )
        (file,) = set(self.folder.glob("*.deb")) - before
        return file
