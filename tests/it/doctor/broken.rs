//! Set-ups that are broken on this machine, without a network.

use sekisho::domain::fault::{Exit, Fault};
use sekisho::domain::verdict::Verdict;
use sekisho::services::doctor::Health::{self, Fail, Warn};
use sekisho::services::store::datakey::KeyPlace;
use sekisho::services::store::keychain::KeychainError;

use super::stage::{Machine, chmod};

#[test]
fn a_sound_machine_has_no_complaint() {
    let rows = Machine::sound().examine();
    let worst = rows.iter().map(|row| row.verdict).max();
    assert_eq!(worst, Some(Health::Skipped), "{rows:#?}");
    let skipped: Vec<_> =
        rows.iter().filter(|row| row.verdict == Health::Skipped).map(|row| row.id).collect();
    assert_eq!(skipped, ["clock", "key-accepted", "key-age", "mfa-device"]);
}

#[test]
fn without_a_config_the_rest_is_still_examined() {
    let machine = Machine::sound();
    std::fs::remove_file(machine.path(".config/sekisho/config.yaml")).unwrap();
    machine.complains("config", Fail);
}

#[test]
fn a_config_with_a_mistake() {
    let machine = Machine::sound();
    machine.configure("accounts:", "acounts: []\naccounts:");
    let row = machine.complains("config", Fail);
    assert!(row.what.contains("config.yaml:6") && row.what.contains("acounts"), "{}", row.what);
}

#[test]
fn a_config_that_others_may_write() {
    let machine = Machine::sound();
    chmod(&machine.path(".config/sekisho/config.yaml"), 0o666);
    let row = machine.complains("config", Fail);
    assert!(row.what.contains("everyone"), "{}", row.what);
}

#[test]
fn an_include_that_is_partly_broken() {
    let machine = Machine::sound();
    machine
        .write(".config/sekisho/team.yaml", "accounts:\n  - {name: x, id: \"12\", roles: [A]}\n");
    machine.configure("accounts:", "include: [team.yaml]\naccounts:");
    machine.complains("config", Warn);
}

#[test]
fn a_state_directory_that_others_may_read() {
    let machine = Machine::sound();
    let state = machine.path(".local/state/sekisho");
    std::fs::create_dir_all(&state).unwrap();
    chmod(&state, 0o755);
    let row = machine.complains("directories", Fail);
    assert_eq!(row.remedy.as_deref(), Some("chmod 700 ~/.local/state/sekisho"));
}

#[test]
fn a_runtime_directory_that_is_none() {
    let mut machine = Machine::sound();
    let gone = machine.path("gone").to_str().unwrap().to_owned();
    machine.set("XDG_RUNTIME_DIR", &gone);
    let row = machine.complains("runtime-dir", Warn);
    assert_eq!(row.what, "XDG_RUNTIME_DIR is not used: ~/gone does not exist");
}

#[test]
fn no_home() {
    let mut machine = Machine::sound();
    machine.env.remove("HOME");
    // Nobody that the user database knows.
    machine.ids.real.0 = u32::MAX - 9;
    machine.ids.effective.0 = u32::MAX - 9;
    machine.complains("directories", Fail);
}

#[test]
fn no_keychain() {
    let mut machine = Machine::sound();
    machine.keychain = Err(KeychainError::NoBus);
    let row = machine.complains("store", Warn);
    assert!(row.what.contains("sealed file"), "{}", row.what);
}

#[test]
fn no_keychain_where_the_config_wants_one() {
    let mut machine = Machine::sound();
    machine.configure("accounts:", "store: keyring\naccounts:");
    machine.keychain = Err(KeychainError::Hung);
    machine.complains("store", Fail);
}

#[test]
fn sessions_that_cannot_be_sealed() {
    let mut machine = Machine::sound();
    machine.sessions = Err("the kernel keyring cannot be used: permission denied".into());
    let row = machine.complains("sessions", Warn);
    assert!(row.what.contains("kernel keyring cannot be used"), "{}", row.what);
}

#[test]
fn sessions_whose_key_any_program_reads() {
    let mut machine = Machine::sound();
    machine.sessions = Ok(Some(KeyPlace::Runtime));
    machine.complains("sessions", Warn);
}

#[test]
fn a_keyring_without_a_password() {
    let machine = Machine::sound();
    machine.write(".local/share/keyrings/other.keyring", "GnomeKeyring\n\r\u{0}\n\u{0}");
    assert!(machine.examine().iter().all(|row| row.verdict <= Health::Skipped));
    machine.write(".local/share/keyrings/login.keyring", "[keyring]\ndisplay-name=login\n");
    machine.complains("keyring-file", Fail);
}

#[test]
fn no_access_key() {
    let mut machine = Machine::sound();
    machine.key = Some(Err(
        Fault::new(Exit::Usage, "there is no access key in the store").fix("sekisho key add")
    ));
    let row = machine.complains("access-key", Fail);
    assert_eq!(row.remedy.as_deref(), Some("sekisho key add"));
}

#[test]
fn a_key_in_the_environment() {
    let mut machine = Machine::sound();
    machine.configure("region: ap-northeast-1", "region: ap-northeast-1\n  key: env");
    machine.set("AWS_ACCESS_KEY_ID", "AKIATANAKA0000000001");
    machine.set("AWS_SECRET_ACCESS_KEY", "canary");
    machine.complains("access-key", Warn);
}

#[test]
fn an_agent_is_named_with_its_variable() {
    let mut machine = Machine::sound();
    let what = |machine: &Machine| {
        let rows = machine.examine();
        assert!(rows.iter().all(|row| row.verdict <= Health::Skipped), "it is no fault");
        rows.into_iter().find(|row| row.id == "agent").unwrap().what
    };
    assert_eq!(what(&machine), "no AI agent runs this command");
    machine.set("GEMINI_CLI", "1");
    assert!(what(&machine).starts_with("Gemini CLI runs this command (GEMINI_CLI is set)"));
    machine.set("SEKISHO_AGENT", "0");
    assert_eq!(
        what(&machine),
        "GEMINI_CLI is set, but SEKISHO_AGENT=0 says that a person runs sekisho"
    );
    machine.set("SEKISHO_AGENT", "my bot");
    assert!(what(&machine).starts_with("my bot runs this command (SEKISHO_AGENT is set)"));
}

#[test]
fn stray_variables_of_another_tool() {
    let mut machine = Machine::sound();
    machine.set("AWS_PROFILE", "old");
    machine.set("AWS_SESSION_TOKEN", "canary");
    let row = machine.complains("environment", Warn);
    assert!(
        row.what.ends_with("AWS_PROFILE, AWS_SESSION_TOKEN") && !row.what.contains("canary"),
        "{}",
        row.what
    );
    machine.set("SEKISHO_TARGET", "dev-tanaka/Developer");
    assert!(machine.examine().iter().all(|row| row.verdict <= Health::Skipped));
}

#[test]
fn an_endpoint_that_is_not_aws() {
    let machine = Machine::sound();
    machine.configure(
        "region: ap-northeast-1",
        "region: ap-northeast-1\n  endpoint_url: http://127.0.0.1:5000",
    );
    machine.complains("endpoint", Warn);
}

#[test]
fn an_endpoint_for_other_tools_only() {
    let mut machine = Machine::sound();
    machine.set("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:5000");
    let row = machine.complains("endpoint", Warn);
    assert!(row.what.contains("AWS_ENDPOINT_URL_STS"), "{}", row.what);
}

#[test]
fn a_proxy_with_a_password() {
    let mut machine = Machine::sound();
    machine.set("https_proxy", "tanaka:canary@proxy.example:3128");
    let row = machine.complains("proxy", Warn);
    assert!(
        row.what.contains("http://proxy.example:3128") && !row.what.contains("canary"),
        "{}",
        row.what
    );
}

#[test]
fn a_ca_bundle_that_holds_no_certificate() {
    let mut machine = Machine::sound();
    let bundle = machine.write("company.pem", "-----BEGIN NOTHING-----\n");
    machine.set("AWS_CA_BUNDLE", bundle.to_str().unwrap());
    let row = machine.complains("ca-bundle", Fail);
    assert!(row.what.contains("~/company.pem"), "{}", row.what);
}

/// A plain `bash` or tmux in a subshell keeps its credentials and loses its prompt.
#[test]
fn credentials_without_a_mark() {
    let mut machine = Machine::sound();
    machine.set("SEKISHO_TARGET", "dev-tanaka/Developer");
    assert!(machine.examine().iter().all(|row| row.verdict <= Health::Skipped));
    machine.write(".bashrc", "");
    let row = machine.complains("hook", Warn);
    assert!(row.what.contains("credentials of dev-tanaka/Developer and no mark"), "{}", row.what);
    assert_eq!(row.remedy.as_deref(), Some("add to ~/.bashrc: eval \"$(sekisho hook bash)\""));
    machine.set("SEKISHO_HOOK", "bash");
    assert!(machine.examine().iter().all(|row| row.verdict <= Health::Skipped));
}

#[test]
fn a_shell_without_the_hook() {
    let mut machine = Machine::sound();
    machine.write(".bashrc", "# eval \"$(sekisho hook bash)\"\n");
    machine.complains("hook", Warn);
    machine.set("SHELL", "/usr/bin/fish");
    let row = machine.complains("hook", Warn);
    assert_eq!(
        row.remedy.as_deref(),
        Some("add to ~/.config/fish/config.fish: sekisho hook fish | source")
    );
    machine.write(".config/fish/conf.d/sekisho.fish", "sekisho hook fish | source\n");
    assert!(machine.examine().iter().all(|row| row.verdict <= Health::Skipped));
}

#[test]
fn a_terminal_without_utf_8() {
    let mut machine = Machine::sound();
    machine.set("LC_ALL", "C");
    machine.complains("terminal", Warn);
    machine.set("LC_ALL", "C.utf8");
    machine.set("TERM", "dumb");
    machine.complains("terminal", Warn);
}

#[test]
fn glyphs_of_doubtful_width() {
    let mut machine = Machine::sound();
    machine.set("LANG", "ja_JP.UTF-8");
    machine.complains("glyphs", Warn);
    machine.configure("accounts:", "symbols: ascii\naccounts:");
    assert!(machine.examine().iter().all(|row| row.verdict <= Health::Skipped));
}

#[test]
fn another_tools_key_in_plain_text() {
    let machine = Machine::sound();
    let secret = "wJalrXUtnFEMI/K7MDENG/canary";
    machine.write(
        ".aws/credentials",
        &format!(
            "[work]\naws_access_key_id = AKIATANAKA0000000009\naws_secret_access_key = {secret}\n"
        ),
    );
    let row = machine.complains("plain-text-keys", Fail);
    assert!(row.what.contains("work") && !row.what.contains("canary"), "{}", row.what);
    assert!(row.remedy.unwrap().starts_with("sekisho key import work"));
}

#[test]
fn another_tools_sessions_in_plain_text() {
    let mut machine = Machine::sound();
    let file =
        machine.write("elsewhere", "[x]\naws_secret_access_key = a\naws_session_token = b\n");
    machine.set("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
    machine.complains("plain-text-keys", Warn);
}

/// Under `serve`, `AWS_CONFIG_FILE` names a copy without key lines.
#[test]
fn a_key_in_the_users_own_file_in_a_served_child() {
    let mut machine = Machine::sound();
    machine.write("own", "[profile x]\naws_secret_access_key = a\n");
    let copy = machine.write("copy", "[profile x]\n");
    machine.set("AWS_CONFIG_FILE", copy.to_str().unwrap());
    machine.set("SEKISHO_AWS_CONFIG_FILE", "~/own");
    machine.complains("plain-text-keys", Fail);
}

#[test]
fn sessions_of_awss_own_cli_in_plain_text() {
    for folder in [".aws/login/cache", ".aws/cli/cache"] {
        let machine = Machine::sound();
        machine.write(&format!("{folder}/3f786850e387550fdab836ed7e6dc881de23001b.json"), "{}");
        let row = machine.complains("session-caches", Warn);
        assert!(row.what.ends_with(&format!("1 in ~/{folder}")), "{}", row.what);
    }
}

#[test]
fn a_profile_that_a_key_of_the_same_name_beats() {
    let machine = Machine::sound();
    let here = env!("CARGO_BIN_EXE_sekisho");
    let block = format!(
        "# >>> sekisho profiles >>>\n[profile a]\ncredential_process = {here} credential-process 1/A\n\
         # <<< sekisho profiles <<<\n"
    );
    machine.write(".aws/config", &block);
    machine.write(".aws/credentials", "[b]\naws_access_key_id = AKIA\naws_secret_access_key = x\n");
    let profiles = || machine.examine().into_iter().find(|row| row.id == "profiles").unwrap();
    assert_eq!(profiles().verdict, Health::Ok);
    machine.write(".aws/credentials", "[a]\naws_access_key_id = AKIA\naws_secret_access_key = x\n");
    let row = profiles();
    let what = "~/.aws/credentials has keys for a: most SDKs use them instead of sekisho";
    assert_eq!((row.verdict, row.what.as_str()), (Fail, what));
}

#[test]
fn profiles_whose_program_is_gone() {
    let machine = Machine::sound();
    let here = env!("CARGO_BIN_EXE_sekisho");
    let block = |program: &str| {
        format!(
            "[profile own]\ncredential_process = /gone/too\n# >>> sekisho profiles >>>\n\
             [profile sekisho-a]\ncredential_process = {here} credential-process 1/A\n\
             [profile sekisho-b]\ncredential_process = {program} credential-process 1/B\n\
             # <<< sekisho profiles <<<\n"
        )
    };
    machine.write(".aws/config", &block(here));
    assert!(machine.examine().iter().all(|row| row.verdict <= Health::Skipped));
    machine.write(".aws/config", &block("'/opt/Cellar/0.1.0/bin/sekisho'"));
    let row = machine.complains("profiles", Fail);
    assert!(
        row.what.ends_with(
            "1 of 2 profiles call a program that is gone: /opt/Cellar/0.1.0/bin/sekisho"
        ),
        "{}",
        row.what
    );
    assert!(row.remedy.unwrap().contains("sekisho profiles --write"));
}

/// In every SDK but one an exported key comes before the profile.
#[test]
fn an_exported_key_that_beats_the_profile() {
    let mut machine = Machine::sound();
    machine.configure("region: ap-northeast-1", "key: env\n  region: ap-northeast-1");
    machine.key = None;
    machine.set("AWS_ACCESS_KEY_ID", "AKIATANAKA0000000001");
    machine.set("AWS_SECRET_ACCESS_KEY", "canary");
    assert!(machine.examine().iter().all(|row| row.verdict <= Health::Skipped));
    machine.set("AWS_PROFILE", "sekisho-dev-tanaka-developer");
    let row = machine.complains("environment", Warn);
    assert!(row.what.contains("the key in AWS_ACCESS_KEY_ID"), "{}", row.what);
    machine.set("SEKISHO_TARGET", "dev-tanaka/Developer");
    let row = machine.complains("environment", Warn);
    assert!(row.what.contains("this shell's account"), "{}", row.what);
}

#[test]
fn a_java_option_that_names_an_identity() {
    let mut machine = Machine::sound();
    machine.set("MAVEN_OPTS", "-Xmx1g -Daws.region=eu-west-1 -Daws.profiles=x");
    assert!(machine.examine().iter().all(|row| row.verdict <= Health::Skipped));
    machine.set("MAVEN_OPTS", "-Xmx1g '-Daws.accessKeyId=AKIA' -Daws.secretAccessKey=canary");
    machine.set("SEKISHO_TARGET", "dev-tanaka/Developer");
    let row = machine.complains("environment", Warn);
    assert_eq!(
        row.what,
        "MAVEN_OPTS sets aws.accessKeyId, aws.secretAccessKey, which Java programs use before variables"
    );
}

#[test]
fn a_totp_seed_beside_the_key() {
    for (file, text) in [
        (".aws/config", "[profile x]\nmfa_secret = JBSWY3DPEHPK3PXP\n"),
        (".aws/backup.txt", "otpauth://totp/aws?secret=JBSWY3DPEHPK3PXP\n"),
        (".2fa", "aws 6 JBSWY3DPEHPK3PXP\n"),
        (
            ".aws/awsmfa.yml",
            "secrets:\n  - profile: default\n    value: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\n",
        ),
        (".aws/config", "[profile x]\nmfa_process = oathtool -b --totp JBSWY3DPEHPK3PXP\n"),
    ] {
        let machine = Machine::sound();
        machine.write(file, text);
        let row = machine.complains("totp-seed", Fail);
        assert!(row.what.contains(file) && !row.what.contains("JBSW"), "{}", row.what);
    }
}

#[test]
fn a_totp_seed_in_the_config() {
    let machine = Machine::sound();
    let command =
        "region: ap-northeast-1\n  mfa_command: [/bin/echo, --totp, -b, JBSWY3DPEHPK3PXP]";
    machine.configure("region: ap-northeast-1", command);
    let row = machine.complains("totp-seed", Fail);
    assert!(!row.what.contains("JBSW"), "{}", row.what);
}

#[test]
fn an_mfa_command_that_cannot_be_trusted() {
    let machine = Machine::sound();
    machine.configure(
        "region: ap-northeast-1",
        "region: ap-northeast-1\n  mfa_command: [no-such-program-here]",
    );
    machine.complains("mfa-command", Fail);
}

#[test]
fn one_program_for_key_and_codes() {
    let machine = Machine::sound();
    let both =
        "region: ap-northeast-1\n  key_command: [/bin/echo, key]\n  mfa_command: [/bin/echo, code]";
    machine.configure("region: ap-northeast-1", both);
    machine.complains("mfa-command", Warn);
}

#[test]
fn accounts_that_were_never_verified_or_found_open() {
    let mut machine = Machine::sound();
    machine.marks.values_mut().for_each(|mark| mark.verdict = Verdict::Open);
    machine.complains("verified", Fail);
    machine.marks.clear();
    machine.complains("verified", Warn);
}

#[test]
fn users_in_the_management_account() {
    let machine = Machine::sound();
    let guardrails = "region: ap-northeast-1\nguardrails:\n  organization: o-sekisho42x\n  management_account: \"111111111111\"";
    machine.configure("region: ap-northeast-1", guardrails);
    let row = machine.complains("config", Fail);
    assert!(row.what.contains("SCPs do not apply"), "{}", row.what);
}

#[test]
fn a_profile_that_is_not_there() {
    let mut machine = Machine::sound();
    machine.key = None;
    machine.configure("region: ap-northeast-1", "region: ap-northeast-1\n  key: profile:old");
    let row = machine.complains("profile", Fail);
    assert!(row.what.contains("profile old"), "{}", row.what);
}

#[test]
fn remedies_end() {
    let mut machine = Machine::sound();
    for mark in machine.marks.values_mut() {
        mark.verdict = Verdict::Open;
    }
    let row = machine.complains("verified", Fail);
    assert!(row.remedy.unwrap().contains("sekisho policy"), "verifying again only finds it again");
    machine.marks.clear();
    let row = machine.complains("verified", Warn);
    assert_eq!(row.remedy.unwrap(), "sekisho verify dev-tanaka", "named, for it may be guarded");
}
