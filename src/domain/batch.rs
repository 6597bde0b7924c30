//! One command in many targets: what became of each, and of all.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fault::Exit;
use super::ids::RoleArn;

/// The version of the report's form.
pub const SCHEMA: u32 = 1;

/// What `each --json` prints and `--retry-failed` reads. Fields may be added; none is renamed or removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`]
    pub schema: u32,
    /// RFC 3339, UTC.
    pub started: Timestamp,
    /// RFC 3339, UTC.
    pub ended: Timestamp,
    /// Whether a signal ended it before every target had its turn.
    pub interrupted: bool,
    /// In the order in which they ended; those that had no turn are last.
    pub targets: Vec<Done>,
    /// Selected, but not entered.
    pub left_out: Vec<LeftOut>,
}

/// A target and what became of the command there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// `account/role`
    pub target: String,
    /// The role that was assumed.
    pub role_arn: RoleArn,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// From the request for the session to the end of the command.
    pub seconds: f64,
}

/// How a command ended in one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It ran.
    Ran {
        /// Its exit code; 128 + N where signal N ended it.
        exit: u8,
        /// The last line that it wrote to stderr, if any, without control characters.
        last_stderr: Option<String>,
    },
    /// It was not run.
    Failed {
        /// The exit code that `exec` would have had.
        exit: u8,
        /// Why, in one line.
        error: String,
    },
    /// It had no turn.
    NotStarted,
}

/// A selected target that is not entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// `account/role`, or the account where no role is meant.
    pub target: String,
    /// In one line.
    pub reason: String,
}

impl Outcome {
    /// Whether the command ran and succeeded.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Ran { exit: 0, .. })
    }

    /// Its exit code; `None` where there was no turn.
    pub fn exit(&self) -> Option<u8> {
        match self {
            Self::Ran { exit, .. } | Self::Failed { exit, .. } => Some(*exit),
            Self::NotStarted => None,
        }
    }

    /// Why it failed, or the last thing that it said.
    pub fn reason(&self) -> &str {
        match self {
            Self::Ran { exit: 0, .. } => "",
            Self::Ran { last_stderr, .. } => last_stderr.as_deref().unwrap_or_default(),
            Self::Failed { error, .. } => error,
            Self::NotStarted => "not started",
        }
    }
}

impl Report {
    /// How the whole ends: 0 if all succeeded, else the highest code; 130 where it was interrupted.
    pub fn exit(&self) -> Exit {
        if self.interrupted {
            return Exit::Cancelled;
        }
        match self.targets.iter().filter_map(|done| done.outcome.exit()).max() {
            None | Some(0) => Exit::Done,
            Some(code) => Exit::Child(code),
        }
    }

    /// Those that did not succeed.
    pub fn failed(&self) -> impl Iterator<Item = &Done> {
        self.targets.iter().filter(|done| !done.outcome.is_success())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcomes: &[Outcome]) -> Report {
        let done = |outcome: &Outcome| Done {
            target: "dev-1/Developer".into(),
            role_arn: "arn:aws:iam::222222222222:role/Developer".parse().unwrap(),
            outcome: outcome.clone(),
            seconds: 1.5,
        };
        Report {
            schema: SCHEMA,
            started: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            interrupted: false,
            targets: outcomes.iter().map(done).collect(),
            left_out: Vec::new(),
        }
    }

    #[test]
    fn the_highest_code_is_the_whole_ones() {
        let ran = |exit| Outcome::Ran { exit, last_stderr: None };
        let failed = Outcome::Failed { exit: 3, error: "refused".into() };
        assert_eq!(report(&[ran(0), ran(0)]).exit(), Exit::Done);
        assert_eq!(report(&[ran(0), failed.clone(), ran(2)]).exit(), Exit::Child(3));
        assert_eq!(report(&[ran(0), failed, ran(137), ran(1)]).exit(), Exit::Child(137));
        let interrupted = Report { interrupted: true, ..report(&[ran(0), Outcome::NotStarted]) };
        assert_eq!(interrupted.exit(), Exit::Cancelled);
        assert_eq!(interrupted.failed().count(), 1);
    }

    #[test]
    fn a_report_is_read_back() {
        let whole = report(&[
            Outcome::Ran { exit: 1, last_stderr: Some("no".into()) },
            Outcome::Failed { exit: 4, error: "a code is needed".into() },
            Outcome::NotStarted,
        ]);
        let text = serde_json::to_string(&whole).unwrap();
        assert!(text.contains(r#""outcome":"ran","exit":1,"last_stderr":"no""#), "{text}");
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), whole);
    }
}
