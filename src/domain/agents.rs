//! Who runs this command: a person, or an AI agent that has set one of the variables below; and what the config lets
//! agents have.
//!
//! It prevents accidents and is no security boundary: variables can be unset, and a program that sets none passes for a person.

use serde::{Deserialize, Serialize};

use super::guard::Guard;
use super::text::sanitize;

/// Says who drives, whatever else is set: `0` is a person, anything else the name of an agent.
pub const OVERRIDE: &str = "SEKISHO_AGENT";

/// The most characters of a name that a variable gives.
const MAX_NAME_LENGTH: usize = 40;

/// A variable that an agent sets for the commands it runs.
#[derive(Debug, Clone, Copy)]
pub struct Marker {
    /// Its name.
    pub variable: &'static str,
    /// Which of its values count.
    pub when: When,
    /// The agent; its own value names it where this is `None`.
    pub agent: Option<&'static str>,
}

/// Which values of a marker count. Empty, `0` and `false` never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Any.
    Set,
    /// One of these: other programs use the variable, too.
    OneOf(&'static [&'static str]),
    /// Those that contain this.
    Contains(&'static str),
}

/// The variables that the agents' makers document, or set in their published source; the first that is set names the agent.
/// Variables that a person's own terminal has as well (`CURSOR_TRACE_ID`, `TERM_PROGRAM`) are left out.
///
/// Most are in AWS's own table: <https://github.com/aws/aws-cli/pull/10485>.
pub const MARKERS: [Marker; 21] = [
    by("CLAUDECODE", "Claude Code"), // code.claude.com/docs/en/env-vars
    by("CODEX_THREAD_ID", "Codex"),  // openai/codex, exec_env
    by("CODEX_CI", "Codex"),         // the same
    by("CODEX_SANDBOX", "Codex"),    // the same; macOS
    by("GEMINI_CLI", "Gemini CLI"),  // gemini-cli, docs/tools/shell.md
    by("KIRO_SESSION_ID", "Kiro"),   // AWS's table
    by("OPENCODE", "opencode"),      // AWS's table
    by("ANTIGRAVITY_AGENT", "Antigravity"), // AWS's table
    by("AMP_CURRENT_THREAD_ID", "Amp"), // AWS's table
    by("PI_CODING_AGENT", "pi"),     // AWS's table
    by("COPILOT_CLI", "GitHub Copilot"), // AWS's table
    by("COPILOT_AGENT", "GitHub Copilot"), // microsoft/vscode, pull request 316267
    by("CURSOR_AGENT", "Cursor"),    // AWS's table
    by("CLINE_ACTIVE", "Cline"),     // Cline's documentation of terminal pagers
    by("GOOSE_TERMINAL", "goose"),   // block/goose, pull request 7017
    by("QWEN_CODE", "Qwen Code"),    // qwen-code, shell execution service
    by("CRUSH", "Crush"),            // charmbracelet/crush, CrushEnvMarkers
    by("AUGMENT_AGENT", "Auggie"),   // docs.augmentcode.com, CLI reference
    Marker {
        variable: "AWS_EXECUTION_ENV", // amazon-q-developer-cli, pull request 1417
        when: When::Contains("AmazonQ-For-CLI"),
        agent: Some("Amazon Q"),
    },
    Marker { variable: "AI_AGENT", when: When::Set, agent: None }, // across vendors
    // agentsmd/agents.md, issue 136: across vendors, but CI systems use the name as well.
    Marker { variable: "AGENT", when: When::OneOf(&["amp", "crush", "goose"]), agent: None },
];

const fn by(variable: &'static str, agent: &'static str) -> Marker {
    Marker { variable, when: When::Set, agent: Some(agent) }
}

/// Who runs this command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Driver {
    /// A person, as far as the variables say.
    #[default]
    Person,
    /// An AI agent.
    Agent(Agent),
}

/// An AI agent, and how it was recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// What it is called; it may be any text of the environment, but printable.
    pub name: String,
    /// The variable that says so.
    pub variable: &'static str,
}

impl Driver {
    /// Who drives, by the variables of an environment. One pass, and nothing is allocated for a person.
    pub fn of<'e>(environment: impl Iterator<Item = (&'e [u8], &'e [u8])>) -> Self {
        let mut found: Option<(usize, &[u8])> = None;
        for (name, value) in environment {
            if name == OVERRIDE.as_bytes() && !value.is_empty() {
                return match value {
                    b"0" => Self::Person,
                    name => Self::Agent(Agent { name: named_by(name), variable: OVERRIDE }),
                };
            }
            let before = found.map_or(MARKERS.len(), |(at, _)| at);
            let at = MARKERS[..before].iter().position(|marker| marker.is(name, value));
            found = at.map(|at| (at, value)).or(found);
        }
        found.map_or(Self::Person, |(at, value)| {
            let marker = &MARKERS[at];
            let name = marker.agent.map_or_else(|| named_by(value), str::to_owned);
            Self::Agent(Agent { name, variable: marker.variable })
        })
    }

    /// The agent, if it is one.
    pub fn agent(&self) -> Option<&Agent> {
        match self {
            Self::Person => None,
            Self::Agent(agent) => Some(agent),
        }
    }

    /// What is left of what agents are allowed; a person has everything.
    pub fn has(&self, agents: Allowance) -> Allowance {
        match self {
            Self::Person => Allowance::Full,
            Self::Agent(_) => agents,
        }
    }
}

impl std::fmt::Display for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} runs this command ({} is set)", self.name, self.variable)
    }
}

impl Marker {
    fn is(&self, name: &[u8], value: &[u8]) -> bool {
        // The lengths differ for nearly every pair.
        name.len() == self.variable.len()
            && name == self.variable.as_bytes()
            && !matches!(value, b"" | b"0" | b"false")
            && match self.when {
                When::Set => true,
                When::OneOf(values) => values.iter().any(|one| one.as_bytes() == value),
                When::Contains(part) => {
                    value.windows(part.len()).any(|window| window == part.as_bytes())
                }
            }
    }
}

/// A name as a variable gives it; flags are none.
fn named_by(value: &[u8]) -> String {
    match value {
        b"1" | b"true" => "an AI agent".to_owned(),
        value => sanitize(&String::from_utf8_lossy(value)).chars().take(MAX_NAME_LENGTH).collect(),
    }
}

/// What an agent gets of a target. The stricter is the greater.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Allowance {
    /// The same as a person.
    #[default]
    Full,
    /// A session in the read-only scope.
    ReadOnly,
    /// Nothing.
    Refuse,
}

impl Allowance {
    /// All of them, the least strict first.
    pub const ALL: [Self; 3] = [Self::Full, Self::ReadOnly, Self::Refuse];

    /// The word in a config.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Refuse => "refuse",
        }
    }

    /// What agents get where the config says nothing about them.
    const fn behind(guard: Guard) -> Self {
        match guard {
            Guard::None => Self::Full,
            Guard::Warn => Self::ReadOnly,
            Guard::Confirm => Self::Refuse,
        }
    }
}

/// What the files of a config say about agents, for one role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AgentRule {
    /// The main file's word: in place of what follows from the guard.
    pub own: Option<Allowance>,
    /// The included files' word: it only makes it stricter.
    pub least: Allowance,
}

impl AgentRule {
    /// What agents get under a guard.
    pub fn under(self, guard: Guard) -> Allowance {
        self.own.unwrap_or(Allowance::behind(guard)).max(self.least)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn driver(environment: &[(&str, &str)]) -> Driver {
        Driver::of(environment.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
    }

    fn agent(name: &str, variable: &'static str) -> Driver {
        Driver::Agent(Agent { name: name.to_owned(), variable })
    }

    #[test]
    fn every_marker_names_its_agent() {
        for marker in &MARKERS {
            let value = match marker.when {
                When::Set => "x1",
                When::OneOf(values) => values[0],
                When::Contains(_) => "CLI AmazonQ-For-CLI Version/1.0",
            };
            let found = driver(&[("PATH", "/bin"), (marker.variable, value), ("HOME", "/root")]);
            assert_eq!(found, agent(marker.agent.unwrap_or(value), marker.variable));
            for unset in ["", "0", "false"] {
                assert_eq!(driver(&[(marker.variable, unset)]), Driver::Person, "{marker:?}");
            }
        }
        let mut names: Vec<&str> = MARKERS.iter().map(|marker| marker.variable).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MARKERS.len());
    }

    #[test]
    fn other_values_and_other_names_are_a_persons() {
        for set in [
            ("AGENT", "ci-runner-7"),
            ("AGENT", "1"),
            ("AWS_EXECUTION_ENV", "CloudShell"),
            ("CURSOR_TRACE_ID", "x"),
            ("TERM_PROGRAM", "vscode"),
            ("claudecode", "1"),
            ("XCLAUDECODE", "1"),
        ] {
            assert_eq!(driver(&[set]), Driver::Person, "{set:?}");
        }
    }

    #[test]
    fn the_override_comes_first_and_the_table_orders_the_rest() {
        let marks = [("AI_AGENT", "claude-code_2_agent"), ("CLAUDECODE", "1")];
        assert_eq!(driver(&marks), agent("Claude Code", "CLAUDECODE"));
        assert_eq!(driver(&marks[..1]), agent("claude-code_2_agent", "AI_AGENT"));
        let with = |value| driver(&[marks[1], (OVERRIDE, value)]);
        assert_eq!(with("0"), Driver::Person);
        assert_eq!(with(""), agent("Claude Code", "CLAUDECODE"));
        assert_eq!(with("my\u{1b}bot"), agent("my␛bot", OVERRIDE));
        assert_eq!(with("1"), agent("an AI agent", OVERRIDE));
        assert_eq!(driver(&[(OVERRIDE, &"x".repeat(999))]), agent(&"x".repeat(40), OVERRIDE));
    }

    #[test]
    fn the_main_file_decides_and_included_ones_only_tighten() {
        use Allowance::{Full, ReadOnly, Refuse};
        let rule = |own, least| AgentRule { own, least };
        for (rule, plain, warned, confirmed) in [
            (rule(None, Full), Full, ReadOnly, Refuse),
            (rule(None, ReadOnly), ReadOnly, ReadOnly, Refuse),
            (rule(None, Refuse), Refuse, Refuse, Refuse),
            (rule(Some(Full), Full), Full, Full, Full),
            (rule(Some(ReadOnly), Full), ReadOnly, ReadOnly, ReadOnly),
            (rule(Some(Full), ReadOnly), ReadOnly, ReadOnly, ReadOnly),
        ] {
            let under = [Guard::None, Guard::Warn, Guard::Confirm].map(|guard| rule.under(guard));
            assert_eq!(under, [plain, warned, confirmed], "{rule:?}");
        }
    }
}
