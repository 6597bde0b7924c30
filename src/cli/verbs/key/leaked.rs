//! `key leaked`: what to do in the minute after a key was seen where it must not be.
//!
//! The new key is made and proved first, and the leaked one deactivated right after it: sessions made with a key may
//! die with it, and with them the right to make another. The leaked key is not deleted, since its owner and its
//! last use are evidence. Killed anywhere, the same command goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cli::args::ReportLanguage;
use crate::cli::context::Context;
use crate::cli::runtime::block_on;
use crate::cli::verbs::key::rotate::Rotation;
use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::AccessKeyId;
use crate::domain::text::sanitize;
use crate::domain::verdict::Verdict;
use crate::services::doctor::traces;
use crate::services::store::files::Dir;
use crate::services::verify::marks;

/// What has been begun: the key that leaked, and what was known before its sessions were deleted.
const JOURNAL: &str = "leaked.json";

/// An instant in what the security officer reads beside CloudTrail: `2026-11-24 06:12 UTC`.
fn utc(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// More than a journal has.
const MAX_FILE_BYTES: u64 = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Journal {
    key: AccessKeyId,
    since: Timestamp,
    /// Sessions that stay valid at AWS, and until when.
    sessions: BTreeMap<String, Timestamp>,
}

/// Everything that the page shows.
struct Incident {
    journal: Journal,
    user: String,
    account: String,
    created: Option<Timestamp>,
    new_key: Option<AccessKeyId>,
    dead_at: Timestamp,
    open: Vec<String>,
    verified: Option<(Timestamp, usize)>,
    traces: Vec<(PathBuf, Vec<usize>)>,
}

/// Replaces the leaked key, ends what can be ended from here, and prints what is left to do.
pub fn run(context: &Context, yes: bool, language: ReportLanguage) -> Result<Exit, Fault> {
    let key_store = context.key_store();
    let state = Dir::create(&context.paths().state)
        .map_err(|error| error.fault("the progress cannot be stored"))?;
    block_on(async {
        let mut rotation = Rotation::open(context, &key_store).await?;
        let journal = begin(context, &state, &rotation)?;
        context.out.info(&format!(
            "replacing {}: a new key first, then the leaked one is deactivated",
            journal.key
        ));
        let created = rotation.created(&journal.key);
        rotation
            .replace(&journal.key, yes)
            .await
            .map_err(|fault| with_help(fault, context, &journal.key))?;
        rotation.prove_dead(&journal.key).await?;
        let dead_at = Timestamp::now();
        context.out.info(&format!("AWS refuses {} now", journal.key));
        let forgotten = context.broker().forget_everything();
        if let Err(why) = forgotten {
            context
                .out
                .warn(&format!("not all sessions could be deleted here: {}", sanitize(&why)));
        }
        let marks = marks(&state);
        let auth = &context.config().auth;
        let accounts = context.config().catalog.accounts();
        let open = accounts.iter().filter(|account| {
            marks.get(&account.id).is_some_and(|mark| mark.verdict == Verdict::Open)
        });
        let incident = Incident {
            user: rotation.user().await,
            account: auth.account.to_string(),
            created,
            new_key: rotation.current(),
            dead_at,
            open: open.map(|account| account.name.to_string()).collect(),
            verified: marks.values().map(|mark| mark.at).min().map(|at| (at, marks.len())),
            traces: traces::holding(
                &context.paths().home,
                std::env::current_dir().ok().as_deref(),
                journal.key.as_str(),
            ),
            journal,
        };
        context.out.print(&match language {
            ReportLanguage::En => english(&incident),
            ReportLanguage::Ja => japanese(&incident),
        });
        let _ = state.remove(JOURNAL); // the page is printed; a journal that stays only prints it again
        Ok(Exit::Done)
    })
}

/// The incident that goes on, or a new one about the key in use.
fn begin(context: &Context, state: &Dir, rotation: &Rotation<'_>) -> Result<Journal, Fault> {
    let kept = state.read(JOURNAL, MAX_FILE_BYTES).ok().flatten();
    let kept: Option<Journal> = kept.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    if let Some(journal) = kept.filter(|journal| rotation.holds(&journal.key)) {
        return Ok(journal);
    }
    let key = rotation
        .current()
        .ok_or_else(|| Fault::new(Exit::Fault, "there is no access key in the store"))?;
    let broker = context.broker();
    let auth = broker.status().auth.map(|auth| ("auth session".to_owned(), auth.expires));
    let roles = broker.live_roles().into_iter().map(|(target, live)| (target.name(), live.expires));
    let journal =
        Journal { key, since: Timestamp::now(), sessions: auth.into_iter().chain(roles).collect() };
    let text = serde_json::to_vec(&journal).unwrap_or_default();
    state.write(JOURNAL, &text).map_err(|error| error.fault("the progress cannot be stored"))?;
    Ok(journal)
}

/// Where this machine cannot do it, somebody else must, at once.
fn with_help(fault: Fault, context: &Context, key: &AccessKeyId) -> Fault {
    let user = context.config().auth.user.as_ref().map_or("USER", |user| user.as_str());
    fault
        .fix("or have an administrator of the auth account run this now:")
        .fix(format!(
            "aws iam update-access-key --user-name {user} --access-key-id {key} --status Inactive"
        ))
        .fix("then run `sekisho key leaked` again, or `sekisho key add` with a new key")
}

/// Denies every session of the user that was made before a time.
fn revoke(incident: &Incident) -> String {
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Deny","Action":"*","Resource":"*","Condition":{{"DateLessThan":{{"aws:TokenIssueTime":"{}"}}}}}}}}"#,
        incident.dead_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    );
    format!(
        "aws iam put-user-policy --user-name {} --policy-name RevokeOlderSessions --policy-document '{policy}'",
        incident.user
    )
}

fn lookup(incident: &Incident) -> [String; 2] {
    let since = incident.created.unwrap_or(incident.journal.since).strftime("%Y-%m-%dT%H:%M:%SZ");
    let key = &incident.journal.key;
    [
        format!(
            "aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={key} --start-time {since} --region us-east-1"
        ),
        format!(
            "SELECT eventTime, awsRegion, eventSource, eventName, sourceIPAddress, userAgent, errorCode FROM EVENT_DATA_STORE WHERE userIdentity.accessKeyId = '{key}' AND eventTime > '{since}' ORDER BY eventTime"
        ),
    ]
}

fn sessions(incident: &Incident) -> Vec<String> {
    let sessions = incident.journal.sessions.iter();
    sessions
        .filter(|(_, until)| **until > incident.dead_at)
        .map(|(what, until)| format!("  {what}: {}", utc(*until)))
        .collect()
}

fn traced(incident: &Incident) -> Vec<String> {
    let line = |(file, lines): &(PathBuf, Vec<usize>)| {
        let lines: Vec<String> = lines.iter().take(5).map(ToString::to_string).collect();
        format!("  {}: {}", shown(file), lines.join(", "))
    };
    incident.traces.iter().map(line).collect()
}

fn shown(file: &Path) -> String {
    sanitize(&file.display().to_string())
}

fn listed(lines: &[String], none: &str) -> String {
    if lines.is_empty() { format!("  {none}") } else { lines.join("\n") }
}

fn english(incident: &Incident) -> String {
    let Incident { journal, user, account, dead_at, .. } = incident;
    let key = &journal.key;
    let new = incident.new_key.as_ref().map_or("none", |key| key.as_str());
    let opened = match &incident.verified {
        None => "  not known: `sekisho verify` was never run here".to_owned(),
        Some((at, many)) if incident.open.is_empty() => {
            format!("  nothing was OPEN in {many} accounts (oldest: {})", utc(*at))
        }
        Some((at, many)) => format!(
            "  OPEN in {} of {many} accounts (oldest: {}): {}",
            incident.open.len(),
            utc(*at),
            incident.open.join(", ")
        ),
    };
    let [lookup, query] = lookup(incident);
    format!(
        "Access key {key} of {user} in {account}\n\
         \n\
         Done\n\
         \x20 new key {new} made and proved\n\
         \x20 {key} deactivated; AWS refuses it since {dead}\n\
         \x20 all sessions deleted on this machine\n\
         \n\
         What the key alone could open, by the last verify\n{opened}\n\
         \n\
         Sessions that stay valid at AWS until\n{sessions}\n\
         \x20 A thief who had a code may have others. An administrator ends them all:\n\
         \x20 {revoke}\n\
         \x20 and Revoke sessions on each role, in the IAM console.\n\
         \n\
         What it was used for (CloudTrail, each region; the second for CloudTrail Lake)\n\
         \x20 {lookup}\n\
         \x20 {query}\n\
         \n\
         Files of this machine that still contain its id (lines)\n{traces}\n\
         \n\
         To the security officer\n\
         \x20 The access key {key} of IAM user {user} (account {account}) was found to be leaked at {since}.\n\
         \x20 It was replaced, and deactivated at {dead}; AWS refuses it. It was not deleted, so that its use can be\n\
         \x20 traced. Please check CloudTrail for its use with the query above, and revoke older sessions.\n\
         \n\
         When that is done: sekisho key rotate --finish deletes the leaked key.\n",
        dead = utc(*dead_at),
        since = utc(journal.since),
        sessions = listed(&sessions(incident), "none that this machine knows of"),
        revoke = revoke(incident),
        traces = listed(&traced(incident), "none of the usual places"),
    )
}

fn japanese(incident: &Incident) -> String {
    let Incident { journal, user, account, dead_at, .. } = incident;
    let key = &journal.key;
    let new = incident.new_key.as_ref().map_or("なし", |key| key.as_str());
    let opened = match &incident.verified {
        None => "  不明(このマシンで `sekisho verify` は未実行)".to_owned(),
        Some((at, many)) if incident.open.is_empty() => {
            format!("  {many} アカウント中、開放(OPEN)なし(最も古い確認: {})", utc(*at))
        }
        Some((at, many)) => format!(
            "  {many} アカウント中 {} で開放(OPEN)(最も古い確認: {}): {}",
            incident.open.len(),
            utc(*at),
            incident.open.join(", ")
        ),
    };
    let [lookup, query] = lookup(incident);
    format!(
        "アクセスキー {key}(アカウント {account}、ユーザー {user})\n\
         \n\
         実施済み\n\
         \x20 新しいキー {new} を作成し、動作を確認\n\
         \x20 {key} を無効化。{dead} 以降、AWS が拒否することを確認\n\
         \x20 このマシンのセッションをすべて削除\n\
         \n\
         キーのみで開けたもの(直近の verify による)\n{opened}\n\
         \n\
         AWS で有効なまま残るセッションとその期限\n{sessions}\n\
         \x20 コードも盗まれていた場合は他にもあり得る。管理者が次の操作ですべて無効化できる:\n\
         \x20 {revoke}\n\
         \x20 さらに IAM コンソールで各ロールの「セッションの取り消し」を行う。\n\
         \n\
         キーの使用履歴(CloudTrail。リージョンごと。2 つ目は CloudTrail Lake 用)\n\
         \x20 {lookup}\n\
         \x20 {query}\n\
         \n\
         キー ID が残っているこのマシンのファイル(行番号)\n{traces}\n\
         \n\
         セキュリティ担当者への報告文\n\
         \x20 IAM ユーザー {user}(アカウント {account})のアクセスキー {key} の漏えいを {since} に確認しました。\n\
         \x20 キーを交換し、{dead} に無効化しました。AWS が拒否することを確認済みです。使用履歴を追跡できるよう、\n\
         \x20 削除はしていません。上記のクエリで CloudTrail を確認し、古いセッションを取り消してください。\n\
         \n\
         完了後、`sekisho key rotate --finish` で漏えいしたキーを削除する。\n",
        dead = utc(*dead_at),
        since = utc(journal.since),
        sessions = listed(&sessions(incident), "このマシンが把握しているものはなし"),
        revoke = revoke(incident),
        traces = listed(&traced(incident), "通常の場所にはなし"),
    )
}
