//! The kinds of value that several sections of a config share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use unicode_normalization::UnicodeNormalization;

use super::cursor::Cursor;
use super::diagnostic::quoted;
use super::tree::Node;
use crate::domain::agents::Allowance;
use crate::domain::duration::{parse_duration, show_duration};
use crate::domain::guard::Guard;
use crate::domain::ids::{AccountId, Malformed, Region, RoleName};
use crate::domain::text::is_deceptive;

/// The most characters of a text that is shown to users.
const MAX_LINE: usize = 1_000;

pub(super) const MINUTE: Duration = Duration::from_mins(1);
pub(super) const HOUR: Duration = Duration::from_hours(1);
pub(super) const DAY: Duration = Duration::from_hours(24);

impl<'c> Cursor<'c> {
    /// A text that is shown to users: one line, nothing invisible, nothing that moves the terminal's cursor.
    pub(super) fn line(self) -> Option<String> {
        self.visible().map(str::to_owned)
    }

    fn visible(self) -> Option<&'c str> {
        let text = self.text()?;
        let fault = match text.chars().find(|c| is_deceptive(*c)) {
            Some('\n') => "this text must be one line".to_owned(),
            Some(c) => {
                format!(
                    "this text must not contain invisible characters, here U+{:04X}",
                    u32::from(c)
                )
            }
            None if text.trim().is_empty() => "this text is empty".to_owned(),
            None if text.chars().count() > MAX_LINE => {
                format!("this text has more than {MAX_LINE} characters")
            }
            None => return Some(text),
        };
        self.fault(fault, None);
        None
    }

    /// A region; equal ones share their text.
    pub(super) fn region(self) -> Option<Region> {
        self.shared(&self.document.regions)
    }

    /// A role's name; equal ones share their text.
    pub(super) fn role_name(self) -> Option<RoleName> {
        self.shared(&self.document.roles)
    }

    fn shared<T: Clone + FromStr<Err = Malformed>>(
        self,
        known: &RefCell<HashMap<Box<str>, T>>,
    ) -> Option<T> {
        let text = self.text()?;
        if let Some(value) = known.borrow().get(text) {
            return Some(value.clone());
        }
        let value: T = self.parsed()?;
        known.borrow_mut().insert(text.into(), value.clone());
        Some(value)
    }

    /// A tag; equal ones share their text.
    pub(super) fn tag(self) -> Option<Arc<str>> {
        let text = self.visible()?;
        let mut tags = self.document.tags.borrow_mut();
        if let Some(known) = tags.get(text) {
            return Some(known.clone());
        }
        let tag: Arc<str> = text.into();
        tags.insert(tag.clone());
        Some(tag)
    }

    /// What an account or role asks before it is entered.
    pub(super) fn guard(self) -> Option<Guard> {
        self.one_of(&["none", "warn", "confirm"])
    }

    /// What an agent gets.
    pub(super) fn agents(self) -> Option<Allowance> {
        self.one_of(&Allowance::ALL.map(Allowance::name))
    }

    /// `true` or `false`, however YAML's users spell them.
    pub(super) fn flag(self) -> Option<bool> {
        match self.text()? {
            "true" | "on" | "yes" => Some(true),
            "false" | "off" | "no" => Some(false),
            text => {
                self.fault(format_args!("{} is neither true nor false", quoted(text)), None);
                None
            }
        }
    }

    /// A duration within limits; `why` ends the fault about one that is not.
    pub(super) fn duration(self, range: RangeInclusive<Duration>, why: &str) -> Option<Duration> {
        let text = self.text()?;
        let (what, fix) = match parse_duration(text) {
            Ok(duration) if range.contains(&duration) => return Some(duration),
            Ok(duration) => {
                let (least, most) = (show_duration(*range.start()), show_duration(*range.end()));
                let what = format!("{} is not within {least} to {most}{why}", quoted(text));
                (what, Some(duration.clamp(*range.start(), *range.end())))
            }
            Err(wrong) => {
                // A bare number is likely seconds, as in AWS's own APIs.
                (format!("{}: {wrong}", quoted(text)), text.parse().ok().map(Duration::from_secs))
            }
        };
        let fix = fix.map(|duration| format!("write {}", show_duration(duration)));
        self.fault(what, fix.as_deref());
        None
    }

    /// An account id, judged by its source text: YAML would read `0o17` and `1e11` as numbers.
    pub(super) fn account_id(self) -> Option<AccountId> {
        let text = self.text()?;
        if let Ok(id) = text.parse() {
            return Some(id);
        }
        let fix = match twelve_digits(text) {
            Some(digits) => format!("if that is the account, write \"{digits}\""),
            None => "write the 12 digits in quotes, e.g. \"012345678901\"".to_owned(),
        };
        let what = format!("{}: an account id is exactly 12 digits", quoted(text));
        self.fault(what, Some(&fix));
        None
    }

    /// A program and its arguments, which no shell will see.
    pub(super) fn argv(self) -> Option<Vec<String>> {
        if let Some(Node::Text(line)) = self.node() {
            let words = shlex::split(line).unwrap_or_default();
            let fix = format!("write [{}]", words.join(", "));
            let fix = (!words.is_empty()).then_some(fix.as_str());
            self.fault("a command must be a list of words; it is not run by a shell", fix);
            return None;
        }
        let argv = self.list(|word| word.text().map(str::to_owned))?;
        if argv.first().is_none_or(String::is_empty) || argv.iter().any(|word| word.contains('\0'))
        {
            self.fault("a command must begin with its program", None);
            return None;
        }
        Some(argv)
    }
}

/// The 12 digits that a misspelt id may have meant.
fn twelve_digits(text: &str) -> Option<String> {
    let plain: String = text.nfkc().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).collect();
    if (1..=12).contains(&plain.len()) && plain.bytes().all(|b| b.is_ascii_digit()) {
        return Some(format!("{plain:0>12}"));
    }
    let radix = |prefix: &str, radix| {
        let digits = plain.strip_prefix(prefix)?;
        u64::from_str_radix(digits, radix).ok()
    };
    let number = radix("0o", 8).or_else(|| radix("0x", 16)).or_else(|| {
        let (digits, zeros) = plain.split_once(['e', 'E'])?;
        let zeros: u32 = zeros.trim_start_matches('+').parse().ok()?;
        digits.parse::<u64>().ok()?.checked_mul(10u64.checked_pow(zeros)?)
    })?;
    let digits = format!("{number:0>12}");
    (digits.len() == 12).then_some(digits)
}
