//! What `env` prints, evaluated by the shells it is for.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use sekisho::domain::secret::Secret;
use sekisho::services::child::environment::{
    Context, Endpoint, Environment, Form, Inherited, Masking, Syntax,
};
use sekisho::services::child::shared_config::SharedConfig;
use sekisho::services::store::files::Dir;

use super::driver::{FAR, SECRET, TOKEN, pass};
use crate::support::program;

/// Values that are code somewhere.
const AWKWARD: [&str; 12] = [
    "it's",
    "''",
    "\"$(touch pwned)\" `touch pwned`",
    "two\nlines\n",
    "\r\n",
    "back\\slash\\",
    "%n %s ${HOME} $HOME !!",
    "開発 田中’",
    "  spaces\tand tabs ",
    "*?[a]{b,c}~#;&|<>",
    "",
    "\u{1b}[31m",
];

fn inherited(vars: &[(&str, &str)]) -> Inherited {
    vars.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
}

fn of(extra: Vec<(String, String)>, inherited: &Inherited) -> Environment {
    let context = Context { depth: 1, extra, ..Context::default() };
    Environment::of(pass("dev-tanaka", FAR), &context, inherited)
}

fn shown(environment: &Environment, syntax: Syntax) -> Secret {
    environment.render(Form::Export(syntax), Masking::Shown)
}

/// Evaluates a script as a person's rc file would, and returns the environment a child then has.
fn evaluate(shell: &Path, vars: &[(&str, &str)], script: &str) -> Vec<(String, String)> {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(shell);
    match shell.file_name().unwrap().to_str().unwrap() {
        "bash" => command.args(["--norc", "-c", "eval \"$(cat)\"; env -0"]),
        "zsh" => command.args(["-f", "-c", "eval \"$(cat)\"; env -0"]),
        _ => command.args(["-N", "-c", "eval (cat); env -0"]),
    };
    let mut child = command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home.path())
        .env("LANG", "C.UTF-8")
        .envs(vars.iter().copied())
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{script}");
    assert!(!home.path().join("pwned").exists(), "{script}");
    let text = String::from_utf8(output.stdout).unwrap();
    let own = ["PATH", "HOME", "LANG", "PWD", "OLDPWD", "SHLVL", "_"];
    text.split_terminator('\0')
        .map(|entry| entry.split_once('=').unwrap())
        .filter(|(name, _)| !own.contains(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

const SHELLS: [(&str, Syntax); 3] =
    [("bash", Syntax::Bash), ("zsh", Syntax::Zsh), ("fish", Syntax::Fish)];

#[test]
fn values_come_out_byte_for_byte() {
    for (shell, syntax) in SHELLS {
        let Some(shell) = program(shell) else {
            continue;
        };
        let extra = AWKWARD
            .iter()
            .enumerate()
            .map(|(i, value)| (format!("X{i}"), value.to_string()))
            .collect();
        let environment = of(extra, &Inherited::default());
        let seen = evaluate(&shell, &[], shown(&environment, syntax).expose());
        let value = |name: &str| {
            let found = seen.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        for (i, expected) in AWKWARD.iter().enumerate() {
            assert_eq!(value(&format!("X{i}")), Some(*expected), "{shell:?}");
        }
        assert_eq!(value("AWS_SECRET_ACCESS_KEY"), Some(SECRET), "{shell:?}");
    }
}

/// Without quotes the shell splits the text at blanks, joins it with one each, and looks for files.
#[test]
fn the_unquoted_form_works_in_every_posix_shell() {
    let values = [
        "plain",
        "it's",
        "a b",
        "  two  and   three ",
        "$HOME `id` \\ \" ! #",
        "*?[a]{b,c}~;&|<>",
        "",
        "開発",
    ];
    let extra = values.iter().enumerate().map(|(i, value)| (format!("X{i}"), value.to_string()));
    let before = [("AWS_PROFILE", "production"), ("GRANTED_SSO", "x")];
    let environment = of(extra.collect(), &inherited(&before));
    let script = shown(&environment, Syntax::Bash);
    for (shell, arguments) in [
        ("bash", &["--norc", "-c"][..]),
        ("bash", &["--posix", "--norc", "-c"]),
        ("zsh", &["-f", "-c"]),
        ("dash", &["-c"]),
        ("sh", &["-c"]),
    ] {
        let Some(shell) = program(shell) else {
            continue;
        };
        let home = tempfile::tempdir().unwrap();
        let text = home.path().join("text");
        std::fs::write(&text, script.expose()).unwrap();
        let mut command = Command::new(&shell);
        command.args(arguments).arg("eval $(cat text); env -0").current_dir(home.path());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).envs(before);
        let output = command.output().unwrap();
        let seen = String::from_utf8(output.stdout).unwrap();
        let value = |name: &str| {
            seen.split('\0')
                .find_map(|entry| entry.strip_prefix(&format!("{name}=")))
                .map(str::to_owned)
        };
        for (i, expected) in values.iter().enumerate() {
            assert_eq!(value(&format!("X{i}")).as_deref(), Some(*expected), "{shell:?}");
        }
        assert_eq!(value("AWS_SECRET_ACCESS_KEY").as_deref(), Some(SECRET), "{shell:?}");
        assert_eq!((value("AWS_PROFILE"), value("GRANTED_SSO")), (None, None), "{shell:?}");
    }
}

#[test]
fn a_round_trip_leaves_the_environment_as_before() {
    let before = [
        ("AWS_CA_BUNDLE", "/etc/ca.pem"),
        ("AWS_CONFIG_FILE", "/home/x/config"),
        ("HTTPS_PROXY", "http://proxy"),
        ("MINE", "it's"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-central-1"),
    ];
    for (shell, syntax) in SHELLS {
        let Some(shell) = program(shell) else {
            continue;
        };
        let mut was = evaluate(&shell, &before, "true");
        let set = of(Vec::new(), &inherited(&before));
        let during = evaluate(&shell, &before, shown(&set, syntax).expose());
        let replaced =
            before.iter().filter(|(name, _)| set.names().any(|set| set == *name)).count();
        assert_eq!(during.len(), was.len() + set.names().count() - replaced, "{shell:?}");
        let during: Vec<(&str, &str)> =
            during.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let unset = Environment::cleared(&[], &inherited(&during));
        let mut is = evaluate(&shell, &during, shown(&unset, syntax).expose());
        was.sort();
        is.sort();
        assert_eq!(is, was, "{shell:?}");
    }
}

#[test]
fn what_other_tools_left_is_removed() {
    let before = [
        ("AWS_PROFILE", "production"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://x"),
        ("GRANTED_SSO", "x"),
        ("aws_security_token", "x"),
        ("SEKISHO_OLD", "x"),
        ("AWS_VAULT", "x"),
        ("AWS_MAX_ATTEMPTS", "5"),
    ];
    for (shell, syntax) in SHELLS {
        let Some(shell) = program(shell) else {
            continue;
        };
        let set = of(Vec::new(), &inherited(&before));
        let seen = evaluate(&shell, &before, shown(&set, syntax).expose());
        for (name, _) in &before[..6] {
            assert!(seen.iter().all(|(known, _)| known != name), "{name}");
        }
        assert!(seen.contains(&("AWS_MAX_ATTEMPTS".into(), "5".into())));
    }
}

#[test]
fn a_served_child_gets_the_endpoint_and_no_credentials() {
    let before = inherited(&[
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_SESSION_TOKEN", "x"),
        ("AWS_CREDENTIAL_EXPIRATION", "x"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/x"),
    ]);
    let endpoint =
        Endpoint { uri: "http://127.0.0.1:1/x".into(), token: Secret::new(TOKEN.into()) };
    let target = pass("dev-tanaka", FAR).target;
    let folder = tempfile::tempdir().unwrap();
    let dir = Dir::create(&folder.path().join("run")).unwrap();
    let shared = SharedConfig::create(dir, Path::new("/nowhere"), None).unwrap();
    let environment = Environment::served(&target, endpoint, &shared, &Context::default(), &before);
    let block = environment.block(&before).unwrap();
    let mut aws: Vec<&str> = block
        .variables()
        .filter_map(|(name, _)| name.to_str())
        .filter(|name| name.starts_with("AWS_"))
        .collect();
    aws.sort_unstable();
    let expected = [
        "AWS_ACCOUNT_ID",
        "AWS_CONFIG_FILE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_PROFILE",
        "AWS_REGION",
    ];
    assert_eq!(aws, expected);
}

#[test]
fn masked_is_the_same_text_without_the_secrets() {
    let environment = of(Vec::new(), &Inherited::default());
    let forms = [Form::Json, Form::Dotenv].into_iter();
    for form in forms.chain(Syntax::ALL.map(Form::Export)) {
        let shown = environment.render(form, Masking::Shown);
        assert!(shown.expose().contains(TOKEN), "{form:?}");
        let masked = environment.render(form, Masking::Masked);
        assert!(!masked.expose().contains(TOKEN), "{form:?}");
        assert!(!masked.expose().contains("canary"), "{form:?}");
        assert_eq!(masked.expose().lines().count(), shown.expose().lines().count(), "{form:?}");
    }
    insta::assert_snapshot!(environment.render(Form::Dotenv, Masking::Masked).expose());
    insta::assert_snapshot!(
        environment.render(Form::Export(Syntax::Bash), Masking::Masked).expose()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Several values at a time, since each case starts a shell.
    #[test]
    fn any_values_pass_through_bash(values in proptest::collection::vec("[^\\x00]{0,40}", 8)) {
        let Some(bash) = program("bash") else { return Ok(()) };
        let extra = values.iter().enumerate().map(|(i, value)| (format!("X{i}"), value.clone()));
        let environment = of(extra.collect(), &Inherited::default());
        let seen = evaluate(&bash, &[], shown(&environment, Syntax::Bash).expose());
        for (i, expected) in values.iter().enumerate() {
            let name = format!("X{i}");
            let found = seen.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
            prop_assert_eq!(found, Some(expected));
        }
    }
}
