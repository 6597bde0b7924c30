//! A command line that says nothing, too much, or something nearly right.

use std::process::Stdio;

use clap::CommandFactory;
use sekisho::cli::args::{CommandLine, SessionVerb, Verb, documented, used_options};

use super::home::Home;

#[test]
fn help_is_data_and_names_every_verb() {
    let home = Home::new();
    let Some(said) = home.run(&["--help"]) else {
        return;
    };
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    for verb in CommandLine::command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
        let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(about.len() > 10, "{} says nothing about itself", verb.get_name());
        let start = format!("\n  {} ", verb.get_name());
        assert!(said.stdout.contains(&start), "{start} in {}", said.stdout);
        let help = home.run(&[verb.get_name(), "--help"]).unwrap();
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{}", verb.get_name());
        assert!(help.stdout.starts_with(&about), "{}", help.stdout);
    }
    let options = said.stdout.split_once("Common options:").unwrap().1;
    insta::assert_snapshot!(options, @"
          --config <FILE>        The config file [default: ~/.config/sekisho/config.yaml]
          --color <WHEN>         When to use colors: auto, always or never; NO_COLOR is respected
      -v, --verbose...           Print more details on stderr, never a secret
          --mfa-code <->         Read the MFA code from stdin
          --region <REGION>      Use this region
          --duration <15m..12h>  Session duration; more than 1h needs an MFA code of its own
          --scope <SCOPE>        What the session may do: full or read-only
          --confirm <NAME>       Confirm a guarded account by its name

    Without a command, the switcher opens: type to filter, Enter for a subshell, ? for help.
    `sekisho NAME` enters the target of that name; `sekisho -` this terminal's previous one.
    To try it without an AWS account: sekisho demo
    ");
}

#[test]
fn every_help_has_an_example_and_the_options_that_its_verb_uses() {
    fn walk(command: &clap::Command, path: &str, rows: &mut Vec<String>) {
        for verb in command.get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let path = format!("{path} {}", verb.get_name());
            let path = path.trim_start();
            let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(after.contains(&format!("sekisho {path}")), "{path} has no example");
            let shown = verb.get_arguments().filter(|arg| !arg.is_hide_set());
            let common =
                shown.filter_map(|arg| used_options("").iter().find(|id| arg.get_id() == **id));
            let common: Vec<&str> = common.copied().collect();
            assert!(common.iter().all(|id| used_options(path).contains(id)), "{path}: {common:?}");
            assert_eq!(common.len(), used_options(path).len(), "{path}");
            rows.push(format!("{path}: {}", common.join(" ")));
            walk(verb, path, rows);
        }
    }
    let mut rows = Vec::new();
    walk(&documented(), "", &mut rows);
    rows.retain(|row| !row.ends_with(": "));
    insta::assert_snapshot!(rows.join("\n"), @"
    pick: region duration scope
    shell: mfa_code region duration scope confirm
    exec: mfa_code region duration scope confirm
    env: mfa_code region duration scope confirm
    switch: mfa_code region duration scope confirm
    credential-process: mfa_code region duration scope confirm
    refresh: mfa_code region duration scope confirm
    profiles: region duration scope
    serve: mfa_code region duration scope confirm
    each: mfa_code region duration scope confirm
    console: mfa_code region duration scope confirm
    login: mfa_code
    key rotate: mfa_code
    key leaked: mfa_code
    init: mfa_code region
    import organizations: mfa_code confirm
    verify: mfa_code confirm
    ");
    // As a person sees it; the others are still taken, by `demo` too.
    let home = Home::new();
    for (arguments, is_shown) in [
        (&["list", "--help"][..], false),
        (&["list", "-h"], false),
        (&["config", "check", "--help"], false),
        (&["man", "list"], false),
        (&["exec", "--help"], true),
        (&["help", "exec"], true),
        (&["man", "exec"], true),
    ] {
        let Some(said) = home.run(arguments) else {
            return;
        };
        assert_eq!(said.code, 0, "{arguments:?}");
        let text = said.stdout.replace("\\-", "-");
        assert_eq!(text.contains("--duration"), is_shown, "{arguments:?}: {text}");
        assert!(text.contains("--config"), "{arguments:?}: {text}");
    }
    assert_eq!(home.run(&["list", "--duration", "2h"]).unwrap().code, 0);
}

#[test]
fn the_version_is_data() {
    let Some(said) = Home::new().run(&["--version"]) else {
        return;
    };
    assert_eq!(said.stdout, format!("sekisho {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(said.code, 0);
}

#[test]
fn a_verb_that_does_not_exist_leads_to_one_that_does() {
    let home = Home::new();
    for (arguments, fix) in [
        (&["exce", "dev"][..], "did you mean `sekisho exec`?"),
        (
            &["exce", "dev", "--", "true"],
            "unknown command: exce\n   fix  did you mean `sekisho exec`?",
        ),
        (
            &["de"],
            "there is no command or target de\n   fix  did you mean `sekisho demo`?\n   fix  did you mean `sekisho dev`?",
        ),
        (&["prodd"], "did you mean `sekisho prod`?"),
        (&["dev/Develper"], "did you mean `sekisho dev/Developer`?"),
        (&["init", "zsh"], "sekisho hook"),
        (&["xyzzy"], "sekisho --help"),
        (&["dev", "mine"], "there is no command or target dev mine"),
        (&["-"], "this terminal has no previous target"),
        (&["dev", "--help"], "unknown command: dev"),
        (&["switch", "--hook", "values", "-"], "this terminal has no previous target"),
    ] {
        let Some(said) = home.run(arguments) else {
            return;
        };
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(said.stderr.contains(fix), "{arguments:?}: {}", said.stderr);
    }
}

#[test]
fn options_before_a_word_that_is_no_verb_count() {
    let home = Home::new();
    let config = home.path().join(".config/sekisho/config.yaml");
    std::fs::rename(config, home.path().join("other.yaml")).unwrap();
    for (arguments, fix) in [
        (&["--config", "other.yaml", "de"][..], "did you mean `sekisho --config other.yaml dev`?"),
        (&["--config", "other.yaml", "exce", "dev"], "no command or target exce dev"),
        (&["exce", "--config", "nowhere.yaml"], "unknown command: exce"),
        (&["xyzzy", "--config", "nowhere.yaml"], "there is no config"),
        (&["key", "rotte"], "unrecognized subcommand 'rotte'"),
    ] {
        let Some(said) = home.run(arguments) else {
            return;
        };
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(said.stderr.contains(fix), "{arguments:?}: {}", said.stderr);
    }
}

/// A name in a verb's place enters as `shell NAME` does: here neither has a terminal to ask for the code on.
#[test]
fn an_exact_name_enters() {
    let home = Home::new();
    for name in [
        "dev",
        "mine",
        "222222222222",
        "dev/Developer",
        "DEV",
        "arn:aws:iam::222222222222:role/dev/Developer",
    ] {
        let Some(said) = home.run(&[name]) else {
            return;
        };
        assert_eq!((said.code, said.stdout.as_str()), (4, ""), "{name}: {}", said.stderr);
        assert_eq!(said.stderr, home.run(&["shell", name]).unwrap().stderr);
        assert_eq!(said.stderr, home.run(&[name, "--region", "us-east-1"]).unwrap().stderr);
    }
    let said = home.run(&["prod"]).unwrap();
    assert_eq!((said.code, said.stderr.contains("prod is guarded")), (4, true), "{}", said.stderr);
    let said =
        home.feed(&["--mfa-code", "-", "dev", "--region", "us-east-1"], &home.code()).unwrap();
    assert_eq!(said.code, 0, "{}", said.stderr);
    let said = home.run(&["demo", "nobody"]).unwrap();
    assert!(said.code == 2 && said.stderr.contains("or target nobody"), "{}", said.stderr);
}

#[test]
fn a_missing_target_is_usage_where_there_is_no_list() {
    let home = Home::new();
    for (arguments, missing) in [
        (&["shell"][..], "<TARGET>"),
        (&["exec"], "<TARGET>"),
        (&["exec", "--", "true"], "<TARGET>"),
        (&["serve", "--region", "us-east-1", "--", "true"], "<TARGET>"),
        (&["serve", "dev"], "<COMMAND>..."),
        (&["serve", "dev", "--"], "<COMMAND>..."),
        (&["console"], "<TARGET>"),
        (&["console", "--print"], "<TARGET>"),
        (&["console", "--copy"], "<TARGET>"),
    ] {
        let Some(said) = home.run(arguments) else {
            return;
        };
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{arguments:?}: {}", said.stderr);
        let usage = format!("Usage: sekisho {}", arguments[0]);
        assert!(said.stderr.contains(missing), "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains(&usage), "{arguments:?}: {}", said.stderr);
    }
    assert!(home.emulator.calls().is_empty());
}

#[test]
fn what_follows_two_dashes_is_the_command() {
    let parsed = |line: &str| {
        let words: Vec<_> = format!("sekisho {line}").split(' ').map(Into::into).collect();
        match CommandLine::parse_words(&words).unwrap().verb {
            Some(
                Verb::Session(SessionVerb::Exec { target, command })
                | Verb::Serve { target, command, .. },
            ) => {
                let command: Vec<_> =
                    command.iter().map(|word| word.to_str().unwrap().to_owned()).collect();
                (target, command.join(" "))
            }
            other => panic!("{other:?}"),
        }
    };
    for (line, target, command) in [
        ("exec dev", Some("dev"), ""),
        ("exec dev --", Some("dev"), ""),
        ("exec dev -- ls -l", Some("dev"), "ls -l"),
        ("exec dev ls -l", Some("dev"), "ls -l"),
        ("exec dev ls -l -- --region x", Some("dev"), "ls -l -- --region x"),
        ("exec dev -- ls -- x", Some("dev"), "ls -- x"),
        ("exec -- ls -l", None, "ls -l"),
        ("exec --region us-east-1 -- ls", None, "ls"),
        ("--region us-east-1 serve dev --scope full -- ls", Some("dev"), "ls"),
        ("serve -- ls", None, "ls"),
    ] {
        assert_eq!(parsed(line), (target.map(str::to_owned), command.to_owned()), "{line}");
    }
}

#[test]
fn help_is_a_verb() {
    let home = Home::new();
    for (line, same) in [
        (&["help"][..], &["--help"][..]),
        (&["help", "exec"], &["exec", "--help"]),
        (&["help", "key", "rotate"], &["key", "rotate", "--help"]),
        (&["help", "demo"], &["demo", "--help"]),
    ] {
        let Some(said) = home.run(line) else {
            return;
        };
        assert_eq!((said.code, said.stderr.as_str()), (0, ""), "{line:?}");
        assert_eq!(said.stdout, home.run(same).unwrap().stdout, "{line:?}");
    }
    let said = home.run(&["help", "exce"]).unwrap();
    assert_eq!((said.code, said.stdout.as_str()), (2, ""));
    assert!(said.stderr.contains("did you mean `sekisho exec`?"), "{}", said.stderr);
}

#[test]
fn an_option_that_does_not_exist_is_usage() {
    let home = Home::new();
    for arguments in [
        &["exec", "--nonsense", "dev"][..],
        &["exec"],
        &["exec", "dev", "--duration", "13h", "--", "true"],
        &["exec", "dev", "--region", "nowhere", "--", "true"],
        &["exec", "dev", "--scope", "half", "--", "true"],
        &["exec", "dev", "--mfa-code", "123456", "--", "true"],
    ] {
        // Options stand before the command, as `--` says.
        let Some(said) = home.run(arguments) else {
            return;
        };
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.stderr);
        assert!(said.stdout.is_empty());
    }
}

#[test]
fn a_target_that_does_not_exist_is_never_guessed() {
    let home = Home::new();
    let Some(said) = home.run(&["exec", "dve", "--", "true"]) else {
        return;
    };
    insta::assert_snapshot!(said.whole(), @"
    exit 2
    ── stdout
    ── stderr
    sekisho: there is no target dve
       fix  did you mean dev?
    ");
    for (target, nearest) in [
        ("de", "did you mean dev"),
        ("dev/Develper", "did you mean dev/Developer"),
        ("222222222223", "fix"),
        ("", "fix"),
    ] {
        let said = home.run(&["exec", target, "--", "true"]).unwrap();
        assert_eq!(said.code, 2);
        assert!(said.stderr.contains(nearest), "{target}: {}", said.stderr);
    }
    assert!(home.emulator.calls().is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let home = Home::new();
    let Some(mut command) = home.command(&["config", "show"]) else {
        return;
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdin(Stdio::null()).stdout(writer).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn colours_only_where_they_are_wanted() {
    let home = Home::new();
    let colours = |arguments: &[&str], no_color: bool| {
        let mut command = home.command(arguments)?;
        if no_color {
            command.env("NO_COLOR", "1");
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        Some(output.stderr.contains(&0x1b))
    };
    if colours(&["exec", "nobody"], false).is_none() {
        return;
    }
    assert_eq!(colours(&["exec", "nobody"], false), Some(false));
    assert_eq!(colours(&["--color", "always", "exec", "nobody"], false), Some(true));
    assert_eq!(colours(&["--color", "never", "exec", "nobody"], false), Some(false));
}

#[test]
fn the_list_wants_a_terminal() {
    let Some(said) = Home::new().run(&[]) else {
        return;
    };
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(said.stderr.contains("sekisho exec TARGET"), "{}", said.stderr);
}

#[test]
fn what_could_not_be_written_is_no_success() {
    let home = Home::new();
    for arguments in [
        &["list"][..],
        &["list", "--json"],
        &["status", "--json"],
        &["config", "show"],
        &["config", "example"],
        &["completions", "bash"],
        &["hook", "bash"],
        &["doctor", "--json", "--offline"],
        &["help"],
        &["--help"],
        &["exec", "--help"],
        &["--version"],
    ] {
        let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let Some(mut command) = home.command(arguments) else { return };
        let output = command.stdin(Stdio::null()).stdout(full()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let said = home.run(arguments).unwrap();
        assert_eq!(
            (said.code, said.stdout.is_empty()),
            (0, false),
            "{arguments:?}: {}",
            said.stderr
        );
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("No space left on device"), "{arguments:?}: {stderr}");
    }
}
