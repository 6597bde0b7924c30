//! `key status`: the key's age, whether it is active, when it was last used.
//!
//! `--json` prints one object; fields are added, never changed or taken away: `schema` (1), `version` (the same
//! number, by the name it had first), `id`, `home`, `created` (RFC 3339, UTC), `age_days`, `rotation` (null, or how far
//! one has come), and `aws`: null where AWS was not asked, else `active` (null where AWS does not list the key) and
//! `last_used` (null where it never was, else `at`, `service`, `region`).

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::columns::align;
use crate::cli::context::Context;
use crate::cli::runtime::block_on;
use crate::cli::wording::key_source;
use crate::domain::duration;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::AccessKeyId;
use crate::domain::pass::{Asking, NotIssued};
use crate::domain::rotation::Stage;
use crate::services::aws::{Aws, Signer};
use crate::services::session::access_key::{self, is_stored, nothing_stored};

#[derive(Serialize)]
struct Status {
    schema: u8,
    version: u8,
    id: AccessKeyId,
    home: String,
    created: Option<Timestamp>,
    age_days: Option<i64>,
    rotation: Option<Stage>,
    aws: Option<AtAws>,
}

#[derive(Serialize)]
struct AtAws {
    active: Option<bool>,
    last_used: Option<LastUsed>,
    #[serde(skip)]
    created: Option<Timestamp>,
}

#[derive(Serialize)]
struct LastUsed {
    at: Timestamp,
    service: String,
    region: String,
}

/// Shows the key. AWS is asked only where a live session serves: nobody is asked for a code.
pub fn run(context: &Context, json: bool) -> Result<Exit, Fault> {
    let status = block_on(status(context))?;
    if json {
        context.out.json(&status);
    } else {
        context.out.print(&status.for_people(context));
        if status.aws.is_none() {
            context.out.info("not checked at AWS: sign in first (`sekisho login`)");
        }
    }
    let most = context.config().guardrails.as_ref().map(|g| g.max_key_age);
    let days = most.and_then(|most| i64::try_from(most.as_secs() / 86_400).ok());
    if let (Some(age), Some(most)) = (status.age_days, days)
        && age > most
    {
        context.out.warn(&format!(
            "the key is {age} days old, over the {most} days of `guardrails.max_key_age`: sekisho key rotate"
        ));
    }
    Ok(Exit::Done)
}

async fn status(context: &Context) -> Result<Status, Fault> {
    let (auth, person) = (&context.config().auth, context.interaction());
    let (id, home, kept, rotation) = if is_stored(auth) {
        let key_store = context.key_store();
        let found =
            key_store.find(person).await.map_err(|error| key_store.unfound(auth, &error))?;
        let (home, entry) = found.ok_or_else(|| nothing_stored(auth))?;
        let current = entry.current.ok_or_else(|| nothing_stored(auth))?;
        let label = home.label().to_owned();
        (current.key.id, label, Some(current.created), entry.stage)
    } else {
        let (store, state) = (context.config().store, &context.paths().state);
        let key = access_key::load(auth, store, state, person, None)
            .await
            .map_err(NotIssued::into_fault)?;
        (key.id, key_source(&auth.key), None, None)
    };
    let aws = ask_aws(context, &id).await;
    let created = aws.as_ref().and_then(|aws| aws.created).or(kept);
    Ok(Status {
        schema: 1,
        version: 1,
        id,
        home,
        created,
        age_days: created.map(|at| Timestamp::now().duration_since(at).as_hours() / 24),
        rotation,
        aws,
    })
}

/// What AWS says of a key, where a live auth session lets us ask.
async fn ask_aws(context: &Context, id: &AccessKeyId) -> Option<AtAws> {
    let day = jiff::SignedDuration::from_hours(36);
    let session = context.broker().fresh_session(day, None, Asking::Never).await.ok()?;
    let aws = Aws::new(&context.config().auth).ok()?;
    let signer = Signer::Session(&session);
    let keys = match aws.access_keys(signer).await {
        Ok(keys) => keys,
        Err(failure) => {
            context.out.debug(&format!("iam:ListAccessKeys: {}", failure.message));
            return None;
        }
    };
    let listed = keys.iter().find(|key| key.id == *id);
    let used = aws.last_use(signer, id).await.ok().flatten();
    Some(AtAws {
        active: listed.map(|key| key.active),
        created: listed.map(|key| key.created),
        last_used: used.map(|used| LastUsed {
            at: used.at,
            service: used.service,
            region: used.region,
        }),
    })
}

impl Status {
    fn for_people(&self, context: &Context) -> String {
        let age = self.created.map_or_else(
            || "not known".into(),
            |at| {
                let age = duration::age(Timestamp::now().duration_since(at));
                format!("{age} (since {})", context.moment(at))
            },
        );
        let mut rows = vec![
            ["access key".to_owned(), self.id.to_string()],
            ["kept in".into(), self.home.clone()],
            ["age".into(), age],
        ];
        if self.rotation.is_some() {
            let how = "in progress: `sekisho key rotate` resumes it".to_owned();
            rows.push(["rotation".into(), how]);
        }
        if let Some(aws) = &self.aws {
            let state = match aws.active {
                Some(true) => "active",
                Some(false) => "inactive",
                None => "not listed by AWS: deleted, or another user's",
            };
            rows.push(["at AWS".into(), state.into()]);
            let used = match &aws.last_used {
                Some(used) => {
                    format!("{} ({} in {})", context.moment(used.at), used.service, used.region)
                }
                None => "never, according to AWS".into(),
            };
            rows.push(["last used".into(), used]);
        }
        align(&rows)
    }
}
