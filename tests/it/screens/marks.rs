//! Marked rows, and the box that asks for a command line to run in all of them.

use std::sync::Arc;

use insta::assert_snapshot;
use sekisho::domain::account::{Account, Catalog, Role};
use sekisho::domain::agents::Driver;
use sekisho::domain::guard::Guard;
use sekisho::domain::history::History;
use sekisho::domain::known::Change;
use sekisho::domain::scope::Scope;
use sekisho::ui::model::{Enters, MarkedRun, Outcome};
use sekisho::ui::theme::{ASCII, Paint, UNICODE};

use super::fixture::{catalog, role, setup};
use super::stage::Stage;
use super::{SUZUKI, TANAKA};

/// What runs where, and what is left out.
#[track_caller]
fn run(outcome: Outcome) -> (Vec<String>, Vec<String>, String) {
    let Outcome::Run(MarkedRun { targets, left_out, line }) = outcome else {
        panic!("nothing was run");
    };
    let targets = targets.iter().map(|cleared| cleared.target().name()).collect();
    (targets, left_out.iter().map(|(target, _)| target.name()).collect(), line)
}

/// Whether nothing was run: the keys ended and the terminal hung up.
fn runs_nothing(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Cancelled)
}

#[test]
fn tab_marks_and_goes_on_and_the_filter_hides_no_mark() {
    let mut stage = Stage::new(80, 24).signed_in(TANAKA, 47);
    assert_snapshot!("marks_list", stage.shows("<tab>suz<tab><shift-tab><shift-tab><ctrl-u>"));
    let shown = stage.shows("<ctrl-u>stag<tab><ctrl-u>prod-");
    assert!(shown.contains("3 marked   2 / 8"), "{shown}");
    let mut stage = Stage::ascii(80, 12);
    let shown = stage.shows("<tab>");
    assert!(shown.contains("x   dev-tanaka") && shown.contains("1 marked"), "{shown}");
    assert!(shown.contains("Enter run in 1") && shown.contains("Esc unmark"), "{shown}");
    let shown = Stage::new(30, 8).shows("<tab><tab>");
    assert!(shown.contains("✓2  8 / 8"), "{shown}");
}

#[test]
fn escape_takes_the_filter_first_then_the_marks_then_leaves() {
    let mut stage = Stage::new(80, 18);
    let shown = stage.shows("<tab>stag<esc>");
    assert!(shown.contains("1 marked   8 / 8"), "{shown}");
    let shown = stage.shows("<esc>");
    assert!(!shown.contains("marked") && !shown.contains('✓'), "{shown}");
    assert!(matches!(stage.keys("<esc>"), Outcome::Quit));
}

#[test]
fn where_a_shell_does_not_come_back_nothing_is_marked() {
    for enters in [Enters::ThisShell, Enters::Printed, Enters::Command, Enters::Console] {
        let mut setup = setup(&UNICODE, Paint::Color);
        setup.enters = enters;
        let mut stage = Stage::with(80, 18, setup, History::default(), catalog());
        let shown = stage.shows("<tab><down><shift-tab>");
        assert!(!shown.contains("marked"), "{enters:?}\n{shown}");
        let shown = stage.shows("tanakq<tab>");
        assert!(shown.contains("› tanaka"), "{enters:?}: it takes what is offered\n{shown}");
        let shown = stage.shows("?<end>");
        assert!(!shown.contains("mark the row"), "{enters:?}\n{shown}");
    }
}

#[test]
fn the_box_shows_all_that_is_marked_and_what_is_left_out() {
    let keys = "<tab><ctrl-t><tab>prod-<tab><tab><ctrl-u>stag<enter>";
    let mut stage = Stage::new(80, 24);
    assert_snapshot!("marks_box", stage.shows(&format!("{keys}aws s3 ls")));
    assert_snapshot!(
        "marks_box_ascii",
        Stage::ascii(80, 24).shows(&format!("{keys}<wait:0.1><enter>"))
    );
    assert_snapshot!(
        "marks_box_small",
        Stage::new(40, 10).shows(&format!("{keys}aws s3 ls<down>"))
    );
    assert_snapshot!("marks_box_line", Stage::new(40, 7).shows(&format!("{keys}aws s3 ls")));
    assert_snapshot!("marks_box_tiny", Stage::new(16, 1).shows(&format!("{keys}aws s3 ls")));
    let mut stage = Stage::new(80, 24);
    let (targets, left_out, line) = run(stage.keys(&format!("{keys}aws s3 ls <wait:0.1><enter>")));
    assert_eq!(targets, ["dev-tanaka/Developer", "dev-tanaka/ReadOnly", "prod-web/Developer"]);
    assert_eq!((left_out, line.as_str()), (vec!["prod-payments/Admin".to_owned()], "aws s3 ls"));
}

#[test]
fn a_marked_row_runs_in_its_own_scope_and_for_an_hour_at_most() {
    let mut accounts = catalog().accounts().to_vec();
    accounts[0].roles[0] = Arc::new(role("Developer", 4));
    let catalog = Catalog::new(accounts, Some("ap-northeast-1".parse().unwrap()));
    let mut stage = Stage::with(80, 24, setup(&UNICODE, Paint::Color), History::default(), catalog);
    let Outcome::Run(marked) = stage.keys("<ctrl-t><tab><enter>id<wait:0.1><enter>") else {
        panic!("nothing was run");
    };
    let target = marked.targets[0].target();
    assert_eq!(target.session.scope, Scope::ReadOnly);
    assert_eq!(target.duration.as_secs(), 3600, "a longer one takes a code of its own");
}

#[test]
fn a_paste_is_one_visible_line_and_never_runs() {
    let mut stage = Stage::new(80, 24);
    let outcome = stage.keys("<tab><enter><paste:aws s3 ls \\\n  --human\\n| wc\u{202e} -l\\n>");
    assert!(runs_nothing(&outcome));
    let shown = stage.picture();
    assert!(shown.contains("› aws s3 ls    --human | wc -l"), "{shown}");
    let (.., line) = run(stage.keys("<tab><enter>x<paste: | y\\n><wait:0.1><enter>"));
    assert_eq!(line, "x | y");

    // Of a terminal that does not announce a paste it comes as keys.
    for end in ["<enter>", "<ctrl-j>", "<enter><enter>", "<enter>rm -r<enter>"] {
        let mut stage = Stage::new(80, 24);
        let outcome = stage.keys(&format!("<wait:0.1><tab><enter>ls{end}"));
        assert!(runs_nothing(&outcome), "{end}");
        let shown = stage.picture();
        assert!(shown.contains("press it again to run"), "{end}\n{shown}");
    }
    // However long each key of it takes to be drawn.
    let mut stage = Stage::new(80, 24);
    stage.world.slowness = std::time::Duration::from_millis(100);
    assert!(runs_nothing(&stage.keys("<wait:0.1><tab><enter>ls<enter>")));
    let mut stage = Stage::new(80, 24);
    let outcome = stage.keys("<tab><enter>ls<enter><wait:0.1><enter>");
    assert_eq!(run(outcome).2, "ls", "the second one is meant");

    // All of a long one is seen.
    let long = format!("for i in {}; do aws s3 ls $i; done", "1 ".repeat(100));
    assert_snapshot!(
        "marks_box_long",
        Stage::new(80, 16).shows(&format!("<tab><tab><enter><paste:{long}>"))
    );
    let long = "x".repeat(1_025);
    let shown = Stage::new(80, 24).shows(&format!("<tab><enter><paste:{long}>"));
    assert!(shown.contains("too long"), "{shown}");
}

#[test]
fn a_guarded_account_is_taken_in_by_its_name() {
    let keys = "<tab>prod-pay<tab><ctrl-u><enter>aws s3 ls<tab>";
    let mut stage = Stage::new(80, 24);
    assert_snapshot!("marks_box_name", stage.shows(&format!("{keys}prod-<wait:0.1><enter>")));
    let shown = stage.shows("<enter><tab>PROD-payments<wait:0.1><enter>");
    assert!(shown.contains("runs in 2 targets") && !shown.contains("left out"), "{shown}");
    assert!(!shown.contains("Tab: guarded"), "{shown}");

    let confirmed = format!("{keys}prod-payments<wait:0.1><enter>");
    // The Enter that confirmed runs nothing, nor does one right behind it.
    for end in ["", "<enter>"] {
        assert!(runs_nothing(&Stage::new(80, 24).keys(&format!("{confirmed}{end}"))), "{end}");
    }
    let outcome = Stage::new(80, 24).keys(&format!("{confirmed}<wait:0.1><enter>"));
    let (targets, left_out, line) = run(outcome);
    assert_eq!(targets, ["dev-tanaka/Developer", "prod-payments/Admin"]);
    assert_eq!((left_out.len(), line.as_str()), (0, "aws s3 ls"));

    // Back to the line, as it was: by Esc, Tab, or Enter alone. A name confirms the next box's targets no more.
    for back in ["pr<esc>", "<tab>", "<wait:0.1><enter>"] {
        let shown = Stage::new(80, 24).shows(&format!("{keys}{back}"));
        assert!(
            shown.contains("› aws s3 ls") && shown.contains("1 is left out"),
            "{back}\n{shown}"
        );
    }
    let shown = Stage::new(80, 24).shows(&format!("{confirmed}<esc><enter>"));
    assert!(shown.contains("1 is left out"), "{shown}");
    let shown = Stage::new(40, 7).shows(&format!("{keys}prod"));
    assert!(shown.contains("! name: prod"), "{shown}");
}

#[test]
fn what_has_changed_is_not_taken_in_and_agents_take_in_nothing() {
    let keys = "<tab>prod-pay<tab><ctrl-u><enter>ls<tab>prod-payments";
    let mut setup_of_agent = setup(&UNICODE, Paint::Color);
    setup_of_agent.driver = Driver::of([(&b"CLAUDECODE"[..], &b"1"[..])].into_iter());
    let stage = Stage::with(80, 24, setup_of_agent, History::default(), catalog());
    let mut accounts = catalog().accounts().to_vec();
    let payments = accounts.iter_mut().find(|it| it.name.as_str() == "prod-payments").unwrap();
    let change: Change = serde_json::from_str(r#"{"loosened": ["confirm", "none"]}"#).unwrap();
    for role in &mut payments.roles {
        *role = Arc::new(Role { change: Some(Change::clone(&change)), ..Role::clone(role) });
    }
    let changed = Catalog::new(accounts, Some("ap-northeast-1".parse().unwrap()));
    let with_change =
        Stage::with(80, 24, setup(&UNICODE, Paint::Color), History::default(), changed);
    for mut stage in [stage, with_change] {
        let shown = stage.shows(keys);
        assert!(shown.contains("1 is left out") && !shown.contains("Tab: guarded"), "{shown}");
        assert!(shown.contains("› lsprod-payments"), "Tab did nothing\n{shown}");
    }
}

#[test]
fn a_longer_duration_is_capped_with_a_word() {
    let mut longer = setup(&UNICODE, Paint::Color);
    longer.overrides.duration = Some(std::time::Duration::from_hours(2));
    let mut stage = Stage::with(80, 24, longer, History::default(), catalog());
    let shown = stage.shows("<tab><enter>");
    assert!(shown.contains("sessions last 1h here: a longer one takes a code for each"), "{shown}");
}

#[test]
fn nothing_runs_without_a_line_or_where_all_is_left_out() {
    let mut stage = Stage::new(80, 24);
    let shown = stage.shows("<tab><enter><space><wait:0.1><enter>");
    assert!(shown.contains("type a command line first"), "{shown}");
    let mut stage = Stage::new(80, 24);
    let shown = stage.shows("prod-pay<tab><enter>ls<wait:0.1><enter>");
    assert!(shown.contains("runs in 0 targets; 1 is left out"), "{shown}");
    assert!(shown.contains("nothing to run in: all are left out"), "{shown}");
}

#[test]
fn escape_goes_back_with_the_marks_and_a_question_mark_is_a_letter() {
    let mut stage = Stage::new(80, 24);
    let shown = stage.shows("<tab><enter>ls ??<esc>");
    assert!(shown.contains("1 marked") && !shown.contains("run a command"), "{shown}");
    let shown = stage.shows("<enter>ls ??");
    assert!(shown.contains("› ls ??") && shown.contains("F1 help"), "{shown}");
    assert_snapshot!("marks_help", stage.shows("<enter>ls<f1>"));
    let mut stage = Stage::new(80, 24);
    let shown = stage.shows("<tab><enter>ls<f1><esc>");
    assert!(shown.contains("› ls"), "help and back\n{shown}");
}

#[test]
fn many_are_scrolled() {
    let accounts = (10..60_u64).map(|n| Account {
        name: format!("dev-{n}").parse().unwrap(),
        id: format!("{:012}", 100_000_000_000 + n).parse().unwrap(),
        guard: Guard::None,
        ..catalog().accounts()[3].clone()
    });
    let catalog = Catalog::new(accounts.collect(), None);
    let setup = setup(&ASCII, Paint::Plain);
    let mut stage = Stage::with(80, 16, setup, History::default(), catalog);
    let shown = stage.shows(&format!("{}<enter>", "<tab>".repeat(50)));
    assert!(shown.contains("runs in 50 targets"), "{shown}");
    assert!(shown.contains("1 to 9 of 50; Up, Down scroll"), "{shown}");
    let shown = stage.shows("<enter><pagedown><down><up><up>");
    assert!(shown.contains("9 to 17 of 50"), "{shown}");
    let shown = stage.shows("<enter><pagedown><pagedown><pagedown><pagedown><pagedown><pagedown>x");
    assert!(shown.contains("42 to 50 of 50") && shown.contains("dev-59/"), "{shown}");
}

#[test]
fn marks_stay_through_subshells_and_other_configs_while_the_role_is_there() {
    let mut stage = Stage::new(80, 24);
    stage.keys("<tab><down>dev-suz<tab><ctrl-u>");
    // The accounts have changed places, and one is gone.
    let mut accounts = catalog().accounts().to_vec();
    accounts.swap(1, 3);
    accounts.remove(0);
    let loaded = (
        setup(&UNICODE, Paint::Color),
        Arc::new(Catalog::new(accounts, catalog().default_region(0).cloned())),
    );
    stage.world.catalog = Some(Ok(loaded)).into();
    stage.model.load_again();
    let shown = stage.shows("<ctrl-u>");
    assert!(shown.contains("1 marked   6 / 6"), "{shown}");
    let now = jiff::Timestamp::from_second(super::stage::START).unwrap();
    stage.model.come_back(History::default(), &SUZUKI.parse().unwrap(), now);
    let shown = stage.shows("");
    assert!(shown.contains("✓▌  dev-suzuki      0123-4567-8901   Developer"), "{shown}");
    let (targets, ..) = run(stage.keys("<enter>ls<wait:0.1><enter>"));
    assert_eq!(targets, ["dev-suzuki/Developer"]);
    let shown = stage.shows("");
    assert!(shown.contains("1 marked"), "until it has run\n{shown}");
    stage.model.unmark();
    assert!(!stage.shows("").contains("marked"));
}
