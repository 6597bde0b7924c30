//! What an AI agent gets, which is known by the variables that it sets.

use std::process::{Command, Stdio};

use sekisho::domain::agents::MARKERS;

use super::stage::{Ran, Stage, until};
use crate::emulator::stage::PHONE;
use crate::pty::terminal::{self, Pty};
use crate::support::{own_session, program, without_terminal};

/// Prints the scope that a command gets, and its key.
const SHOW: &str = "echo $SEKISHO_SCOPE $AWS_ACCESS_KEY_ID";

const CLAUDE: (&str, &str) = ("CLAUDECODE", "1");

/// `dev` under `warn`, `prod` under `confirm`, as the stage has it; signed in.
fn stage() -> Stage {
    let stage = Stage::with("min_guard: {sandbox: warn}", "");
    stage.sign_in();
    stage
}

/// `dev` without a guard; `more` is in its entry.
fn plain(more: &str) -> Stage {
    let stage = Stage::new();
    edit(&stage, "    tags: [sandbox]\n", &format!("    tags: [sandbox]\n{more}"));
    stage.sign_in();
    stage
}

fn edit(stage: &Stage, from: &str, to: &str) {
    let config = String::from_utf8(stage.read(".config/sekisho/config.yaml")).unwrap();
    assert!(config.contains(from), "{from}");
    stage.write(".config/sekisho/config.yaml", config.replacen(from, to, 1));
}

/// The program without a controlling terminal, with one more variable.
fn command(stage: &Stage, variable: (&str, &str), arguments: &[&str]) -> Option<Command> {
    let mut sekisho = stage.sekisho(arguments);
    without_terminal(sekisho.env(variable.0, variable.1))
}

fn run(stage: &Stage, variable: (&str, &str), arguments: &[&str]) -> Ran {
    // Where that cannot be had, its tests are skipped before.
    Ran::of(&command(stage, variable, arguments).unwrap().output().unwrap())
}

/// The scope and the key of what `exec` gives.
fn entered(ran: Ran) -> (String, String) {
    let said = ran.said();
    let (scope, key) = said.trim().split_once(' ').unwrap();
    (scope.to_owned(), key.to_owned())
}

fn exec(target: &str) -> [&str; 6] {
    ["exec", target, "--", "sh", "-c", SHOW]
}

/// Each by itself, and each with what it does.
#[test]
fn every_agent_is_known_by_its_variable() {
    let Some(_) = own_session() else { return };
    let stage = stage();
    let agents = [
        ("CLAUDECODE", "1", "Claude Code"),
        ("CODEX_THREAD_ID", "0199a213-81c0-7800-8aa1-bbab2a035a53", "Codex"),
        ("CODEX_CI", "1", "Codex"),
        ("CODEX_SANDBOX", "seatbelt", "Codex"),
        ("GEMINI_CLI", "1", "Gemini CLI"),
        ("KIRO_SESSION_ID", "a1b2", "Kiro"),
        ("OPENCODE", "1", "opencode"),
        ("ANTIGRAVITY_AGENT", "1", "Antigravity"),
        ("AMP_CURRENT_THREAD_ID", "T-1", "Amp"),
        ("PI_CODING_AGENT", "true", "pi"),
        ("COPILOT_CLI", "1", "GitHub Copilot"),
        ("COPILOT_AGENT", "1", "GitHub Copilot"),
        ("CURSOR_AGENT", "1", "Cursor"),
        ("CLINE_ACTIVE", "true", "Cline"),
        ("GOOSE_TERMINAL", "1", "goose"),
        ("QWEN_CODE", "1", "Qwen Code"),
        ("CRUSH", "1", "Crush"),
        ("AUGMENT_AGENT", "1", "Auggie"),
        ("AWS_EXECUTION_ENV", "AmazonQ-For-CLI Version/1.12", "Amazon Q"),
        ("AI_AGENT", "github_copilot_vscode_agent", "github_copilot_vscode_agent"),
        ("AGENT", "amp", "amp"),
    ];
    assert_eq!(agents.map(|(variable, ..)| variable), MARKERS.map(|marker| marker.variable));
    for (variable, value, name) in agents {
        let drives = format!("{name} runs this command ({variable} is set)");
        let ran = run(&stage, (variable, value), &exec("dev"));
        let line = format!("dev/Developer is read-only here: {drives}");
        assert_eq!(ran.stderr.matches(&line).count(), 1, "{}", ran.stderr);
        assert_eq!(entered(ran).0, "read-only", "{variable}");
        let ran =
            run(&stage, (variable, value), &["exec", "prod", "--confirm", "prod", "--", "true"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{variable}");
        assert!(ran.stderr.contains(&drives), "{}", ran.stderr);
    }
}

#[test]
fn without_a_variable_nothing_is_narrowed() {
    let Some(_) = own_session() else { return };
    let stage = stage();
    for nobody in [
        ("UNRELATED", "1"),
        ("SEKISHO_AGENT", "0"),
        ("CLAUDECODE", ""),
        ("CLAUDECODE", "0"),
        ("AGENT", "ci-runner"),
        ("CI", "true"),
        ("TERM", "dumb"),
    ] {
        let ran = run(&stage, nobody, &exec("dev"));
        assert!(!ran.stderr.contains("read-only"), "{}", ran.stderr);
        assert_eq!(entered(ran).0, "full", "{nobody:?}");
        let confirmed = ["--confirm", "prod", "exec", "prod", "--", "sh", "-c", SHOW];
        assert_eq!(entered(run(&stage, nobody, &confirmed)).0, "full", "{nobody:?}");
        assert!(run(&stage, nobody, &["env", "dev"]).said().contains("ASIA"));
    }
}

#[test]
fn the_override_stays_with_what_is_started() {
    let Some(_) = own_session() else { return };
    let stage = stage();
    let inner = format!("{} exec dev -- sh -c '{SHOW}'", env!("CARGO_BIN_EXE_sekisho"));
    let nested = ["exec", "dev", "--", "sh", "-c", &inner];
    let mut person = command(&stage, CLAUDE, &nested).unwrap();
    assert_eq!(entered(Ran::of(&person.env("SEKISHO_AGENT", "0").output().unwrap())).0, "full");
    let ran = run(&stage, ("SEKISHO_AGENT", "my bot"), &nested);
    assert!(
        ran.stderr.contains("my bot runs this command (SEKISHO_AGENT is set)"),
        "{}",
        ran.stderr
    );
    assert_eq!(entered(ran).0, "read-only");
    let unset = run(&stage, ("SEKISHO_AGENT", "0"), &["env", "--unset"]).said();
    assert!(!unset.contains("SEKISHO_AGENT"), "{unset}");
}

/// What a person was given is kept for the same words; an agent has answers of its own.
#[test]
fn a_warm_answer_is_for_whom_it_was_made() {
    let Some(_) = own_session() else { return };
    let stage = stage();
    stage.date_config(std::time::SystemTime::UNIX_EPOCH);
    let person = || entered(run(&stage, ("UNRELATED", "1"), &exec("dev")));
    let agent = || run(&stage, CLAUDE, &exec("dev"));
    let warm = |variable| {
        let warm = || stage.warm(&mut command(&stage, variable, &exec("dev")).unwrap());
        until("the warm path", warm)
    };
    let full = entered(warm(("UNRELATED", "1")));
    assert_eq!(full.0, "full");
    let narrow = entered(agent());
    assert_eq!(narrow.0, "read-only");
    assert_ne!(narrow.1, full.1);
    assert_eq!(person(), full);
    // Warm, it is said again, and AWS is not asked again.
    let calls = stage.emulator.calls().len();
    let warm = warm(CLAUDE);
    assert!(
        warm.stderr.contains("dev/Developer is read-only here: Claude Code"),
        "{}",
        warm.stderr
    );
    assert_eq!(entered(warm), narrow);
    // Other programs' way in, too.
    let process = |variable| {
        let said = run(&stage, variable, &["credential-process", "dev"]).said();
        let json: serde_json::Value = serde_json::from_str(&said).unwrap();
        json["AccessKeyId"].as_str().unwrap().to_owned()
    };
    assert_eq!((process(("UNRELATED", "1")), process(CLAUDE)), (full.1, narrow.1));
    assert_eq!(stage.emulator.calls().len(), calls);
}

#[test]
fn an_answer_does_not_outlive_a_stricter_config() {
    let Some(_) = own_session() else { return };
    let stage = stage();
    stage.date_config(std::time::SystemTime::UNIX_EPOCH);
    until("the warm path", || stage.warm(&mut command(&stage, CLAUDE, &exec("dev")).unwrap()));
    edit(&stage, "    tags: [sandbox]\n", "    tags: [sandbox]\n    agents: refuse\n");
    let ran = run(&stage, CLAUDE, &exec("dev"));
    assert_eq!(ran.code, 4);
    insta::assert_snapshot!(ran.stderr, @"
    sekisho: an AI agent may not enter dev/Developer
       why  Claude Code runs this command (CLAUDECODE is set), and the config has `agents: refuse`
       fix  run the command yourself, in a terminal of your own
       fix  or let agents in: `agents: read-only` or `agents: full` for it in the main config file
    ");
}

#[test]
fn the_config_says_what_an_agent_gets() {
    let Some(_) = own_session() else { return };
    let gets = |stage: &Stage, target: &str| {
        let ran = run(stage, CLAUDE, &exec(target));
        if ran.code == 0 { entered(ran).0 } else { format!("exit {}", ran.code) }
    };
    for (said, gotten) in [
        ("", "full"),
        ("    agents: full\n", "full"),
        ("    agents: read-only\n", "read-only"),
        ("    agents: refuse\n", "exit 4"),
    ] {
        assert_eq!(gets(&plain(said), "dev"), gotten, "{said}");
    }
    // The person's own word counts for more than what follows from the guard, and a role's for more than the defaults'.
    let stage = stage();
    edit(
        &stage,
        "roles: [{name: Developer, path: /dev/}, ",
        "roles: [{name: Developer, path: /dev/, agents: full}, ",
    );
    assert_eq!(gets(&stage, "dev"), "full");
    edit(&stage, "defaults: {", "defaults: {agents: refuse, ");
    assert_eq!(gets(&stage, "dev"), "full");
    assert_eq!(gets(&stage, "dev/Reader"), "exit 4");
    // Of the account's and the role's the stricter.
    edit(&stage, "    tags: [sandbox]\n", "    tags: [sandbox]\n    agents: read-only\n");
    assert_eq!(gets(&stage, "dev"), "read-only");
}

#[test]
fn a_scope_cannot_be_widened_and_session_policies_cannot_be_narrowed() {
    let Some(_) = own_session() else { return };
    let stage = plain("    agents: read-only\n");
    let ran = run(&stage, CLAUDE, &["--scope", "full", "exec", "dev", "--", "sh", "-c", SHOW]);
    assert_eq!(entered(ran).0, "read-only");
    // What was asked for is not said again.
    let ran = run(&stage, CLAUDE, &["--scope", "read-only", "exec", "dev", "--", "true"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    edit(
        &stage,
        "roles: [{name: Developer, path: /dev/}, ",
        "roles: [{name: Developer, path: /dev/, policy_arns: [arn:aws:iam::aws:policy/PowerUserAccess]}, ",
    );
    let ran = run(&stage, CLAUDE, &exec("dev"));
    assert_eq!(ran.code, 4);
    insta::assert_snapshot!(ran.stderr, @"
    sekisho: an AI agent may not enter dev/Developer
       why  Claude Code runs this command (CLAUDECODE is set), and agents get read-only sessions there, which the role's own `policy` or `policy_arns` would widen
       fix  run the command yourself, in a terminal of your own
       fix  or let agents in: `agents: full` for it in the main config file
    ");
}

#[test]
fn what_is_printed_is_for_persons() {
    let Some(_) = own_session() else { return };
    let stage = stage();
    let ran = run(&stage, CLAUDE, &["env", "dev"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""));
    insta::assert_snapshot!(ran.stderr, @"
    sekisho: the environment of dev/Developer is not printed for an AI agent
       why  Claude Code runs this command (CLAUDECODE is set), and its transcript would keep what is printed
       fix  give the session to a command instead: `sekisho exec dev/Developer -- COMMAND`
    ");
    let calls = stage.emulator.calls().len();
    for arguments in [
        &["env", "dev", "--format", "json"][..],
        &["env", "dev", "--show"],
        &["env", "dev", "--or-nothing"],
        &["console", "dev", "--print"],
        &["console", "dev", "--copy"],
    ] {
        let ran = run(&stage, CLAUDE, arguments);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{arguments:?}");
        assert!(
            ran.stderr.contains("sekisho exec dev/Developer -- COMMAND")
                || arguments.contains(&"--or-nothing"),
            "{}",
            ran.stderr
        );
    }
    let ran = run(&stage, CLAUDE, &["env", "prod", "--confirm", "prod"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
    assert_eq!(stage.emulator.calls().len(), calls, "nothing was asked of AWS");
    // Inside a shell, too, whose session is the person's.
    let within = [
        "exec",
        "dev",
        "--",
        "env",
        "CLAUDECODE=1",
        env!("CARGO_BIN_EXE_sekisho"),
        "console",
        "--print",
    ];
    let ran = run(&stage, ("UNRELATED", "1"), &within);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
    // Where an agent has everything, it may print as well.
    let stage = plain("");
    assert!(run(&stage, CLAUDE, &["env", "dev"]).said().contains("ASIA"));
    assert!(run(&stage, CLAUDE, &["console", "dev", "--print"]).said().contains("SigninToken"));
}

#[test]
fn a_renewal_is_bound_as_an_entry_is() {
    let Some(_) = own_session() else { return };
    let stage = stage();
    // A shell that a person opened, and an agent in it.
    let json = run(&stage, ("UNRELATED", "1"), &["env", "dev", "--format", "json"]).said();
    let shell: std::collections::BTreeMap<String, String> = serde_json::from_str(&json).unwrap();
    let refresh = |more: &[&str]| {
        let arguments = [&["refresh", "--hook", "values"][..], more].concat();
        Ran::of(&command(&stage, CLAUDE, &arguments).unwrap().envs(&shell).output().unwrap())
    };
    for more in [&[][..], &["--quiet"]] {
        let ran = refresh(more);
        assert!(
            ran.stderr.contains("dev/Developer is read-only here: Claude Code"),
            "{}",
            ran.stderr
        );
        let said = ran.said();
        assert!(said.contains("read-only"), "{said}");
        assert!(!said.contains(&shell["AWS_SECRET_ACCESS_KEY"]));
    }
    edit(&stage, "    tags: [sandbox]\n", "    tags: [sandbox]\n    agents: refuse\n");
    for more in [&[][..], &["--quiet"]] {
        let ran = refresh(more);
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
    }
}

#[test]
fn what_is_served_to_an_agent_is_narrow_however_often_it_is_renewed() {
    let (Some(_), Some(_)) = (own_session(), program("curl")) else { return };
    let stage = stage();
    let full = entered(run(&stage, ("UNRELATED", "1"), &exec("dev"))).1;
    let script = "for i in 1 2; do curl -s -H \"Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN\" \
                  $AWS_CONTAINER_CREDENTIALS_FULL_URI; done; echo; echo $SEKISHO_SCOPE";
    let ran = run(&stage, CLAUDE, &["serve", "dev", "--", "sh", "-c", script]);
    assert_eq!(ran.stderr.matches("is read-only here").count(), 1, "{}", ran.stderr);
    let said = ran.said();
    assert!(said.ends_with("\nread-only\n") && said.matches("ASIA").count() == 2, "{said}");
    assert!(!said.contains(&full), "{said}");
    let ran = run(&stage, CLAUDE, &["serve", "prod", "--confirm", "prod", "--", "true"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
    let ran = run(&stage, CLAUDE, &["credential-process", "prod", "--confirm", "prod"]);
    assert_eq!((ran.code, ran.stderr.lines().count()), (4, 1), "{}", ran.stderr);
}

/// No `--yes` and no `--confirm` of an agent's is a person's answer.
#[test]
fn only_a_person_confirms() {
    let Some(_) = own_session() else { return };
    let stage = plain("");
    // Where the agent may enter a guarded target, a person still has to type its name.
    edit(&stage, "    guard: confirm\n", "    guard: confirm\n    agents: full\n");
    let ran = run(&stage, CLAUDE, &["exec", "prod", "--confirm", "prod", "--", "true"]);
    assert_eq!(ran.code, 4);
    insta::assert_snapshot!(ran.stderr, @"
    sekisho: prod is guarded, and there is no terminal to confirm on
       why  Claude Code runs this command (CLAUDECODE is set): only a person confirms, so --yes and --confirm do not count
       fix  run the command yourself, in a terminal of your own
    ");
    let ran = run(&stage, CLAUDE, &["each", "dev", "prod", "--confirm", "prod", "--list"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "dev/Developer\n"), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("prod/Developer is left out: it is guarded, and only a person confirms"),
        "{}",
        ran.stderr
    );
    let aws = "[default]\naws_access_key_id = AKIA\n";
    stage.write(".aws/credentials", aws);
    for arguments in [
        &["profiles", "--write", "--yes"][..],
        &["key", "remove", "--yes"],
        &["policy", "--write", "out", "--yes"],
        &["verify", "dev", "--yes"],
        &[
            "init",
            "--config",
            "new.yaml",
            "--key",
            "env",
            "--role",
            "R",
            "--dev-account",
            "a=222222222222",
            "--region",
            "eu-west-1",
            "--mfa-serial",
            PHONE,
            "--endpoint-url",
            &stage.emulator.url(),
            "--yes",
        ],
    ] {
        let ran = run(&stage, CLAUDE, arguments);
        assert_eq!(ran.code, 4, "{arguments:?} {}", ran.stderr);
        assert!(
            ran.stderr.contains("only a person confirms, so --yes and --confirm do not count"),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("add `--yes`"), "{}", ran.stderr);
    }
    assert!(
        !stage.path("new.yaml").exists()
            && !stage.path(".aws/config").exists()
            && !stage.path("out").exists()
    );
}

#[test]
fn each_tells_what_is_narrowed_and_what_is_left_out() {
    let Some(_) = own_session() else { return };
    let stage = stage();
    let ran = run(
        &stage,
        CLAUDE,
        &["each", "*", "--role", "Developer", "--", "sh", "-c", "echo $SEKISHO_SCOPE"],
    );
    assert_eq!(ran.stdout, "dev/Developer | read-only\n", "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("prod/Developer is left out: an AI agent may not enter it (Claude Code"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("dev/Developer is read-only here"), "{}", ran.stderr);
    let ran = run(&stage, CLAUDE, &["each", "prod", "--confirm", "prod", "--", "true"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{}", ran.stderr);
}

#[test]
fn a_program_makes_a_code_only_for_who_has_everything() {
    let Some(_) = own_session() else { return };
    let stage = Stage::with("min_guard: {sandbox: warn}", "");
    let with_command = "  mfa_command: [sh, -c, 'touch asked; cat code']\n  region: eu-west-1\n";
    edit(&stage, "  region: eu-west-1\n", with_command);
    stage.write("code", stage.emulator.code(PHONE).unwrap());
    let ran = run(&stage, CLAUDE, &exec("dev"));
    assert_eq!((ran.code, stage.path("asked").exists()), (4, false), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("mfa_command is not run: Claude Code runs this command"),
        "{}",
        ran.stderr
    );
    assert!(stage.emulator.calls().iter().all(|call| !call.with_code));
    // Nor for what opens every target, unless the defaults say so.
    for arguments in [&["login"][..], &["each", "dev", "--role", "Developer", "--", "true"]] {
        let ran = run(&stage, CLAUDE, arguments);
        assert!(!stage.path("asked").exists(), "{arguments:?} {}", ran.stderr);
        assert_eq!(ran.code, 4, "{arguments:?} {}", ran.stderr);
    }
    edit(&stage, "defaults: {", "defaults: {agents: full, ");
    stage.write("code", stage.emulator.code(PHONE).unwrap());
    assert_eq!(entered(run(&stage, CLAUDE, &exec("dev"))).0, "full");
    assert!(stage.path("asked").exists());
}

#[test]
fn the_diary_and_the_status_say_which_agent() {
    let Some(_) = own_session() else { return };
    let stage = stage();
    assert_eq!(run(&stage, CLAUDE, &exec("dev")).code, 0);
    let diary = String::from_utf8(stage.read(".local/state/sekisho/diary.jsonl")).unwrap();
    let agents: Vec<serde_json::Value> = diary
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["agent"].take())
        .collect();
    assert_eq!(agents, [serde_json::Value::Null, "Claude Code".into()]);
    let agent = |variable| {
        let said = run(&stage, variable, &["status", "--json"]).said();
        serde_json::from_str::<serde_json::Value>(&said).unwrap()["agent"].take()
    };
    assert_eq!(agent(CLAUDE), "Claude Code");
    assert_eq!(agent(("UNRELATED", "1")), serde_json::Value::Null);
    let said = run(&stage, CLAUDE, &["status"]).said();
    assert!(said.contains("Claude Code runs this command (CLAUDECODE is set)"), "{said}");
}

/// An included file may only take away.
#[test]
fn an_included_file_cannot_let_agents_in() {
    let Some(_) = own_session() else { return };
    let stage = Stage::with("include: [team.yaml]", "");
    edit(
        &stage,
        "  - name: dev\n    id: \"222222222222\"\n    aliases: [mine]\n    tags: [sandbox]\n    note: for experiments\n    roles: [{name: Developer, path: /dev/}, {name: Reader, path: /dev/, duration: 2h, region: us-west-2}]\n",
        "",
    );
    let team = |agents: &str, guard: &str| {
        let text = format!(
            "accounts:\n  - name: dev\n    id: \"222222222222\"\n    guard: {guard}\n    agents: {agents}\n    roles: [{{name: Developer, path: /dev/}}]\n"
        );
        stage.write(".config/sekisho/team.yaml", text);
    };
    team("full", "warn");
    stage.sign_in();
    let gets = || {
        let ran = run(&stage, CLAUDE, &exec("dev"));
        if ran.code == 0 { entered(ran).0 } else { format!("exit {}", ran.code) }
    };
    assert_eq!(gets(), "read-only", "the guard's own");
    team("refuse", "warn");
    assert_eq!(gets(), "exit 4");
    edit(&stage, "accounts:\n", "accounts:\n  - {id: \"222222222222\", agents: full}\n");
    assert_eq!(gets(), "exit 4", "the stricter");
    team("full", "warn");
    assert_eq!(gets(), "exit 4", "let go by the included file: a person has to accept it");
    assert_eq!(stage.run(&["config", "accept", "--yes"]).code, 0);
    assert_eq!(gets(), "full", "the person's own word");
}

/// The variables of the machine that runs the tests reach no program under test.
#[test]
fn a_stage_lets_no_variable_in() {
    let stage = Stage::new();
    let mut command = stage.sekisho(&["status", "--json"]);
    let said = Ran::of(&command.stdin(Stdio::null()).output().unwrap()).said();
    let status: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(status["agent"], serde_json::Value::Null);
}

/// The list is no way around it, and says as much once it is left.
#[test]
fn the_list_narrows_and_says_so() {
    let stage = stage();
    let sekisho = stage.sekisho(&["exec", "--", "sh", "-c", "echo SCOPE $SEKISHO_SCOPE; read x"]);
    let mut builder = terminal::command(sekisho.get_program(), stage.home());
    builder.args(sekisho.get_args());
    sekisho.get_envs().filter_map(|(name, value)| Some((name, value?))).for_each(
        |(name, value)| {
            builder.env(name, value);
        },
    );
    builder.env(CLAUDE.0, CLAUDE.1);
    let mut pty = Pty::spawn(builder);
    pty.wait_for("3 / 3");
    pty.send("prod\r");
    pty.wait_for("an AI agent may not enter prod/Developer");
    pty.send("\x1b");
    pty.wait_until("the list", |screen| !screen.contains("may not enter"));
    pty.send("\x15dev developer\r");
    let screen = pty.wait_for("SCOPE read-only");
    assert!(screen.contains("dev/Developer is read-only here: Claude Code"), "{screen}");
}
