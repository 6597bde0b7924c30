//! A report as evidence: every call with AWS's request id, in a hash chain that CloudTrail anchors.
//!
//! Each link is SHA-256 over the link before it and the JSON of the next item: first the run itself, then account
//! by account. The head goes into the user agent of one last call, `sts:GetCallerIdentity`. Whoever changes the file
//! can make a new chain, but not a new event in the organization's CloudTrail.

mod japanese;
mod page;
mod render;
mod words;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::fault::{Exit, Fault};
use crate::domain::verdict::report::{ProbeRecord, Report};

use super::sha256_hex;

pub use japanese::japanese;
pub use words::Language;

/// The form of a report's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A page that needs nothing else.
    Html,
    /// Markdown.
    Markdown,
    /// JSON.
    Json,
}

/// A report, its chain, and the call that anchors it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The name and version of this file format.
    pub format: String,
    /// The language of the file.
    pub language: Language,
    /// What was found.
    pub report: Report,
    /// One link for the run, then one for each account; hexadecimal.
    pub chain: Vec<String>,
    /// The last call, which carried the chain's head; absent where it was not made.
    pub anchor: Option<ProbeRecord>,
}

/// The file format's name and version.
const FORMAT: &str = "sekisho-verify-evidence/1";
/// What stands around the JSON in a page.
const HTML_MARKS: (&str, &str) =
    ("<script type=\"application/json\" id=\"evidence\">", "</script>");
/// What stands around the JSON in Markdown.
const MARKDOWN_MARKS: (&str, &str) = ("\n```json\n", "\n```\n");

impl Form {
    /// The form that a file's name asks for.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1.to_ascii_lowercase().as_str() {
            "html" | "htm" => Some(Self::Html),
            "md" | "markdown" => Some(Self::Markdown),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl Evidence {
    /// Chains a report.
    pub fn new(report: Report, language: Language) -> Self {
        let chain = chain(serde_json::to_value(&report).unwrap_or_default());
        Self { format: FORMAT.into(), language, report, chain, anchor: None }
    }

    /// The chain's head.
    pub fn head(&self) -> &str {
        self.chain.last().map_or("", String::as_str)
    }

    /// The file's text.
    pub fn file(&self, form: Form) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        match form {
            Form::Json => json + "\n",
            // No text in the JSON may end the element.
            Form::Html => {
                let json = json.replace('<', "\\u003c");
                let data = format!("{}{json}{}", HTML_MARKS.0, HTML_MARKS.1);
                render::html(&page::blocks(self), self.language, &data)
            }
            Form::Markdown => {
                let text = render::markdown(&page::blocks(self));
                format!("{text}{}{json}{}", MARKDOWN_MARKS.0, MARKDOWN_MARKS.1)
            }
        }
    }
}

/// Re-computes a file's chain, and compares what people read with what the chain covers.
///
/// The line says what is left to check in CloudTrail.
pub fn check(text: &str) -> Result<String, Fault> {
    let changed = |why: String| {
        Fault::new(Exit::Fault, "the report is not what sekisho wrote")
            .because(why)
            .fix("ask whoever sent it for the original, or verify again")
    };
    let (form, json) = extract(text)
        .ok_or_else(|| changed("it contains no evidence: it is no report of `verify`".into()))?;
    let value: Value = serde_json::from_str(json)
        .map_err(|error| changed(format!("the evidence in it is not JSON: {error}")))?;
    let evidence: Evidence = serde_json::from_value(value.clone())
        .map_err(|error| changed(format!("the evidence in it cannot be read: {error}")))?;
    if evidence.format != FORMAT {
        return Err(changed(format!("its format is {}, not {FORMAT}", evidence.format)));
    }
    let links = chain(value["report"].clone());
    let differs = links.iter().zip(&evidence.chain).position(|(own, stored)| own != stored);
    if let Some(at) = differs {
        let what = match at.checked_sub(1).and_then(|n| evidence.report.accounts.get(n)) {
            Some(account) => format!("account {} ({})", account.name, account.id),
            None => "the run itself".into(),
        };
        return Err(changed(format!("{what} does not match its hash")));
    }
    if links.len() != evidence.chain.len() {
        return Err(changed("an account was added or removed".into()));
    }
    let same_program = evidence.report.version == env!("CARGO_PKG_VERSION");
    if same_program && evidence.file(form) != text {
        return Err(changed(
            "the text that people read is not what the evidence in it says".into(),
        ));
    }
    let head = evidence.head();
    let shown = if same_program || form == Form::Json {
        String::new()
    } else {
        format!("; only its data was compared, since sekisho {} wrote it", evidence.report.version)
    };
    let carries = evidence.anchor.as_ref().filter(|anchor| anchor.call.contains(head));
    Ok(match carries.and_then(|anchor| anchor.request_id.as_ref()) {
        Some(id) => format!(
            "consistent; authentic where CloudTrail's event {id} carries {head} in its user agent{shown}"
        ),
        None => format!("consistent; no call carried {head}, so nothing anchors it{shown}"),
    })
}

/// The links over a report's JSON.
fn chain(mut report: Value) -> Vec<String> {
    let accounts = match report.get_mut("accounts").map(Value::take) {
        Some(Value::Array(accounts)) => accounts,
        _ => Vec::new(),
    };
    let mut links: Vec<String> = Vec::with_capacity(accounts.len() + 1);
    for item in std::iter::once(report).chain(accounts) {
        let before = links.last().map_or("", String::as_str);
        links.push(sha256_hex(format!("{before}\n{item}").as_bytes()));
    }
    links
}

fn extract(text: &str) -> Option<(Form, &str)> {
    if text.starts_with('{') {
        return Some((Form::Json, text));
    }
    let between = |(start, end): (&str, &str)| {
        let at = text.rfind(start)? + start.len();
        text[at..].split_once(end).map(|(json, _)| json)
    };
    between(HTML_MARKS)
        .map(|json| (Form::Html, json))
        .or_else(|| between(MARKDOWN_MARKS).map(|json| (Form::Markdown, json)))
}
