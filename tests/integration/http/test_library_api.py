"""The library over the API: publishers, the import folder, imports as tasks."""

from pathlib import Path

import httpx
import pytest

from corral.farm.application.import_into_library import LibraryRequest
from corral.farm.application.progress import Progress
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.access.permission import Grant, Role
from corral.farm.domain.library.item import ItemKind
from corral.farm.domain.library.kit import publisher_name, written_public_key
from tests.integration.http.test_estate_api import Api, api, farm
from tests.kits import ENGINE, FILES, Signer, kit

__all__ = ["api", "farm"]

KEY = written_public_key(Signer().public_key)


@pytest.fixture
def library(api: Api) -> Api:
    api.act_as(Grant(Role.FARM_ADMINISTRATOR))
    api.farm.add_server("s1")
    return api


def taken(library: Api) -> None:
    """Have the kit of engine 5.0 in the library."""
    library.farm.application.trust_publisher(publisher_name("acme"), Signer().public_key)
    path = Path("/import/five")
    library.farm.ports.files[path] = kit()
    library.farm.application.import_into_library(LibraryRequest(path, ItemKind.KIT), Progress())


def test_publishers_are_trusted_and_audited(library: Api) -> None:
    assert library("GET", "/v1/publishers").json()["publishers"] == []
    added = library("POST", "/v1/publishers", {"name": "acme", "public_key": KEY})
    assert (added.status_code, added.json()["public_key"]) == (201, KEY)
    for body, status, code in (
        ({"name": "acme", "public_key": KEY}, 409, "publisher-taken"),
        ({"name": "other", "public_key": "AAAA"}, 422, "publisher-key-invalid"),
        ({"name": "", "public_key": KEY}, 422, "request-invalid"),
    ):
        refused = library("POST", "/v1/publishers", body)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    (entry,) = library.farm.application.list_audit(AuditFilter(what="publisher"))
    assert (entry.entry.what, entry.entry.thing) == ("publisher.add", "acme")
    assert entry.entry.actor.name == "somebody"
    assert library("DELETE", "/v1/publishers/acme").status_code == 200
    assert library("DELETE", "/v1/publishers/acme").json()["code"] == "publisher-unknown"


def test_the_folder_offers_what_is_right_and_says_why_not(library: Api) -> None:
    unset = library("GET", "/v1/library/folder")
    assert (unset.status_code, unset.json()["code"]) == (409, "library-folder-unset")
    relative = library.change("/v1/library/folder", {"folder": "import"})
    assert relative.json()["code"] == "library-folder-invalid"
    assert library.change("/v1/library/folder", {"folder": "/import"}).json()["revision"] == 2
    late = library.change("/v1/library/folder", {"folder": "/x"}, '"1"')
    assert (late.status_code, late.json()["code"]) == (412, "library-rules-changed")
    library("POST", "/v1/publishers", {"name": "acme", "public_key": KEY})
    library.farm.ports.files[Path("/import/a")] = kit()
    library.farm.ports.files[Path("/import/b")] = kit(signer=Signer(2))
    found = library("GET", "/v1/library/folder?kind=kit").json()["files"]
    assert [(one["name"], one["item"], one["offered"], one["code"]) for one in found] == [
        ("a", "engine-5.0", True, ""),
        ("b", "engine-5.0", False, "kit-untrusted"),
    ]
    assert "signed by nobody that the farm trusts" in found[1]["why_not"]
    assert library("GET", "/v1/library/folder?kind=song").status_code == 422


def test_an_import_is_a_task(library: Api) -> None:
    refused = library("POST", "/v1/library", {"path": "five"})
    assert refused.json()["code"] == "library-folder-unset"
    asked = library("POST", "/v1/library", {"path": "/import/five"})
    assert (asked.status_code, asked.json()["task"]["kind"]) == (202, "library")
    assert asked.json()["task"]["object"] == "five"
    wrong = library("POST", "/v1/library", {"path": "/import/five", "kind": "song"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "task-arguments-invalid")


def test_what_is_in_the_library_is_shown_with_what_was_signed(library: Api) -> None:
    taken(library)
    (item,) = library("GET", "/v1/library").json()["items"]
    assert (item["name"], item["state"], item["release"]) == ("engine-5.0", "available", "5.0")
    assert (item["publisher"], item["version"]) == ("acme", "kit-engine/1")
    assert item["replicas"][0]["state"] == "complete"
    shown = library("GET", "/v1/library/engine-5.0").json()
    assert {key: shown["manifest"][key] for key in ENGINE} == ENGINE
    assert [one["name"] for one in shown["files"]] == list(FILES)
    assert library("GET", "/v1/library/engine-6.0").json()["code"] == "library-item-unknown"
    in_use = library("DELETE", "/v1/publishers/acme")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "publisher-in-use")
    assert library("DELETE", "/v1/library/engine-5.0").status_code == 200
    assert library("GET", "/v1/library").json()["items"] == []


def put(library: Api, name: str, content: bytes) -> httpx.Response:
    """Upload a file as curl does."""
    url = f"/v1/library/folder/{name}"
    return library.client.put(url, content=content)


def test_a_kit_is_uploaded_and_imported_like_any_other_file(library: Api) -> None:
    content = kit()
    assert put(library, "five.kit", content).json()["code"] == "library-folder-unset"
    library.change("/v1/library/folder", {"folder": "/import"})
    came = put(library, "five.kit", content)
    assert (came.status_code, came.json()["path"]) == (201, "/import/five.kit")
    assert library.farm.ports.files[Path("/import/five.kit")] == content
    again = put(library, "five.kit", content)
    assert (again.status_code, again.json()["code"]) == (409, "library-file-exists")
    library.farm.application.trust_publisher(publisher_name("acme"), Signer().public_key)
    (offered,) = library("GET", "/v1/library/folder").json()["files"]
    assert offered["offered"]
    (entry,) = library.farm.application.list_audit(AuditFilter(what="library.upload"))
    assert (entry.entry.thing, entry.entry.actor.name) == (
        f"five.kit, {len(content)} bytes",
        "somebody",
    )


def test_an_upload_is_of_any_size_and_bounded_in_all_else(library: Api) -> None:
    library.change("/v1/library/folder", {"folder": "/import"})
    content = bytes(9 << 20)
    assert put(library, "large.iso", content).status_code == 201
    assert len(library.farm.ports.files[Path("/import/large.iso")]) == len(content)
    for name, code in (
        (".hidden", "upload-name-invalid"),
        ("a b", "upload-name-invalid"),
        ("%2e%2e%2fetc%2fpasswd", "path-unknown"),
    ):
        assert put(library, name, b"x").json()["code"] == code
    unsized = library.client.put("/v1/library/folder/unsized", content=iter([b"x"]))
    assert unsized.status_code == 411
    assert Path("/import/unsized") not in library.farm.ports.files


def test_nobody_uploads_without_the_right_to(library: Api) -> None:
    library.change("/v1/library/folder", {"folder": "/import"})
    library.act_as(Grant(Role.FARM_READER))
    assert put(library, "five.kit", b"x").status_code == 403
    del library.client.headers["Authorization"]
    assert put(library, "five.kit", b"x").status_code == 401
    assert Path("/import/five.kit") not in library.farm.ports.files
