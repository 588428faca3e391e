//! Which folders are taken for stores, and which are refused with what words.
#![allow(missing_docs, clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fs;

use chunk_backend::{CreateError, FarmId, FolderError, OpenError, Store};
use support::{Bench, FARM};

fn write(path: &std::path::Path, text: &str) {
    use std::io::Write;
    fs::File::create(path)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
}

#[test]
fn a_store_is_the_same_after_it_was_opened_again() {
    let bench = Bench::new();
    let created = bench.store("store");
    let opened = Store::open(created.path(), FARM).unwrap();
    assert_eq!((opened.id(), opened.farm()), (created.id(), FARM));
    assert!(opened.free_space().unwrap() <= opened.capacity().unwrap());
}

#[test]
fn what_a_store_holds_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new();
    let store = bench.store("store");
    for part in ["packs", "manifests", "flat", "incoming"] {
        let mode = fs::metadata(store.path().join(part)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o700, "{part}");
    }
}

#[test]
fn a_folder_without_a_description_is_not_a_store() {
    let bench = Bench::new();
    let error = Store::open(bench.folder.path(), FARM).unwrap_err();
    assert!(matches!(error, OpenError::NotAStore { .. }));
    let message = error.to_string();
    assert!(
        message.contains("is not a store") && message.contains("create the store"),
        "{message}"
    );
    assert!(matches!(
        Store::open(&bench.path("nowhere"), FARM),
        Err(OpenError::NotAStore { .. })
    ));
}

#[test]
fn another_farms_store_is_refused_and_both_farms_are_named() {
    let bench = Bench::new();
    bench.store("store");
    let other = FarmId::from_bytes([9; 16]);
    let error = Store::open(&bench.path("store"), other).unwrap_err();
    let message = error.to_string();
    assert!(
        matches!(error, OpenError::OtherFarm { found, expected, .. } if found == FARM && expected == other)
    );
    assert!(
        message.contains(&FARM.to_string()) && message.contains(&other.to_string()),
        "{message}"
    );
}

#[test]
fn a_later_format_is_refused_before_its_fields_are_looked_at() {
    let bench = Bench::new();
    bench.store("store");
    write(
        &bench.path("store/store.json"),
        r#"{"format": 2, "farms": []}"#,
    );
    let error = Store::open(&bench.path("store"), FARM).unwrap_err();
    assert!(matches!(error, OpenError::NewerFormat { found: 2, .. }));
    assert!(error.to_string().contains("upgrade this server"), "{error}");
}

#[test]
fn a_damaged_description_is_named() {
    let bench = Bench::new();
    bench.store("store");
    for text in [
        "",
        "{",
        "[]",
        r#"{"format": 1}"#,
        r#"{"format": 1, "farm": "x", "store": "y"}"#,
    ] {
        write(&bench.path("store/store.json"), text);
        let error = Store::open(&bench.path("store"), FARM).unwrap_err();
        let is_damaged = matches!(
            error,
            OpenError::Unreadable(FolderError::DamagedDescription { .. })
        );
        assert!(is_damaged, "{text}: {error}");
        assert!(error.to_string().contains("store.json"), "{error}");
    }
}

#[test]
fn only_an_empty_folder_becomes_a_store() {
    let bench = Bench::new();
    let path = bench.path("store");
    fs::create_dir(&path).unwrap();
    write(&path.join("thesis.txt"), "mine");
    assert!(matches!(
        Store::create(&path, FARM),
        Err(CreateError::NotEmpty { .. })
    ));
    assert_eq!(super_names(&path), ["thesis.txt"]);
    fs::remove_file(path.join("thesis.txt")).unwrap();
    Store::create(&path, FARM).unwrap();
    let other = FarmId::from_bytes([9; 16]);
    assert!(matches!(
        Store::create(&path, other),
        Err(CreateError::AlreadyAStore { farm: FARM, .. })
    ));
}

fn super_names(path: &std::path::Path) -> Vec<String> {
    let names = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

#[test]
fn a_creation_that_was_killed_can_be_done_again() {
    let bench = Bench::new();
    let path = bench.path("store");
    for part in ["packs", "incoming", "locks"] {
        fs::create_dir_all(path.join(part)).unwrap();
    }
    write(&path.join("incoming/store.json"), "{\"for");
    Store::create(&path, FARM).unwrap();
    Store::open(&path, FARM).unwrap();
}
