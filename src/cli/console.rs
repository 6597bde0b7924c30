//! Signs in to the web console: for the verb and for the list.

use jiff::{SignedDuration, Timestamp};

use crate::domain::fault::{Exit, Fault};
use crate::domain::flow::Flow;
use crate::domain::ids::Partition;
use crate::domain::pass::Pass;
use crate::domain::secret::Secret;
use crate::services::aws::Aws;
use crate::services::console::browser::Browser;
use crate::services::console::{Fetched, FormerSession, LINK_TIMEOUT, Link, Page};

use super::context::Context;

/// The browser for consoles, by the config and the environment.
pub fn browser(context: &Context) -> Result<Browser, Fault> {
    Browser::choose(context.config().browser.as_deref(), context.inherited())
}

/// Opens a target's console in a browser. Returns the line that reports it.
pub async fn open(
    context: &Context,
    browser: &Browser,
    pass: &Pass,
    page: Option<&Page>,
    former: FormerSession,
) -> Result<String, Fault> {
    let target = &pass.target;
    context.out.info(&format!("opening the console of {target}: waiting for the browser"));
    let (url, ends) = url(context, pass, page, former).await?;
    let link = Link::to(url).await.map_err(|error| {
        Fault::new(Exit::Fault, "cannot open a local port to hand over the URL")
            .because(error.to_string())
    })?;
    let account = target.id.to_string();
    let environment = context.world().cleared_environment(context.inherited());
    let mut opened = browser.open(
        &link.address(),
        &account,
        &pass.target.name(),
        &environment,
        context.inherited(),
    )?;
    let fetched = tokio::select! {
        fetched = link.wait(LINK_TIMEOUT) => fetched,
        status = opened.failure() => return Err(
            Fault::new(Exit::Fault, "the browser did not open")
                .because(format!("it ended with {status}"))
                .fix("set `browser` in the config, or `sekisho console TARGET --print`")
        ),
    };
    match fetched {
        Fetched::Yes => {
            Ok(format!("the console of {} is open, and {}", pass.target, until(context, ends)))
        }
        Fetched::TooLate => {
            Err(Fault::new(Exit::Fault, "the browser did not fetch the link within a minute")
                .because("it runs on another machine, or in a sandbox that cannot reach 127.0.0.1")
                .fix("sekisho console TARGET --print"))
        }
    }
}

/// The URL that signs in, and when the console session ends, UTC.
pub async fn url(
    context: &Context,
    pass: &Pass,
    page: Option<&Page>,
    former: FormerSession,
) -> Result<(Secret, Timestamp), Fault> {
    let aws = Aws::new(&context.config().auth)?;
    let partition = pass.target.role.partition().parse().unwrap_or(Partition::Aws);
    let site = aws.console(partition, former)?;
    context.record_entry(&pass.target.role, context.inherited().depth() + 1);
    // AWS refuses a duration for what came through a session (role chaining).
    let life = match pass.flow {
        Flow::Direct if !context.broker().has_login()? => Some(pass.target.duration),
        _ => None,
    };
    let token = aws.sign_in_token(&site, &pass.credentials, life).await?;
    let ends = life.map_or(pass.credentials.expires, |life| {
        Timestamp::now() + SignedDuration::try_from(life).unwrap_or_default()
    });
    let region = pass.target.region.as_ref();
    let url = site.url(&token, region, page).map_err(|why| {
        Fault::new(Exit::Usage, "that page is in another console").because(why.to_string())
    })?;
    let url = match former {
        FormerSession::Kept => url,
        FormerSession::SignedOut => site.url_after_sign_out(&url),
    };
    Ok((url, ends))
}

/// When a console session ends, as part of a sentence.
pub fn until(context: &Context, ends: Timestamp) -> String {
    format!("the console ends at {}", context.moment(ends))
}
