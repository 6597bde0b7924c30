//! `verify`: proves from this machine that the access key alone gives no access.

use std::cell::Cell;
use std::io::IsTerminal;

use jiff::Timestamp;

use crate::domain::account::Target;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::MfaSerial;
use crate::domain::pass::NotIssued;
use crate::domain::secret::MfaCode;
use crate::services::aws::Aws;
use crate::services::store::files::Dir;
use crate::services::verify::text::{self, Detail};
use crate::services::verify::{Chosen, Plan, Progress, Verifier};

use crate::cli::args::VerifyArgs;
use crate::cli::context::Context;
use crate::cli::prompt::{self, Codes};
use crate::cli::runtime::block_on;

/// Lists the calls, asks for confirmation, probes and reports.
pub fn run(context: &Context, arguments: &VerifyArgs) -> Result<Exit, Fault> {
    let plan = plan(context, &arguments.targets)?;
    let state = Dir::create(&context.paths().state)
        .map_err(|error| error.fault("the result of the verification cannot be stored"))?;
    block_on(async {
        let key = context.broker().access_key().await.map_err(NotIssued::into_fault)?;
        let auth = &context.config().auth;
        let aws = Aws::new(auth)?;
        let verifier = Verifier {
            aws: &aws,
            auth,
            key: &key,
            state: Some(&state),
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
        let report = Box::pin(verifier.run(
            &plan,
            async |fault| control_code(context, &mut codes, fault).await,
            progress(context),
        ))
        .await?;
        context.out.progress("");
        let detail = if arguments.all { Detail::All } else { Detail::Problems };
        context.out.print(&if arguments.json {
            report.json()
        } else {
            text::report(&report, auth, detail)
        });
        Ok(report.exit())
    })
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
        let refusal = match context.broker().fresh_code(given.as_ref()).await {
            Ok(code) => return Some(code),
            Err(refusal) => refusal,
        };
        let asked = match refusal {
            // It must be a fresh code: one that another process entered is spent.
            NotIssued::Code(wanted) => codes.next(&wanted, "for the positive control", &|| false),
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
