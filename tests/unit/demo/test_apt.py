"""The machine's own Debian sources, in both of apt's forms."""

from pathlib import Path

import pytest
from demo.apt import Source, machine_sources, parse_deb822, parse_lines
from demo.errors import DemoError

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_reads_one_line_sources_with_their_options() -> None:
    text = """
    # deb http://mirror.invalid/old bookworm main
    deb http://mirror.invalid/debian/ bookworm main contrib  # ours
    deb [arch=amd64 signed-by=/keys/own.gpg] http://mirror.invalid/security bookworm-security main
    deb-src http://mirror.invalid/debian bookworm main
    deb http://mirror.invalid/flat ./
    """
    assert list(parse_lines(text)) == [
        Source("http://mirror.invalid/debian", "bookworm", ("main", "contrib"), KEYRING),
        Source("http://mirror.invalid/security", "bookworm-security", ("main",), "/keys/own.gpg"),
    ]


def test_reads_stanzas_with_several_suites_and_leaves_out_disabled_ones() -> None:
    text = """\
Types: deb deb-src
# a comment
URIs: http://mirror.invalid/debian
Suites: bookworm
 bookworm-updates
Components: main
Signed-By: /keys/own.gpg

Types: deb
URIs: http://mirror.invalid/other
Suites: bookworm
Components: main
Enabled: no
"""
    assert list(parse_deb822(text)) == [
        Source("http://mirror.invalid/debian", "bookworm", ("main",), "/keys/own.gpg"),
        Source("http://mirror.invalid/debian", "bookworm-updates", ("main",), "/keys/own.gpg"),
    ]


def test_a_key_given_in_the_stanza_itself_falls_back_to_debians_keyring() -> None:
    text = (
        "Types: deb\nURIs: http://m.invalid/d\nSuites: bookworm\n"
        "Components: main\nSigned-By:\n -----BEGIN\n"
    )
    (source,) = parse_deb822(text)
    assert source.keyring == KEYRING


def test_takes_only_the_release_and_its_updates(tmp_path: Path) -> None:
    key = tmp_path / "key.gpg"
    key.touch()
    suites = ("bookworm", "bookworm-updates", "trixie", "bookworm-security")
    lines = [f"deb [signed-by={key}] http://m.invalid/d {suite} main\n" for suite in suites]
    (tmp_path / "sources.list").write_text("".join(lines))
    assert [source.suite for source in machine_sources("bookworm", tmp_path)] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]


def test_says_what_to_do_when_the_machine_has_no_source(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://m.invalid/d trixie main\n")
    with pytest.raises(DemoError, match=r"no source for Debian bookworm .*--image PATH"):
        machine_sources("bookworm", tmp_path)
