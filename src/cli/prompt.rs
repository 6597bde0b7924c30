//! Prompts on the terminal, for the verbs without the list.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;

use crate::domain::account::Target;
use crate::domain::agents::{Agent, Allowance, Driver};
use crate::domain::confirmation::{Cleared, Confirmation, Unconfirmed};
use crate::domain::fault::{Exit, Fault};
use crate::domain::flow::Flow;
use crate::domain::ids::MfaSerial;
use crate::domain::import::organization::{Member, Selection};
use crate::domain::local_clock::LocalClock;
use crate::domain::pass::{
    Asking, CodeDevice, CodeRejection, CodeWanted, NotIssued, Pass, Request, Terms,
};
use crate::domain::secret::{Credentials, MfaCode, Secret};
use crate::domain::text::{sanitize, shell_quoted};
use crate::services::child::environment::Inherited;
use crate::services::child::signals::Ending;
use crate::services::session::broker::Broker;
use crate::services::store::keyfile::Passphrase;
use crate::ui::time_left;

use super::out::Out;
use super::terminal::{Terminal, cancelled};
use super::wording;
use super::world::World;

/// Where codes come from.
pub enum Codes {
    /// A prompt on the terminal; in a demo it shows the code as well.
    Terminal {
        /// A demo has the device.
        world: World,
        /// The person's clock.
        clock: LocalClock,
        /// How long to wait for an answer; `None` is without limit.
        patience: Option<Duration>,
    },
    /// One line of stdin, once.
    Stdin,
    /// Nowhere: prompting is not allowed.
    Nobody,
}

impl Codes {
    /// Whether the broker may ask for a code at all.
    pub fn asking(&self) -> Asking {
        match self {
            Self::Nobody => Asking::Never,
            Self::Terminal { .. } | Self::Stdin => Asking::Allowed,
        }
    }

    /// Whether a person types the code, which takes a while.
    fn asks_a_person(&self) -> bool {
        matches!(self, Self::Terminal { .. })
    }

    /// The next code; `None` as soon as `needless` returns true. `purpose` completes "MFA code for USER …".
    pub async fn next(
        &mut self,
        wanted: &CodeWanted,
        purpose: &str,
        needless: &dyn Fn() -> bool,
    ) -> Result<Option<(MfaSerial, MfaCode)>, Fault> {
        let nobody = |what: String| {
            let fault = Fault::new(Exit::NeedsPerson, what);
            if let Some(note) = wanted.note {
                return fault.because(note).fix("pipe the code: `--mfa-code -`");
            }
            match wanted.flow {
                Flow::Shared => fault.because("there is no MFA session, or it has expired").fix(
                    "run `sekisho login` in a terminal first, or pipe the code: `--mfa-code -`",
                ),
                Flow::Direct => fault
                    .because("a session of more than 1h needs a code of its own")
                    .fix("pipe the code: `--mfa-code -`, or take 1h: `--duration 1h`"),
            }
        };
        let first = wanted
            .devices
            .first()
            .ok_or_else(|| nobody("there is no MFA device to get a code from".into()))?;
        match self {
            Self::Nobody => Err(match &wanted.rejection {
                Some(rejection) => not_taken(rejection),
                None => {
                    nobody(format!("an MFA code is needed {purpose}, and prompting is not allowed"))
                }
            }),
            Self::Stdin => {
                *self = Self::Nobody;
                let code = MfaCode::parse(&line_of_stdin()).ok_or_else(|| {
                    Fault::new(Exit::Usage, "there is no six-digit code on stdin")
                        .fix("pipe exactly six digits and a newline to `--mfa-code -`")
                })?;
                Ok(Some((first.serial.clone(), code)))
            }
            Self::Terminal { world, clock, patience } => {
                let missing = || match &wanted.rejection {
                    // Why there is no code comes first: a person is only the second way to one.
                    Some(rejection) => in_place_of_a_person(rejection),
                    None => nobody(format!(
                        "an MFA code is needed {purpose}, and there is no terminal to ask on"
                    )),
                };
                let mut terminal =
                    patience.map_or_else(Terminal::open, Terminal::open_for).ok_or_else(missing)?;
                let until = clock.moment(wanted.until, Timestamp::now());
                ask_code(&mut terminal, world, wanted, &until, first, purpose, needless).await
            }
        }
    }
}

/// The fault of a code that `mfa_command` did not give, or that AWS did not accept, where nobody can type another.
fn in_place_of_a_person(rejection: &CodeRejection) -> Fault {
    let mut fault = Fault::new(Exit::NeedsPerson, &rejection.what);
    fault.why.clone_from(&rejection.why);
    fault.fix("there is no terminal to type a code on: run `sekisho login` in one, or pipe the code: `--mfa-code -`")
}

/// The fault of a code from stdin that AWS did not accept.
fn not_taken(rejection: &CodeRejection) -> Fault {
    let mut fault = Fault::new(Exit::Refused, &rejection.what);
    fault.why.clone_from(&rejection.why);
    fault.fix("wait for the device's next code and use that one")
}

/// One line of stdin and not a byte more: the rest is the command's input.
fn line_of_stdin() -> zeroize::Zeroizing<String> {
    const MAX_LINE_BYTES: usize = 256;
    let mut line = zeroize::Zeroizing::new(Vec::with_capacity(MAX_LINE_BYTES));
    let mut byte = [0];
    while line.len() < MAX_LINE_BYTES {
        match rustix::io::retry_on_intr(|| rustix::io::read(rustix::stdio::stdin(), &mut byte)) {
            Ok(1) if byte[0] != b'\n' => line.push(byte[0]),
            _ => break,
        }
    }
    zeroize::Zeroizing::new(String::from_utf8_lossy(&line).into_owned())
}

async fn ask_code(
    terminal: &mut Terminal,
    world: &World,
    wanted: &CodeWanted,
    until: &str,
    first: &CodeDevice,
    purpose: &str,
    needless: &dyn Fn() -> bool,
) -> Result<Option<(MfaSerial, MfaCode)>, Fault> {
    if let Some(rejection) = &wanted.rejection {
        terminal.show(&format!("sekisho: {}", rejection.what));
        if let Some(why) = rejection.why.first() {
            terminal.show(&format!("         {why}"));
        }
    }
    terminal.show(&format!(
        "sekisho: MFA code for {} {purpose} ({}: {} until {until})",
        wanted.user,
        wanted.flow.name(),
        wanted.flow.reach()
    ));
    if let Some(note) = wanted.note {
        terminal.show(&format!("         {note}"));
    }
    let moves = !matches!(std::env::var("TERM").as_deref(), Err(_) | Ok("" | "dumb"));
    let mut device = first;
    if wanted.devices.len() > 1 {
        for (number, device) in (1..).zip(&wanted.devices) {
            terminal.show(&format!("  {number}  {}", sanitize(&device.label)));
        }
        terminal.show("  (to use another device, type its number and press Enter)");
    }
    loop {
        let countdown = || countdown(world, wanted, device, Timestamp::now());
        terminal.show(&countdown());
        terminal.put(&format!("code from {}: ", sanitize(&device.label)));
        while !terminal.has_line().await? {
            if needless() {
                // Half a code must not reach the program that reads this terminal next.
                terminal.discard_input();
                terminal.show("\nsekisho: the code is no longer needed here");
                return Ok(None);
            }
            if moves {
                terminal.replace_above(&countdown());
            }
        }
        let line = zeroize::Zeroizing::new(terminal.line()?);
        if let Some(code) = MfaCode::parse(&line) {
            return Ok(Some((device.serial.clone(), code)));
        }
        let chosen = line.parse::<usize>().ok().and_then(|n| wanted.devices.get(n.checked_sub(1)?));
        match chosen {
            Some(chosen) if wanted.devices.len() > 1 => device = chosen,
            _ => terminal.show("sekisho: a code is exactly six digits"),
        }
    }
}

/// The line above the question: how long the code that the device shows now is good for, or when the next one comes; in a
/// demo the code, too.
fn countdown(world: &World, wanted: &CodeWanted, device: &CodeDevice, now: Timestamp) -> String {
    let rejection = wanted.rejection.as_ref();
    let wait = rejection.and_then(|rejection| rejection.next_code_at);
    let wait = wait.map_or(0, |then| time_left::seconds_left(then, now));
    let step = time_left::step_left(now);
    match (world.demo().and_then(|demo| demo.code(&device.serial, now)), wait) {
        (Some(code), 1..) => format!("demo: the device shows {code}; wait for the next: {wait} s"),
        (Some(code), _) => format!("demo: the device shows {code}; the next in {step} s"),
        (None, 1..) => format!("wait for the next code: {wait} s"),
        (None, _) => format!("the device shows a new code in {step} s"),
    }
}

/// Asks for a yes on the terminal; any other answer is a cancellation.
pub fn confirm(question: &str) -> Result<(), Fault> {
    let mut terminal = to_confirm_on()?;
    is_confirmed(&terminal.ask(&to_confirm(question))?)
}

/// The same, and a signal that ends sekisho is a no: the caller still has something to undo.
pub async fn confirm_or_undo(question: &str, ending: &mut Ending) -> Result<(), Fault> {
    let mut terminal = to_confirm_on()?;
    terminal.put(&to_confirm(question));
    loop {
        tokio::select! {
            biased;
            _ = ending.recv() => {
                terminal.show("");
                return Err(cancelled());
            }
            has_line = terminal.has_line() => if has_line? {
                return is_confirmed(&terminal.line()?);
            },
        }
    }
}

fn to_confirm(question: &str) -> String {
    format!("sekisho: {question} [y/N] ")
}

fn is_confirmed(answer: &str) -> Result<(), Fault> {
    match answer {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(cancelled()),
    }
}

fn to_confirm_on() -> Result<Terminal, Fault> {
    Terminal::open().ok_or_else(|| {
        let what = "a confirmation is needed, and there is no terminal to ask on";
        let fault = Fault::new(Exit::NeedsPerson, what);
        match Inherited::current().driver() {
            Driver::Person => fault.fix("to confirm without a prompt, add `--yes`"),
            Driver::Agent(agent) => only_a_person_confirms(fault, &agent),
        }
    })
}

/// Why `--yes` and `--confirm` are no way out for an agent.
pub fn only_a_person_confirms(fault: Fault, agent: &Agent) -> Fault {
    fault
        .because(format!("{agent}: only a person confirms, so --yes and --confirm do not count"))
        .fix("run the command yourself, in a terminal of your own")
}

/// Passes a target's guard: by `--confirm`, else by a question on the terminal.
pub fn clear(
    target: Target,
    confirm: Option<&str>,
    driver: &Driver,
    out: Out,
) -> Result<Cleared, Fault> {
    clear_on(target, confirm, driver, out, Terminal::open)
}

/// Passes the guard of a target whose session is only renewed. What an agent may have of it holds all the same.
pub fn clear_renewal(target: &Target, driver: &Driver, out: Out) -> Result<Cleared, Fault> {
    let cleared = target.clone().clear(Confirmation::Renewal, driver);
    let cleared = cleared.map_err(|_| match driver.agent() {
        Some(agent) => target.refusal(agent),
        None => Fault::new(Exit::NeedsPerson, format!("{target} is guarded")),
    })?;
    warn_if_narrowed(&cleared, driver, out);
    Ok(cleared)
}

fn warn_if_narrowed(cleared: &Cleared, driver: &Driver, out: Out) {
    if let (true, Some(agent)) = (cleared.is_narrowed(), driver.agent()) {
        out.warn(&wording::narrowed(cleared.target(), agent));
    }
}

/// Passes a target's guard: by `--confirm`, else by a question on the terminal that `terminal` opens.
pub fn clear_on(
    target: Target,
    confirm: Option<&str>,
    driver: &Driver,
    out: Out,
    terminal: impl FnOnce() -> Option<Terminal>,
) -> Result<Cleared, Fault> {
    const ACCEPT: &str = "accept the change: sekisho config accept";
    let name = target.account.clone();
    let changes = target.changes();
    let guarded = |exit, what: String, fix: String| {
        let fault = Fault::new(exit, what).listing(changes.iter().cloned());
        if changes.is_empty() { fault.fix(fix) } else { fault.fix(ACCEPT).fix(format!("or {fix}")) }
    };
    let mismatch = || {
        let what = format!("{name} was not confirmed: another name was typed");
        guarded(Exit::Usage, what, "type the account's name, alias or id".to_owned())
    };
    let confirmation = confirm.map_or(Confirmation::Absent, Confirmation::Typed);
    match (target.clone().clear(confirmation, driver), driver.agent()) {
        (Ok(cleared), _) => {
            for line in wording::guard(&target).iter().chain(&changes) {
                out.warn(line);
            }
            warn_if_narrowed(&cleared, driver, out);
            return Ok(cleared);
        }
        (Err(Unconfirmed::Refused), Some(agent)) => return Err(target.refusal(agent)),
        (Err(Unconfirmed::Mismatch), _) => return Err(mismatch()),
        (Err(Unconfirmed::Missing | Unconfirmed::Refused), _) => {}
    }
    let (why, nobody) = if changes.is_empty() {
        ("is guarded", "is guarded, and there is no terminal to confirm on")
    } else {
        ("has changed", "has changed, and there is no terminal to confirm on")
    };
    let mut terminal = terminal().ok_or_else(|| {
        let what = format!("{name} {nobody}");
        if let Some(agent) = driver.agent() {
            return only_a_person_confirms(Fault::new(Exit::NeedsPerson, what), agent);
        }
        guarded(Exit::NeedsPerson, what, format!("add `--confirm {}`", shell_quoted(name.as_str())))
    })?;
    for line in &changes {
        terminal.show(&format!("sekisho: {}", sanitize(line)));
    }
    let typed =
        terminal.ask(&format!("sekisho: {name} {why}. Type its name to enter {target}: "))?;
    let cleared = target.clear(Confirmation::Typed(&typed), driver).map_err(|_| mismatch())?;
    warn_if_narrowed(&cleared, driver, out);
    Ok(cleared)
}

/// Shows a line until Enter is pressed, or a signal comes: that signal then.
pub async fn wait_for_enter(line: &str, ending: &mut Ending) -> Option<Signal> {
    let mut terminal = Terminal::open()?;
    // What was typed while something ran was not meant for this.
    terminal.discard_input();
    terminal.put(line);
    loop {
        tokio::select! {
            signal = ending.recv() => {
                terminal.show("");
                return Some(signal);
            }
            has_line = terminal.has_line() => if has_line.unwrap_or(true) {
                let _ = terminal.line(); // whatever it is
                return None;
            },
        }
    }
}

/// Whether an offer on the terminal is accepted; without a terminal it is not.
pub fn offer(question: &str) -> bool {
    Terminal::open().is_some() && confirm(question).is_ok()
}

/// Gets a pass by `issue`, with as many codes as it takes.
pub async fn pass(
    broker: &Broker,
    target: Cleared,
    terms: Terms,
    codes: &mut Codes,
    issue: impl AsyncFn(Request) -> Result<Pass, NotIssued>,
) -> Result<Pass, Fault> {
    let purpose = format!("to open {}", target.target());
    let asked = with_codes(broker, &purpose, codes, async |code| {
        issue(Request::new(target.clone(), terms).with_code(code)).await
    });
    let fault = match asked.await {
        Err(fault) if fault.exit == Exit::NeedsPerson => fault,
        asked => return asked,
    };
    // Nobody could be asked: what is live still serves.
    let terms = Terms { asking: Asking::Never, ..terms };
    match issue(Request::new(target, terms)).await {
        Ok(pass) => {
            let unrenewed = pass.unrenewed.is_some().then(|| fault.in_a_line());
            Ok(Pass { unrenewed, ..pass })
        }
        Err(_) => Err(fault),
    }
}

/// Signs in, with as many codes as it takes. Returns when the session, or the console sign-in, ends, UTC. `agents` is what an agent has of the
/// targets that it is for.
pub async fn sign_in(
    broker: &Broker,
    agents: Option<Allowance>,
    codes: &mut Codes,
) -> Result<Timestamp, Fault> {
    let asking = codes.asking();
    with_codes(broker, "to sign in", codes, async |code| {
        broker.sign_in(agents, code.as_ref(), asking).await
    })
    .await
}

/// Gets an auth session whose code is at most `age` old.
pub async fn fresh_session(
    broker: &Broker,
    age: SignedDuration,
    purpose: &str,
    codes: &mut Codes,
) -> Result<Credentials, Fault> {
    let asking = codes.asking();
    with_codes(broker, purpose, codes, async |code| {
        broker.fresh_session(age, code.as_ref(), asking).await
    })
    .await
}

/// Lists the organization's accounts.
pub async fn members(
    broker: &Broker,
    selection: &Selection,
    codes: &mut Codes,
) -> Result<Vec<Member>, Fault> {
    let asking = codes.asking();
    with_codes(broker, "to list the organization's accounts", codes, async |code| {
        broker.members(selection, code.as_ref(), asking).await
    })
    .await
}

/// Repeats a call with the next code for as long as a code is what it lacks.
async fn with_codes<T>(
    broker: &Broker,
    purpose: &str,
    codes: &mut Codes,
    call: impl AsyncFn(Option<(MfaSerial, MfaCode)>) -> Result<T, NotIssued>,
) -> Result<T, Fault> {
    let mut code = None;
    loop {
        match call(code.take()).await {
            Ok(answer) => return Ok(answer),
            Err(NotIssued::Code(wanted)) => {
                if codes.asks_a_person() {
                    broker.open_line();
                }
                code = codes.next(&wanted, purpose, &|| broker.is_overtaken()).await?;
            }
            Err(refusal) => return Err(refusal.into_fault()),
        }
    }
}

/// Asks for the key file's passphrase, without echo.
pub fn passphrase(which: Passphrase) -> Result<Secret, Fault> {
    let mut terminal = Terminal::open().ok_or_else(|| {
        Fault::new(
            Exit::NeedsPerson,
            "the key file's passphrase is needed, and there is no terminal to ask on",
        )
        .fix("run `sekisho login` in a terminal first")
    })?;
    match which {
        Passphrase::Existing => {
            return terminal.ask_hidden("passphrase of the access key's file: ");
        }
        Passphrase::New => {}
        Passphrase::Another(weakness) => {
            terminal.show(&format!("sekisho: this one is easily guessed: {weakness}"));
            terminal.show("         use another one, or insist on it: --weak-passphrase");
        }
    }
    loop {
        let first = terminal.ask_hidden("new passphrase for the access key's file: ")?;
        let again = terminal.ask_hidden("repeat the passphrase: ")?;
        if again.same_as(&first) {
            return Ok(first);
        }
        terminal.show("sekisho: the passphrases differ");
    }
}
