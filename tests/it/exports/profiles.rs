//! `profiles`: the block in `~/.aws/config`, and every byte around it.

use proptest::prelude::*;
use sekisho::domain::profiles::{Parts, Profile, body};

use super::stage::{Ran, Stage};

fn some(names: &[&str]) -> String {
    let profile = |name: &&str| Profile {
        name: (*name).to_owned(),
        process: "/bin/sekisho credential-process 222222222222/Developer".into(),
        region: Some("eu-west-1".into()),
    };
    body(&names.iter().map(profile).collect::<Vec<_>>(), &[], "sekisho profiles --write")
}

proptest! {
    #[test]
    fn whatever_the_file_holds_comes_back_byte_for_byte(
        file in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "(\\[profile [a-z]{1,8}\\]\r?\n(region = [a-z0-9-]{1,9}\r?\n){0,3}(# .{0,9}\n)?\n?){0,5}[a-z]{0,5}".prop_map(String::into_bytes),
        ],
        more in "[a-z =#\\[\\]\n]{0,60}",
    ) {
        let first = Parts::of(&file).unwrap().with(&some(&["sekisho-a"]));
        let parts = Parts::of(&first).unwrap();
        prop_assert_eq!(parts.without(), file.clone());
        prop_assert_eq!(parts.with(&some(&["sekisho-a"])), first.clone(), "written twice");
        // What is appended later stays too, and so does a longer block.
        let appended = [&first[..], more.as_bytes()].concat();
        let longer = Parts::of(&appended).unwrap().with(&some(&["sekisho-a", "sekisho-b"]));
        let parts = Parts::of(&longer).unwrap();
        prop_assert_eq!(parts.without(), [&file[..], more.as_bytes()].concat());
        prop_assert_eq!(parts.with(&some(&["sekisho-a"])), appended.clone());
    }
}

#[test]
fn the_block_is_printed_written_kept_and_removed() {
    let stage = Stage::new();
    let own = "[default]\nregion = eu-west-1 # mine\n\n[profile other]\nrole_arn=x";
    stage.write(".aws/config", own);
    let printed = stage.run(&["profiles"]);
    insta::assert_snapshot!(printed.shown(&stage), @r"
    # Written by `sekisho profiles --write`; `sekisho profiles --remove` takes it away. Edits here are lost.
    [profile sekisho-dev-developer]
    credential_process = /bin/sekisho credential-process 222222222222/Developer
    region = eu-west-1
    [profile sekisho-dev-reader]
    credential_process = /bin/sekisho credential-process 222222222222/Reader
    region = us-west-2
    exit 0
    sekisho: guarded targets left out: 1 (`--include-guarded` includes them)
    ");
    assert_eq!(stage.read(".aws/config"), own.as_bytes(), "printing writes nothing");
    let refused = stage.run(&["profiles", "--write"]);
    // A test may have a controlling terminal; without one, nobody is asked.
    assert_ne!(refused.code, 0);
    assert_eq!(stage.read(".aws/config"), own.as_bytes());

    let written = stage.run(&["profiles", "--write", "--yes"]);
    insta::assert_snapshot!(written.shown(&stage), @r"
    --- HOME/.aws/config
    +++ HOME/.aws/config
    @@
    +# Written by `sekisho profiles --write`; `sekisho profiles --remove` takes it away. Edits here are lost.
    +[profile sekisho-dev-developer]
    +credential_process = /bin/sekisho credential-process 222222222222/Developer
    +region = eu-west-1
    +[profile sekisho-dev-reader]
    +credential_process = /bin/sekisho credential-process 222222222222/Reader
    +region = us-west-2
    exit 0
    sekisho: guarded targets left out: 1 (`--include-guarded` includes them)
    sekisho: wrote HOME/.aws/config
    ");
    let file = String::from_utf8(stage.read(".aws/config")).unwrap();
    assert!(file.starts_with(own) && !file[own.len()..].contains("[default]"), "{file}");
    let again = stage.run(&["profiles", "--write", "--yes"]);
    assert_eq!((again.code, again.stdout.as_str()), (0, ""));
    assert_eq!(stage.read(".aws/config"), file.as_bytes(), "idempotent");

    let guarded = stage.run(&["profiles", "--write", "--yes", "--include-guarded"]).said();
    assert!(guarded.contains("--confirm 333333333333 333333333333/Developer"), "{guarded}");
    assert_eq!(stage.run(&["profiles", "--remove", "--yes"]).code, 0);
    assert_eq!(stage.read(".aws/config"), own.as_bytes());
}

#[test]
fn a_profile_of_ones_own_is_never_shadowed() {
    for file in [".aws/config", ".aws/credentials"] {
        let stage = Stage::new();
        let own = "[profile sekisho-dev-reader]\nregion = x\n";
        stage.write(file, own);
        let ran = stage.run(&["profiles", "--write", "--yes"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(
            ran.stderr.contains("sekisho-dev-reader") && ran.stderr.contains(file),
            "{}",
            ran.stderr
        );
        assert_eq!(stage.read(file), own.as_bytes());
    }
}

#[test]
fn names_differ_whatever_the_accounts_are_called() {
    let stage = Stage::with(
        "",
        "  - {name: dev tanaka, id: \"444444444444\"}\n  - {name: Dev.Tanaka, id: \"555555555555\"}\n  \
         - {name: 開発, id: \"666666666666\"}\n",
    );
    // The role is the default one.
    let printed = stage.run(&["profiles", "--scope", "read-only"]).said();
    let names: Vec<&str> = printed.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(
        names[2..],
        [
            "[profile sekisho-dev-tanaka-developer-444444444444]",
            "[profile sekisho-dev-tanaka-developer-555555555555]",
            "[profile sekisho-666666666666-developer]",
        ]
    );
    assert!(
        printed.contains("credential-process --scope read-only 444444444444/Developer\n"),
        "{printed}"
    );
}

#[test]
fn names_and_settings_are_ones_own() {
    let stage = Stage::with("", "  - {name: Dev Tanaka, id: \"444444444444\"}\n");
    let write = ["profiles", "--write", "--yes", "--name", "{account}-{role}"];
    let written = stage
        .run(&[&write[..], &["--set", "output=json", "--set", "region=eu-central-1"]].concat());
    insta::assert_snapshot!(written.shown(&stage), @r"
    --- HOME/.aws/config
    +++ HOME/.aws/config
    @@
    +# Written by `sekisho profiles --write --name '{account}-{role}' --set 'output=json' --set 'region=eu-central-1'`; `sekisho profiles --remove` takes it away. Edits here are lost.
    +[profile dev-Developer]
    +credential_process = /bin/sekisho credential-process 222222222222/Developer
    +output = json
    +region = eu-central-1
    +[profile dev-Reader]
    +credential_process = /bin/sekisho credential-process 222222222222/Reader
    +output = json
    +region = eu-central-1
    +[profile Dev-Tanaka-Developer]
    +credential_process = /bin/sekisho credential-process 444444444444/Developer
    +output = json
    +region = eu-central-1
    exit 0
    sekisho: guarded targets left out: 1 (`--include-guarded` includes them)
    sekisho: wrote HOME/.aws/config
    ");
    for (options, why) in [
        (&["--name", "fixed"][..], "must contain"),
        (&["--name", "{user}-{role}"], "may not stand in a profile's name"),
        (&["--name", "{role} {id}"], "may not stand in a profile's name"),
        (&["--name", "{role}"], "would be called Developer, and so would"),
        (&["--set", "output"], "KEY=VALUE"),
        (&["--set", "output=a # b"], "comment"),
        (&["--set", "role_arn=x"], "decides whose credentials"),
        (&["--set", "credential_process=x"], "decides whose credentials"),
        (&["--set", "aws_access_key_id=x"], "decides whose credentials"),
        (&["--set", "a b=x"], "underscores only"),
    ] {
        let ran = stage.run(&[&["profiles"], options].concat());
        assert!(ran.code == 2 && ran.stderr.contains(why), "{options:?}: {}", ran.stderr);
    }
    let stage = Stage::with("", "  - {name: 開発, id: \"666666666666\"}\n");
    let ran = stage.run(&["profiles", "--name", "{account}.{role}"]);
    assert!(ran.code == 2 && ran.stderr.contains("666666666666 is not in ASCII"), "{}", ran.stderr);
    let plain = stage.run(&["profiles", "--plain", "--name", "{id}/{role}"]).said();
    assert!(plain.contains("[profile 666666666666/Developer]\n"), "{plain}");
}

/// As package managers install it: the link stays over an upgrade, its target does not.
#[test]
fn the_program_is_written_by_the_path_that_finds_it() {
    use std::os::unix::fs::symlink;
    let stage = Stage::new();
    for folder in ["Cellar/0.1.0/bin", "bin", "it's here", "a$(b)"] {
        std::fs::create_dir_all(stage.path(folder)).unwrap();
    }
    let program = stage.path("Cellar/0.1.0/bin/sekisho");
    std::fs::copy(env!("CARGO_BIN_EXE_sekisho"), &program).unwrap();
    let link = stage.path("bin/sekisho");
    symlink(&program, &link).unwrap();
    let printed = |program: &std::path::Path, path: &std::path::Path| {
        let mut command = stage.program(program);
        Ran::of(&command.arg("profiles").env("PATH", path).output().unwrap())
    };
    let expected = format!("credential_process = {} credential-process", link.display());
    for (program, path) in [(&program, stage.path("bin")), (&link, stage.path("nowhere"))] {
        let text = printed(program, &path).said();
        assert!(text.contains(&expected), "{text}");
    }
    for folder in ["it's here", "a$(b)"] {
        let program = stage.path(folder).join("sekisho");
        symlink(stage.path("Cellar/0.1.0/bin/sekisho"), &program).unwrap();
        let ran = printed(&program, &stage.path("nowhere"));
        assert!(ran.code == 2 && ran.stderr.contains("do not agree"), "{folder}: {}", ran.stderr);
    }
}

#[test]
fn a_damaged_block_is_left_alone_and_a_link_is_written_through() {
    let stage = Stage::new();
    let broken = "# >>> sekisho profiles >>>\n[profile x]\n";
    stage.write(".aws/config", broken);
    let ran = stage.run(&["profiles", "--write", "--yes"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("line 1"), "{}", ran.stderr);
    assert_eq!(stage.read(".aws/config"), broken.as_bytes());

    stage.write("dotfiles/aws", "[default]\n");
    let link = stage.path("linked");
    std::os::unix::fs::symlink(stage.path("dotfiles/aws"), &link).unwrap();
    let mut command = stage.sekisho(&["profiles", "--write", "--yes"]);
    assert!(command.env("AWS_CONFIG_FILE", &link).output().unwrap().status.success());
    assert!(link.is_symlink());
    assert!(stage.read("dotfiles/aws").starts_with(b"[default]\n# >>> sekisho"));
    // As the SDKs read it: no folder is called `~`, and empty means the default.
    for (variable, file) in [("~/mine", "mine"), ("", ".aws/config")] {
        let _ = std::fs::remove_file(stage.path(file));
        let mut command = stage.sekisho(&["profiles", "--write", "--yes"]);
        assert!(command.env("AWS_CONFIG_FILE", variable).output().unwrap().status.success());
        assert!(stage.read(file).starts_with(b"# >>> sekisho"), "{variable}");
    }
    assert!(!stage.path("~").exists());
}

#[test]
fn colleagues_without_sekisho_get_profiles_that_ask_for_a_code() {
    let stage = Stage::new();
    let printed = stage.run(&["profiles", "--plain"]);
    insta::assert_snapshot!(printed.shown(&stage), @r"
    # Profiles that need no sekisho. Replace USER-NAME by your IAM user name and DEVICE-NAME by the name of your MFA device
    # (`aws iam list-mfa-devices`), and have your access key in the profile `default` of ~/.aws/credentials.
    [profile sekisho-dev-developer]
    role_arn = arn:aws:iam::222222222222:role/dev/Developer
    source_profile = default
    mfa_serial = arn:aws:iam::111111111111:mfa/DEVICE-NAME
    role_session_name = USER-NAME
    duration_seconds = 3600
    region = eu-west-1
    [profile sekisho-dev-reader]
    role_arn = arn:aws:iam::222222222222:role/dev/Reader
    source_profile = default
    mfa_serial = arn:aws:iam::111111111111:mfa/DEVICE-NAME
    role_session_name = USER-NAME
    duration_seconds = 7200
    region = us-west-2
    exit 0
    sekisho: guarded targets left out: 1 (`--include-guarded` includes them)
    ");
    assert_ne!(stage.run(&["profiles", "--plain", "--write"]).code, 0, "it is only printed");
}
