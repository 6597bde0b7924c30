//! Keys that sekisho does not store: a profile's, a program's.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::stage::{BINARY, Codes, KEY, Key, SECRET, Stage};

/// A stage whose key comes from the profile `my team`.
fn stage() -> Stage {
    let stage = Stage::new(Key::Env, Codes::Program);
    let file = stage.path(".config/sekisho/config.yaml");
    let config = fs::read_to_string(&file).unwrap();
    fs::write(&file, config.replace("key: env", "key: \"profile:my team\"")).unwrap();
    stage
}

/// The exit code and everything that is said where the key is needed.
fn asked(stage: &Stage, set: &[(&str, &str)]) -> (i32, String) {
    let mut command = stage.command(&["key", "status", "--json"]);
    let output = command.envs(set.iter().copied()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(!said.contains("CANARY"), "{said}");
    (output.status.code().unwrap(), said)
}

#[test]
fn a_profile_is_read_as_botocore_reads_it() {
    let stage = stage();
    for (file, text) in [
        ("credentials", "[my team]\naws_access_key_id = KEY\naws_secret_access_key = SECRET\n"),
        ("credentials", "[my team]\r\n  aws_access_key_id: KEY\r\n  aws_secret_access_key: SECRET"),
        (
            "config",
            "[profile my team]\nAWS_ACCESS_KEY_ID=KEY # mine\naws_secret_access_key=SECRET\n",
        ),
        (
            "config",
            "[profile \"my team\"]\nregion = x\ns3 =\n  a = b\naws_access_key_id : KEY\naws_secret_access_key : SECRET\n",
        ),
    ] {
        for file in ["credentials", "config"] {
            fs::write(stage.path(".aws").join(file), "[default]\nregion = eu-west-1\n").unwrap();
        }
        fs::write(
            stage.path(".aws").join(file),
            text.replace("KEY\n", &format!("{KEY}\n"))
                .replace("KEY\r", &format!("{KEY}\r"))
                .replace("KEY #", &format!("{KEY} #"))
                .replace("SECRET", SECRET),
        )
        .unwrap();
        let (code, said) = asked(&stage, &[]);
        assert!(code == 0 && said.contains(KEY), "{text}: {said}");
    }
}

#[test]
fn a_profile_without_a_key_is_told_why() {
    let stage = stage();
    for (text, why) in [
        ("[profile other]\n", "neither "),
        ("[profile my team]\nregion = x\n", "neither aws_access_key_id nor credential_process"),
        ("[profile my team]\naws_access_key_id = AKIA\n", "no aws_secret_access_key"),
        ("[profile my team]\naws_secret_access_key = CANARY\n", "no aws_access_key_id"),
        ("[profile my team]\nsso_session = x\n", "never meet an MFA condition"),
        ("[profile my team]\nlogin_session = x\n", "`aws login`"),
        ("[profile my team]\nrole_arn = x\nsource_profile = y\n", "`source_profile`"),
        (
            "[profile my team]\naws_access_key_id = ASIATANAKA0000000001\naws_secret_access_key = CANARY\naws_session_token = CANARY\n",
            "ASIA",
        ),
        ("[profile my team]\ncredential_process = 'open\n", "quotes are not closed"),
    ] {
        fs::write(stage.path(".aws/config"), text).unwrap();
        let (code, said) = asked(&stage, &[]);
        assert!(code == 2 && said.contains(why), "{text}: {said}");
    }
}

#[test]
fn a_profiles_program_is_run_as_key_command_is() {
    let stage = stage();
    let program = stage.path("bin/print key");
    fs::create_dir(stage.path("bin")).unwrap();
    let write = |body: &str| {
        fs::write(&program, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    };
    let configure = |process: &str| {
        let text = format!("[profile my team]\ncredential_process = {process}\n");
        fs::write(stage.path(".aws/config"), text).unwrap();
    };
    let answer = |fields: &str| format!("echo '{{\"Version\":1{fields}}}'");
    let right = format!(",\"AccessKeyId\":\"{KEY}\",\"SecretAccessKey\":\"{SECRET}\"");

    let quoted = format!("\"{}\" --for 'my team'", program.display());
    configure(&quoted);
    write(&format!(
        "[ \"$*\" = '--for my team' ] && [ -z \"$(env | grep ^AWS_)\" ] && {}",
        answer(&right)
    ));
    let (code, said) = asked(&stage, &[("AWS_PROFILE", "x")]);
    assert!(code == 0 && said.contains(KEY), "{said}");
    configure("'~/bin/print key' --for 'my team'");
    assert_eq!(asked(&stage, &[]).0, 0);

    configure(&quoted);
    for (fields, why) in [
        ("", "no AccessKeyId"),
        (&*format!(",\"AccessKeyId\":\"{KEY}\""), "no SecretAccessKey"),
        (",\"AccessKeyId\":\"ASIATANAKA0000000001\",\"SecretAccessKey\":\"CANARY\"", "ASIA"),
    ] {
        write(&answer(fields));
        let (code, said) = asked(&stage, &[]);
        assert!(code != 0 && said.contains(why), "{fields}: {said}");
    }
    write(&answer(&right));
    fs::set_permissions(stage.path("bin"), PermissionsExt::from_mode(0o777)).unwrap();
    let (code, said) = asked(&stage, &[]);
    assert!(code == 1 && said.contains("other users can write"), "{said}");
    fs::set_permissions(stage.path("bin"), PermissionsExt::from_mode(0o755)).unwrap();
    configure("'bin/print key'");
    let (code, said) = asked(&stage, &[]);
    assert!(code == 1 && said.contains("must be absolute"), "{said}");
    // One of sekisho's own would ask for the same key again, and so on.
    configure(&format!("{BINARY} credential-process dev-1"));
    let (code, said) = asked(&stage, &[]);
    assert!(code == 2 && said.contains("sekisho's own profiles"), "{said}");
}
