//! The guardrails that `sekisho policy` renders: IAM, service control and resource control policies
//! with the config's ids filled in, as JSON, CloudFormation or Terraform.
//!
//! The templates are in `assets/policies/`, each statement's reason in `WHY.md` beside them. Rendering
//! is pure: the same config renders the same files; the command line writes them.

/// A template of `assets/policies/`.
macro_rules! asset {
    ($file:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/policies/", $file))
    };
}

pub mod drift;
mod input;
mod policies;
mod render;
mod requests;
mod roles;
mod size;
mod template;
mod written;

use serde::Serialize;

pub use render::render;
pub use requests::{Bearing, Request, RequestTable, Requests, Row, Unused, Wanted, requests};
pub use written::written;

/// The form of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Policies to deploy by one's own means.
    Json,
    /// Stacks, and a `StackSet` for the dev accounts.
    CloudFormation,
    /// Two root modules around the JSON policies.
    Terraform,
}

impl Format {
    /// The name in `--format`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::CloudFormation => "cloudformation",
            Self::Terraform => "terraform",
        }
    }
}

/// The language of what people read; documents for AWS have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Japanese.
    Japanese,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyKind {
    /// A customer managed IAM policy.
    ManagedPolicy,
    /// A group's only inline policy: AWS's limit is for all of them together.
    GroupPolicy,
    /// A role's trust policy.
    TrustPolicy,
    /// A service control policy.
    ServiceControlPolicy,
    /// A resource control policy.
    ResourceControlPolicy,
    /// AWS Config rules, as `put-config-rule` takes each of them.
    ConfigRules,
    /// A CloudFormation template that a `StackSet` carries inside itself.
    StackSetTemplate,
    /// A CloudFormation template.
    StackTemplate,
    /// A Terraform root module.
    TerraformModule,
    /// What a Terraform module reads beside policies.
    Data,
    /// The list of all documents.
    Manifest,
    /// How to deploy them, and the reason for each statement.
    Readme,
}

/// One file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its path below the folder of the set, with `/` between the parts.
    pub file: String,
    /// What it is.
    pub kind: PolicyKind,
    /// What it is deployed to: an account, a unit, a group or a role.
    pub target: String,
    /// Its whole text.
    pub text: String,
}

/// A guardrail that was not rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The guardrail.
    pub what: String,
    /// Why not, naming the config's key.
    pub why: String,
    /// Both in Japanese, for README.md.
    #[serde(skip)]
    pub japanese: [String; 2],
}

impl LeftOut {
    /// What and why in English, then in Japanese.
    fn new(texts: [impl Into<String>; 4]) -> Self {
        let [what, why, what_ja, why_ja] = texts.map(Into::into);
        Self { what, why, japanese: [what_ja, why_ja] }
    }

    /// What and why.
    fn in_language(&self, language: Language) -> [&str; 2] {
        match language {
            Language::English => [&self.what, &self.why],
            Language::Japanese => [&self.japanese[0], &self.japanese[1]],
        }
    }
}

/// A set of documents: the policies or stacks, then `manifest.json` and `README.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// Every file, in the order of the manifest.
    pub files: Vec<Document>,
    /// What the config lacks the keys for.
    pub left_out: Vec<LeftOut>,
}
