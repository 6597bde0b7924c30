//! A bug while the list is open: the terminal is restored before the report is printed.

use std::future::pending;
use std::sync::Arc;

use jiff::Timestamp;
use sekisho::domain::account::{Catalog, Target};
use sekisho::domain::fault::Fault;
use sekisho::domain::history::HistoryEvent;
use sekisho::domain::ids::{MfaSerial, RoleArn};
use sekisho::domain::pass::{NotIssued, Pass, Request, SessionStatus};
use sekisho::domain::secret::Secret;
use sekisho::ui::model::{DeviceCode, SwitcherSetup};
use sekisho::ui::{Host, pick};

use crate::pty::terminal::{Pty, command};
use crate::screens::stage::Stage;

/// A world with a bug in it.
struct Buggy;

impl Host for Buggy {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn catalog(&self) -> Result<(SwitcherSetup, Arc<Catalog>), Fault> {
        pending().await
    }

    async fn issue(&self, _: Request) -> Result<Pass, NotIssued> {
        panic!("a bug")
    }

    fn status(&self) -> SessionStatus {
        SessionStatus::default()
    }

    fn forget(&self, _: &Target) {}

    fn remember(&self, _: &RoleArn, _: HistoryEvent) {}

    fn copy_url(&self, _: &Secret) -> std::io::Result<()> {
        Ok(())
    }

    fn device_code(&self, _: &MfaSerial) -> Option<DeviceCode> {
        None
    }
}

#[test]
#[ignore = "started by the test below, in a terminal of its own"]
fn list_with_a_bug() {
    if std::env::var_os("SEKISHO_TEST_PANIC").is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let _ = runtime.block_on(pick(&mut Stage::new(100, 30).model, &Buggy));
    }
}

#[test]
fn a_panic_gives_the_terminal_back_first() {
    let home = tempfile::tempdir().unwrap();
    let mut program = command(std::env::current_exe().unwrap(), home.path());
    program.args(["--exact", "switcher::panic::list_with_a_bug", "--ignored", "--nocapture"]);
    program.env("SEKISHO_TEST_PANIC", "1");
    let mut pty = Pty::spawn(program);
    pty.wait_for("ACCOUNT");
    assert!(pty.has_screen());
    pty.send("\r");
    // On the main screen, where it stays readable.
    pty.wait_until("a report", |screen| screen.contains("a bug") && !screen.contains("ACCOUNT"));
    assert_ne!(pty.wait(), 0);
    assert!(!pty.has_screen() && pty.has_cursor());
    let transcript = pty.transcript();
    let restored = transcript.find("\u{1b}[?1049l").unwrap();
    assert!(restored < transcript.find("a bug").unwrap(), "{transcript:?}");
}
