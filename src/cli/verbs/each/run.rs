//! The command on its way through the targets: so many at once, their output, and when to stop.

use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::Instant;

use crate::domain::account::Target;
use crate::domain::agents::Allowance;
use crate::domain::batch::{Done, LeftOut, Outcome, Report, SCHEMA};
use crate::domain::confirmation::Cleared;
use crate::domain::fault::{Exit, Fault};
use crate::domain::pass::{Asking, NotIssued, Pass, Renew, Request, Terms};
use crate::domain::text::sanitize;
use crate::services::child::output_files::OutputFiles;
use crate::services::child::piped::{Piped, Stream};
use crate::services::child::signals::{Ending, Forwarded};
use crate::ui::fit;

use crate::cli::args::EachArgs;
use crate::cli::context::Context;
use crate::cli::prompt;
use crate::cli::wording;

use super::rough;

/// How often a session is asked for while AWS throttles, or cannot be reached.
const TRIES: u32 = 6;

/// Why nothing more is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    Interrupted,
    Failed,
}

/// Where the lines of the commands go.
enum Output<'a> {
    /// To stdout and stderr, behind the target; with a report on stdout, to stderr alone.
    Lines { name_width: usize, only_stderr: bool },
    /// Into two files for each account.
    Files(&'a Path),
}

/// The command on its way through the targets.
pub(super) struct Run<'a> {
    context: &'a Context,
    arguments: &'a EachArgs,
    output: Output<'a>,
    waiting: RefCell<VecDeque<Cleared>>,
    running: RefCell<HashSet<Pid>>,
    done: RefCell<Vec<Done>>,
    stopped: Cell<Option<Stopped>>,
    pace: Pace,
    /// Written to by whoever asks for a code, alone; read by requests for sessions.
    turns: tokio::sync::RwLock<()>,
    began: Instant,
    /// The least that an agent has of one of the targets: the code is for all of them.
    agents: Option<Allowance>,
}

impl<'a> Run<'a> {
    /// Nothing is run yet; the directory for the output is made.
    pub(super) fn new(
        context: &'a Context,
        arguments: &'a EachArgs,
        targets: Vec<Cleared>,
    ) -> Result<Self, Fault> {
        let output = if let Some(dir) = &arguments.output_dir {
            OutputFiles::make_room(dir)?;
            Output::Files(dir)
        } else {
            let widths = targets.iter().map(|cleared| fit::width(&cleared.target().name()));
            let name_width = widths.max().unwrap_or(0).min(40);
            Output::Lines { name_width, only_stderr: arguments.json }
        };
        Ok(Self {
            context,
            arguments,
            output,
            agents: targets.iter().map(|cleared| cleared.target().agents).max(),
            waiting: RefCell::new(targets.into()),
            running: RefCell::default(),
            done: RefCell::default(),
            stopped: Cell::new(None),
            pace: Pace::default(),
            turns: tokio::sync::RwLock::default(),
            began: Instant::now(),
        })
    }

    /// Runs everything, at most so many at once; what has begun is always waited for.
    pub(super) async fn all(&self, left_out: Vec<LeftOut>) -> Result<Report, Fault> {
        let started = Timestamp::now();
        let unheard = |error: std::io::Error| {
            Fault::new(Exit::Fault, "cannot listen to signals").because(error.to_string())
        };
        let mut ending = Ending::listen().map_err(unheard)?;
        let mut forwarded = Forwarded::listen().map_err(unheard)?;
        let connections = self.context.broker().connections()?;
        let mut workers = std::pin::pin!(join_all((0..self.arguments.jobs).map(|_| self.work())));
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = &mut workers => break,
                _ = ending.recv() => self.interrupt(),
                signal = forwarded.recv() => self.pass_on(signal),
                _ = tick.tick() => self.show_progress(),
            }
        }
        self.context.out.progress("");
        drop(connections);
        self.context.broker().release_secrets();
        let mut targets = self.done.take();
        let interrupted = self.stopped.get() == Some(Stopped::Interrupted);
        let not_started = self.waiting.take();
        targets.extend(not_started.iter().map(|cleared| Done {
            target: cleared.target().name(),
            role_arn: cleared.target().role.clone(),
            outcome: Outcome::NotStarted,
            seconds: 0.0,
        }));
        Ok(Report {
            schema: SCHEMA,
            started,
            ended: Timestamp::now(),
            interrupted,
            targets,
            left_out,
        })
    }

    /// Starts nothing more; what runs goes on to its end, or is killed where this is asked for again.
    fn interrupt(&self) {
        if self.stopped.replace(Some(Stopped::Interrupted)) == Some(Stopped::Interrupted) {
            self.pass_on(Signal::KILL);
        }
    }

    fn pass_on(&self, signal: Signal) {
        for pid in &*self.running.borrow() {
            let _ = kill_process(*pid, signal); // where it fails, the command has just ended
        }
    }

    /// Takes one target after another.
    async fn work(&self) {
        while self.stopped.get().is_none() {
            let Some(cleared) = self.waiting.borrow_mut().pop_front() else { return };
            let begun = Instant::now();
            let Some(outcome) = Box::pin(self.one(&cleared)).await else {
                self.waiting.borrow_mut().push_front(cleared);
                return;
            };
            if self.arguments.fail_fast && !outcome.is_success() && self.stopped.get().is_none() {
                self.stopped.set(Some(Stopped::Failed));
            }
            if let Outcome::Failed { error, .. } = &outcome {
                self.show(cleared.target(), Stream::Stderr, error.as_bytes());
            }
            self.done.borrow_mut().push(Done {
                target: cleared.target().name(),
                role_arn: cleared.target().role.clone(),
                outcome,
                seconds: (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            });
            self.show_progress();
        }
    }

    /// One target; `None` where everything was stopped before the command began.
    async fn one(&self, cleared: &Cleared) -> Option<Outcome> {
        let failed = |fault: &Fault| Outcome::Failed {
            exit: fault.exit.code(),
            error: sanitize(&fault.in_a_line()),
        };
        let pass = match self.pass(cleared).await? {
            Ok(pass) => pass,
            Err(fault) => return Some(failed(&fault)),
        };
        if self.stopped.get().is_some() {
            return None;
        }
        let (target, inherited) = (cleared.target(), self.context.inherited());
        let entry = self.context.entry(pass, inherited.depth() + 1);
        let stdin = self.arguments.stdin_file.as_deref().unwrap_or(Path::new("/dev/null"));
        // A command whose output has no place is not started.
        let started = self.files(target).and_then(|files| {
            let command = &self.arguments.command;
            Ok((Piped::start(entry.environment, inherited, command, stdin)?, files))
        });
        let (running, mut files) = match started {
            Ok(started) => started,
            Err(fault) => return Some(failed(&fault)),
        };
        let pid = running.pid;
        self.running.borrow_mut().insert(pid);
        let mut last_stderr = None;
        let ended = running.run(|stream, line| {
            if stream == Stream::Stderr && !line.trim_ascii().is_empty() {
                last_stderr = Some(sanitize(&String::from_utf8_lossy(line.trim_ascii_end())));
            }
            match &mut files {
                Some(files) => files.write(stream, line),
                None => self.show(target, stream, line),
            }
        });
        let ended = Box::pin(ended).await;
        self.running.borrow_mut().remove(&pid);
        let kept = files.map_or(Ok(()), OutputFiles::finish);
        Some(match (ended, kept) {
            (Ok(exit), Ok(())) => Outcome::Ran { exit: exit.code(), last_stderr },
            (Ok(exit), Err(lost)) => Outcome::Failed {
                exit: exit.code().max(1),
                error: format!("its output is not whole: {}", sanitize(&lost.in_a_line())),
            },
            (Err(error), _) => Outcome::Failed { exit: 1, error: error.to_string() },
        })
    }

    /// A session of the target, by as many tries as it takes; `None` where everything was stopped meanwhile.
    async fn pass(&self, cleared: &Cleared) -> Option<Result<Pass, Fault>> {
        let (mut tries, mut has_asked) = (1, false);
        loop {
            self.pace.wait().await;
            if self.stopped.get().is_some() {
                return None;
            }
            let fault = match self.issue(cleared).await {
                Ok(pass) => {
                    self.pace.answered();
                    return Some(Ok(pass));
                }
                Err(fault) => fault,
            };
            match fault.exit {
                Exit::NeedsPerson if !has_asked => {
                    has_asked = true;
                    if let Err(fault) = self.sign_in().await {
                        // Nobody signs in: the others need not ask again.
                        self.stopped.set(Some(Stopped::Failed));
                        return Some(Err(fault));
                    }
                }
                Exit::Fault if tries < TRIES => {
                    tries += 1;
                    self.pace.unanswered();
                }
                _ => return Some(Err(fault)),
            }
        }
    }

    async fn issue(&self, cleared: &Cleared) -> Result<Pass, Fault> {
        let _turn = self.turns.read().await;
        self.context.preload_demo_key()?;
        let terms =
            Terms { renew: Renew::ByFlow, asking: Asking::Never, spare: Terms::SHORTEST_STAY };
        let request = Request::new(cleared.clone(), terms);
        let issued = self.context.issue(&cleared.target().name(), &request).await;
        issued.map_err(NotIssued::into_fault)
    }

    /// One code for all: whoever comes later finds the session.
    async fn sign_in(&self) -> Result<(), Fault> {
        let _turn = self.turns.write().await;
        if self.context.broker().status().auth.is_some() {
            return Ok(());
        }
        if self.stopped.get().is_some() {
            return Err(Fault::new(Exit::Cancelled, "cancelled"));
        }
        self.context.out.progress("");
        self.context.preload_demo_key()?;
        let mut codes = self.context.codes();
        let stopped = async {
            while self.stopped.get().is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            signed_in = prompt::sign_in(self.context.broker(), self.agents, &mut codes) => {
                signed_in.map(drop)
            }
            () = stopped => Err(Fault::new(Exit::Cancelled, "cancelled")),
        }
    }

    fn files(&self, target: &Target) -> Result<Option<OutputFiles>, Fault> {
        let Output::Files(dir) = self.output else { return Ok(None) };
        OutputFiles::create(dir, target.account.as_str()).map(Some)
    }

    /// Prints a line of a target's.
    fn show(&self, target: &Target, stream: Stream, line: &[u8]) {
        let (name_width, stream) = match self.output {
            Output::Lines { name_width, only_stderr: false } => (name_width, stream),
            Output::Lines { name_width, .. } => (name_width, Stream::Stderr),
            Output::Files(_) => (0, Stream::Stderr),
        };
        let name = target.name();
        let padding = " ".repeat(name_width.saturating_sub(fit::width(&name)));
        let bar = wording::glyphs(self.context.config().list.symbols).border.vertical_left;
        let prefix = format!("{}{padding} {bar} ", self.context.out.colored(target.color, &name));
        self.context.out.line(stream, &prefix, line);
        self.show_progress();
    }

    fn show_progress(&self) {
        // Not over the question for the code.
        if self.turns.try_read().is_err() {
            return;
        }
        let (done, running) = (self.done.borrow(), self.running.borrow().len());
        let waiting = self.waiting.borrow().len();
        let failed = done.iter().filter(|done| !done.outcome.is_success()).count();
        let mut line =
            format!("{} done, {running} running, {failed} failed, {waiting} waiting", done.len());
        if self.stopped.get() == Some(Stopped::Interrupted) {
            line.push_str("; stopping, press Ctrl-C again to kill what runs");
        } else if let Some(pause) = self.pace.pause() {
            line.push_str(&format!("; AWS does not answer, trying again in {}s", pause.as_secs()));
        } else if done.len() >= 3 && waiting > 0 {
            let share = u32::try_from(waiting).unwrap_or(u32::MAX);
            let each = self.began.elapsed() / u32::try_from(done.len()).unwrap_or(u32::MAX);
            line.push_str(&format!(
                "; about {} left",
                rough(each.saturating_mul(share).as_secs_f64())
            ));
        }
        self.context.out.progress(&line);
    }
}

/// When AWS is asked next: where it does not answer one, all wait.
#[derive(Default)]
struct Pace {
    until: Cell<Option<Instant>>,
    failures: Cell<u32>,
}

impl Pace {
    /// 1, 2, 4 … 60 s.
    fn unanswered(&self) {
        if self.pause().is_none() {
            let seconds = 2_u64.saturating_pow(self.failures.get()).min(60);
            self.failures.set(self.failures.get() + 1);
            self.until.set(Some(Instant::now() + Duration::from_secs(seconds)));
        }
    }

    fn answered(&self) {
        self.failures.set(0);
    }

    fn pause(&self) -> Option<Duration> {
        self.until.get()?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    async fn wait(&self) {
        while let Some(until) = self.until.get().filter(|until| *until > Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
    }
}
