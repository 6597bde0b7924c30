//! `verify`: proves from this machine that the access key alone gives no access.

pub mod drift;
pub mod users;

use std::cell::Cell;
use std::io::IsTerminal;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;

use crate::domain::account::Target;
use crate::domain::config::{Config, KeySource};
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::MfaSerial;
use crate::domain::pass::{NotIssued, Terms};
use crate::domain::secret::{AccessKey, Credentials, MfaCode};
use crate::domain::text::sanitize;
use crate::domain::trust::KnownAccounts;
use crate::domain::verdict::report::Report;
use crate::services::aws::{Aws, SHORTEST, Signer};
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
    let auth = &context.config().auth;
    let aws = Aws::new(auth)?;
    let verifier = Verifier {
        aws: &aws,
        auth,
        known: &known,
        config_sha256: config_sha256.as_deref(),
        state: Some((&state, &vault)),
        rate: arguments.rate,
        now: &Timestamp::now,
    };
    block_on(async {
        let probed = if context.broker().has_login()? {
            Box::pin(with_sign_in(context, arguments, &plan, &verifier)).await?
        } else {
            Box::pin(with_key(context, arguments, &plan, &verifier)).await?
        };
        let Some((report, signer)) = probed else { return Ok(Exit::Cancelled) };
        let detail = if arguments.all { Detail::All } else { Detail::Problems };
        // What was found is shown even where the file cannot be written.
        let written = match file {
            Some((file, form)) => {
                let evidence = evidence(&verifier, &report, signer.as_ref(), arguments.lang);
                write_report(context, &evidence.await?, file, form)
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

/// What signs the last call.
enum LastSigner {
    Key(Rc<AccessKey>),
    SignIn(Credentials),
}

/// Probes with the access key. `None` where the person interrupted it.
async fn with_key(
    context: &Context,
    arguments: &VerifyArgs,
    plan: &Plan,
    verifier: &Verifier<'_>,
) -> Result<Option<(Report, Option<LastSigner>)>, Fault> {
    let key = context.broker().access_key().await.map_err(NotIssued::into_fault)?;
    begin(context, arguments, || text::preface(plan, verifier))?;
    let mut codes = context.codes();
    let purpose = "for the positive control";
    let code = async |fault: Option<&Fault>| {
        control_code(context, &mut codes, fault, purpose, CONTROL).await
    };
    let watch = Watch::default();
    let run = verifier.run(&key, plan, code, |progress| watch.note(context.out, progress));
    let report = watch.over(context.out, "; run again to go on", run).await?;
    Ok(report.map(|report| (report, Some(LastSigner::Key(key)))))
}

/// Probes with the console sign-in. Where nobody is signed in, the report says so, and nothing is asked.
async fn with_sign_in(
    context: &Context,
    arguments: &VerifyArgs,
    plan: &Plan,
    verifier: &Verifier<'_>,
) -> Result<Option<(Report, Option<LastSigner>)>, Fault> {
    let keys =
        async || context.broker().session_without_asking().await.map_err(NotIssued::into_fault);
    if keys().await.is_ok() {
        begin(context, arguments, || text::preface_signed_in(plan, verifier))?;
    }
    let of = match &verifier.auth.key {
        KeySource::Profile(profile) => format!("aws login, profile {}", sanitize(profile)),
        _ => "sekisho login".into(),
    };
    let mut codes = context.codes();
    let code = async |fault: Option<&Fault>, target: &Target| {
        context.out.progress("");
        let purpose = format!("for the positive control, {target}");
        control_code(context, &mut codes, fault, &purpose, SHORTEST).await
    };
    let watch = Watch::default();
    let note = |progress| watch.note(context.out, progress);
    let run = verifier.run_signed_in(&of, plan, keys, code, note);
    let report = watch.over(context.out, "", run).await?;
    let signer = keys().await.ok().map(LastSigner::SignIn);
    Ok(report.map(|report| (report, signer)))
}

/// Says what will be called, and asks.
fn begin(
    context: &Context,
    arguments: &VerifyArgs,
    preface: impl FnOnce() -> String,
) -> Result<(), Fault> {
    if !arguments.json {
        context.out.paragraphs(&preface());
    }
    if arguments.yes { Ok(()) } else { prompt::confirm("continue?") }
}

/// The report as evidence, anchored in CloudTrail by what signed the other calls.
async fn evidence(
    verifier: &Verifier<'_>,
    report: &Report,
    signer: Option<&LastSigner>,
    language: ReportLanguage,
) -> Result<Evidence, Fault> {
    let language = match language {
        ReportLanguage::En => Language::En,
        ReportLanguage::Ja => Language::Ja,
    };
    let mut evidence = Evidence::new(report.clone(), language);
    match signer {
        Some(LastSigner::Key(key)) => verifier.anchor(Signer::Key(key), &mut evidence).await?,
        Some(LastSigner::SignIn(keys)) => {
            verifier.anchor(Signer::Session(keys), &mut evidence).await?;
        }
        None => {}
    }
    Ok(evidence)
}

fn write_report(
    context: &Context,
    evidence: &Evidence,
    file: &Path,
    form: Form,
) -> Result<(), Fault> {
    write_through(file, evidence.file(form).as_bytes())
        .map_err(|error| error.fault("the report cannot be written"))?;
    let file = sanitize(&file.display().to_string());
    let Some(anchor) = &evidence.anchor else {
        context
            .out
            .info(&format!("wrote {file}; no call carried its hash, since nobody is signed in"));
        return Ok(());
    };
    context.out.info(&format!(
        "wrote {file}; its hash {} was sent to {}, request {}",
        evidence.head(),
        evidence.report.endpoint,
        anchor.request_id.as_deref().unwrap_or("unknown")
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
    purpose: &str,
    life: Duration,
) -> Option<(MfaSerial, MfaCode)> {
    if let Some(fault) = fault {
        context.out.fault(fault);
    }
    let mut given = None;
    loop {
        let refusal = match context.broker().fresh_code(given.as_ref(), life).await {
            Ok(code) => return Some(code),
            Err(refusal) => refusal,
        };
        let asked = match refusal {
            // It must be a fresh code: one that another process entered is spent.
            NotIssued::Code(wanted) => codes.next(&wanted, purpose, &|| false).await,
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

/// How far a run has come: a line that counts accounts, on a terminal only, and what an interrupt reports.
#[derive(Default)]
struct Watch {
    seen: Cell<Option<Progress>>,
    begun: Notify,
}

impl Watch {
    fn note(&self, out: Out, progress: Progress) {
        let before = self.seen.replace(Some(progress));
        self.begun.notify_one();
        if std::io::stderr().is_terminal() && before != Some(progress) {
            out.progress(&format!("{} of {} accounts", progress.done, progress.total));
        }
    }

    /// Waits for a run's report, or until the person interrupts it: then `None`, and a line that ends in `hint`.
    async fn over(
        &self,
        out: Out,
        hint: &str,
        run: impl Future<Output = Result<Report, Fault>>,
    ) -> Result<Option<Report>, Fault> {
        // Before the first account there is nothing to go on from, and the terminal asks for a code.
        let interrupted = async {
            self.begun.notified().await;
            tokio::signal::ctrl_c().await
        };
        let report = tokio::select! {
            report = Box::pin(run) => Some(report?),
            Ok(()) = interrupted => {
                out.progress("");
                let Progress { done, total } = self.seen.get().unwrap_or_default();
                out.info(&format!("{done} of {total} accounts done{hint}"));
                None
            }
        };
        out.progress("");
        Ok(report)
    }
}
