//! Files made to hurt end in a clear error, soon and small.

use std::fmt::Write as _;
use std::time::Duration;

use sekisho::domain::config::Strictness;
use sekisho::domain::known::Known;
use sekisho::services::config::files::load;

use super::{config, told};

const HEAD: &str = "auth: {account: \"111111111111\", region: us-east-1}\ndefaults: {roles: [R]}\n";

/// The CPU time of this thread, which no load on the machine changes; zero where the system does not count it.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|word| word.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or_default())
}

/// What is said about a hostile main file; a debug build gets 20 s instead of one.
fn refused(text: &str) -> String {
    let start = cpu_time();
    let includes: [&str; 0] = [];
    let complaints = config(text, &includes, Strictness::Tolerant).unwrap_err();
    let taken = cpu_time().saturating_sub(start);
    assert!(taken < Duration::from_secs(20), "{taken:?}");
    assert!(complaints.len() <= 100);
    told(&complaints)
}

#[test]
fn aliases_do_not_multiply() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..12 {
        let last = format!("*a{}, ", n - 1).repeat(10);
        let _ = writeln!(bomb, "a{n}: &a{n} [{}]", last.trim_end_matches(", "));
    }
    assert!(refused(&bomb).contains("too many values, aliases"), "{}", refused(&bomb));
    let wide = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(1000), "*a, ".repeat(10_000));
    assert!(refused(&wide).contains("too many values, aliases"), "{}", refused(&wide));
}

#[test]
fn nesting_ends() {
    for deep in
        ["[".repeat(100_000), "- ".repeat(100_000), "? ".repeat(100_000), "{a: ".repeat(100_000)]
    {
        let said = refused(&format!("{HEAD}x: {deep}"));
        assert!(!said.is_empty());
        let said = refused(&deep);
        assert!(!said.is_empty());
    }
}

#[test]
fn too_many_keys_are_not_read() {
    let mut text = HEAD.to_owned();
    for n in 0..300_000 {
        let _ = writeln!(text, "key{n}: x");
    }
    let said = refused(&text);
    assert!(said.lines().count() <= 100);
    assert!(said.contains("at most 256 keys"), "{said}");
}

#[test]
fn too_many_faults_are_not_listed() {
    let faulty = format!("{HEAD}accounts:\n{}", "  - {name: a, id: x, y: z}\n".repeat(60_000));
    assert_eq!(refused(&faulty).lines().count(), 100);
    let faulty = format!("{HEAD}browser: [{}]", "[], ".repeat(1_000));
    assert_eq!(refused(&faulty).lines().count(), 100);
}

#[test]
fn what_grows_with_the_file_has_an_end() {
    let long = refused(&format!("{HEAD}query: {}", "x".repeat(1_001)));
    assert!(long.contains("more than 1000 characters"), "{long}");
    let wide = refused(&format!("{HEAD}include: [{}]", "a, ".repeat(1_001)));
    assert!(wide.contains("a list has at most 1000 elements"), "{wide}");
    let mut many = format!("{HEAD}accounts:\n");
    for n in 0..50_001 {
        let _ = writeln!(many, "- {{name: a{n}, id: {n:012}}}");
    }
    let many = refused(&many);
    assert!(many.contains("at most 50,000 accounts"), "{many}");
}

#[test]
fn aliases_and_merges_work_and_faults_in_them_stand_where_they_are_written() {
    let text = format!(
        "{HEAD}accounts:
  - &base {{name: a, id: '222222222222', roles: &std [R, {{name: S, duration: 2h}}], guard: warn}}
  - {{<<: *base, name: b, id: 222222222223}}
  - {{name: c, id: '222222222224', roles: *std}}
"
    );
    let loaded = super::loaded(&text, &[]);
    let accounts = loaded.config.catalog.accounts();
    assert_eq!(accounts[1].id.to_string(), "222222222223");
    assert_eq!(accounts[1].guard, sekisho::domain::guard::Guard::Warn);
    assert_eq!(accounts[2].roles, accounts[0].roles);
    let said = refused(&text.replace("2h", "20h"));
    assert!(said.lines().all(|line| line.starts_with("config.yaml:4:")), "{said}");
}

#[test]
fn a_byte_order_mark_and_dos_lines_change_nothing() {
    let dos = format!("\u{feff}{}", super::EXAMPLE.replace('\n', "\r\n"));
    let (plain, dos) = (super::loaded(super::EXAMPLE, &[]), super::loaded(&dos, &[]));
    assert_eq!(plain.config, dos.config);
    let said = refused("\u{feff}# 開発\r\nauth: {account: \"開発\", region: x}\r\n");
    assert!(said.starts_with("config.yaml:2:17: "), "{said}");
}

/// What is said about a file that cannot be a config.
fn unread(path: &std::path::Path) -> String {
    let fault = load(path, None, Strictness::Tolerant, &Known::default()).unwrap_err();
    assert_eq!(fault.exit, sekisho::domain::fault::Exit::Usage);
    fault.because("").why.join("\n")
}

#[test]
fn what_is_no_text_file_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);

    let sparse = std::fs::File::create(path("sparse")).unwrap();
    sparse.set_len(100 << 20).unwrap();
    assert!(unread(&path("sparse")).contains("larger than 16384 KiB"));

    std::fs::write(path("latin1"), b"a\nb: \xe9\n").unwrap();
    assert!(unread(&path("latin1")).contains("not UTF-8, first in line 2"));

    assert!(unread(dir.path()).contains("a directory"));

    let fifo = std::process::Command::new("mkfifo").arg(path("fifo")).status().unwrap();
    assert!(fifo.success());
    assert!(unread(&path("fifo")).contains("a pipe or device"));
    assert!(unread(std::path::Path::new("/dev/zero")).contains("a pipe or device"));

    let gone = load(&path("gone"), None, Strictness::Tolerant, &Known::default()).unwrap_err();
    assert!(gone.what.contains("there is no config"));
    assert!(gone.fix.iter().any(|fix| fix.contains("sekisho demo")));
}
