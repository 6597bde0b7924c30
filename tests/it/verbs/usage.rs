//! A command line that says nothing, too much, or something nearly right.

use std::process::Stdio;

use clap::CommandFactory;
use sekisho::cli::args::CommandLine;

use super::home::Home;

#[test]
fn help_is_data_and_names_every_verb() {
    let home = Home::new();
    let Some(said) = home.run(&["--help"]) else {
        return;
    };
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    for verb in CommandLine::command().get_subcommands() {
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
          --color <WHEN>         When to use colours: auto, always or never; NO_COLOR is respected
      -v, --verbose...           Print more details on stderr, never a secret
          --mfa-code <->         Read the MFA code from stdin
          --region <REGION>      Use this region
          --duration <15m..12h>  Session duration; more than 1h needs an MFA code of its own
          --scope <SCOPE>        What the session may do: full or read-only
          --confirm <NAME>       Confirm a guarded account by its name

    Without a command, the switcher opens: type to filter, Enter for a subshell, ? for help.
    To try it without an AWS account: sekisho demo
    ");
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
        (&["dev"], "sekisho shell dev"),
        (&["mine"], "sekisho shell mine"),
        (&["init", "zsh"], "sekisho hook"),
        (&["xyzzy"], "sekisho --help"),
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
        (&["--config", "other.yaml", "dev"][..], "fix  sekisho --config other.yaml shell dev"),
        (&["--config", "other.yaml", "exce", "dev"], "unknown command: exce"),
        (&["key", "rotte"], "unrecognized subcommand 'rotte'"),
    ] {
        let Some(said) = home.run(arguments) else {
            return;
        };
        assert_eq!((said.code, said.stdout.as_str()), (2, ""), "{arguments:?}");
        assert!(said.stderr.contains(fix), "{arguments:?}: {}", said.stderr);
    }
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
