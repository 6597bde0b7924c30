//! `verify`: proves from this machine that the access key alone gives no access.

pub mod drift;
pub mod users;

use std::cell::Cell;
use std::io::IsTerminal;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::domain::account::Target;
use crate::domain::config::Config;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::MfaSerial;
use crate::domain::pass::{NotIssued, Terms};
use crate::domain::secret::{Credentials, MfaCode};
use crate::domain::text::sanitize;
use crate::domain::trust::KnownAccounts;
use crate::domain::verdict::report::Report;
use crate::services::aws::Aws;
use crate::services::store::files::{Dir, write_through};
use crate::services::verify::evidence::{self, Evidence, Form, Language};
use crate::services::verify::text::{self, Detail};
use crate::services::verify::{CONTROL, Chosen, Plan, Progress, Verifier};
use crate::ui::findings::{self, Findings, Left};

use crate::cli::args::{ReportLanguage, VerifyArgs};
use crate::cli::context::Context;
use crate::cli::out::Out;
use crate::cli::prompt::{self, Codes};
use crate::cli::runtime::block_on;
use crate::cli::switcher::{keymap, theme};

/// Lists the calls, asks for confirmation, probes and reports.
pub fn run(context: &Context, arguments: &VerifyArgs) -> Result<Exit, Fault> {
    let file = arguments.report.as_deref().map(report_form).transpose()?;
    let plan = plan(context, &arguments.targets)?;
    let state = Dir::create(&context.paths().state)
        .map_err(|error| error.fault("the result of the verification cannot be stored"))?;
    let vault = context.world().vault(context.config().store, context.paths());
    let known = known_accounts(context.config());
    let config_sha256 = config_sha256(context);
    block_on(async {
        let key = context.broker().access_key().await.map_err(NotIssued::into_fault)?;
        let auth = &context.config().auth;
        let aws = Aws::new(auth)?;
        let verifier = Verifier {
            aws: &aws,
            auth,
            key: &key,
            known: &known,
            config_sha256: config_sha256.as_deref(),
            state: Some((&state, &vault)),
            rate: arguments.rate,
            now: &Timestamp::now,
        };
        if !arguments.json {
            context.out.print(&text::preface(&plan, &verifier));
        }
        if !arguments.yes {
            prompt::confirm("continue?")?;
        }
        let mut codes = context.codes();
        let (progress, seen, begun) = (progress(context), Cell::new(None), Notify::new());
        let noted = |progressed: Progress| {
            seen.set(Some(progressed));
            begun.notify_one();
            progress(progressed);
        };
        let run = verifier.run(
            &plan,
            async |fault| control_code(context, &mut codes, fault).await,
            noted,
        );
        // Before the first account there is nothing to go on from, and the terminal asks for a code.
        let interrupted = async {
            begun.notified().await;
            tokio::signal::ctrl_c().await
        };
        let report = tokio::select! {
            report = Box::pin(run) => report?,
            Ok(()) = interrupted => {
                context.out.progress("");
                let Progress { done, total } = seen.get().unwrap_or_default();
                context.out.info(&format!("{done} of {total} accounts done; run again to go on"));
                return Ok(Exit::Cancelled);
            }
        };
        context.out.progress("");
        let detail = if arguments.all { Detail::All } else { Detail::Problems };
        // What was found is shown even where the file cannot be written.
        let written = match file {
            Some((file, form)) => {
                write_report(context, &verifier, &report, file, form, arguments.lang).await
            }
            None => Ok(()),
        };
        let signalled =
            if is_attended(context, arguments) { show(context, &report).await? } else { None };
        context.out.print(&if arguments.json {
            report.json()
        } else {
            text::report(&report, auth, detail)
        });
        written?;
        Ok(signalled.unwrap_or_else(|| report.exit()))
    })
}

/// Anchors the evidence in CloudTrail and writes it.
async fn write_report(
    context: &Context,
    verifier: &Verifier<'_>,
    report: &Report,
    file: &Path,
    form: Form,
    language: ReportLanguage,
) -> Result<(), Fault> {
    let language = match language {
        ReportLanguage::En => Language::En,
        ReportLanguage::Ja => Language::Ja,
    };
    let mut evidence = Evidence::new(report.clone(), language);
    verifier.anchor(&mut evidence).await?;
    write_through(file, evidence.file(form).as_bytes())
        .map_err(|error| error.fault("the report cannot be written"))?;
    let request = evidence.anchor.as_ref().and_then(|anchor| anchor.request_id.as_deref());
    context.out.info(&format!(
        "wrote {}; its hash {} was sent to {}, request {}",
        sanitize(&file.display().to_string()),
        evidence.head(),
        report.endpoint,
        request.unwrap_or("unknown")
    ));
    Ok(())
}

/// Whether somebody sits there and looks: `--yes` is for runs that nobody attends.
fn is_attended(context: &Context, arguments: &VerifyArgs) -> bool {
    let asked_for_text = arguments.json || arguments.yes || arguments.report.is_some();
    !asked_for_text
        && context.driver().agent().is_none()
        && std::io::stdout().is_terminal()
        && std::io::stderr().is_terminal()
}

/// Opens the findings as a screen; the text comes after it, for the scrollback. A signal decides how the program ends.
async fn show(context: &Context, report: &Report) -> Result<Option<Exit>, Fault> {
    let list = &context.config().list;
    let theme = theme(list.symbols, context.out);
    let mut findings = Findings::new(report, theme, keymap(context.config())?);
    match findings::show(&mut findings, Out::copy).await {
        Ok(Left::Signalled(signal)) => Ok(Some(Exit::Child(128 + signal))),
        // The result matters more than the screen that could not be opened.
        Ok(Left::Closed) | Err(_) => Ok(None),
    }
}

/// Checks a report's file.
pub fn check(out: Out, arguments: &VerifyArgs) -> Result<Exit, Fault> {
    let Some(file) = &arguments.check else { return Ok(Exit::Usage) };
    let text = std::fs::read_to_string(file).map_err(|error| {
        let name = sanitize(&file.display().to_string());
        Fault::new(Exit::Usage, format!("{name} cannot be read")).because(error.to_string())
    })?;
    out.print(&(evidence::check(&text)? + "\n"));
    Ok(Exit::Done)
}

/// Before anything is called: the form that a report's name asks for.
fn report_form(file: &Path) -> Result<(&Path, Form), Fault> {
    match Form::of(&file.to_string_lossy()) {
        Some(form) => Ok((file, form)),
        None => Err(Fault::new(Exit::Usage, "the report's form is not known")
            .because(format!("{} ends in none of them", sanitize(&file.display().to_string())))
            .fix("name it .html, .md or .json")),
    }
}

/// The accounts that trust policies may name, as far as the config knows them.
fn known_accounts(config: &Config) -> KnownAccounts {
    let guardrails = config.guardrails.as_ref();
    let accounts = config.catalog.accounts().iter().map(|account| account.id);
    KnownAccounts {
        auth: config.auth.account,
        organization: guardrails.and_then(|guardrails| guardrails.organization.clone()),
        members: accounts
            .chain(guardrails.and_then(|guardrails| guardrails.management_account))
            .collect(),
        trusted: guardrails.map_or_else(Vec::new, |guardrails| guardrails.trusted_accounts.clone()),
    }
}

/// Names the config that a report was made with.
fn config_sha256(context: &Context) -> Option<String> {
    let text = std::fs::read(context.config_file()?).ok()?;
    Some(crate::services::verify::sha256_hex(&text))
}

fn plan(context: &Context, names: &[String]) -> Result<Plan, Fault> {
    let catalog = &context.config().catalog;
    if names.is_empty() {
        let overrides = context.overrides();
        let targets = catalog.rows().map(|row| catalog.resolve(row, &overrides)).collect();
        return Ok(Plan::new(targets, Chosen::All));
    }
    let targets: Result<Vec<Target>, Fault> =
        names.iter().map(|name| context.target(name)).collect();
    Ok(Plan::new(targets?, Chosen::ByName))
}

/// The sessions that an administrator reads with: their own, and that of a role they named.
fn administrator(
    context: &Context,
    via: Option<&str>,
    purpose: &str,
) -> Result<(Credentials, Option<Credentials>), Fault> {
    let own = block_on(async {
        let age = SignedDuration::MAX;
        prompt::fresh_session(context.broker(), age, purpose, &mut context.codes()).await
    })?;
    let pass = via.map(|via| context.pass(via, Terms::LAST_SECONDS)).transpose()?;
    Ok((own, pass.map(|pass| pass.credentials)))
}

/// Names, the first few of many.
fn first_few(names: &[String]) -> String {
    const FEW: usize = 5;
    match names.len().saturating_sub(FEW) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..FEW].join(", ")),
    }
}

/// A code for the positive control: without it a refusal proves nothing.
async fn control_code(
    context: &Context,
    codes: &mut Codes,
    fault: Option<&Fault>,
) -> Option<(MfaSerial, MfaCode)> {
    if let Some(fault) = fault {
        context.out.fault(fault);
    }
    let mut given = None;
    loop {
        let refusal = match context.broker().fresh_code(given.as_ref(), CONTROL).await {
            Ok(code) => return Some(code),
            Err(refusal) => refusal,
        };
        let asked = match refusal {
            // It must be a fresh code: one that another process entered is spent.
            NotIssued::Code(wanted) => {
                codes.next(&wanted, "for the positive control", &|| false).await
            }
            refusal => Err(refusal.into_fault()),
        };
        match asked {
            Ok(code) => given = code,
            Err(fault) => {
                context.out.fault(&fault);
                return None;
            }
        }
    }
}

/// One line that counts accounts, on a terminal only.
fn progress(context: &Context) -> impl Fn(Progress) {
    let out = context.out;
    let shown = Cell::new(usize::MAX);
    let terminal = std::io::stderr().is_terminal();
    move |progress: Progress| {
        if terminal && shown.replace(progress.done) != progress.done {
            out.progress(&format!("{} of {} accounts", progress.done, progress.total));
        }
    }
}
