//! Every SDK in every situation: the role that was entered acts, or the program fails; nobody else acts ever.
//!
//! What is found are the tables of `docs/sdks.md`; `env -u CI INSTA_UPDATE=always cargo test --test it -- exports::sdks`
//! writes them. The clients in `tests/it/clients` print who they are by their SDK's default chain, or `error: …`, for each
//! line they read.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use sekisho::emulator::{FaultInjection, Injection, Times};

use super::clients::{WAYS, Way};
use super::stage::{DEADLINE, Stage, until};
use super::traps::Trap;
use crate::docs::markdown;
use crate::emulator::stage::{KEY, SECRET};
use crate::support::{optional, program};

const TARGET: &str = "arn:aws:sts::222222222222:assumed-role/Developer/alice";

/// What the traps' credentials are: the key that signs in, and an instance's role.
const ALICE: &str = "arn:aws:iam::111111111111:user/alice";
const INSTANCE: &str = "arn:aws:sts::222222222222:assumed-role/Reader/alice";

/// How many clients run at once.
const AT_ONCE: usize = 4;

/// How long the session lives that is to end under a client: longer than its start takes, and than the 10 s before the end
/// in which none is handed out.
const SHORT_LIFE: Duration = Duration::from_secs(45);

struct Sdk {
    name: &'static str,
    /// The client's command line: what has a slash is in `tests/it/clients`. Empty: it is in this very program.
    words: &'static [&'static str],
    /// What `.ci/run` installs everywhere; Go and Java are used where they are.
    package: Option<&'static str>,
}

const SDKS: [Sdk; 8] = [
    Sdk { name: "boto3", words: &["python3", "boto3/who.py"], package: Some("boto3") },
    Sdk { name: "AWS CRT (Python)", words: &["python3", "awscrt/who.py"], package: Some("awscrt") },
    Sdk { name: "JavaScript v3", words: &["node", "js3/who.js"], package: Some("client-sts") },
    Sdk { name: "JavaScript v2", words: &["node", "js2/who.js"], package: Some("aws-sdk") },
    Sdk { name: "Go v2", words: &["who-go"], package: None },
    Sdk { name: "terraform (Go v2)", words: &["who-go", "terraform"], package: None },
    Sdk { name: "Java v2", words: &["who-java"], package: None },
    Sdk { name: "Rust", words: &[], package: None },
];

impl Sdk {
    fn words(&self) -> Vec<PathBuf> {
        if self.words.is_empty() {
            let arguments = ["--exact", "exports::rust_client::who", "--ignored", "--nocapture"];
            let here = [std::env::current_exe().unwrap()];
            return here.into_iter().chain(arguments.map(Into::into)).collect();
        }
        let clients = markdown::root().join("tests/it/clients");
        let place = |word: &&str| if word.contains('/') { clients.join(word) } else { word.into() };
        self.words.iter().map(place).collect()
    }

    /// Whether its client runs here; where it does not, it is skipped with a notice.
    fn is_installed(&self) -> bool {
        let [program_name, ..] = self.words else { return true };
        let Some(package) = self.package else { return optional(program_name).is_some() };
        let home = tempfile::tempdir().unwrap();
        let works = |program: PathBuf| {
            let mut client = Command::new(program);
            client.args(&self.words()[1..]).env("HOME", home.path()).env("AWS_REGION", "eu-west-1");
            client.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").stdin(Stdio::null());
            client.output().unwrap().status.success()
        };
        program(program_name).is_some_and(works) || program(package).is_some()
    }
}

/// A client behind a way, started and waiting.
struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Client {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (send, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Self { stdin: child.stdin.take(), child, lines }
    }

    /// Who it is now; where it ended instead, why.
    fn ask(&mut self) -> String {
        let _ = writeln!(self.stdin.as_mut().unwrap());
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line.starts_with("arn:") || line.starts_with("error:") => return line,
                Ok(_) => {}
                Err(_) => return format!("error: {}", self.complaint()),
            }
        }
    }

    /// What it said on stderr, when it has ended.
    fn complaint(&mut self) -> String {
        drop(self.stdin.take());
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        said.replace('\n', " ")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Situation {
    Plain,
    DefaultKey,
    DefaultProcess,
    DefaultSso,
    OtherProfile,
    Proxy,
    Instance,
    InstanceAllOver,
    RenewalFails,
    PastExpiry,
}

use Situation::{
    DefaultKey, DefaultProcess, DefaultSso, Instance, InstanceAllOver, OtherProfile, PastExpiry,
    Plain, Proxy, RenewalFails,
};

/// The one in which a client waits comes first: the others are done meanwhile.
const SITUATIONS: [Situation; 10] = [
    PastExpiry,
    Plain,
    DefaultKey,
    DefaultProcess,
    DefaultSso,
    OtherProfile,
    Proxy,
    Instance,
    InstanceAllOver,
    RenewalFails,
];

/// What a client meets in its environment, beside the home's files.
#[derive(Default)]
struct Scene {
    variables: Vec<(&'static str, String)>,
    trap: Option<Trap>,
}

impl Situation {
    /// Whether the role that was entered acts; where not, the client fails.
    fn acts(self, way: Way) -> bool {
        match self {
            InstanceAllOver => false,
            PastExpiry => way != Way::Exec,
            _ => true,
        }
    }

    /// Who acts without sekisho, where somebody does.
    fn trapped(self) -> Option<&'static str> {
        match self {
            DefaultKey | DefaultProcess | OtherProfile => Some(ALICE),
            Instance => Some(INSTANCE),
            _ => None,
        }
    }

    fn arrange(self, stage: &Stage) -> Scene {
        let key = format!("aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
        let mut scene = Scene::default();
        match self {
            Plain | RenewalFails | PastExpiry => {}
            DefaultKey => {
                stage.write(".aws/credentials", format!("[default]\n{key}"));
                stage.write(".aws/config", "[default]\nregion = eu-west-1\n");
            }
            DefaultProcess => {
                let document = format!(
                    r#"{{"Version":1,"AccessKeyId":"{KEY}","SecretAccessKey":"{SECRET}"}}"#
                );
                stage.write("document", document);
                let path = stage.path("document");
                let process = format!("[default]\ncredential_process = cat {}\n", path.display());
                stage.write(".aws/config", process);
            }
            DefaultSso => stage.write(
                ".aws/config",
                "[default]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n\
                sso_account_id = 111111111111\nsso_role_name = Admin\n",
            ),
            OtherProfile => {
                stage.write(".aws/credentials", format!("[other]\n{key}"));
                stage.write(".aws/config", "[profile other]\nregion = eu-west-1\n");
                scene.variables.push(("AWS_PROFILE", "other".into()));
            }
            Proxy => {
                let proxy = Trap::proxy();
                for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
                    scene.variables.push((name, proxy.url()));
                }
                scene.variables.push(("NO_PROXY", "corp.example".into()));
                scene.trap = Some(proxy);
            }
            Instance | InstanceAllOver => {
                let reader = ["env", "dev/Reader", "--duration", "1h", "--format", "json"];
                let printed = stage.run(&reader).said();
                let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
                let set = |name: &str| printed[name].clone();
                let document = serde_json::json!({
                    "Code": "Success",
                    "Type": "AWS-HMAC",
                    "LastUpdated": "2020-01-01T00:00:00Z",
                    "AccessKeyId": set("AWS_ACCESS_KEY_ID"),
                    "SecretAccessKey": set("AWS_SECRET_ACCESS_KEY"),
                    "Token": set("AWS_SESSION_TOKEN"),
                    "Expiration": set("AWS_CREDENTIAL_EXPIRATION"),
                });
                let instance = Trap::instance(document.to_string());
                scene.variables.push(("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.url()));
                scene.trap = Some(instance);
            }
        }
        scene
    }
}

impl Scene {
    /// Adds what a client meets to its command, and the client.
    fn apply(&self, way: Option<Way>, client: &Sdk, mut command: Command) -> Command {
        if let Some(path) = std::env::var_os("NODE_PATH") {
            command.env("NODE_PATH", path);
        }
        for (name, value) in &self.variables {
            // The profile's own way is an `AWS_PROFILE`.
            if !(way == Some(Way::Profile) && *name == "AWS_PROFILE") {
                command.env(name, value);
            }
        }
        if self.variables.iter().any(|(name, _)| name.contains("EC2")) {
            command.env_remove("AWS_EC2_METADATA_DISABLED");
        }
        command.args(client.words());
        command
    }
}

/// At most so many clients at once.
struct Permits(Mutex<usize>, Condvar);

struct Permit<'a>(&'a Permits);

impl Permits {
    fn take(&self) -> Permit<'_> {
        let free = self.0.lock().unwrap();
        *self.1.wait_while(free, |free| *free == 0).unwrap() -= 1;
        Permit(self)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.0.0.lock().unwrap() += 1;
        self.0.1.notify_one();
    }
}

/// Who acts when a client runs like this.
fn who(sdk: &Sdk, way: Way, situation: Situation, permits: &Permits) -> String {
    let permit = permits.take();
    let stage = Stage::new();
    stage.sign_in();
    let scene = situation.arrange(&stage);
    let mut command = way.command(&stage);
    match (situation, way) {
        (RenewalFails, _) => fail_renewals(&stage, Duration::from_mins(5)),
        (PastExpiry, Way::Profile | Way::Serve) => fail_renewals(&stage, SHORT_LIFE),
        (InstanceAllOver, _) => {
            // sekisho starts while there is a session, the client when there is none.
            let wait = "read -r _; echo arn:; read -r _; echo arn:; exec \"$@\"";
            command.args(["sh", "-c", wait, "sh"]);
        }
        _ => {}
    }
    if way == Way::Profile {
        stage.run(&["profiles", "--write", "--yes"]).said();
    }
    let since = Timestamp::now();
    let mut client = Client::start(scene.apply(Some(way), sdk, command));
    let said = client.ask();
    match situation {
        PastExpiry => {
            assert_eq!(said, TARGET, "{}, {way:?}: before the expiry", sdk.name);
            drop(permit);
            let over = since + SHORT_LIFE;
            until("the session's end", || (Timestamp::now() > over).then_some(()));
            let _permit = permits.take();
            stage.emulator.clear();
            stage.emulator.end_role_sessions();
            client.ask()
        }
        InstanceAllOver => {
            stage.forget();
            stage.emulator.end_role_sessions();
            client.ask();
            client.ask()
        }
        Proxy => {
            let emulator = stage.emulator.url();
            let seen = scene.trap.map(|proxy| proxy.requests()).unwrap_or_default();
            let is_strange = |line: &&String| !line.contains(&emulator);
            let strange: Vec<_> = seen.iter().filter(is_strange).collect();
            assert!(strange.is_empty(), "{}, {way:?}: the proxy saw {strange:?}", sdk.name);
            said
        }
        _ => said,
    }
}

/// Leaves the session so much life, and lets every renewal fail.
fn fail_renewals(stage: &Stage, left: Duration) {
    stage.age(left);
    stage.emulator.inject(Injection {
        action: Some("AssumeRole".into()),
        times: Times::UntilCleared,
        what: FaultInjection::ServerError(500),
    });
}

/// Who acts without sekisho.
fn who_is_trapped(sdk: &Sdk, situation: Situation, permits: &Permits) -> String {
    let _permit = permits.take();
    let stage = Stage::new();
    stage.sign_in();
    let scene = situation.arrange(&stage);
    let mut command = stage.program("env");
    command.envs([("AWS_REGION", "eu-west-1"), ("AWS_DEFAULT_REGION", "eu-west-1")]);
    Client::start(scene.apply(None, sdk, command)).ask()
}

/// What no switcher can mend: whether an exported key beats `AWS_PROFILE`, whether a session in the environment does,
/// whether a key in the credentials file beats a profile's process, and whether the reason is hidden why that fails.
fn limits(sdk: &Sdk, permits: &Permits) -> [bool; 4] {
    let _permit = permits.take();
    let stage = Stage::new();
    stage.sign_in();
    OtherProfile.arrange(&stage);
    stage.run(&["profiles", "--write", "--yes"]).said();
    let start = |way: Way, words: &[&str]| {
        let mut command = way.command(&stage);
        command.args(words);
        Client::start(Scene::default().apply(Some(way), sdk, command))
    };
    let (id, secret) =
        (format!("AWS_ACCESS_KEY_ID={KEY}"), format!("AWS_SECRET_ACCESS_KEY={SECRET}"));
    let beats = |winner, loser, said: String| {
        assert!([winner, loser].contains(&&*said), "{}: {said}", sdk.name);
        said == winner
    };
    let key = beats(ALICE, TARGET, start(Way::Profile, &[&id, &secret]).ask());
    let session = beats(TARGET, ALICE, start(Way::Exec, &["env", "AWS_PROFILE=other"]).ask());
    let others = stage.read(".aws/credentials");
    let shadow = String::from_utf8_lossy(&others).replace("[other]", "[sekisho-dev-developer]");
    stage.write(".aws/credentials", shadow.as_bytes());
    let shadow = beats(ALICE, TARGET, start(Way::Profile, &[]).ask());
    stage.write(".aws/credentials", others);
    stage.forget();
    let mut failed = start(Way::Profile, &[]);
    let said = failed.ask() + &failed.complaint();
    assert!(said.starts_with("error:"), "{}: {said}", sdk.name);
    [key, session, shadow, !said.contains("sekisho login")]
}

/// What was found out about an SDK.
struct Found {
    sdk: &'static Sdk,
    who: Vec<(Way, [(Situation, String); SITUATIONS.len()])>,
    trapped: Vec<(Situation, String)>,
    limits: [bool; 4],
}

/// Runs `look` for each, on threads of their own.
fn each<T: Send, R: Send>(of: impl IntoIterator<Item = T>, look: impl Fn(T) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let look = &look;
        let all: Vec<_> = of.into_iter().map(|one| scope.spawn(move || look(one))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn find_out(sdk: &'static Sdk, permits: &Permits) -> Found {
    let who = each(WAYS, |way| {
        (way, SITUATIONS.map(|situation| (situation, who(sdk, way, situation, permits))))
    });
    let traps = SITUATIONS.into_iter().filter(|situation| situation.trapped().is_some());
    let trapped = traps.map(|trap| (trap, who_is_trapped(sdk, trap, permits))).collect();
    Found { sdk, who, trapped, limits: limits(sdk, permits) }
}

impl Found {
    /// Where somebody else than expected acts, or nobody.
    fn wrong(&self) -> Vec<String> {
        let name = self.sdk.name;
        let mut wrong = Vec::new();
        for (way, cells) in &self.who {
            for (situation, said) in cells {
                if *said != TARGET && (situation.acts(*way) || !said.starts_with("error:")) {
                    wrong.push(format!("{name}, {way:?}, {situation:?}: {said}"));
                }
            }
        }
        // A trap that catches nobody proves nothing.
        for (situation, said) in &self.trapped {
            if situation.trapped() != Some(said) {
                wrong.push(format!("{name}, without sekisho, {situation:?}: {said}"));
            }
        }
        wrong
    }

    fn situation_rows(&self) -> String {
        let row = |(way, cells): &(Way, [(Situation, String); SITUATIONS.len()])| {
            let mark = |(_, said): &(Situation, String)| if said == TARGET { "✓" } else { "✗" };
            let mut marks = cells.each_ref().map(mark);
            marks.rotate_left(1);
            format!("| {} | `{}` | {} |\n", self.sdk.name, way.name(), marks.join(" | "))
        };
        self.who.iter().map(row).collect()
    }

    fn limit_row(&self, [yes, no]: [&str; 2]) -> String {
        let words = self.limits.map(|limit| if limit { yes } else { no });
        format!("| {} | {} |\n", self.sdk.name, words.join(" | "))
    }
}

/// A table's two lines of head, and the rows; those of SDKs that are not here as they were.
fn table(head: &str, old: &str, found: &[Found], rows: impl Fn(&Found) -> String) -> String {
    let rule = "|---".repeat(head.matches('|').count() - 1);
    let of = |sdk: &Sdk| {
        let own = format!("| {} |", sdk.name);
        let as_it_was =
            || old.split_inclusive('\n').filter(|line| line.starts_with(&own)).collect();
        found.iter().find(|found| found.sdk.name == sdk.name).map_or_else(as_it_was, &rows)
    };
    format!("{head}\n{rule}|\n{}", SDKS.iter().map(of).collect::<String>())
}

#[test]
fn the_role_that_was_entered_acts_or_nobody() {
    let permits = Permits(Mutex::new(AT_ONCE), Condvar::new());
    let here = SDKS.iter().filter(|sdk| sdk.is_installed());
    let found = each(here, |sdk| find_out(sdk, &permits));
    let wrong: Vec<String> = found.iter().flat_map(Found::wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let page = |path: &str, situations, limits, words| {
        let text = &markdown::page(path).text;
        let limit_row = |found: &Found| found.limit_row(words);
        let text = markdown::regenerate(text, "situations", |old| {
            table(situations, old, &found, Found::situation_rows)
        });
        let text = text.and_then(|text| {
            markdown::regenerate(&text, "limits", |old| table(limits, old, &found, limit_row))
        });
        (path.to_owned(), text.unwrap())
    };
    markdown::hold_up_to_date(&[
        page(
            "docs/sdks.md",
            "| SDK | way | plain | `[default]` key | `[default]` process | `[default]` SSO | other `AWS_PROFILE` | proxy | EC2 | EC2, all over | renewal fails | past expiry |",
            "| SDK | an exported key beats `AWS_PROFILE` | `AWS_PROFILE` has no effect inside `exec` | a key in `~/.aws/credentials` beats `credential_process` | hides why `credential_process` failed |",
            ["yes", "no"],
        ),
        page(
            "docs/ja/sdks.md",
            "| SDK | 方法 | 通常 | `[default]` にキー | `[default]` にプロセス | `[default]` に SSO | 別の `AWS_PROFILE` | プロキシ | EC2 | EC2、すべて期限切れ | 更新の失敗 | 期限の後 |",
            "| SDK | エクスポートしたキーが `AWS_PROFILE` に勝つ | `exec` の中で `AWS_PROFILE` が効かない | `~/.aws/credentials` のキーが `credential_process` に勝つ | `credential_process` の失敗理由を見せない |",
            ["はい", "いいえ"],
        ),
    ]);
}

#[test]
fn javas_system_properties_come_before_variables() {
    let Some(java) = SDKS.iter().find(|sdk| sdk.words == ["who-java"] && sdk.is_installed()) else {
        return;
    };
    let stage = Stage::new();
    stage.sign_in();
    OtherProfile.arrange(&stage);
    stage.run(&["profiles", "--write", "--yes"]).said();
    let key = format!("-Daws.accessKeyId={KEY} -Daws.secretAccessKey={SECRET}");
    let acting = |way: Way, properties: &str| {
        let mut command = way.command(&stage);
        command.env("JAVA_TOOL_OPTIONS", properties);
        Client::start(Scene::default().apply(Some(way), java, command)).ask()
    };
    assert_eq!(WAYS.map(|way| acting(way, &key)), [ALICE; 3]);
    assert_eq!(WAYS.map(|way| acting(way, "-Daws.profile=other")), [TARGET, ALICE, ALICE]);
}
