//! The switcher's screens: a test is a string of keys and a picture.

mod findings;
mod fixture;
mod marks;
pub mod stage;

use std::sync::Arc;
use std::time::Duration;

use fixture::{catalog, role, setup};
use insta::assert_snapshot;
use jiff::Timestamp;
use proptest::prelude::*;
use ratatui::style::{Color, Modifier};
use sekisho::domain::account::Catalog;
use sekisho::domain::agents::{Agent, Driver};
use sekisho::domain::fault::{Exit, Fault};
use sekisho::domain::flow::Flow;
use sekisho::domain::guard::Guard;
use sekisho::domain::history::{History, HistoryEvent};
use sekisho::domain::keymap::TABLE;
use sekisho::domain::pass::CodeRejection;
use sekisho::domain::scope::Scope;
use sekisho::domain::secret::Secret;
use sekisho::domain::verdict::Verdict;
use sekisho::domain::verdict::report::VerifiedMark;
use sekisho::ui::Host;
use sekisho::ui::model::{Enters, Model, OpenIn, Outcome, SwitcherSetup};
use sekisho::ui::theme::{ASCII, Paint, UNICODE};
use stage::{Answer, START, Stage};

const TANAKA: &str = "arn:aws:iam::222222222222:role/Developer";
const SUZUKI: &str = "arn:aws:iam::012345678901:role/Developer";

fn wrong_code() -> CodeRejection {
    CodeRejection {
        what: "AWS did not accept the code".into(),
        why: vec![
            "it was mistyped".into(),
            "it was used already: a code opens once".into(),
            "this machine's clock is off".into(),
        ],
        next_code_at: Some(Timestamp::from_second(START + 20).unwrap()),
    }
}

fn no_network() -> Fault {
    Fault::new(Exit::Fault, "sts.ap-northeast-1.amazonaws.com did not answer within 3 s")
        .because("there is no network")
        .because("a proxy is needed: HTTPS_PROXY is not set")
        .fix("sekisho doctor")
}

#[test]
fn the_list() {
    let mut stage = Stage::new(92, 18).signed_in(TANAKA, 47);
    assert_snapshot!("list", stage.shows(""));
    assert_snapshot!("list_filtered", stage.shows("tan dev"));
    assert_eq!(stage.cursor(), (1, 10));
    assert_snapshot!("list_japanese", Stage::new(92, 18).shows("開発<space>田"));
    assert_snapshot!("list_no_match", Stage::new(60, 12).shows("xyz"));
}

#[test]
fn where_nothing_matches_the_nearest_is_offered_and_tab_takes_it() {
    assert_snapshot!("list_offer", Stage::new(60, 12).shows("tanakq<space>read<wait:1>"));
    let shown = Stage::new(80, 18).shows("tanakq<space>read<tab>");
    assert!(shown.contains("› tanaka read") && shown.contains("1 / 8"), "{shown}");
    let shown = Stage::new(80, 18).shows("tan<tab>");
    assert!(shown.contains("› tan "), "{shown}");
}

#[test]
fn a_filter_by_state_follows_it() {
    let mut stage = Stage::new(80, 18).signed_in(TANAKA, 1);
    let shown = stage.shows("is:live");
    assert!(shown.contains("1 / 8") && shown.contains("▌  dev-tanaka"), "{shown}");
    let shown = stage.shows("<wait:70>");
    assert!(shown.contains("0 / 8") && shown.contains("no matches"), "{shown}");
    let shown = stage.shows("<ctrl-u><end><ctrl-s><ctrl-u>is:star");
    assert!(shown.contains("1 / 8") && shown.contains("prod-payments"), "{shown}");
}

#[test]
fn an_empty_config_says_what_to_do() {
    let empty = Catalog::default();
    let mut stage = Stage::with(60, 10, setup(&UNICODE, Paint::Color), History::default(), empty);
    assert_snapshot!(
        "list_empty",
        stage.shows("<down><up><enter><ctrl-s><ctrl-x><ctrl-t><ctrl-y><end>")
    );
    assert!(stage.seen().is_empty());
}

#[test]
fn a_code_opens_the_door() {
    let mut stage = Stage::new(92, 20).answers([
        Answer::Code(Flow::Shared, None),
        Answer::Code(Flow::Shared, Some(wrong_code())),
        Answer::Pass,
    ]);
    assert_snapshot!("code", stage.shows("tan dev<enter>12<wait:1>3"));
    assert_eq!(stage.seen(), ["issue dev-tanaka/Developer full ByFlow"]);
    assert_eq!(stage.cursor().1, 15 + 24 + 8, "the cursor is in the fourth cell");

    let mut stage = Stage::new(92, 20).answers([
        Answer::Code(Flow::Shared, None),
        Answer::Code(Flow::Shared, Some(wrong_code())),
        Answer::Pass,
    ]);
    let outcome = stage.keys("tan dev<enter><tab>123456<tab><paste:654 321>");
    let Outcome::Enter(OpenIn::Shell, pass) = outcome else {
        panic!("the door is open");
    };
    assert_eq!(pass.target.name(), "dev-tanaka/Developer");
    assert_eq!(
        stage.seen(),
        [
            "issue dev-tanaka/Developer full ByFlow",
            "issue dev-tanaka/Developer full ByFlow with 123456 of tanaka-key",
            "issue dev-tanaka/Developer full ByFlow with 654321 of tanaka",
        ]
    );
}

fn wrong_passphrase() -> Fault {
    Fault::new(Exit::Fault, "the passphrase is wrong").because("it was mistyped")
}

#[test]
fn a_passphrase_is_typed_unseen_and_opens_the_key_before_any_code() {
    let answers = || {
        [
            Answer::Passphrase(None),
            Answer::Passphrase(Some(wrong_passphrase())),
            Answer::Code(Flow::Shared, None),
            Answer::Pass,
        ]
    };
    let mut stage = Stage::new(92, 20).answers(answers());
    let first = stage.shows("tan dev<enter>sécret?<backspace>");
    assert_snapshot!("passphrase", first);
    assert!(!first.contains("secret"), "{first}");
    let mut stage = Stage::new(92, 20).answers(answers());
    assert_snapshot!("passphrase_wrong", stage.shows("tan dev<enter>no<enter>"));

    let mut stage = Stage::new(92, 20).answers(answers());
    let outcome = stage.keys("tan dev<enter>x<ctrl-u>a?b<enter><paste:cor rect\\n><enter>123456");
    assert!(matches!(outcome, Outcome::Enter(OpenIn::Shell, _)));
    assert_eq!(
        stage.seen(),
        [
            "issue dev-tanaka/Developer full ByFlow",
            "issue dev-tanaka/Developer full ByFlow opened with a?b",
            "issue dev-tanaka/Developer full ByFlow opened with cor rect",
            "issue dev-tanaka/Developer full ByFlow with 123456 of tanaka",
        ]
    );
}

#[test]
fn a_passphrase_box_gives_way_to_the_process_that_asks_now() {
    let mut stage = Stage::new(80, 20).answers([Answer::Passphrase(None), Answer::Hang]);
    stage.world.overtaken = true;
    let shown = stage.shows("<enter>abc<wait:2>");
    assert!(shown.contains("requesting a session"), "{shown}");
}

#[test]
fn a_passphrase_that_is_not_given_lets_others_ask() {
    let mut stage = Stage::new(80, 20).answers([Answer::Passphrase(None)]);
    let shown = stage.shows("<enter>abc<esc>");
    assert!(!shown.contains("passphrase"), "{shown}");
    assert_eq!(stage.seen()[1..], ["give up"]);
}

#[test]
fn a_refused_code_keeps_the_box_open_and_counts_down() {
    let answers =
        || [Answer::Code(Flow::Direct, None), Answer::Code(Flow::Direct, Some(wrong_code()))];
    let mut stage = Stage::new(92, 24).answers(answers());
    assert_snapshot!("code_refused", stage.shows("<enter>123456<wait:5>"));
    let mut stage = Stage::new(92, 24).answers(answers());
    let later = stage.shows("<enter>123456<wait:25>");
    assert!(!later.contains("wait for"), "the next code is there\n{later}");
    assert!(later.contains("new code in 26 s"), "{later}");
}

#[test]
fn an_enter_right_after_the_sixth_digit_is_a_habit() {
    let fails = || [Answer::Code(Flow::Shared, None), Answer::Fault(no_network())];
    let mut stage = Stage::new(80, 20).answers(fails());
    let shown = stage.shows("<enter>123456<wait:0.5><enter><wait:1>");
    assert!(shown.contains("did not answer"), "the Enter was eaten\n{shown}");
    let mut stage = Stage::new(80, 20).answers(fails());
    let shown = stage.shows("<enter>123456<wait:1.1><enter><wait:1>");
    assert!(!shown.contains("did not answer"), "a later Enter is meant\n{shown}");
    let mut stage = Stage::new(80, 20).answers(fails());
    let shown = stage.shows("<enter>123456<wait:0.1><enter><enter>");
    assert!(!shown.contains("did not answer"), "only one is eaten\n{shown}");
}

#[test]
fn waiting_is_cancelled_at_once_and_a_late_answer_goes_nowhere() {
    let mut stage = Stage::new(80, 16).answers([Answer::Hang]);
    assert_snapshot!("waiting", stage.shows("<enter><wait:3.5>"));
    let late = Answer::After(Duration::from_secs(2), Box::new(Answer::Pass));
    let mut stage = Stage::new(80, 16).answers([late]);
    let outcome = stage.keys("<enter><wait:1>xyz<enter><esc><wait:5>");
    assert!(matches!(outcome, Outcome::Cancelled), "nothing but the end of the keys");
    let shown = stage.picture();
    assert!(shown.contains("cancelled"), "{shown}");
    let seen = stage.seen();
    let requests = seen.iter().filter(|line| line.starts_with("issue"));
    assert_eq!(
        requests.count(),
        1,
        "one request, and keys typed meanwhile asked nothing more: {seen:?}"
    );
}

#[test]
fn a_fault_says_what_why_and_what_to_do() {
    let mut stage = Stage::new(80, 20).answers([Answer::Fault(no_network())]);
    assert_snapshot!("fault", stage.shows("<enter>"));
    let mut stage = Stage::new(80, 20).answers([Answer::Fault(no_network())]);
    let shown = stage.shows("sta<enter><esc>");
    assert!(shown.contains("› sta"), "back in the list, the filter kept\n{shown}");
}

#[test]
fn the_further_lines_of_a_point_stand_under_its_first() {
    let why = [
        "the code was typed after the device had shown the next one, and AWS takes the one before only for a while",
        "短い理由と、とても長い理由があり、その行は折り返されて前の行の文字の下から始まります",
    ];
    let rejection = CodeRejection { why: why.map(String::from).into(), ..wrong_code() };
    let fault = why.iter().fold(no_network(), |fault, why| fault.because(*why));
    for width in [60, 80] {
        let answer = Answer::Code(Flow::Shared, Some(rejection.clone()));
        let shown = Stage::new(width, 22).answers([answer]).shows("<enter>");
        assert_snapshot!(format!("points_code_{width}"), shown);
        let shown = Stage::new(width, 22).answers([Answer::Fault(fault.clone())]).shows("<enter>");
        assert_snapshot!(format!("points_fault_{width}"), shown);
    }
}

#[test]
fn a_fault_that_is_higher_than_the_window_scrolls() {
    let stage = || {
        let fault = no_network().because("the name could not be resolved");
        Stage::new(40, 10).answers([Answer::Fault(fault)])
    };
    let first = stage().shows("<enter>");
    assert_snapshot!("fault_40x10", first);
    assert!(!first.contains("sekisho doctor"), "{first}");
    let last = stage().shows("<enter><end>");
    assert!(last.contains("sekisho doctor") && last.contains("back to the list"), "{last}");
    assert_eq!(stage().shows("<enter><end><down><pageup><up>"), first, "it ends at both ends");
    assert!(stage().shows("<enter><end><enter>").contains("dev-tanaka"), "Enter goes back");
}

/// A catalog in which the first two accounts have changed places, and the first has another id.
fn changed() -> Catalog {
    let mut accounts = catalog().accounts().to_vec();
    accounts.swap(0, 1);
    accounts[1].id = "777777777777".parse().unwrap();
    Catalog::new(accounts, Some("ap-northeast-1".parse().unwrap()))
}

fn refused() -> Fault {
    Fault::new(Exit::Usage, "nothing was entered: the config has changed under dev-tanaka")
}

#[test]
fn a_config_that_has_changed_is_shown_at_once() {
    let stage = || {
        let mut stage = Stage::new(80, 20).answers([Answer::Outdated(refused()), Answer::Pass]);
        let loaded = (setup(&UNICODE, Paint::Color), Arc::new(changed()));
        stage.world.catalog = Some(Ok(loaded)).into();
        stage
    };
    let shown = stage().shows("dev<enter>");
    assert!(shown.contains("the config has changed under dev-tanaka"), "{shown}");
    // `^T` narrows the row: which is another target's afterwards.
    let mut stage = stage();
    let shown = stage.shows("dev<ctrl-t><enter><esc>");
    assert!(shown.contains("7777-7777-7777") && !shown.contains("2222-2222-2222"), "{shown}");
    assert!(shown.contains("› dev"), "the filter stays\n{shown}");
    assert!(matches!(stage.keys("<ctrl-u>suz<enter>"), Outcome::Enter(..)));
    assert_eq!(
        stage.seen(),
        ["issue dev-tanaka/Developer read-only ByFlow", "issue dev-suzuki/Developer full ByFlow",]
    );
}

#[test]
fn a_changed_target_shows_what_it_was_and_wants_its_name() {
    let mut accounts = catalog().accounts().to_vec();
    let change = r#"{"moved": ["mine", "arn:aws:iam::999999999999:role/Developer"], "loosened": ["warn", "none"]}"#;
    let mut role = role("Developer", 1);
    role.change = Some(serde_json::from_str(change).unwrap());
    role.guard = Guard::Confirm;
    accounts[0].roles[0] = Arc::new(role);
    let catalog = || Catalog::new(accounts.clone(), Some("ap-northeast-1".parse().unwrap()));
    let stage =
        || Stage::with(80, 18, setup(&UNICODE, Paint::Color), History::default(), catalog());
    assert_snapshot!("changed", stage().shows("mine<up><enter>"));
    let shown = stage().shows("mine<up>");
    assert!(
        shown.contains("dev-tanaka/Developer is changed: entering asks for its name"),
        "{shown}"
    );
    let mut stage = stage().answers([Answer::Code(Flow::Shared, None)]);
    let shown = stage.shows("mine<up><enter>mine<enter>");
    assert!(shown.contains("changed target") && shown.contains("999999999999"), "{shown}");
}

#[test]
fn a_config_that_cannot_be_read_again_leaves_the_list_as_it_was() {
    let mut stage = Stage::new(80, 20).answers([Answer::Outdated(refused())]);
    let broken = Fault::new(Exit::Usage, "the config has an error; nothing was run");
    stage.world.catalog = Some(Err(broken)).into();
    let shown = stage.shows("<enter>");
    assert!(shown.contains("the config has an error"), "{shown}");
    assert!(shown.contains("2222-2222-2222"), "{shown}");
}

#[test]
fn several_things_that_are_wrong_are_a_list_and_no_causes() {
    let fault = Fault::new(Exit::Usage, "the config has 2 errors; nothing was run")
        .listing(["config.yaml:1:1: one".to_owned(), "config.yaml:2:1: two".to_owned()]);
    let mut stage = Stage::new(80, 20).answers([Answer::Fault(fault)]);
    let shown = stage.shows("<enter>");
    assert!(!shown.contains("why"), "{shown}");
    let after = shown.split("what is wrong").nth(1).unwrap();
    assert!(after.contains("config.yaml:1:1: one") && after.contains("config.yaml:2:1: two"));
}

#[test]
fn a_guarded_target_wants_its_name() {
    let mut stage = Stage::new(80, 18);
    assert_snapshot!("confirm", stage.shows("prod-pay<enter>prod<enter>p"));
    assert!(stage.seen().is_empty(), "nothing was asked before the name was typed");
    assert_eq!(stage.style_of("that is not").fg, Some(Color::Red));
    for name in ["prod-payments", "PROD-PAY", "666666666666", "6666-6666-6666"] {
        let mut stage = Stage::new(80, 18).answers([Answer::Pass]);
        let outcome = stage.keys(&format!("prod-pay<enter>{name}<enter>"));
        assert!(matches!(outcome, Outcome::Enter(OpenIn::Shell, _)), "{name}");
    }
    let mut stage = Stage::new(80, 18);
    let shown = stage.shows("prod-web");
    assert!(shown.contains("! prod-web is guarded: check the account first"), "{shown}");
    assert_eq!(stage.style_of("prod-web is").fg, Some(Color::Red));
}

#[test]
fn an_agent_gets_in_the_list_what_it_gets_elsewhere() {
    let stage = || {
        let name = "Claude Code".to_owned();
        let driver = Driver::Agent(Agent { name, variable: "CLAUDECODE" });
        let setup = SwitcherSetup { driver, ..setup(&UNICODE, Paint::Plain) };
        Stage::with(80, 18, setup, History::default(), catalog()).answers([Answer::Pass])
    };
    let scope = |keys: &str| match stage().keys(keys) {
        Outcome::Enter(_, pass) => pass.target.session.scope,
        _ => panic!("{keys} enters nothing"),
    };
    assert_eq!(scope("stag<enter>"), Scope::Full);
    assert_eq!(scope("prod-web<enter>"), Scope::ReadOnly);
    assert_eq!(scope("prod-web<ctrl-t><ctrl-t><enter>"), Scope::ReadOnly, "^T cannot widen it");
    let shown = stage().shows("prod-<tab><tab><ctrl-u>stag<tab><enter>");
    for line in ["prod-web/Developer (read-only)", "staging/Developer  ", "left out: no agents"] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let mut stage = stage();
    assert_snapshot!("agent_refused", stage.shows("prod-pay<enter>"));
    assert!(stage.seen().is_empty(), "{:?}", stage.seen());
}

#[test]
fn only_a_typed_filter_puts_the_cursor_on_a_guarded_row() {
    let now = Timestamp::from_second(START).unwrap();
    let mut history = History::default();
    let prod = "arn:aws:iam::666666666666:role/Admin".parse().unwrap();
    history.note(&prod, HistoryEvent::Starred, now);
    let mut stage = Stage::with(80, 18, setup(&UNICODE, Paint::Color), history, catalog());
    let shown = stage.shows("");
    assert!(shown.contains("★ ! prod-payments"), "the star leads\n{shown}");
    assert!(shown.contains(" ▌  dev-tanaka"), "the cursor does not follow it\n{shown}");
    let shown = stage.shows("prod-pay");
    assert!(shown.contains("★▌! prod-payments"), "typing does\n{shown}");
    let shown = stage.shows("");
    assert!(shown.contains("★▌! prod-payments"), "the only match of a typed filter\n{shown}");

    let mut stage = Stage::new(80, 18).answers([Answer::Pass]);
    let outcome = stage.keys("<end><enter>prod-pay<enter>");
    assert!(matches!(outcome, Outcome::Enter(..)));
    let shown = stage.shows("");
    assert!(shown.contains(" ▌  dev-tanaka"), "coming back does not stand on prod\n{shown}");
}

#[test]
fn leaving_comes_back_to_the_list_where_it_was() {
    let mut stage = Stage::new(80, 18).answers([Answer::Pass]);
    assert!(matches!(stage.keys("dev<down><down><enter>"), Outcome::Enter(..)));
    let mut history = History::default();
    let now = Timestamp::from_second(START).unwrap();
    history.note(&SUZUKI.parse().unwrap(), HistoryEvent::Used, now);
    stage.model.come_back(history, &SUZUKI.parse().unwrap(), now);
    stage.model.say("left dev-suzuki/Developer, exit code 7");
    assert_snapshot!("came_back", stage.shows(""));
    let shown = stage.shows("<down>");
    assert!(!shown.contains("exit code 7"), "a key clears it\n{shown}");
    // The next name is not appended to the last one.
    let shown = stage.shows("tanaka");
    assert!(shown.contains("› tanaka") && shown.contains("3 / 8"), "{shown}");
}

#[test]
fn what_was_left_is_under_the_cursor_wherever_it_stands_now() {
    let now = Timestamp::from_second(START).unwrap();
    let mut stage = Stage::new(80, 18);
    stage.keys("");
    let mut history = History::default();
    history.note(&TANAKA.parse().unwrap(), HistoryEvent::Starred, now);
    stage.model.come_back(history.clone(), &SUZUKI.parse().unwrap(), now);
    let shown = stage.shows("");
    assert!(shown.contains(" ▌  dev-suzuki      0123-4567-8901   Developer"), "{shown}");
    // Never on a guarded row.
    let prod = "arn:aws:iam::555555555555:role/Developer".parse().unwrap();
    history.note(&prod, HistoryEvent::Used, now);
    stage.model.come_back(history, &prod, now);
    let shown = stage.shows("");
    assert!(shown.contains("★▌  dev-tanaka") && !shown.contains("▌!"), "{shown}");
    assert!(matches!(stage.keys("<ctrl-d>"), Outcome::Quit), "the filter is empty");
}

#[test]
fn the_row_one_is_in_is_marked_and_enter_switches() {
    let here = |glyphs, enters| {
        let mut setup = setup(glyphs, Paint::Color);
        setup.here = catalog().row_of("012345678901".parse().unwrap(), "ReadOnly");
        setup.depth = 1;
        setup.enters = enters;
        Stage::with(92, 18, setup, History::default(), catalog()).signed_in(TANAKA, 47)
    };
    assert_snapshot!("here", here(&UNICODE, Enters::ThisShell).shows(""));
    let shown = here(&ASCII, Enters::Printed).shows("");
    assert!(shown.contains("@   dev-suzuki      0123-4567-8901   ReadOnly"), "{shown}");
    assert!(shown.contains("Enter print"), "{shown}");
    let shown = here(&UNICODE, Enters::ThisShell).shows("?");
    assert!(shown.contains("switch this shell to the account"), "{shown}");
}

#[test]
fn the_sizes_people_have() {
    let note = "the team's playground, emptied every night";
    let wide = || {
        let mut accounts = catalog().accounts().to_vec();
        accounts[0].note = Some(note.into());
        let developer = Arc::clone(&accounts[5].roles[0]);
        let plain = Arc::new(role("ReadOnly", 1));
        let admin = Arc::new(sekisho::domain::account::Role {
            guard: Guard::Confirm,
            ..(*developer).clone()
        });
        accounts[3].roles = vec![plain, admin];
        let mut history = History::default();
        let used = Timestamp::from_second(START - 3 * 3600).unwrap();
        history.note(&TANAKA.parse().unwrap(), HistoryEvent::Used, used);
        history.note(&SUZUKI.parse().unwrap(), HistoryEvent::Starred, used);
        let catalog = Catalog::new(accounts, Some("ap-northeast-1".parse().unwrap()));
        (history, catalog)
    };
    for (name, width, height, glyphs, paint) in [
        ("list_80x24", 80, 24, &UNICODE, Paint::Color),
        ("list_120x40", 120, 40, &UNICODE, Paint::Color),
        ("list_120x24_ascii", 120, 24, &ASCII, Paint::Plain),
    ] {
        let (history, catalog) = wide();
        let stage = Stage::with(width, height, setup(glyphs, paint), history, catalog);
        assert_snapshot!(name, stage.signed_in(TANAKA, 47).shows("<down><up>"));
    }
    let (history, catalog) = wide();
    let mut stage = Stage::with(120, 24, setup(&UNICODE, Paint::Color), history, catalog);
    let shown = stage.shows("staging<down>");
    assert!(shown.contains("! staging/Admin is guarded"), "the role that has it\n{shown}");
}

/// The row under the cursor is on a ground of its own in every palette; without colours the bar tells it.
#[test]
fn the_selected_row_is_painted_and_a_repeated_account_is_dim() {
    let reversed = Modifier::REVERSED | Modifier::BOLD;
    let mut stage = Stage::new(92, 18);
    stage.shows("");
    assert!(stage.style_of("dev-tanaka      2222").add_modifier.contains(reversed));
    assert!(stage.style_of("Developer   ap").add_modifier.contains(reversed));
    assert!(!stage.style_of("▌").add_modifier.contains(Modifier::REVERSED));
    let line = stage.terminal.backend().buffer().content[92 * 4..92 * 5].to_vec();
    assert!(line[4].modifier.contains(Modifier::DIM) && !line[40].modifier.contains(Modifier::DIM));
    let mut stage =
        Stage::with(92, 18, setup(&UNICODE, Paint::Plain), History::default(), catalog());
    stage.shows("");
    let plain = stage.style_of("dev-tanaka      2222").add_modifier;
    assert!(plain.contains(Modifier::BOLD) && !plain.contains(Modifier::REVERSED));
    // Nothing is drawn in a colour that a light ground swallows, or a dark one.
    let mut stage = Stage::new(92, 18).signed_in(TANAKA, 4);
    stage.shows("prod");
    let swallowed = [Color::Black, Color::White, Color::Gray, Color::DarkGray];
    let cells = &stage.terminal.backend().buffer().content;
    assert!(cells.iter().all(|cell| cell.bg == Color::Reset && !swallowed.contains(&cell.fg)));
}

#[test]
fn a_fault_can_be_tried_again() {
    let answers = || [Answer::Fault(no_network()), Answer::Pass];
    for key in ["r", "<ctrl-r>"] {
        let mut stage = Stage::new(80, 20).answers(answers());
        assert!(matches!(stage.keys(&format!("sta<enter>{key}")), Outcome::Enter(..)), "{key}");
        assert_eq!(stage.seen().len(), 2, "{:?}", stage.seen());
    }
    let mut stage = Stage::new(80, 24).answers(answers());
    assert_snapshot!("help_fault", stage.shows("sta<enter>?"));
    let broken = Fault::new(Exit::Usage, "the config has an error; nothing was run");
    let mut stage = Stage::new(80, 20).answers([Answer::Outdated(refused())]);
    *stage.world.catalog.borrow_mut() = Some(Err(broken));
    stage.keys("<enter>");
    *stage.world.catalog.borrow_mut() =
        Some(Ok((setup(&UNICODE, Paint::Color), Arc::new(changed()))));
    let shown = stage.shows("");
    assert!(!shown.contains("failed"), "{shown}");
}

#[test]
fn without_a_browser_the_url_is_copied_and_never_drawn() {
    let fault = Fault::new(Exit::Fault, "cannot open a browser").because("this is an ssh session");
    let offered = || {
        let mut stage = Stage::new(80, 20);
        let target = Stage::first_target();
        let url = Secret::new("https://signin.example/?SigninToken=hush".into());
        stage.model.offer_url(target, fault.clone(), url);
        stage
    };
    let mut stage = offered();
    assert_snapshot!("sign_in", stage.shows(""));
    let shown = stage.shows("<ctrl-y>");
    assert!(shown.contains("the sign-in URL, valid for 15 minutes"), "{shown}");
    assert_eq!(stage.seen(), ["copy the URL \"https://signin.example/?SigninToken=hush\""]);
    let mut stage = offered();
    let shown = stage.shows("x<esc>");
    assert!(!shown.contains("cannot open") && stage.seen().is_empty(), "{shown}");
}

#[test]
fn the_mouse_moves_the_cursor_where_the_config_wants_it() {
    let mut setup = setup(&UNICODE, Paint::Color);
    setup.mouse = true;
    let mut stage = Stage::with(80, 18, setup, History::default(), catalog());
    let shown = stage.shows("<wheel:down><wheel:down><wheel:up>");
    assert!(shown.contains(" ▌  dev-tanaka      2222-2222-2222   ReadOnly"), "{shown}");
    assert_eq!(stage.seen(), ["mouse on"]);
    let shown = stage.shows("<click:7>");
    assert!(shown.contains(" ▌  開発-田中"), "{shown}");
    let shown = stage.shows("<click:0><click:12><click:17>");
    assert!(shown.contains(" ▌  開発-田中"), "not on a row\n{shown}");
    let mut stage = Stage::new(80, 10);
    assert_ne!(stage.shows("?"), stage.shows("?<wheel:down>"));
    assert!(stage.seen().is_empty(), "off by default");
}

#[test]
fn the_filter_is_edited_like_a_line() {
    let shown = Stage::new(80, 18).shows("read tan<ctrl-a>x<alt-f>y<ctrl-e>z<alt-b>w");
    assert!(shown.contains("› xready wtanz"), "{shown}");
}

#[test]
fn the_devices_go_round_both_ways() {
    let code = || [Answer::Code(Flow::Shared, None), Answer::Hang];
    for (keys, device) in [
        ("", "tanaka"),
        ("<shift-tab>", "tanaka-key"),
        ("<tab><tab>", "tanaka"),
        ("<tab><shift-tab>", "tanaka"),
    ] {
        let mut stage = Stage::new(80, 20).answers(code());
        stage.keys(&format!("<enter>{keys}123456"));
        assert!(stage.seen()[1].ends_with(&format!("of {device}")), "{keys}: {:?}", stage.seen());
    }
}

#[test]
fn the_other_keys_of_the_list() {
    let mut stage = Stage::new(92, 18).answers([Answer::Pass]);
    assert_snapshot!("scope", stage.shows("<ctrl-t>"));
    let outcome = stage.keys("<ctrl-o>");
    assert!(matches!(outcome, Outcome::Enter(OpenIn::Console, _)));
    stage.shows("<ctrl-y>");
    stage.shows("<ctrl-t><ctrl-y>");
    let shown = stage.shows("<down><ctrl-s>");
    assert!(
        shown.contains("★▌  dev-tanaka      2222-2222-2222   ReadOnly"),
        "the cursor went along\n{shown}"
    );
    stage.shows("<ctrl-s>");
    stage.shows("<ctrl-z>");
    assert_eq!(
        stage.seen(),
        [
            "issue dev-tanaka/Developer read-only ByFlow",
            r#"copy "sekisho exec --scope read-only dev-tanaka/Developer -- ""#,
            r#"copy "sekisho exec --scope full dev-tanaka/Developer -- ""#,
            "Starred arn:aws:iam::222222222222:role/ReadOnly",
            "Unstarred arn:aws:iam::222222222222:role/ReadOnly",
            "suspend",
        ]
    );
}

#[test]
fn renewing_and_forgetting_stay_in_the_list() {
    let mut stage = Stage::new(92, 18).signed_in(TANAKA, 4).answers([Answer::PassNoting("a note")]);
    let shown = stage.shows("");
    assert!(shown.contains("◐ 4m"), "{shown}");
    let shown = stage.shows("<ctrl-r>");
    assert!(shown.contains("● 1h 00m"), "{shown}");
    assert!(shown.contains("dev-tanaka/Developer renewed: 1h 00m; a note"), "{shown}");
    let shown = stage.shows("<ctrl-x>");
    assert!(shown.contains("session deleted here, still valid at AWS for 1h 00m"), "{shown}");
    assert!(!shown.contains("● 1h 00m"), "{shown}");
    let shown = stage.shows("<ctrl-x>");
    assert!(shown.contains("has no session here"), "{shown}");
    assert_eq!(
        stage.seen(),
        ["issue dev-tanaka/Developer full Now", "forget dev-tanaka/Developer"]
    );
}

#[test]
fn renewing_never_asks_again_but_a_first_session_does() {
    let prod = "arn:aws:iam::666666666666:role/Admin";
    let mut stage = Stage::new(80, 18).signed_in(prod, 47).answers([Answer::Pass]);
    stage.keys("<end><ctrl-r>");
    assert_eq!(stage.seen(), ["issue prod-payments/Admin full Now"]);
    let mut stage = Stage::new(80, 18);
    let shown = stage.shows("<end><ctrl-r>");
    assert!(shown.contains("type the account's name"), "{shown}");
}

#[test]
fn leaving() {
    for (keys, quits) in [
        ("<esc>", true),
        ("dev<esc><esc>", true),
        ("<ctrl-d>", true),
        ("x<backspace><ctrl-d>", true),
        ("dev<esc>", false),
        ("dev<ctrl-d>", false),
    ] {
        let outcome = Stage::new(80, 18).keys(keys);
        assert_eq!(matches!(outcome, Outcome::Quit), quits, "{keys}");
    }
    for keys in ["<ctrl-c>", "dev<ctrl-c>", "?<ctrl-c>", "<enter><ctrl-c>"] {
        let mut stage = Stage::new(80, 18).answers([Answer::Hang]);
        assert!(matches!(stage.keys(keys), Outcome::Cancelled), "{keys}");
    }
}

#[test]
fn a_question_mark_is_always_help() {
    let mut stage = Stage::new(80, 30);
    assert_snapshot!("help", stage.shows("dev?"));
    let mut stage = Stage::new(80, 24).answers([Answer::Code(Flow::Shared, None)]);
    let shown = stage.shows("<enter>12??3");
    assert!(shown.contains("1 2 3   _ _ _"), "help and back, the digits kept\n{shown}");
    let mut stage = Stage::new(80, 24).answers([Answer::Code(Flow::Shared, None)]);
    assert_snapshot!("help_code", stage.shows("<enter>12?"));
    assert_snapshot!("help_scrolled", Stage::new(60, 8).shows("?<pagedown>"));
    let shown = Stage::new(60, 8).shows("?<end>");
    assert!(shown.contains("a slash is a role"), "it scrolls to its end\n{shown}");
}

#[test]
fn what_was_typed_before_the_first_frame_counts() {
    let mut stage = Stage::new(80, 18).answers([Answer::Pass]);
    let outcome = stage.keys("tan<ctrl-j>");
    assert!(matches!(outcome, Outcome::Enter(..)), "a line feed was Enter");
    let mut stage = Stage::new(80, 18);
    let shown = stage.shows("<wait:0.1><ctrl-j>");
    assert!(
        shown.contains("▌  dev-tanaka      2222-2222-2222   ReadOnly"),
        "later it is down\n{shown}"
    );
}

#[test]
fn a_paste_only_filters() {
    let mut stage = Stage::new(80, 18);
    let shown = stage.shows("<paste:dev-\\nsuzuki\\n>");
    assert!(shown.contains("› dev-suzuki"), "{shown}");
    assert!(stage.seen().is_empty());
    let mut stage = Stage::new(80, 20).answers([Answer::Code(Flow::Shared, None)]);
    let shown = stage.shows("<enter><paste:1234567>");
    assert!(shown.contains("not a six-digit code"), "{shown}");
    assert_eq!(stage.seen().len(), 1);
}

#[test]
fn the_demo_shows_its_devices_code() {
    let mut stage = Stage::new(80, 20).answers([Answer::Code(Flow::Shared, None)]);
    stage.world.demo_code = Some("042137");
    let shown = stage.shows("<enter>");
    assert!(shown.contains("demo: the device shows 042137"), "{shown}");
    assert!(
        shown.contains("a new code in 20 s"),
        "beside the countdown, not in its place\n{shown}"
    );
    let mut stage = Stage::new(80, 20).answers([Answer::Code(Flow::Shared, Some(wrong_code()))]);
    stage.world.demo_code = Some("042137");
    let shown = stage.shows("<enter>");
    assert!(shown.contains("wait for the next code: 20 s") && shown.contains("042137"), "{shown}");
    let mut stage = Stage::new(80, 20).answers([Answer::Code(Flow::Shared, None)]);
    stage.world.demo_code = Some("042137");
    let shown = stage.shows("<enter><tab>");
    assert!(!shown.contains("042137"), "the other device is not the demo's\n{shown}");
}

#[test]
fn the_frame_comes_before_the_accounts() {
    let mut stage = Stage::new(80, 12);
    stage.model = Model::new(setup(&UNICODE, Paint::Color), History::default(), "");
    assert_snapshot!("loading", stage.shows("stag<wait:2.5>"));

    stage.model = Model::new(setup(&UNICODE, Paint::Color), History::default(), "sta");
    *stage.world.catalog.borrow_mut() =
        Some(Ok((setup(&UNICODE, Paint::Color), Arc::new(catalog()))));
    let shown = stage.shows("");
    assert!(shown.contains("1 / 8"), "what was typed meanwhile filters\n{shown}");

    stage.model = Model::new(setup(&UNICODE, Paint::Color), History::default(), "");
    *stage.world.catalog.borrow_mut() = Some(Err(no_network()));
    assert!(matches!(stage.keys(""), Outcome::Failed(fault) if fault == no_network()));
}

#[test]
fn the_configs_filter_is_the_first_one_whenever_the_config_is_read() {
    let own = || {
        let mut own = setup(&UNICODE, Paint::Color);
        own.query = "tag:sandbox".into();
        own
    };
    let mut stage = Stage::with(80, 18, own(), History::default(), catalog());
    let shown = stage.shows("suz");
    assert!(shown.contains("› tag:sandbox suz") && shown.contains("2 / 8"), "{shown}");
    let late = |typed: &str| {
        let mut stage = Stage::new(80, 18);
        stage.model = Model::new(setup(&UNICODE, Paint::Color), History::default(), typed);
        *stage.world.catalog.borrow_mut() = Some(Ok((own(), Arc::new(catalog()))));
        stage.shows("")
    };
    assert!(late("").contains("› tag:sandbox "), "{}", late(""));
    assert!(late("sta").contains("› sta "), "{}", late("sta"));
}

#[test]
fn what_stands_between_the_person_and_aws_is_shown() {
    let mut setup = setup(&UNICODE, Paint::Color);
    setup.detours = vec!["endpoint http://127.0.0.1:4566 is not AWS".into()];
    setup.warnings =
        (1..=4).map(|n| format!("accounts.yaml:{n}:1: unknown key\u{1b}[2J")).collect();
    setup.depth = 2;
    let mut stage = Stage::with(92, 24, setup, History::default(), catalog())
        .signed_in(TANAKA, 47)
        .answers([Answer::Code(Flow::Shared, None)]);
    assert_snapshot!("detours", stage.shows("sta<enter>"));
}

#[test]
fn a_countdown_moves_by_itself() {
    let mut stage = Stage::new(92, 18).signed_in(TANAKA, 47);
    stage.keys("<wait:1.5>");
    let shown = stage.picture();
    assert!(shown.contains("● 46m") && shown.contains("MFA ● 11h 41m (phone)"), "{shown}");
    stage.keys("<wait:2820>");
    let shown = stage.picture();
    assert!(!shown.contains("● 4") && shown.contains("○"), "over\n{shown}");
}

/// Whenever a tick comes, also between two whole seconds, the next one is not forgotten.
#[test]
fn the_last_second_passes_like_every_other() {
    for wait in ["", "<wait:0.3>", "<wait:0.7>"] {
        let mut stage = Stage::new(92, 18).signed_in(TANAKA, 1);
        stage.keys(&format!("<wait:57>{wait}<down><up><wait:5>"));
        let shown = stage.picture();
        assert!(!shown.contains('◐'), "{wait}: the row is over\n{shown}");
        // So is the header.
        let mut stage = Stage::new(92, 18).signed_in(TANAKA, 1);
        let expires = stage.world.now().checked_add(Duration::from_secs(90)).unwrap();
        stage.world.status.borrow_mut().auth.as_mut().unwrap().expires = expires;
        stage.keys(&format!("<wait:62>{wait}<down><up><wait:40>"));
        let shown = stage.picture();
        assert!(shown.contains("MFA ○"), "{wait}\n{shown}");
    }
}

#[test]
fn colour_never_carries_meaning_alone() {
    for (paint, highlight, danger) in
        [(Paint::Color, Color::Cyan, Color::Red), (Paint::Plain, Color::Reset, Color::Reset)]
    {
        let mut stage = Stage::with(92, 18, setup(&UNICODE, paint), History::default(), catalog());
        let shown = stage.shows("prod-");
        assert!(shown.contains("▌! prod-web"), "{shown}");
        let matched = stage.style_of("prod-payments ");
        assert_eq!(matched.fg, Some(highlight));
        assert!(matched.add_modifier.contains(Modifier::UNDERLINED | Modifier::BOLD));
        assert_eq!(stage.style_of("! prod-web is").fg, Some(danger));
        let matched = stage.style_of("prod-web ").add_modifier;
        assert!(matched.contains(Modifier::UNDERLINED), "on the painted row, too");
        let buffer = stage.terminal.backend().buffer();
        let colours = buffer.content.iter().flat_map(|cell| [cell.fg, cell.bg]);
        let ansi = |c| matches!(c, Color::Indexed(_) | Color::Rgb(..));
        assert!(!colours.clone().any(ansi), "only the 16 and the terminal's own");
        if paint == Paint::Plain {
            assert!(colours.into_iter().all(|c| c == Color::Reset), "NO_COLOR");
        }
    }
}

#[test]
fn ascii_draws_no_ambiguous_glyph() {
    let screens = [
        ("", Vec::new()),
        ("<ctrl-s><ctrl-t>", Vec::new()),
        ("?", Vec::new()),
        ("prod-pay<enter>x<enter>", Vec::new()),
        ("sta<enter>12", vec![Answer::Code(Flow::Shared, Some(wrong_code()))]),
        ("sta<enter>", vec![Answer::Fault(no_network())]),
        ("sta<enter><wait:2>", vec![Answer::Hang]),
        ("sta<enter>12", vec![Answer::Passphrase(Some(wrong_passphrase()))]),
        ("<tab>", Vec::new()),
        ("<tab>prod-<tab><tab><enter>aws<enter>", Vec::new()),
    ];
    for (keys, answers) in screens {
        for (width, height) in [(30, 8), (92, 24)] {
            let mut stage = Stage::with(
                width,
                height,
                setup(&ASCII, Paint::Plain),
                History::default(),
                catalog(),
            )
            .signed_in(TANAKA, 47);
            stage.world.answers.borrow_mut().extend(answers.iter().map(|answer| match answer {
                Answer::Code(flow, rejection) => Answer::Code(*flow, rejection.clone()),
                Answer::Fault(fault) => Answer::Fault(fault.clone()),
                Answer::Passphrase(refused) => Answer::Passphrase(refused.clone()),
                _ => Answer::Hang,
            }));
            let shown = stage.shows(keys);
            let foreign: Vec<char> =
                shown.chars().filter(|c| !c.is_ascii() && !"開発田中".contains(*c)).collect();
            assert!(foreign.is_empty(), "{foreign:?} in\n{shown}");
        }
    }
    assert_snapshot!("ascii", Stage::ascii(92, 18).signed_in(TANAKA, 4).shows(""));
}

#[test]
fn every_size_draws_every_screen() {
    type Answers = fn() -> Vec<Answer>;
    let screens: [(&str, Answers); 10] = [
        ("tan", Vec::new),
        ("?", Vec::new),
        ("prod-pay<enter>pr<enter>", Vec::new),
        ("<enter>123", || vec![Answer::Code(Flow::Shared, Some(wrong_code()))]),
        ("<enter>", || vec![Answer::Fault(no_network())]),
        ("<enter><wait:1>", || vec![Answer::Hang]),
        ("<enter>a long passphrase", || vec![Answer::Passphrase(Some(wrong_passphrase()))]),
        ("xyz", Vec::new),
        ("<tab><tab>", Vec::new),
        ("<tab>prod-<tab><tab><enter><paste:a rather long command line>", Vec::new),
    ];
    for (keys, answers) in screens {
        for width in [1, 2, 3, 5, 8, 13, 19, 20, 21, 34, 55, 79, 80, 120, 200] {
            for height in [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 13, 16, 24, 60] {
                let mut stage = Stage::new(width, height).signed_in(TANAKA, 47);
                stage.world.answers.borrow_mut().extend(answers());
                stage.keys(keys);
                let (line, column) = stage.cursor();
                assert!(line < height && column < width, "{width}x{height} {keys}");
            }
        }
    }
}

#[test]
fn small_windows_fold_and_the_code_box_becomes_a_line() {
    let code = || [Answer::Code(Flow::Shared, None)];
    assert_snapshot!("small_20x4", Stage::new(20, 4).signed_in(TANAKA, 47).shows(""));
    assert_snapshot!("small_40x10", Stage::new(40, 10).signed_in(TANAKA, 47).shows("tan"));
    assert_snapshot!("small_62x12", Stage::new(62, 12).signed_in(TANAKA, 47).shows(""));
    assert_snapshot!("tiny", Stage::new(19, 3).shows(""));
    assert_snapshot!("tiny_10x3", Stage::new(10, 3).shows(""));
    assert_snapshot!("tiny_code", Stage::new(12, 1).answers(code()).shows("<enter>123"));
    assert_snapshot!("small_code", Stage::new(40, 8).answers(code()).shows("<enter>123"));
    let mut stage = Stage::new(12, 1).answers([code().into_iter().next().unwrap(), Answer::Pass]);
    let outcome = stage.keys("sta<enter>123456");
    assert!(matches!(outcome, Outcome::Enter(..)), "keys work where nothing is seen");
}

#[test]
fn a_resize_keeps_the_cursor_on_the_screen() {
    let mut stage = Stage::new(80, 30);
    stage.terminal.backend_mut().resize(80, 8);
    let shown = stage.shows("<end><size:80x8>");
    assert!(shown.contains("▌! prod-payments"), "{shown}");
    let shown = stage.shows("<home>");
    assert!(shown.contains("▌  dev-tanaka"), "{shown}");
}

fn any_key() -> impl Strategy<Value = String> {
    let named = TABLE.iter().flat_map(|binding| binding.keys).map(|key| format!("<{key}>"));
    let others = [
        "<click:5>",
        "<wheel:down>",
        "<alt-b>",
        "<shift-tab>",
        "<tab>",
        "<ctrl-d>",
        "<ctrl-h>",
        "<backspace>",
        "<left>",
        "<right>",
        "<delete>",
    ];
    let sizes = ["<size:1x1>", "<size:19x3>", "<size:20x4>", "<size:80x24>", "<size:300x2>"];
    let texts = [
        "<tab><enter>true<wait:1><enter>",
        "<paste:123 456>",
        "<paste:prod-pay\\n>",
        "<wait:0.4>",
        "<wait:70>",
        "123456",
        "prod",
    ];
    let all: Vec<String> =
        named.chain(others.iter().chain(&sizes).chain(&texts).map(ToString::to_string)).collect();
    prop_oneof![2 => proptest::sample::select(all), 1 => "[a-z0-9:/田 -]"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_keys_panic_and_the_cursor_stays_among_the_rows(
        keys in proptest::collection::vec(any_key(), 0..60),
        answers in proptest::collection::vec(0..6_u8, 60),
        size in (1..100_u16, 1..40_u16),
    ) {
        let mut stage = Stage::new(size.0, size.1).signed_in(TANAKA, 3);
        stage.world.answers.borrow_mut().extend(answers.into_iter().map(|answer| match answer {
            0 => Answer::Pass,
            1 => Answer::Code(Flow::Shared, None),
            2 => Answer::Code(Flow::Direct, Some(wrong_code())),
            3 => Answer::Fault(no_network()),
            4 => Answer::Passphrase(Some(wrong_passphrase())),
            _ => Answer::Hang,
        }));
        for part in keys.chunks(20) {
            stage.keys(&part.concat());
            let row = stage.model.selected();
            prop_assert!(row.is_none_or(|row| catalog().rows().any(|other| other == row)));
        }
    }
}

#[test]
fn who_else_asks_for_the_code_is_shown_and_enter_asks_here() {
    let mut stage = Stage::new(80, 20).answers([Answer::Hang]);
    stage.world.news = Some("`sekisho exec dev` (pid 7) still asks for the code");
    let shown = stage.shows("<enter><wait:1><enter><wait:1>");
    assert!(shown.contains("(pid 7) still asks"), "{shown}");
    assert_eq!(stage.world.seen.borrow()[1..], ["ask here"]);
}

#[test]
fn a_code_that_is_not_given_lets_others_ask() {
    let mut stage = Stage::new(80, 20).answers([Answer::Code(Flow::Shared, None), Answer::Hang]);
    stage.shows("<enter><esc><enter><wait:1><esc>");
    let seen = stage.world.seen.borrow();
    let gave_up = seen.iter().filter(|line| *line == "give up").count();
    assert_eq!(gave_up, 2, "{seen:?}");
}

#[test]
fn a_code_box_gives_way_to_the_process_that_asks_now() {
    let mut stage = Stage::new(92, 18).answers([Answer::Code(Flow::Shared, None), Answer::Pass]);
    stage.world.overtaken = true;
    let outcome = stage.keys("tan dev<enter>12<wait:3>");
    assert!(matches!(outcome, Outcome::Enter(OpenIn::Shell, _)));
    let issue = "issue dev-tanaka/Developer full ByFlow";
    assert_eq!(stage.seen()[..2], [issue, issue]);
}

#[test]
fn the_last_verification_stands_in_the_details() {
    let mut setup = setup(&UNICODE, Paint::Color);
    let at = Timestamp::from_second(START - 3 * 86_400).unwrap();
    let mark = VerifiedMark { at, verdict: Verdict::Open };
    setup.verified.insert("222222222222".parse().unwrap(), mark);
    let mut stage = Stage::with(110, 20, setup, History::default(), catalog());
    let shown = stage.shows("tanaka");
    assert!(shown.contains("verified 3d ago: OPEN"), "{shown}");
}
