"""Who may open an export: other people's clients with tickets in the export's name."""

import base64
import re
import struct
import uuid
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.e2e.interop.disk import SIZE_BYTES
from tests.e2e.interop.serving import EXPORT, Served
from tests.e2e.interop.tools import run

_FOR_STREAM, _FOR_REPLICATION = 1, 2
_FAR_FUTURE = 4_102_444_800  # the year 2100
_LONG_AGO = 946_684_800


def ticket(
    served: Served, *, purpose: int = _FOR_STREAM, root: str = "", expires_at: int = _FAR_FUTURE
) -> str:
    """A ticket as the farm signs it, made from its description rather than by Corral's code."""
    body = struct.pack("<BB32sQ16s", 1, purpose, bytes.fromhex(root or served.root), expires_at,
                       uuid.UUID(int=7).bytes)  # fmt: skip
    signature = served.key.sign(b"corral ticket v1\0" + body)
    return base64.urlsafe_b64encode(body + signature).rstrip(b"=").decode()


def uri(served: Served, ticket_text: str, name: str = EXPORT) -> str:
    return served.uri("ticket", f"{name};{ticket_text}")


def test_a_ticket_opens_its_export(served: Served) -> None:
    assert int(run("nbdinfo", "--size", uri(served, ticket(served))).stdout) == SIZE_BYTES


def test_what_a_ticket_does_not_allow_looks_like_what_does_not_exist(served: Served) -> None:
    good = ticket(served)
    middle = len(good) // 2
    refused = {
        "no ticket": served.uri("ticket"),
        "another version": uri(served, ticket(served, root="ab" * 32)),
        "expired": uri(served, ticket(served, expires_at=_LONG_AGO)),
        "for replication": uri(served, ticket(served, purpose=_FOR_REPLICATION, root="00" * 32)),
        "one letter changed": uri(
            served, good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1 :]
        ),
        "cut short": uri(served, good[:-4]),
        "an export that is not there": uri(served, good, "debian/9"),
    }
    answers = {}
    for case, address in refused.items():
        done = run("nbdinfo", "--size", address, check=False)
        assert done.returncode != 0, case
        answers[case] = re.sub("'.*'", "NAME", done.stderr)
    assert len(set(answers.values())) == 1, answers


def test_another_farms_ticket_is_refused(served: Served) -> None:
    stranger = replace(served, key=Ed25519PrivateKey.generate())
    done = run("nbdinfo", "--size", uri(served, ticket(stranger)), check=False)
    assert done.returncode != 0


@pytest.mark.parametrize("options", [["--list"], ["--list", "--json"]])
def test_exports_are_not_listed_to_strangers(served: Served, options: list[str]) -> None:
    done = run("nbdinfo", *options, served.uri("ticket"), check=False)
    assert done.returncode != 0
    assert EXPORT not in done.stdout
