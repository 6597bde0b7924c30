//! The switcher's state and what follows from it, the messages it gets, the effects it asks for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::field::{Digits, Field, Hidden};
use super::layout::{Heights, Widest};
use super::theme::Theme;
use crate::domain::account::{Catalog, Overrides, Target, TargetRef};
use crate::domain::agents::Driver;
use crate::domain::config::Order;
use crate::domain::confirmation::{Cleared, Unconfirmed};
use crate::domain::fault::Fault;
use crate::domain::guard::Guard;
use crate::domain::history::{History, HistoryEvent};
use crate::domain::ids::{AccountId, MfaSerial, RoleArn};
use crate::domain::keymap::{Key, Keymap};
use crate::domain::local_clock::LocalClock;
use crate::domain::pass::{CodeDevice, CodeWanted, Live, NotIssued, Pass, Request, SessionStatus};
use crate::domain::scope::Scope;
use crate::domain::search::Search;
use crate::domain::secret::Secret;
use crate::domain::verdict::report::VerifiedMark;

/// Settings that stay the same while the switcher is open.
pub struct SwitcherSetup {
    /// The account with the IAM users; unknown until the config is read.
    pub auth_account: Option<AccountId>,
    /// What traffic to AWS passes through: a non-AWS endpoint, a proxy, a custom CA.
    pub detours: Vec<String>,
    /// Further warnings, one line each: faults in included files.
    pub warnings: Vec<String>,
    /// How many of sekisho's subshells this one is in.
    pub depth: u32,
    /// The filter that the list opens with, unless another is given or typed.
    pub query: String,
    /// Whether the mouse's wheel and clicks are for the list.
    pub mouse: bool,
    /// The row whose session the surrounding shell has.
    pub here: Option<TargetRef>,
    /// What Enter does.
    pub enters: Enters,
    /// The command that `^Y` completes, e.g. `sekisho --config x.yaml exec`, shell-quoted.
    pub exec: String,
    /// Who runs this command.
    pub driver: Driver,
    /// What the command line changes about every target.
    pub overrides: Overrides,
    /// Which key does what.
    pub keymap: Keymap,
    /// The order of rows that match equally.
    pub order: Order,
    /// What `verify` last found, by account.
    pub verified: BTreeMap<AccountId, VerifiedMark>,
    /// Colours and glyphs.
    pub theme: Theme,
    /// What times are shown by.
    pub clock: LocalClock,
}

/// What choosing a row leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enters {
    /// A subshell opens in the account.
    Subshell,
    /// The shell that asked gets the account.
    ThisShell,
    /// The account's environment is printed.
    Printed,
    /// A command runs in the account.
    Command,
    /// The account's console opens.
    Console,
}

impl Enters {
    /// The word in the footer, and the line in the help.
    pub const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Subshell => ("shell", "open a subshell in the account"),
            Self::ThisShell => ("switch", "switch this shell to the account"),
            Self::Printed => ("print", "print the account's environment"),
            Self::Command => ("run", "run the command in the account"),
            Self::Console => ("console", "open the account's console"),
        }
    }
}

/// The switcher's whole state. Its owner keeps it between two subshells, so that the list comes back
/// where it was.
pub struct Model {
    pub(super) setup: SwitcherSetup,
    pub(super) history: History,
    pub(super) search: Search,
    pub(super) widest: Widest,
    pub(super) filter: Field,
    /// The query that may have been meant, where nothing matches.
    pub(super) offer: Offer,
    /// The position of the row under the cursor among those that match; none where only guarded rows
    /// could be preselected.
    pub(super) cursor: Option<usize>,
    /// The position of the first row on the screen.
    pub(super) top: usize,
    /// The rows that are marked for a command, those that the filter hides too.
    pub(super) marked: BTreeSet<TargetRef>,
    /// What `^T` chose, by row.
    pub(super) scopes: HashMap<TargetRef, Scope>,
    pub(super) status: SessionStatus,
    pub(super) now: Timestamp,
    /// The window's columns and lines.
    pub(super) size: (u16, u16),
    /// A message in the footer's place until the next key.
    pub(super) notice: Option<String>,
    /// When the sixth digit submitted a code: an Enter right after it is ignored.
    pub(super) submitted: Option<Timestamp>,
    /// Whether a key was pressed since the list opened.
    pub(super) typed: bool,
    pub(super) mode: Mode,
}

/// What the keys go to: focus, modal and loading flag at once.
pub enum Mode {
    /// The catalog is being loaded, for the first time or again.
    Loading {
        /// Since when.
        since: Timestamp,
        /// What is shown over the list once it is there.
        then: Option<Fault>,
    },
    /// The list has the keys.
    Browse,
    /// A guarded target wants its name typed.
    Confirm {
        /// The target under its guard.
        target: Target,
        /// What happens once it is confirmed.
        intent: Intent,
        /// What is typed.
        field: Field,
        /// Why the last input was not accepted.
        refused: Option<Unconfirmed>,
    },
    /// The passphrase of the sealed key file is wanted.
    Passphrase {
        /// What the key is for.
        switch: SwitchRequest,
        /// What is typed.
        typed: Hidden,
        /// Why the last input was not accepted.
        refused: Option<Fault>,
    },
    /// A code is needed.
    Code(CodeBox),
    /// A command line for the marked targets is wanted.
    Run(RunBox),
    /// A request is pending. The loop holds a future if and only if this or `Loading` is the mode.
    Waiting {
        /// The switch that waits for it.
        switch: SwitchRequest,
        /// The device whose code went with it.
        device: Option<MfaSerial>,
        /// Since when.
        since: Timestamp,
        /// What the host reports about its progress.
        news: Option<String>,
    },
    /// A failure is shown until Enter or Esc.
    Fault {
        /// What failed.
        fault: Fault,
        /// What can be tried again.
        retry: Option<Retry>,
        /// The first line shown.
        top: u16,
    },
    /// No browser fetched the console's sign-in URL: it may be copied instead. It is never drawn.
    SignIn {
        /// Whose console it is.
        target: Target,
        /// Why no browser did.
        fault: Fault,
        /// Signs in whoever has it.
        url: Secret,
        /// The first line shown.
        top: u16,
    },
    /// The key help.
    Help {
        /// What is under the help.
        back: Box<Mode>,
        /// The first line shown.
        top: u16,
    },
}

/// What failed, and can be tried again.
pub enum Retry {
    /// A switch.
    Switch(Box<SwitchRequest>),
    /// Reading the config.
    Load,
}

/// What a pass is requested for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// To enter the account.
    Enter(OpenIn),
    /// To replace the session (`^R`).
    Renew,
}

/// The query that may have been meant. Looked for when the keys pause: it costs more than a keystroke may.
#[derive(Debug, Default)]
pub enum Offer {
    /// Not looked for yet.
    #[default]
    Pending,
    /// What was found.
    Made(Option<String>),
}

/// Where an account is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenIn {
    /// A subshell with the session in its environment.
    Shell,
    /// The web console, in a browser.
    Console,
}

/// A switch to a target whose guard was passed.
#[derive(Debug, Clone)]
pub struct SwitchRequest {
    /// The target, its guard passed.
    pub target: Cleared,
    /// What the pass is requested for.
    pub intent: Intent,
}

/// The state of the code box.
pub struct CodeBox {
    /// What the code is for.
    pub switch: SwitchRequest,
    /// Who is asked, and why again.
    pub wanted: CodeWanted,
    /// Which of the devices.
    pub device: usize,
    /// What is typed.
    pub digits: Digits,
    /// Why a paste was not taken.
    pub hint: Option<&'static str>,
    /// The code the device shows now; known in the demo only.
    pub shown: Option<DeviceCode>,
}

impl CodeBox {
    /// The device whose code is asked for.
    pub fn device(&self) -> Option<&CodeDevice> {
        self.wanted.devices.get(self.device)
    }
}

/// The state of the box for a command line.
pub struct RunBox {
    /// Where it would run.
    pub targets: Vec<Cleared>,
    /// Marked, but not entered without more than an Enter, and why.
    pub left_out: Vec<(Target, Unconfirmed)>,
    /// What is typed.
    pub line: Field,
    /// A guarded account's name, while that is typed in the line's place.
    pub name: Option<Field>,
    /// The names that were typed, each of an account that was left out before.
    pub confirmed: Vec<String>,
    /// The first of the targets shown.
    pub top: usize,
    /// When the last key or text came that was no Enter, or an Enter that did not count.
    pub typed: Option<Timestamp>,
    /// Why nothing was run.
    pub hint: Option<&'static str>,
}

/// A command line for the marked targets.
pub struct MarkedRun {
    /// Where it runs, their guards passed.
    pub targets: Vec<Cleared>,
    /// Marked, but not entered, and why.
    pub left_out: Vec<(Target, Unconfirmed)>,
    /// What the person's shell runs.
    pub line: String,
}

/// The code that a device shows right now. Only the demo knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCode(pub String);

/// An input of [`update`](super::update).
pub enum Msg {
    /// The switcher opens, for the first time or again.
    Opened {
        /// The window's columns and lines.
        size: (u16, u16),
    },
    /// A key went down.
    Key(Key),
    /// Text was pasted.
    Pasted(String),
    /// The mouse did something.
    Mouse(Mouse),
    /// The window has other columns and lines.
    Resized(u16, u16),
    /// A text on the screen, such as a countdown, may have changed.
    Tick,
    /// The code that is asked for is no longer needed here.
    Overtaken,
    /// The live sessions changed, or may have.
    StatusChanged(SessionStatus),
    /// Loading the catalog succeeded or failed.
    Loaded(Result<Box<(SwitcherSetup, Arc<Catalog>)>, Fault>),
    /// The request was answered.
    Issued(Box<Result<Pass, NotIssued>>),
}

/// What the mouse does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mouse {
    /// The wheel turned away.
    Up,
    /// The wheel turned towards the person.
    Down,
    /// The left button went down on this line.
    Click {
        /// Counted from 0, from the top.
        line: u16,
    },
}

/// What the loop has to do after an update.
pub enum Effect {
    /// Nothing to do but draw.
    None,
    /// Load the config's accounts.
    Load,
    /// Ask for a pass.
    Ask(Request),
    /// Ask for the code here, although another process asks for it.
    AskHere,
    /// Give up the code that was asked for, so that another process may ask.
    GiveUp,
    /// Forget a role session.
    Forget(Target),
    /// Write an event to the history.
    Remember(RoleArn, HistoryEvent),
    /// Put text into the terminal's clipboard.
    Copy(String),
    /// The same for a URL that signs in whoever has it.
    CopyUrl(Secret),
    /// Stop, as a job of the shell.
    Suspend,
    /// Close the switcher.
    Leave(Outcome),
}

/// How the switcher was left.
pub enum Outcome {
    /// With Esc, or ^D on an empty filter.
    Quit,
    /// Interrupted (`^C`): exit 130.
    Cancelled,
    /// The catalog could not be loaded.
    Failed(Fault),
    /// An account was chosen and its pass issued.
    Enter(OpenIn, Box<Pass>),
    /// A command line was given for the marked targets.
    Run(MarkedRun),
    /// A signal (TERM, HUP, INT) ended it: exit 128 + its number.
    Signalled(u8),
}

impl Model {
    /// A switcher without accounts yet: it first loads them, together with the setup that replaces this
    /// one.
    ///
    /// `query` is the list's first filter.
    pub fn new(setup: SwitcherSetup, history: History, query: &str) -> Self {
        Self {
            search: Search::new(Arc::default(), &[]),
            widest: Widest::default(),
            filter: Field::new(query),
            offer: Offer::default(),
            cursor: None,
            top: 0,
            marked: BTreeSet::new(),
            scopes: HashMap::new(),
            status: SessionStatus::default(),
            now: Timestamp::UNIX_EPOCH,
            size: (0, 0),
            notice: None,
            submitted: None,
            typed: false,
            mode: Mode::Loading { since: Timestamp::UNIX_EPOCH, then: None },
            setup,
            history,
        }
    }

    /// The same, with the accounts already there, and `now` for what was used lately.
    #[must_use]
    pub fn with_catalog(mut self, catalog: Arc<Catalog>, now: Timestamp) -> Self {
        self.now = now;
        if self.filter.text().is_empty() {
            self.filter = self.first_filter();
        }
        self.load(catalog);
        self
    }

    /// Loads the accounts and the setup anew when the switcher opens next: they may have changed.
    pub fn load_again(&mut self) {
        self.mode = Mode::Loading { since: self.now, then: None };
    }

    /// Shows a message in the footer's place until the next key, e.g. how the subshell ended.
    pub fn say(&mut self, notice: impl Into<String>) {
        self.notice = Some(notice.into());
    }

    /// Offers a console's sign-in URL when the switcher opens next; the fault says why no browser has it.
    pub fn offer_url(&mut self, target: Target, fault: Fault, url: Secret) {
        self.mode = Mode::SignIn { target, fault, url, top: 0 };
    }

    /// Whether a request or the catalog is pending: the loop holds a future then, and only then.
    pub fn is_waiting(&self) -> bool {
        matches!(self.mode, Mode::Loading { .. } | Mode::Waiting { .. })
    }

    /// Whether a request is to be expected: a code is typed, or a name while an auth session lives.
    pub(super) fn will_ask(&self) -> bool {
        match self.mode {
            Mode::Code(_) => true,
            Mode::Browse => {
                let signed_in = self.status.auth.as_ref();
                self.typed && signed_in.is_some_and(|auth| auth.expires > self.now)
            }
            _ => false,
        }
    }

    /// Whether nothing matches, and nothing is offered in its place yet.
    pub(super) fn owes_an_offer(&self) -> bool {
        matches!((&self.mode, &self.offer), (Mode::Browse, Offer::Pending))
            && self.search.is_empty()
            && self.search.total() > 0
    }

    /// The row under the cursor.
    pub fn selected(&self) -> Option<TargetRef> {
        self.search.hit(self.cursor?)
    }

    pub(super) fn heights(&self) -> Heights {
        Heights::of(self.size.1, self.lines_to_warn().count())
    }

    /// The warnings under the header.
    pub(super) fn lines_to_warn(&self) -> impl Iterator<Item = &str> {
        let setup = &self.setup;
        setup.detours.iter().chain(&setup.warnings).map(String::as_str)
    }

    /// The rows on the screen.
    pub(super) fn visible(&self) -> impl Iterator<Item = TargetRef> + '_ {
        let end = self.top + usize::from(self.heights().list);
        (self.top..end).map_while(|at| self.search.hit(at))
    }

    /// A row's live session.
    pub(super) fn live(&self, row: TargetRef) -> Option<Live> {
        if self.status.roles.is_empty() {
            return None;
        }
        let arn = self.search.catalog().role_arn(row);
        let live = self.status.roles.get(&arn).copied();
        live.filter(|live| live.expires > self.now)
    }

    /// The stricter of the account's and the role's guard.
    pub(super) fn guard(&self, row: TargetRef) -> Guard {
        let (account, role) = self.search.catalog().row(row);
        account.guard.max(role.guard)
    }

    /// The scope a row would be entered in.
    pub(super) fn scope(&self, row: TargetRef) -> Scope {
        let own = self.search.catalog().row(row).1.session.scope;
        let given = self.setup.overrides.scope;
        self.scopes.get(&row).copied().or(given).unwrap_or(own)
    }

    /// Everything decided about a row.
    pub(super) fn target(&self, row: TargetRef) -> Target {
        let overrides = Overrides { scope: Some(self.scope(row)), ..self.setup.overrides.clone() };
        self.search.catalog().resolve(row, &overrides)
    }

    /// The command that does what Enter on a row does, up to its own arguments.
    pub(super) fn command(&self, row: TargetRef) -> String {
        let target = self.target(row);
        let mut words = vec![self.setup.exec.clone()];
        if let Some(scope) = self.scopes.get(&row) {
            words.push(format!("--scope {}", scope.name()));
        }
        let name = target.name();
        let quoted = shlex::try_quote(&name).map_or_else(|_| target.id.to_string(), Into::into);
        words.push(quoted);
        words.push("--".to_owned());
        words.join(" ")
    }
}
