//! Runs one library function in a process of its own: this test binary, started again.
//!
//! The whole program is tested elsewhere; here the subject is what stands between a plan and a shell.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use portable_pty::CommandBuilder;
use sekisho::domain::account::{Color, SessionOptions, Target};
use sekisho::domain::config::{PromptCompat, RenewPref, ShellPrefs};
use sekisho::domain::flow::Flow;
use sekisho::domain::guard::Guard;
use sekisho::domain::ids::{Partition, RoleArn, RolePath};
use sekisho::domain::pass::Pass;
use sekisho::domain::secret::{Credentials, Secret};
use sekisho::services::child::environment::{Context, Environment, Inherited};
use sekisho::services::child::process;
use sekisho::services::child::shell::{Shell, Subshell};

use super::terminal;

/// The secrets of every test pass.
pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+b'$(touch pwned)\\%n\"canary";
pub const TOKEN: &str = "FwoGZXIvYXdzEJr//////////wEaDtoken==";

/// A pass into `account/Developer` that ends at `expires`.
pub fn pass(account: &str, expires: &str) -> Pass {
    let name = "Developer".parse().unwrap();
    let id = "222222222222".parse().unwrap();
    Pass {
        target: Target {
            account: account.parse().unwrap(),
            aliases: Vec::new(),
            id,
            role: RoleArn::new(Partition::Aws, id, &RolePath::root(), &name),
            region: Some("ap-northeast-1".parse().unwrap()),
            duration: std::time::Duration::from_hours(1),
            guard: Guard::None,
            agents: sekisho::domain::agents::Allowance::Full,
            change: None,
            color: None,
            session: SessionOptions::default(),
        },
        credentials: Credentials {
            id: "ASIA1234567890ABCDEF".parse().unwrap(),
            secret: Secret::new(SECRET.into()),
            token: Secret::new(TOKEN.into()),
            expires: expires.parse().unwrap(),
        },
        flow: Flow::Shared,
        user: "tanaka".parse().unwrap(),
        notes: Vec::new(),
        unrenewed: None,
    }
}

/// Far enough that nothing is renewed.
pub const FAR: &str = "2099-01-01T00:00:00Z";

/// What the driver does; passed as JSON in `SEKISHO_TEST_DRIVER`.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Task {
    pub account: String,
    pub expires: String,
    /// `None` chooses as sekisho does.
    pub shell: Option<String>,
    /// What stands for sekisho in the shell's functions.
    pub sekisho: PathBuf,
    pub runtime_dir: PathBuf,
    pub compat: PromptCompat,
    pub renew: RenewPref,
    pub errand: Errand,
    /// A file with the secret access key to use; else it is [`SECRET`].
    pub secret: Option<PathBuf>,
    /// The account's colour.
    pub color: Option<Color>,
    pub guard: Guard,
}

/// What is to be started.
#[derive(serde::Serialize, serde::Deserialize)]
pub enum Errand {
    Subshell,
    Exec(Vec<String>),
    Run(Vec<String>),
}

/// How the driver is started.
pub const ARGUMENTS: [&str; 4] = ["--exact", "pty::driver::run", "--ignored", "--nocapture"];

impl Task {
    /// A subshell of `shell` into `dev-tanaka/Developer`.
    pub fn new(shell: &Path, home: &Path) -> Self {
        Self {
            account: "dev-tanaka".into(),
            expires: FAR.into(),
            shell: Some(shell.to_str().unwrap().into()),
            sekisho: "/nonexistent/sekisho".into(),
            runtime_dir: home.join("run"),
            compat: PromptCompat::Auto,
            renew: RenewPref::Prompt,
            errand: Errand::Subshell,
            secret: None,
            color: None,
            guard: Guard::None,
        }
    }

    /// The command that does it, at home in `home`.
    pub fn command(&self, home: &Path) -> CommandBuilder {
        std::fs::create_dir_all(&self.runtime_dir).unwrap();
        let mut command = terminal::command(std::env::current_exe().unwrap(), home);
        command.args(ARGUMENTS);
        command.env("SEKISHO_TEST_DRIVER", serde_json::to_string(self).unwrap());
        command
    }
}

#[test]
#[ignore = "the driver: started by other tests, in a process of its own"]
#[expect(clippy::exit, reason = "the exit code is the answer")]
fn run() {
    let Ok(task) = std::env::var("SEKISHO_TEST_DRIVER") else {
        return;
    };
    let task: Task = serde_json::from_str(&task).unwrap();
    let mut inherited: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    inherited.retain(|(name, _)| !name.to_string_lossy().starts_with("RUST"));
    let inherited: Inherited = inherited.into_iter().collect();
    let context =
        Context { depth: inherited.depth() + 1, compat: task.compat, ..Context::default() };
    let mut pass = pass(&task.account, &task.expires);
    pass.target.color = task.color;
    pass.target.guard = task.guard;
    if let Some(file) = task.secret {
        pass.credentials.secret = Secret::new(std::fs::read_to_string(file).unwrap());
    }
    let environment = Environment::of(pass, &context, &inherited);
    let os = |argv: Vec<String>| argv.into_iter().map(OsString::from).collect::<Vec<_>>();
    if let Errand::Exec(argv) = task.errand {
        let argv = os(argv);
        let fault = process::exec(&environment, &inherited, &argv);
        writeln!(std::io::stderr(), "{fault:?}").unwrap();
        std::process::exit(fault.exit.code().into());
    }
    let shell = Shell::choose(task.shell.as_deref(), &inherited).unwrap();
    let prefs = ShellPrefs {
        program: None,
        renew: task.renew,
        mark_prompt: true,
        prompt_compat: task.compat,
    };
    let subshell = Subshell {
        shell: &shell,
        sekisho: &task.sekisho,
        runtime_dir: &task.runtime_dir,
        prefs: &prefs,
        verbs: &sekisho::cli::args::verbs(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let exit = runtime
        .block_on(async {
            match task.errand {
                Errand::Run(argv) => process::run(environment, &inherited, &os(argv)).await,
                _ => subshell.run(environment, &inherited).await,
            }
        })
        .unwrap_or_else(|fault| panic!("{fault:?}"));
    // What a switcher does next: it reads the terminal. A terminal that was not taken back stops it.
    writeln!(std::io::stderr(), "ENDED {}", exit.code()).unwrap();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).unwrap();
    writeln!(std::io::stderr(), "READ {}", answer.trim()).unwrap();
    std::process::exit(exit.code().into());
}
