//! AWS's own implementation beside sekisho's: botocore signs in at the embedded organization and renews its keys there, with
//! its own proof of possession, and sekisho uses what it leaves in `~/.aws/login/cache`.

use std::os::unix::fs::PermissionsExt;

use super::stage::{Stage, aws_cache, aws_keys_end, aws_profile, user};
use crate::exports::stage::Ran;
use crate::support::program;

/// Runs the script; `None` where a module of it is missing.
fn botocore(stage: &Stage, arguments: &[&str]) -> Option<Ran> {
    let python = program("python3")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/clients/boto3/aws_login.py");
    let mut command = stage.program(python);
    command.arg(script).args(arguments).env("AWS_ENDPOINT_URL_SIGNIN", stage.emulator.url());
    let ran = Ran::of(&command.output().unwrap());
    for module in ["boto3", "awscrt"] {
        if ran.stderr.contains(&format!("No module named '{module}'")) {
            // Reported like a missing program, under its own name.
            return program(module).map(|_| unreachable!("a module is no program"));
        }
    }
    Some(ran)
}

#[test]
fn botocore_renews_at_the_embedded_organization_and_sekisho_reads_what_it_wrote() {
    let stage = Stage::new();
    let arn = user("alice");
    aws_profile(&stage, "work", &arn);
    let Some(signed_in) = botocore(&stage, &["sign-in", &arn]) else { return };
    assert_eq!(signed_in.said().trim(), format!("\"{arn}\""));
    let wire =
        ["AuthorizeOAuth2Access", "CreateOAuth2Token", "CreateOAuth2Token", "GetCallerIdentity"];
    assert_eq!(stage.wire(0), wire);
    let cache = aws_cache(&arn);
    let kept = stage.read(&cache);

    stage.run(&["credential-process", "dev/Open"]).said();
    assert_eq!(stage.wire(wire.len()), ["AssumeRole Open"]);
    assert_eq!(stage.read(&cache), kept, "another program's file is read and no more");
    let mode = std::fs::metadata(stage.path(&cache)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // Over: sekisho does not renew it, botocore does, and then it serves again.
    aws_keys_end(&stage, &arn);
    stage.forget();
    let over = stage.run(&["credential-process", "dev/Open"]);
    assert!(over.code == 4 && over.stderr.contains("have expired"), "{}", over.stderr);
    let before = stage.calls();
    botocore(&stage, &["use"]).unwrap().said();
    assert_eq!(stage.wire(before), ["CreateOAuth2Token", "GetCallerIdentity"]);
    stage.run(&["credential-process", "dev/Open"]).said();
}
