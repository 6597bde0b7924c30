//! Small trees that break the rules: each rule catches what is planted for it, and nothing beside it.

use super::sources::Sources;
use super::{
    circles, impurities, is_against_the_order, is_from_verb_to_caller, secret_readers, strays,
    wrong_arrows,
};

/// Files that the planted ones name.
const FURNITURE: [(&str, &str); 7] = [
    ("lib.rs", "pub mod cli; pub mod domain; pub mod services; pub mod ui;"),
    ("cli/mod.rs", "mod verbs; pub(crate) mod out; pub fn run() {}"),
    ("cli/out.rs", "pub struct Out;"),
    ("domain/mod.rs", "pub mod secret; pub mod text;"),
    ("domain/text.rs", "pub fn quoted() {}"),
    ("services/mod.rs", "pub struct Services;"),
    ("ui/mod.rs", "pub mod view; pub use view::View;"),
];

fn tree(planted: &[(&'static str, &'static str)]) -> Sources {
    let mut files = FURNITURE.to_vec();
    files.push(("ui/view.rs", "pub struct View; pub fn draw() {}"));
    files.retain(|(name, _)| planted.iter().all(|(other, _)| other != name));
    files.extend(planted);
    Sources::parse(&files)
}

/// A file `domain/planted.rs` with this text.
fn domain(text: &'static str) -> Sources {
    tree(&[("domain/planted.rs", text)])
}

#[track_caller]
fn assert_found(found: &[String], expected: &[&str]) {
    assert_eq!(found, expected);
}

#[test]
fn an_arrow_against_the_order_is_caught_however_it_is_written() {
    for text in [
        "use crate::ui::view::View;",
        "use crate::ui::View;", // re-exported: the file that defines it counts
        "use crate::{domain::text, ui::{self as screen, view::{View as V}}};",
        "use super::super::ui::view::draw;",
        "use crate::ui::view::*;",
        "use crate as root; fn f() { root::ui::view::draw() }",
        "use super::super as root; type V = root::ui::view::View;",
        "fn f() { crate::ui::view::draw() }",
        "fn f(_: &crate::ui::View) {}",
        "fn f() { use crate::ui::view as v; v::draw() }",
        "fn f() -> Vec<Option<super::super::ui::view::View>> { vec![] }",
        "fn f(x: u8) { match x { crate::ui::view::MOST => {} _ => {} } }",
        "fn f() { let _ = format!(\"{}\", crate::ui::view::draw()); }",
        "fn f() -> bool { matches!(1, x if x == super::super::ui::view::MOST) }",
        "macro_rules! m { () => { $crate::ui::view::draw() } }",
        "macro_rules! m { () => { use crate::{ui::view::{draw}}; } }",
        "#[derive(crate::ui::view::View)] struct A;",
        "#[serde(with = \"crate::ui::view\")] struct A;",
        "impl crate::ui::view::Draw for u8 {}",
        "fn f() { <u8 as crate::ui::view::Draw>::draw() }",
        "mod inner { fn f() { super::super::super::ui::view::draw() } }",
        "#[cfg(test)] mod tests; fn f() { crate::ui::view::draw() }",
        "#[cfg(test)] mod tests { fn f() {} } fn f() { crate::ui::view::draw() }",
        "#[cfg(not(test))] fn f() { crate::ui::view::draw() }",
        "#[cfg(any(test, unix))] fn f() { crate::ui::view::draw() }",
    ] {
        let found = wrong_arrows(&domain(text), is_against_the_order);
        let expected = "domain/planted.rs:1 names ui/view.rs";
        assert!(found.iter().any(|it| it == expected), "{text}: {found:?}");
        assert!(found.iter().all(|it| it.contains("names ui/")), "{text}: {found:?}");
    }
}

#[test]
fn every_room_keeps_to_its_own() {
    let from = |file, text| wrong_arrows(&tree(&[(file, text)]), is_against_the_order);
    let ui = "use crate::ui::view::View;";
    let services = "use crate::services::Services;";
    let domain = "use crate::domain::text::quoted;";
    let cli = "use crate::cli::out::Out;";
    assert_found(&from("services/x.rs", ui), &["services/x.rs:1 names ui/view.rs"]);
    assert_found(&from("ui/x.rs", services), &["ui/x.rs:1 names services/mod.rs"]);
    assert_found(&from("emulator/x.rs", domain), &["emulator/x.rs:1 names domain/text.rs"]);
    assert_found(&from("domain/x.rs", cli), &["domain/x.rs:1 names cli/out.rs"]);
    assert_found(&from("main.rs", "use sekisho::ui::View;"), &["main.rs:1 names ui/view.rs"]);
    assert_found(&from("newroom/x.rs", domain), &["newroom/x.rs:1 names domain/text.rs"]);
    for text in [ui, services, domain] {
        assert_found(&from("cli/x.rs", text), &[]);
    }
    assert_found(&from("main.rs", "fn main() { sekisho::cli::run() }"), &[]);
}

#[test]
fn tests_may_name_what_they_like() {
    let files = [
        (
            "domain/planted.rs",
            "#[cfg(test)] mod tests; #[cfg(all(test, unix))] use crate::ui::View;",
        ),
        ("domain/planted/tests.rs", "mod more; use crate::ui::View; use std::fs;"),
        ("domain/planted/tests/more.rs", "async fn f() { crate::cli::run() }"),
        ("domain/other.rs", "struct A; impl A { #[cfg(test)] fn f() { crate::ui::view::draw() } }"),
        ("domain/third.rs", "/// See [`crate::ui::View`].\npub(in crate::domain) struct A;"),
    ];
    assert_found(&wrong_arrows(&tree(&files), is_against_the_order), &[]);
    assert_found(&impurities(&tree(&files)), &[]);
}

#[test]
fn a_clock_in_the_domain_is_caught_under_every_spelling() {
    for text in [
        "use jiff::Timestamp; fn f() { Timestamp::now(); }",
        "fn f() { jiff::Timestamp::now(); }",
        "use jiff::Timestamp as T; fn f() { T::now(); }",
        "use jiff as clock; fn f() { clock::Timestamp::now(); }",
        "use jiff::{self, Zoned}; fn f() { Zoned::now(); }",
        "use jiff::*; fn f() { Timestamp::now(); }",
        "type T = jiff::Timestamp; fn f() { T::now(); }",
        "fn f() { <jiff::Timestamp>::now(); }",
        "fn f(a: Option<jiff::Timestamp>) { a.unwrap_or_else(jiff::Timestamp::now); }",
        "fn f() { assert!(jiff::Timestamp::now() > x); }",
        "use std::time::{Duration, Instant};",
        "use std::time; fn f(at: time::SystemTime) {}",
        "fn f() { std::time::Instant::now().elapsed(); }",
        "#[cfg(test)] mod tests; fn f() { jiff::Timestamp::now(); }",
    ] {
        assert!(!impurities(&domain(text)).is_empty(), "{text}");
    }
    let elsewhere = "mod clock { pub use jiff::Timestamp as T; }";
    let files =
        [("domain/a.rs", elsewhere), ("domain/b.rs", "fn f() { super::a::clock::T::now(); }")];
    assert_found(&impurities(&tree(&files)), &["domain/b.rs:1 names jiff::Timestamp::now"]);
    let ui = tree(&[("ui/x.rs", "use jiff::Timestamp as T; fn f() { T::now(); }")]);
    assert_found(&strays(&ui), &["ui/x.rs:1 reads the clock: jiff::Timestamp::now"]);
}

#[test]
fn io_waiting_and_chance_in_the_domain_are_caught() {
    for text in [
        "use std::fs;",
        "use std::{fmt, fs::File};",
        "use std as s; fn f() { s::fs::read(\"x\"); }",
        "fn f() { ::std::env::var(\"HOME\"); }",
        "use std::io::Write;",
        "use std::net::TcpStream;",
        "use std::process::Command;",
        "fn f() { std::process::exit(1) }",
        "fn f() { std::thread::sleep(x) }",
        "async fn f() {}",
        "fn f() { let _ = async { 1 }; }",
        "fn f() { let _ = async || 1; }",
        "trait T { async fn f(); }",
        "macro_rules! m { ($e:expr) => { $e.await } }",
        "use tokio::time::sleep;",
        "fn f() { getrandom::fill(&mut [0]); }",
        "fn f() { rand::random::<u8>(); }",
        "fn f() { rustix::process::getpid(); }",
        "use std::collections::hash_map::RandomState;",
    ] {
        assert!(!impurities(&domain(text)).is_empty(), "{text}");
    }
    for text in [
        "use std::process::ExitCode; use std::net::IpAddr; use std::time::Duration;",
        "use std::fmt; impl fmt::Display for A {} fn f() { u8::from(true); String::new(); }",
        "use jiff::{Timestamp, tz::TimeZone}; const A: Timestamp = Timestamp::UNIX_EPOCH;",
        "#[rustfmt::skip] #[expect(clippy::unwrap_used)] struct A;",
        "enum Kind { A } use Kind::A; fn f(k: Kind) { matches!(k, Kind::A); vec![Self::x()]; }",
    ] {
        assert_found(&impurities(&domain(text)), &[]);
    }
}

#[test]
fn a_thing_outside_of_its_home_is_caught() {
    for (file, text) in [
        ("services/session/x.rs", "use aws_sdk_sts::Client;"),
        ("services/x.rs", "use aws_sdk_sts as sts; fn f() { sts::Client::new(); }"),
        ("cli/x.rs", "fn f(_: &aws_smithy_types::error::ErrorMetadata) {}"),
        ("cli/x.rs", "use aws_config::BehaviorVersion;"),
        ("cli/x.rs", "use ratatui::text::Line;"),
        ("services/x.rs", "use crossterm::execute;"),
        ("ui/x.rs", "use std::{fs, io};"),
        ("emulator/x.rs", "use std as s; fn f() { s::fs::read(\"x\"); }"),
        ("cli/x.rs", "fn f() { println!(); }"),
        ("cli/x.rs", "fn f() { std::eprintln!(); }"),
        ("ui/x.rs", "macro_rules! m { () => { print!(\"x\") } }"),
        ("cli/x.rs", "use std::io; fn f() { io::stdout().lock(); }"),
        ("services/x.rs", "use std::io::{Write, stderr as e};"),
    ] {
        let found = strays(&tree(&[(file, text)]));
        assert!(!found.is_empty(), "{file}: {text}");
    }
    let at_home = [
        ("services/aws/x.rs", "use aws_sdk_sts::Client; use aws_smithy_types::DateTime;"),
        ("ui/x.rs", "use ratatui::text::Line;"),
        ("cli/out.rs", "fn f() { std::io::stdout(); }"),
        ("services/x.rs", "use std::fs; fn f() { jiff::Timestamp::now(); }"),
        ("cli/x.rs", "fn aws_config() {} fn f() { aws_config(); out.println(); }"),
    ];
    assert_found(&strays(&tree(&at_home)), &[]);
}

#[test]
fn whoever_looks_at_a_secret_is_found() {
    let secret = ("domain/secret.rs", "pub struct Secret; impl Secret { pub fn expose(&self) {} }");
    for text in [
        "fn f(s: &Secret) { s.expose(); }",
        "fn f(s: &Secret) { s\n    .expose(); }",
        "fn f(s: &Secret) { format!(\"{}\", s.expose()); }",
        "fn f(s: Option<&Secret>) { s.map(crate::domain::secret::Secret::expose); }",
        "fn f(s: &Secret) { <Secret>::expose(s); }",
        "#[cfg(test)] mod tests {} fn f(s: &Secret) { s.expose(); }",
    ] {
        let found = tree(&[secret, ("cli/x.rs", text)]);
        assert_eq!(secret_readers(&found), ["cli/x.rs"], "{text}");
    }
    let unread = "#[cfg(test)] mod tests { fn f(s: &Secret) { s.expose(); } } // s.expose()";
    assert!(secret_readers(&tree(&[secret, ("cli/x.rs", unread)])).is_empty());
}

#[test]
fn a_circle_is_caught_and_a_child_is_none() {
    let two = [
        ("domain/a.rs", "use super::b::B; pub struct A;"),
        ("domain/b.rs", "\npub struct B; fn f(_: super::a::A) {}"),
    ];
    assert_found(&circles(&tree(&two)), &["domain/a.rs:1 → domain/b.rs:2 → domain/a.rs"]);
    let three = [
        ("domain/a.rs", "use crate::{domain::b::deep::B}; pub struct A;"),
        ("domain/b/mod.rs", "mod deep;"),
        ("domain/b/deep.rs", "pub struct B; fn f() { matches!(super::super::c::C, _); }"),
        ("domain/c.rs", "use super::A as First; pub struct C;"),
        ("domain/mod.rs", "mod a; mod b; mod c; pub use a::A;"),
    ];
    assert_found(
        &circles(&tree(&three)),
        &["domain/a.rs:1 → domain/b/deep.rs:1 → domain/c.rs:1 → domain/a.rs"],
    );
    let grandchild = [
        ("domain/a.rs", "mod b; use b::c::C; pub struct A;"),
        ("domain/a/b.rs", "pub mod c;"),
        ("domain/a/b/c.rs", "use super::super::A; pub struct C;"),
    ];
    assert_found(
        &circles(&tree(&grandchild)),
        &["domain/a.rs:1 → domain/a/b/c.rs:1 → domain/a.rs"],
    );
    let child = [
        ("domain/a.rs", "mod b; use b::B; pub struct A;"),
        ("domain/a/b.rs", "use super::A; pub struct B;"),
    ];
    assert_found(&circles(&tree(&child)), &[]);
}

#[test]
fn a_verb_that_imports_from_its_caller_is_caught() {
    let files = [
        ("cli/verbs/mod.rs", "pub mod list; pub mod key;"),
        ("cli/verbs/list.rs", "use super::super::{out::Out, run};"),
        ("cli/verbs/key/mod.rs", "fn f() { crate::cli::run() }"),
    ];
    assert_found(
        &wrong_arrows(&tree(&files), is_from_verb_to_caller),
        &["cli/verbs/list.rs:1 names cli/mod.rs", "cli/verbs/key/mod.rs:1 names cli/mod.rs"],
    );
}
