//! Under `serve` no profile acts instead of the target: SDKs ask profiles before they ask an endpoint.

use std::path::Path;
use std::process::Stdio;

use super::stage::{Ran, Stage};
use crate::emulator::stage::{KEY, SECRET};
use crate::support::{program, until};

/// Who a program is: the ARN.
const WHO: &str = "import boto3; print(boto3.client('sts', region_name='eu-west-1').get_caller_identity()['Arn'])";

const TARGET: &str = "arn:aws:sts::222222222222:assumed-role/Developer/alice";

fn with_default_key(stage: &Stage) {
    let key = format!("[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    stage.write(".aws/credentials", &key);
    stage.write(
        ".aws/config",
        format!("{key}region = eu-west-1\n\n[profile other]\nregion = eu-west-3\noutput = json\n"),
    );
}

/// Runs a program under `serve dev`.
fn served(stage: &Stage, program: &Path, arguments: &[&str], set: &[(&str, &str)]) -> Ran {
    let program = program.to_str().unwrap();
    let mut command = stage.sekisho(&[&["serve", "dev", "--", program], arguments].concat());
    Ran::of(&command.envs(set.iter().copied()).stdin(Stdio::null()).output().unwrap())
}

fn leftovers(stage: &Stage) -> Vec<String> {
    let folder = stage.path(".local/state/sekisho/run");
    let names = std::fs::read_dir(folder).into_iter().flatten().flatten();
    names
        .map(|file| file.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("aws-config-"))
        .collect()
}

#[test]
fn a_default_profile_does_not_act_in_boto3() {
    let Some(python) = program("python3") else { return };
    let stage = Stage::new();
    stage.sign_in();
    with_default_key(&stage);
    let files = [".aws/credentials", ".aws/config"].map(|name| stage.read(name));
    let elsewhere = stage.path(".aws/credentials").display().to_string();
    for set in [
        &[][..],
        &[("AWS_SHARED_CREDENTIALS_FILE", elsewhere.as_str())],
        &[("AWS_CONFIG_FILE", stage.path(".aws/config").to_str().unwrap())],
        &[("AWS_PROFILE", "default")],
        &[("AWS_CONFIG_FILE", "")],
    ] {
        let ran = served(&stage, &python, &["-c", WHO], set);
        assert_eq!((ran.code, ran.stdout.trim()), (0, TARGET), "{set:?}: {}", ran.stderr);
    }
    assert_eq!([".aws/credentials", ".aws/config"].map(|name| stage.read(name)), files);
    assert_eq!(leftovers(&stage), [""; 0]);
}

#[test]
fn a_default_profile_does_not_act_in_the_aws_cli() {
    let Some(aws) = program("aws") else { return };
    let stage = Stage::new();
    stage.sign_in();
    with_default_key(&stage);
    let who = ["sts", "get-caller-identity", "--query", "Arn", "--output", "text"];
    let ran = served(&stage, &aws, &who, &[]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, TARGET), "{}", ran.stderr);
    // The user's other profiles stay usable, but nothing is written into a file that goes with the child.
    let region = served(&stage, &aws, &["configure", "get", "region", "--profile", "other"], &[]);
    assert_eq!(region.stdout.trim(), "eu-west-3", "{}", region.stderr);
}

#[test]
fn a_default_process_does_not_act_either() {
    let Some(python) = program("python3") else { return };
    let stage = Stage::new();
    stage.sign_in();
    let document =
        format!("{{\"Version\":1,\"AccessKeyId\":\"{KEY}\",\"SecretAccessKey\":\"{SECRET}\"}}");
    stage.write("document", document);
    let document = stage.path("document");
    stage.write(
        ".aws/config",
        format!("[default]\ncredential_process = cat {}\n", document.display()),
    );
    let ran = served(&stage, &python, &["-c", WHO], &[]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, TARGET), "{}", ran.stderr);
}

#[test]
fn what_is_started_from_the_child_gets_the_users_own_file_back() {
    let Some(shell) = program("sh") else { return };
    let stage = Stage::new();
    stage.sign_in();
    with_default_key(&stage);
    let sekisho = env!("CARGO_BIN_EXE_sekisho");
    let nested = format!(
        "{sekisho} exec dev -- sh -c 'echo \"<$AWS_CONFIG_FILE$AWS_PROFILE$SEKISHO_AWS_CONFIG_FILE>\"'"
    );
    let ran = served(&stage, &shell, &["-c", &nested], &[]);
    assert_eq!((ran.code, ran.stdout.trim()), (0, "<>"), "{}", ran.stderr);
    let own = stage.path("own-config");
    std::fs::write(&own, "").unwrap();
    let ran =
        served(&stage, &shell, &["-c", &nested], &[("AWS_CONFIG_FILE", own.to_str().unwrap())]);
    assert_eq!(ran.stdout.trim(), format!("<{}>", own.display()), "{}", ran.stderr);
    let unset = format!("{sekisho} env --unset --shell bash");
    let ran = served(&stage, &shell, &["-c", &unset], &[]);
    assert!(ran.stdout.contains("AWS_CONFIG_FILE"), "{}", ran.stdout);
}

#[test]
fn a_file_that_cannot_be_copied_stops_it_before_the_child_starts() {
    let Some(shell) = program("sh") else { return };
    let stage = Stage::new();
    stage.sign_in();
    stage.write(".aws/config", b"[default]\n\xff\xfe");
    let ran = served(&stage, &shell, &["-c", "echo started"], &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(".aws/config: line 2 is not UTF-8"), "{}", ran.stderr);
}

#[test]
fn a_proxy_is_not_told_the_token_and_an_instance_role_is_not_asked() {
    let Some(shell) = program("sh") else { return };
    let stage = Stage::new();
    stage.sign_in();
    let tell = ["-c", "echo $NO_PROXY $no_proxy $AWS_EC2_METADATA_DISABLED"];
    let ran = served(
        &stage,
        &shell,
        &tell,
        &[("NO_PROXY", "corp.example,localhost"), ("AWS_EC2_METADATA_DISABLED", "false")],
    );
    assert_eq!(
        ran.stdout.trim(),
        "corp.example,localhost,127.0.0.1,[::1] 127.0.0.1,localhost,[::1] false",
        "{}",
        ran.stderr
    );
}

/// The copy has no key lines, and a path of its own in every run.
#[test]
fn sekisho_in_the_child_reads_the_users_own_files() {
    let Some(shell) = program("sh") else { return };
    let stage = Stage::new();
    stage.sign_in();
    let config = String::from_utf8(stage.read(".config/sekisho/config.yaml")).unwrap();
    stage.write(".config/sekisho/config.yaml", config.replace("key: env", "key: profile:team"));
    let key = format!("aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
    stage.write("own", format!("[profile team]\n{key}"));
    stage.write(".aws/credentials", format!("[default]\n{key}"));
    let sekisho = env!("CARGO_BIN_EXE_sekisho");
    let in_child =
        |script: &str| served(&stage, &shell, &["-c", script], &[("AWS_CONFIG_FILE", "~/own")]);
    let status = in_child(&format!("{sekisho} key status --json"));
    assert!(status.stdout.contains(KEY), "{}{}", status.stdout, status.stderr);
    // The child's AWS_PROFILE is not the user's either.
    let import = in_child(&format!("{sekisho} key import"));
    assert!(import.stderr.contains("[default]"), "{}", import.stderr);
    // What is asked in the same words is answered by what was kept.
    let kept = || {
        let (ran, sessions) = (
            in_child(&format!("{sekisho} exec dev -- true")),
            stage.path(".local/state/sekisho/sessions"),
        );
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        crate::support::kept_answers(&sessions).len()
    };
    // None is kept from a file that was just written; later one for `serve` and one for `exec`, each of its own region.
    until("both answers are kept", || (kept() == 2).then_some(()));
    assert_eq!(kept(), 2, "one more answer is kept for each run");
}
