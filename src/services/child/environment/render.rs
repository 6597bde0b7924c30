//! The environment as text that a shell evaluates or a program parses.

use std::fmt::Write;

use zeroize::Zeroizing;

use super::{Environment, Value};
use crate::domain::secret::Secret;

/// A shell language that `env` can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// `eval "$(sekisho env …)"`
    Bash,
    /// `eval "$(sekisho env …)"`
    Zsh,
    /// `sekisho env … | source`
    Fish,
    /// `sekisho env … | Invoke-Expression`
    PowerShell,
    /// A script for `source`; without a file: `sekisho env … --format json | from json | load-env`
    Nu,
}

impl Syntax {
    /// All of them, in the order that help lists them.
    pub const ALL: [Self; 5] = [Self::Bash, Self::Zsh, Self::Fish, Self::PowerShell, Self::Nu];

    /// The name in `--shell`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::PowerShell => "powershell",
            Self::Nu => "nu",
        }
    }
}

/// The output format of `env`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Shell code: unsets, then sets.
    Export(Syntax),
    /// A JSON object of what is set.
    Json,
    /// `NAME=value` lines of what is set.
    Dotenv,
    /// What the shell hooks read. No code: a shell's traps and traces see every command that it evaluates.
    Records,
}

/// Ends a record of [`Form::Records`]; one stands before the first, too.
const RECORD_END: char = '\u{1E}';
/// Stands between the name and the value of one.
const VALUE_FOLLOWS: char = '\u{1F}';

/// Whether secrets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Masking {
    /// For a pipe.
    Shown,
    /// For a terminal.
    Masked,
}

/// Shown in place of a secret on a terminal.
const MASK: &str = "********";

impl Environment {
    /// The environment as text, ending in a newline. Secret, unless masked.
    pub fn render(&self, form: Form, masking: Masking) -> Secret {
        let set: Vec<(&str, &str)> = self
            .set
            .iter()
            .filter(|variable| is_identifier(&variable.name))
            .map(|variable| {
                let value = match (&variable.value, masking) {
                    (Value::Hidden(_), Masking::Masked) => MASK,
                    (value, _) => value.expose(),
                };
                (variable.name.as_str(), value)
            })
            .collect();
        let remove: Vec<&str> =
            self.remove.iter().map(String::as_str).filter(|name| is_identifier(name)).collect();
        // Quoting makes at most six bytes of one, so the text is never reallocated, which would leave an unwiped copy.
        let most = set.iter().map(|(name, value)| name.len() + 6 * value.len() + 32).sum::<usize>();
        let mut text = Zeroizing::new(String::with_capacity(most + 64 * remove.len() + 256));
        match form {
            Form::Export(syntax) => {
                syntax.unset(&mut text, &remove);
                for (name, value) in set {
                    syntax.export(&mut text, name, value);
                }
            }
            Form::Json => json(&mut text, &set),
            Form::Dotenv => {
                for (name, value) in set {
                    dotenv(&mut text, name, value);
                }
            }
            Form::Records => records(&mut text, &remove, &set),
        }
        Secret::new(std::mem::take(&mut text))
    }
}

/// Names from the inherited environment may contain anything; only these are valid in every shell.
fn is_identifier(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl Syntax {
    fn unset(self, out: &mut String, names: &[&str]) {
        if names.is_empty() {
            return;
        }
        let joined = names.join(" ");
        match self {
            Self::Bash | Self::Zsh => add(out, format_args!("unset {joined};\n")),
            // Without `-g`, a universal variable would be erased permanently, in every shell of the user.
            Self::Fish => add(out, format_args!("set -eg {joined}; or true;\n")),
            Self::PowerShell => {
                for name in names {
                    add(out, format_args!("$env:{name} = $null\n"));
                }
            }
            Self::Nu => add(out, format_args!("hide-env --ignore-errors {joined}\n")),
        }
    }

    fn export(self, out: &mut String, name: &str, value: &str) {
        let (before, after) = match self {
            Self::Bash | Self::Zsh => ("export ", "="),
            Self::Fish => ("set -gx ", " "),
            Self::PowerShell => ("$env:", " = "),
            Self::Nu => ("$env.", " = "),
        };
        add(out, format_args!("{before}{name}{after}"));
        match self {
            Self::Bash | Self::Zsh => posix(out, value),
            Self::Fish => fish(out, value),
            Self::PowerShell => powershell(out, value),
            Self::Nu => double_quoted(out, value, nu_escape),
        }
        // Without a newline between them, too: `eval $(sekisho env …)`, `eval (sekisho env …)`.
        out.push_str(match self {
            Self::Bash | Self::Zsh | Self::Fish => ";\n",
            Self::PowerShell | Self::Nu => "\n",
        });
    }
}

/// Writing to a `String` cannot fail.
fn add(out: &mut String, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// Single quotes: only the quote itself needs escaping. Of several blanks only the first is in them, because
/// `eval $(sekisho env …)` splits the text at blanks and joins it with one each.
fn posix(out: &mut String, value: &str) {
    out.push('\'');
    let mut before = None;
    for c in value.chars() {
        match c {
            '\'' => out.push_str(r"'\''"),
            ' ' if before == Some(' ') => out.push_str(r"'\ '"),
            c => out.push(c),
        }
        before = Some(c);
    }
    out.push('\'');
}

/// Single quotes with two escapes. Line ends go outside them, escaped: `eval (sekisho env …)` joins lines with spaces.
fn fish(out: &mut String, value: &str) {
    out.push('\'');
    for c in value.chars() {
        match c {
            '\'' => out.push_str(r"\'"),
            '\\' => out.push_str(r"\\"),
            '\n' => out.push_str(r"'\n'"),
            '\r' => out.push_str(r"'\r'"),
            c => out.push(c),
        }
    }
    out.push('\'');
}

/// Single quotes with quotes doubled; PowerShell treats typographic quotes as quotes too. Line ends are concatenated,
/// since `| Invoke-Expression` evaluates the output line by line.
fn powershell(out: &mut String, value: &str) {
    out.push('\'');
    for c in value.chars() {
        match c {
            '\'' | '\u{2018}'..='\u{201B}' => out.extend([c, c]),
            '\n' => out.push_str("'+\"`n\"+'"),
            '\r' => out.push_str("'+\"`r\"+'"),
            c => out.push(c),
        }
    }
    out.push('\'');
}

/// Double quotes around characters, some of which `escape` replaces.
fn double_quoted(out: &mut String, value: &str, escape: fn(char) -> Option<&'static str>) {
    out.push('"');
    for c in value.chars() {
        match escape(c) {
            Some(text) => out.push_str(text),
            None => out.push(c),
        }
    }
    out.push('"');
}

fn nu_escape(c: char) -> Option<&'static str> {
    Some(match c {
        '"' => r#"\""#,
        '\\' => r"\\",
        '\n' => r"\n",
        '\r' => r"\r",
        '\t' => r"\t",
        _ => return None,
    })
}

/// A value that holds the end of a record cannot be told, so its variable is removed.
fn records(out: &mut String, remove: &[&str], set: &[(&str, &str)]) {
    out.push(RECORD_END);
    for name in remove {
        add(out, format_args!("{name}{RECORD_END}"));
    }
    for (name, value) in set {
        if value.contains(RECORD_END) {
            add(out, format_args!("{name}{RECORD_END}"));
        } else {
            add(out, format_args!("{name}{VALUE_FOLLOWS}{value}{RECORD_END}"));
        }
    }
}

/// Plain values are not quoted, because `docker --env-file` does not understand quotes.
fn dotenv(out: &mut String, name: &str, value: &str) {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_./+=:@,-".contains(c);
    add(out, format_args!("{name}="));
    if !value.is_empty() && value.chars().all(bare) {
        out.push_str(value);
    } else if !value.contains(['\'', '\n', '\r', '\\']) {
        add(out, format_args!("'{value}'"));
    } else {
        double_quoted(out, value, dotenv_escape);
    }
    out.push('\n');
}

fn dotenv_escape(c: char) -> Option<&'static str> {
    Some(match c {
        '"' => r#"\""#,
        '\\' => r"\\",
        '$' => r"\$",
        '`' => r"\`",
        '\n' => r"\n",
        '\r' => r"\r",
        _ => return None,
    })
}

/// Written by hand, entry by entry: with a map, there would be a second copy of the secrets.
fn json(out: &mut String, set: &[(&str, &str)]) {
    out.push_str("{\n");
    for (i, (name, value)) in set.iter().enumerate() {
        let comma = if i + 1 < set.len() { "," } else { "" };
        add(out, format_args!("  \"{name}\": \""));
        for c in value.chars() {
            match c {
                '"' => out.push_str(r#"\""#),
                '\\' => out.push_str(r"\\"),
                '\u{0}'..='\u{1F}' | '\u{7F}' => add(out, format_args!("\\u{:04x}", u32::from(c))),
                c => out.push(c),
            }
        }
        add(out, format_args!("\"{comma}\n"));
    }
    out.push_str("}\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWKWARD: &str = "it's \"$(touch x)\" `id` %n \\ 田中’\nend";

    fn exported(syntax: Syntax) -> String {
        let mut out = String::new();
        syntax.unset(&mut out, &["AWS_PROFILE", "AWS_VAULT"]);
        syntax.export(&mut out, "A", AWKWARD);
        out
    }

    #[test]
    fn powershell_takes_every_quote_literally_and_stays_on_one_line() {
        insta::assert_snapshot!(exported(Syntax::PowerShell), @r#"
        $env:AWS_PROFILE = $null
        $env:AWS_VAULT = $null
        $env:A = 'it''s "$(touch x)" `id` %n \ 田中’’'+"`n"+'end'
        "#);
    }

    #[test]
    fn nu_escapes_in_double_quotes_which_interpolate_nothing() {
        insta::assert_snapshot!(exported(Syntax::Nu), @r#"
        hide-env --ignore-errors AWS_PROFILE AWS_VAULT
        $env.A = "it's \"$(touch x)\" `id` %n \\ 田中’\nend"
        "#);
    }

    #[test]
    fn dotenv_is_bare_where_it_can_be() {
        let line = |value: &str| {
            let mut out = String::new();
            dotenv(&mut out, "A", value);
            out
        };
        assert_eq!(line("wJalr/X+U=="), "A=wJalr/X+U==\n");
        assert_eq!(line(""), "A=''\n");
        assert_eq!(line("開発 $HOME #1"), "A='開発 $HOME #1'\n");
        assert_eq!(line(AWKWARD), "A=\"it's \\\"\\$(touch x)\\\" \\`id\\` %n \\\\ 田中’\\nend\"\n");
    }

    #[test]
    fn json_reads_back() {
        let mut out = String::new();
        json(&mut out, &[("A", AWKWARD), ("B", "\u{7f}\u{1}")]);
        let read: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(read, serde_json::json!({"A": AWKWARD, "B": "\u{7f}\u{1}"}));
    }

    #[test]
    fn names_that_are_code_are_left_out() {
        for name in ["AWSUME_X;id", "GRANTED_$(id)", "", "1A", "A B", "GRANTED_田"] {
            assert!(!is_identifier(name), "{name}");
        }
        assert!(is_identifier("AWS_CONTAINER_CREDENTIALS_FULL_URI"));
    }
}
