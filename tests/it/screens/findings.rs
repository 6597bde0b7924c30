//! The result of `verify` as a screen.

use std::cell::RefCell;
use std::pin::pin;

use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use sekisho::domain::guard::Guard;
use sekisho::domain::keymap::Keymap;
use sekisho::domain::verdict::report::Report;
use sekisho::emulator::Document;
use sekisho::services::verify::{Chosen, Plan};
use sekisho::ui::findings::{Desk, Findings, Left, draw, run};
use sekisho::ui::theme::{ASCII, Glyphs, Paint, Theme, UNICODE};

use super::stage::{picture, typed};
use crate::verify::stage::{add_account, start, target, trust, verify_in};

/// What `verify` finds where one account lets a bare key in and another a foreign account.
fn report() -> Report {
    let emulator = start(|organization| {
        add_account(organization, "333333333333", "payments");
        add_account(organization, "444444444444", "開発-佐藤");
        organization.role("333333333333", "Developer").unwrap().trust = trust("{}");
        let foreign = r#"{"Statement":[{"Sid":"Vendor","Effect":"Allow","Principal":{"AWS":"666666666666"},"Action":"sts:AssumeRole"},
            {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"sts:AssumeRole",
             "Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}]}"#;
        organization.role("444444444444", "Developer").unwrap().trust =
            Document::parse(foreign).unwrap();
    });
    let targets = [
        ("dev-tanaka", "222222222222"),
        ("payments", "333333333333"),
        ("開発-佐藤", "444444444444"),
    ]
    .map(|(name, id)| target(name, id, Guard::None));
    let plan = Plan::new(targets.into(), Chosen::All);
    let mut report = crate::verify::stage::run(verify_in(&emulator, &plan, None, |_| {})).unwrap();
    report.at = "2026-11-27T09:00:00Z".parse().unwrap();
    report.endpoint = "127.0.0.1:5601".into();
    report
}

struct Stage {
    findings: Findings<'static>,
    terminal: Terminal<TestBackend>,
    copied: RefCell<Vec<String>>,
}

impl Stage {
    fn new(width: u16, height: u16) -> Self {
        Self::with(width, height, &UNICODE, Paint::Color)
    }

    fn with(width: u16, height: u16, glyphs: &'static Glyphs, paint: Paint) -> Self {
        // As long as the test's process: the screen borrows it.
        let report: &Report = Box::leak(Box::new(report()));
        let findings = Findings::new(report, Theme::new(glyphs, paint), Keymap::default());
        let terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        Self { findings, terminal, copied: RefCell::default() }
    }

    fn keys(&mut self, keys: &str) -> Left {
        let (input, clock) = typed(keys);
        let copy = |text: &str| {
            self.copied.borrow_mut().push(text.to_owned());
            Ok(())
        };
        let suspend = || {
            self.copied.borrow_mut().push("suspended".into());
            Ok(())
        };
        let desk = Desk { copy: &copy, suspend: &suspend };
        let run = run(&mut self.terminal, input, &mut self.findings, &desk);
        clock.run(pin!(run)).unwrap()
    }

    fn shows(&mut self, keys: &str) -> String {
        self.keys(keys);
        self.terminal.clear().unwrap();
        self.terminal.draw(|frame| draw(frame, &self.findings)).unwrap();
        picture(&self.terminal)
    }
}

#[test]
fn the_worst_come_first() {
    assert_snapshot!("findings_80x24", Stage::new(80, 24).shows(""));
    assert_snapshot!("findings_120x40", Stage::new(120, 40).shows("<down>"));
    let ascii = Stage::with(80, 24, &ASCII, Paint::Plain).shows("<end>");
    assert_snapshot!("findings_ascii", ascii);
    assert!(ascii.lines().filter(|line| !line.contains("開発")).all(str::is_ascii), "{ascii}");
}

#[test]
fn words_narrow_the_list() {
    assert_snapshot!("findings_filtered_80x24", Stage::new(80, 24).shows("open<space>佐藤"));
    let mut stage = Stage::new(80, 24);
    let shown = stage.shows("payments<space>!masked<space>!held");
    assert!(shown.contains(" 1 / "), "{shown}");
    let shown = stage.shows("<ctrl-u>3333-3333");
    assert!(shown.contains(" 6 / "), "by its id\n{shown}");
    let shown = stage.shows("<ctrl-u>zzz");
    assert!(shown.contains("no matches; Esc clears the filter"), "{shown}");
    assert!(!stage.shows("<enter>").contains("what was seen"), "nothing is under the cursor");
}

#[test]
fn details_and_help_lie_over_the_list() {
    assert_snapshot!("findings_details_80x24", Stage::new(80, 24).shows("佐藤<enter>"));
    assert_snapshot!("findings_details_120x40", Stage::new(120, 40).shows("<enter>"));
    assert_snapshot!("findings_help_80x24", Stage::new(80, 24).shows("?"));
    let mut low = Stage::new(60, 8);
    let (first, below) = (low.shows("<enter>"), low.shows("<down><down>"));
    assert_ne!(first, below, "details scroll");
    assert_eq!(low.shows("<esc><enter>"), first);
}

#[test]
fn the_remedy_is_copied_and_nothing_where_there_is_none() {
    let mut stage = Stage::new(100, 24);
    let shown = stage.shows("payments<space>trust<ctrl-y>");
    assert!(shown.contains("sent to the clipboard: "), "{shown}");
    assert!(stage.copied.borrow()[0].contains("aws:MultiFactorAuthPresent"), "{:?}", stage.copied);
    let shown = stage.shows("<ctrl-u>held<ctrl-y>");
    assert!(shown.contains("there is nothing to do about it"), "{shown}");
    assert_eq!(stage.copied.borrow().len(), 1);
}

#[test]
fn it_closes_as_the_switcher_does() {
    for (keys, closed) in [
        ("<esc>x", true),
        ("<ctrl-d>x", true),
        ("<ctrl-c>x", true),
        ("open<ctrl-c>x", true),
        ("open<ctrl-d>x", false),
        ("open<esc>", false),
        ("<enter><esc>x", false),
        ("?<ctrl-z>", false),
    ] {
        let mut stage = Stage::new(80, 24);
        assert_eq!(stage.keys(keys), Left::Closed);
        // At the end of the keys the terminal hangs up, which closes it, too: what was typed last tells.
        let shown = stage.shows("");
        let filter = shown.lines().find(|line| line.contains('›')).unwrap_or_default();
        assert_eq!(keys.ends_with('x') && !filter.contains('x'), closed, "{keys}\n{shown}");
    }
}

#[test]
fn any_size_is_drawn() {
    for (width, height) in
        [(1, 1), (19, 4), (20, 3), (20, 4), (30, 6), (45, 10), (62, 12), (200, 60)]
    {
        for keys in ["", "<enter>", "?", "zzz", "open<down><down><pagedown><end>"] {
            Stage::new(width, height).shows(keys);
        }
    }
}
