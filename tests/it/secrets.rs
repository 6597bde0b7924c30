//! A full day with canaries for secrets: afterwards they stand in no file, no output, no command line.

mod bug;

use std::fs;
use std::path::Path;
use std::process::Output;

use sekisho::emulator::{FaultInjection, Injection, Times};

use crate::keys::stage::{BINARY, Codes, KEY, Key, PASSPHRASE, SECRET, Stage, until};
use crate::pty::terminal::Pty;

/// How every session token begins, the auth sessions' too, which no child ever sees.
const TOKEN: &str = "IQoJb3JpZ2luX2Vj";

/// What must not be found, and everything that was said.
struct Day {
    stage: Stage,
    canaries: Vec<String>,
    said: Vec<(String, Vec<u8>)>,
    /// Where children put their environment: outside of everything that is searched.
    aside: tempfile::TempDir,
}

impl Day {
    fn new() -> Self {
        Self {
            stage: Stage::new(Key::File, Codes::Program),
            canaries: [SECRET, PASSPHRASE, TOKEN, "CANARY"].map(str::to_owned).to_vec(),
            said: Vec::new(),
            aside: tempfile::tempdir().unwrap(),
        }
    }

    /// Runs a verb in a terminal, answering what it asks, and keeps all it wrote.
    fn in_terminal(&mut self, arguments: &[&str], answers: &[(&str, &str)]) -> u32 {
        let mut pty = Pty::spawn(self.stage.in_terminal(BINARY, arguments));
        for (question, answer) in answers {
            pty.wait_for(question);
            pty.line(answer);
        }
        let (code, said) = pty.last_words();
        self.hear(&arguments.join(" "), said.into_bytes());
        code
    }

    fn run(&mut self, arguments: &[&str]) -> Output {
        let output = self.stage.run(arguments);
        self.hear(&arguments.join(" "), [&output.stdout[..], &output.stderr].concat());
        output
    }

    fn hear(&mut self, what: &str, said: Vec<u8>) {
        self.said.push((what.to_owned(), said));
    }

    /// A command that puts its environment aside; its secrets become canaries.
    fn enter(&mut self, arguments: &[&str]) {
        let file = self.aside.path().join("environment");
        let script = format!("env > {}", file.display());
        let mut line = arguments.to_vec();
        line.extend(["--", "/bin/sh", "-c", &script]);
        let output = self.run(&line);
        assert!(output.status.success(), "{output:?}");
        self.learn(&fs::read_to_string(file).unwrap());
    }

    fn learn(&mut self, environment: &str) {
        let value = |name: &str| {
            let lines = environment.lines();
            let mut values = lines.filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            values.next().unwrap().to_owned()
        };
        let token = value("AWS_SESSION_TOKEN");
        assert!(token.starts_with(TOKEN) && environment.contains("SEKISHO_TARGET="));
        assert!(!environment.contains(SECRET), "the key itself is no child's business");
        self.canaries.extend([value("AWS_SECRET_ACCESS_KEY"), token]);
    }

    /// Every process's arguments, while something runs.
    fn search_command_lines(&self) {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            if let Ok(line) = fs::read(process.path().join("cmdline")) {
                self.search(&format!("{}", process.path().display()), &line);
            }
        }
    }

    fn search_files(&self, folder: &Path) -> usize {
        let mut count = 0;
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                count += self.search_files(&entry.path());
            } else if kind.is_file() {
                self.search(&entry.path().display().to_string(), &fs::read(entry.path()).unwrap());
                count += 1;
            }
        }
        count
    }

    fn search(&self, place: &str, bytes: &[u8]) {
        if let Some(canary) = self.canary_in(bytes) {
            panic!("{canary} in {place}");
        }
    }

    fn canary_in(&self, bytes: &[u8]) -> Option<&str> {
        let is_in = |form: &str| bytes.windows(form.len()).any(|window| window == form.as_bytes());
        let found = |canary: &&String| {
            let hex: Vec<String> = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
            is_in(canary) || is_in(&hex.concat())
        };
        self.canaries.iter().find(found).map(String::as_str)
    }
}

#[test]
fn no_secret_of_a_full_day_is_found_anywhere() {
    let mut day = Day::new();
    day.key_arrives();
    day.work();
    day.shell_stays_open();
    day.misfortunes();
    day.rotation_is_killed_and_resumed();
    day.run(&["logout", "-vv"]);
    assert_eq!(day.in_terminal(&["key", "remove", "--yes", "-vv"], &[]), 0);

    assert!(day.search_files(day.stage.home.path()) > 3);
    for (what, said) in &day.said {
        day.search(what, said);
    }
    // The search itself finds what is there.
    let planted = format!("x{SECRET}y");
    assert_eq!(day.canary_in(planted.as_bytes()), Some(SECRET));
}

impl Day {
    /// Out of plain text, into the sealed file.
    fn key_arrives(&mut self) {
        let credentials = self.stage.path(".aws/credentials");
        let text =
            format!("[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n");
        fs::write(&credentials, text).unwrap();
        let answers = [
            ("remove these lines? [y/N]", "y"),
            ("new passphrase for the access key's file: ", PASSPHRASE),
            ("repeat the passphrase: ", PASSPHRASE),
            ("rotate it now? [y/N]", "n"),
        ];
        let import = ["-vv", "key", "import"];
        assert_eq!(self.in_terminal(&import, &answers), 0);
        assert_eq!(fs::read_to_string(&credentials).unwrap(), "[default]\n");
    }

    fn work(&mut self) {
        assert_eq!(self.in_terminal(&["login", "-vv"], &[]), 0);
        self.enter(&["exec", "dev-1"]);
        self.enter(&["exec", "-vv", "dev-1"]);
        self.enter(&["exec", "-vv", "dev-2"]);
        for arguments in [
            &["status"][..],
            &["status", "--json", "-vv"],
            &["key", "status", "-vv"],
            &["config", "show"],
            &["exec", "dev-22", "--", "true"],
            &["exec", "dev-2", "--", "/nonexistent"],
        ] {
            self.run(arguments);
        }
        assert_eq!(self.in_terminal(&["env", "dev-1"], &[]), 0, "masked");
    }

    /// ... and somebody looks at the process list, the disk and sekisho's own environment.
    fn shell_stays_open(&mut self) {
        let file = self.aside.path().join("shell");
        let arguments = ["shell", "dev-3", "--shell", "/bin/sh", "-vv"];
        let mut shell = Pty::spawn(self.stage.in_terminal(BINARY, &arguments));
        shell.line(&format!("env > {}; echo wri''tten", file.display()));
        shell.wait_for("written");
        self.learn(&fs::read_to_string(file).unwrap());
        self.search_command_lines();
        let own = fs::read(format!("/proc/{}/environ", shell.pid())).unwrap_or_default();
        self.search("the environment of sekisho itself", &own);
        self.search_files(self.stage.home.path());
        shell.line("exit 7");
        let (code, said) = shell.last_words();
        assert_eq!(code, 7);
        self.hear("shell", said.into_bytes());
    }

    /// Wrong answers, no answers, refusals.
    fn misfortunes(&mut self) {
        for (n, what) in (4..).zip([
            FaultInjection::Garbage,
            FaultInjection::Reset,
            FaultInjection::ServerError(500),
        ]) {
            self.inject("AssumeRole", Times::UntilCleared, what);
            let output = self.run(&["exec", "-vv", &format!("dev-{n}"), "--", "true"]);
            assert!(!output.status.success());
            self.stage.emulator.clear();
        }
        let emulator = &self.stage.emulator;
        emulator.with(|organization| organization.roles.clear());
        let refused = self.run(&["exec", "-vv", "dev-7", "--", "true"]);
        assert_eq!(refused.status.code(), Some(3));
    }

    fn rotation_is_killed_and_resumed(&mut self) {
        let rotate = ["-vv", "key", "rotate", "--yes"];
        self.inject("CreateAccessKey", Times::Next(1), FaultInjection::Hang);
        let mut rotation = Pty::spawn(self.stage.in_terminal(BINARY, &rotate));
        until("the new key at AWS", || (self.stage.keys().len() == 2).then_some(()));
        self.learn_keys();
        self.search_command_lines();
        crate::keys::stage::kill(rotation.pid());
        self.hear("killed rotation", rotation.last_words().1.into_bytes());
        self.stage.next_code();
        assert_eq!(self.in_terminal(&rotate, &[]), 0);
        self.learn_keys();
        self.search_files(self.stage.home.path());
        self.stage.next_code();
        assert_eq!(self.in_terminal(&["login", "-vv"], &[]), 0);
    }

    fn inject(&self, action: &str, times: Times, what: FaultInjection) {
        let action = Some(action.to_owned());
        self.stage.emulator.inject(Injection { action, times, what });
    }

    fn learn_keys(&mut self) {
        let keys = self.stage.keys().into_iter();
        self.canaries.extend(keys.map(|key| key.secret));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_process_hides_its_memory_before_it_reads_anything_of_its_own() {
    let Some(strace) = crate::support::program("strace") else {
        return;
    };
    let stage = Stage::new(Key::Env, Codes::Program);
    let trace = stage.path("trace");
    let arguments =
        ["-f", "-o", trace.to_str().unwrap(), "-e", "trace=prctl,openat", BINARY, "status"];
    let mut pty = Pty::spawn(stage.in_terminal(&strace, &arguments));
    assert_eq!(pty.wait(), 0);
    let trace = fs::read_to_string(trace).unwrap();
    let line = |what: &str| trace.lines().position(|line| line.contains(what)).unwrap();
    assert!(line("PR_SET_DUMPABLE, SUID_DUMP_DISABLE") < line("config.yaml"), "{trace}");
}

/// Root sees everything, so somebody else has to look.
#[cfg(target_os = "linux")]
#[test]
fn a_neighbour_of_the_same_user_sees_the_child_and_not_sekisho() {
    if !rustix::process::geteuid().is_root() {
        return neighbours(None);
    }
    neighbours(Some(65534));
}

#[cfg(target_os = "linux")]
fn neighbours(user: Option<u32>) {
    use std::os::unix::process::CommandExt;

    let stage = Stage::new(Key::Env, Codes::Program);
    if let Some(user) = user {
        let mut chown = std::process::Command::new("chown");
        chown.args(["-R", &user.to_string()]).arg(stage.home.path());
        assert!(chown.status().unwrap().success());
    }
    let file = stage.path("out");
    // The child looks at its parent, then at itself.
    let script = format!(
        "cat /proc/$PPID/environ >/dev/null 2>&1 && echo open > {0} || echo hidden > {0}; \
         tr '\\0' '\\n' < /proc/$$/environ | grep -c ^AWS_SESSION_TOKEN= >> {0}",
        file.display()
    );
    let shell = stage.path("shell");
    fs::write(&shell, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&shell, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = stage.command(&["shell", "dev-1", "--shell", shell.to_str().unwrap()]);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let output = command.output().unwrap();
    let seen = fs::read_to_string(file).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(seen, "hidden\n1\n");
}

/// Root can look into a process that hides its memory.
#[cfg(target_os = "linux")]
#[test]
fn the_list_holds_a_key_only_while_it_is_needed() {
    use crate::pty::commands::{contains, memory};
    if !rustix::process::geteuid().is_root() {
        return crate::store::skip("only root sees the memory of a process that hides it");
    }
    let stage = Stage::new(Key::File, Codes::Person);
    stage.store_key();
    let mut pty = Pty::spawn(stage.in_terminal(BINARY, &[]));
    let pid = pty.pid();
    let holds = |what: &str| contains(&memory(pid), what.as_bytes());
    pty.wait_for("dev-1");
    pty.send("dev-1\r");
    pty.wait_for("user tanaka, device phone");
    assert!(holds(SECRET), "it is about to be needed");
    pty.send("\u{1b}");
    pty.wait_until("a list without the key", |_| !holds(SECRET));

    pty.send("\r");
    pty.wait_for("user tanaka, device phone");
    pty.send(&stage.next_code());
    pty.wait_until("the subshell", |screen| !screen.contains("MFA"));
    let file = stage.path("environment");
    pty.line(&format!("env > {}; echo wri''tten", file.display()));
    pty.wait_for("written");
    let environment = fs::read_to_string(file).unwrap();
    let session =
        environment.lines().find_map(|line| line.strip_prefix("AWS_SECRET_ACCESS_KEY=")).unwrap();
    for secret in [SECRET, session, TOKEN] {
        pty.wait_until("a parent without secrets", |_| !holds(secret));
    }
}
