//! What a report's file shows, as headings, paragraphs and tables.

use jiff::Timestamp;

use crate::domain::trust::{DoorStanding, Reading};
use crate::domain::verdict::report::{AccountReport, ProbeRecord};
use crate::domain::verdict::{Finding, Verdict};

use super::{Evidence, Language};

/// A piece of a page.
pub(super) enum Block {
    Title(String),
    Heading(String),
    Subheading(String),
    Paragraph(String),
    List(Vec<String>),
    Table { head: Vec<String>, rows: Vec<Vec<String>> },
}

/// Everything on the page.
pub(super) fn blocks(evidence: &Evidence) -> Vec<Block> {
    let (l, report) = (evidence.language, &evidence.report);
    let t = |english, japanese| l.of(english, japanese).to_owned();
    let mut page = vec![
        title(evidence),
        Block::Paragraph(match &report.sign_in {
            Some(_) => t(
                "sekisho verify made each call below with the console sign-in, without a code, and read the trust policies \
                 through a role that it entered, where need be with a code (the positive control). Nothing was changed.",
                "sekisho verify は、以下の各呼び出しをコンソールサインインだけで (MFA コードなしで) 実行し、引き受けられたロールで信頼\
                 ポリシーを読み取った。必要な場合は MFA コードを使った(陽性対照)。変更は一切行っていない。",
            ),
            None => t(
                "sekisho verify made each call below with the access key alone, with a session made without a code, and \
             with one made with a code (the positive control), and read the trust policies. Nothing was changed.",
                "sekisho verify は、以下の各呼び出しを「アクセスキーのみ」「MFA コードなしのセッション」「MFA コードありの\
             セッション(陽性対照)」で実行し、信頼ポリシーを読み取った。変更は一切行っていない。",
            ),
        }),
        facts(evidence),
        Block::Heading(t("Summary", "要約")),
        summary(evidence),
        Block::Paragraph(t(
            "proved: AWS refused and named the policy, or the document was read. held: the same, but something else \
             than AWS may have answered. masked: another guardrail refused first, so this one could not be observed. \
             not proved: it could not be decided. OPEN: it does not protect.",
            "証明済み: AWS が拒否しポリシーを明示した、または文書を読み取った。拒否を確認: 同様だが、AWS 以外が応答した\
             可能性がある。観測不可: 別のガードレールが先に拒否した。未証明: 判定できない。開放(OPEN): 保護されていない。",
        )),
        Block::Heading(t("The user", "ユーザー")),
        findings(l, report.key.iter().map(|finding| (String::new(), finding))),
        Block::Subheading(t("Calls", "呼び出し")),
        probes(l, &report.probes),
    ];
    for account in &report.accounts {
        account_blocks(&mut page, l, evidence, account);
    }
    page.push(Block::Heading(t("Not tried", "試していないこと")));
    page.push(Block::List(report.not_tried.iter().map(|what| l.sentence(what)).collect()));
    if !report.left_out.is_empty() {
        page.push(Block::Paragraph(format!(
            "{}: {}",
            l.of("Left out because guarded", "保護対象のため除外"),
            report.left_out.join(", ")
        )));
    }
    page.push(Block::Heading(t("How to check this report", "この報告書の検証方法")));
    page.push(Block::Paragraph(t(
        "`sekisho verify --check FILE` re-computes the hash chain. The chain's head is in the user agent of the last \
         call: look that event up in CloudTrail of the auth account by its request id, and compare the two.",
        "`sekisho verify --check FILE` がハッシュチェーンを再計算する。チェーンの先頭値は最後の呼び出しのユーザーエージェントに\
         含まれる。認証アカウントの CloudTrail でリクエスト ID からイベントを検索し、両者を比較する。",
    )));
    if let Some(anchor) = &evidence.anchor {
        page.push(probes(l, std::slice::from_ref(anchor)));
    }
    page
}

fn facts(evidence: &Evidence) -> Block {
    let (l, report) = (evidence.language, &evidence.report);
    let user = report.user.as_ref().map_or("?", |user| user.as_str());
    let row = |english, japanese, value: String| vec![l.of(english, japanese).to_owned(), value];
    let missing = || l.of("none", "なし").to_owned();
    let mut rows = vec![
        row("Made", "実行日時", time(report.at)),
        row("Oldest probe of an account", "最も古い確認日時", time(report.oldest())),
        row("Who answered", "応答元", l.against(report.against).to_owned()),
        row("Endpoint", "エンドポイント", report.endpoint.clone()),
        row(
            "Between here and AWS",
            "経路上のもの",
            if report.detours.is_empty() {
                missing()
            } else {
                let detours: Vec<String> =
                    report.detours.iter().map(|detour| l.sentence(detour)).collect();
                detours.join(", ")
            },
        ),
        row("Auth account", "認証アカウント", report.auth_account.dashed()),
        match (&report.access_key, &report.sign_in) {
            (None, Some(sign_in)) => row(
                "User and sign-in",
                "ユーザーとサインイン",
                format!("{user}, {}", l.sentence(&sign_in.of)),
            ),
            (key, _) => {
                let key = key.as_deref().unwrap_or("?");
                row("User and key", "ユーザーとキー", format!("{user}, {key}"))
            }
        },
        row("Program", "プログラム", format!("sekisho {}", report.version)),
        row(
            "SHA-256 of the config",
            "設定ファイルの SHA-256",
            report.config_sha256.clone().unwrap_or_else(missing),
        ),
        row("Head of the hash chain", "ハッシュチェーンの先頭値", evidence.head().to_owned()),
        row(
            "CloudTrail event",
            "CloudTrail イベント",
            evidence
                .anchor
                .as_ref()
                .and_then(|anchor| anchor.request_id.clone())
                .unwrap_or_else(missing),
        ),
    ];
    if let Some(why) = &report.control_missing {
        rows.push(row("No positive control", "陽性対照なし", l.sentence(why)));
    }
    if let Some(why) = report.sign_in.as_ref().and_then(|sign_in| sign_in.missing.as_ref()) {
        rows.push(row("Nobody is signed in", "サインインなし", l.sentence(why)));
    }
    if let Some(mfa) = report.sign_in_mfa() {
        let value = l.sentence(mfa.sentence());
        rows.push(row("MFA information in the sign-in", "サインインの MFA 情報", value));
    }
    Block::Table { head: Vec::new(), rows }
}

fn title(evidence: &Evidence) -> Block {
    let (english, japanese) = match evidence.report.sign_in {
        Some(_) => ("What a console sign-in opens", "コンソールサインインで何が開くか"),
        None => ("What a leaked access key opens", "漏えいしたアクセスキーで何が開くか"),
    };
    Block::Title(evidence.language.of(english, japanese).to_owned())
}

fn summary(evidence: &Evidence) -> Block {
    let (l, report) = (evidence.language, &evidence.report);
    let head = ["", "Accounts"].into_iter().zip(["", "アカウント数"]);
    let order =
        [Verdict::Open, Verdict::NotProved, Verdict::Masked, Verdict::Unconfirmed, Verdict::Proved];
    let rows = order.into_iter().filter_map(|verdict| {
        let many = report
            .accounts
            .iter()
            .filter(|account| account.verdict(report.against) == verdict)
            .count();
        (many > 0).then(|| vec![l.verdict(verdict).to_owned(), many.to_string()])
    });
    Block::Table {
        head: head.map(|(en, ja)| l.of(en, ja).to_owned()).collect(),
        rows: rows.collect(),
    }
}

fn account_blocks(
    page: &mut Vec<Block>,
    l: Language,
    evidence: &Evidence,
    account: &AccountReport,
) {
    let t = |english, japanese| l.of(english, japanese).to_owned();
    let verdict = l.verdict(account.verdict(evidence.report.against));
    page.push(Block::Heading(format!("{} ({}): {verdict}", account.name, account.id.dashed())));
    page.push(Block::Paragraph(format!("{} {}", l.of("Probed", "確認日時"), time(account.at))));
    let of_roles = account.roles.iter().flat_map(|role| {
        role.findings.iter().map(|finding| (role.role.name().to_owned(), finding))
    });
    let own = [&account.back_doors, &account.other_doors, &account.local_users];
    page.push(findings(l, of_roles.chain(own.map(|finding| (String::new(), finding)))));
    page.push(Block::Subheading(t("Trust policies", "信頼ポリシー")));
    page.push(doors(l, account));
    page.push(Block::Subheading(t("Calls", "呼び出し")));
    page.push(probes(l, &account.probes));
}

/// Every door: with MFA, without it but bound, or open; and the document's hash.
fn doors(l: Language, account: &AccountReport) -> Block {
    let head = [
        ("Role", "ロール"),
        ("Who", "誰が"),
        ("Principal", "プリンシパル"),
        ("Needs", "必要なもの"),
        ("", ""),
        ("SHA-256 of the document", "文書の SHA-256"),
    ];
    let mut rows = Vec::new();
    for role in &account.trust_policies {
        let name = role.role.split_once(":role/").map_or(role.role.as_str(), |(_, name)| name);
        let mut row = |who: &str, principal: &str, needs: &str, standing: &str| {
            let cells = [name, who, principal, needs, standing, &role.sha256];
            rows.push(cells.map(ToOwned::to_owned).into());
        };
        let users = l.of("IAM users of the auth account", "認証アカウントの IAM ユーザー");
        let with_mfa = l.of("MFA", "MFA");
        match &role.policy.users {
            Reading::AsksMfa => row(users, "", with_mfa, ""),
            Reading::Closed if role.policy.doors.is_empty() => {
                row(l.of("services only, or nobody", "サービスのみ、またはなし"), "", "", "");
            }
            Reading::Closed => {}
            Reading::Open(hole) => {
                row(users, &hole.principal, l.of("no MFA", "MFA なし"), l.verdict(Verdict::Open));
            }
            Reading::Unclear { why } => {
                row("?", "", &l.sentence(why), l.verdict(Verdict::NotProved));
            }
        }
        for door in &role.policy.doors {
            let standing = match door.standing() {
                DoorStanding::Bound => "",
                DoorStanding::ForOthers => l.verdict(Verdict::NotProved),
                DoorStanding::Open => l.verdict(Verdict::Open),
            };
            row(l.door(door.kind), &door.principal, &l.needs(&door.needs), standing);
        }
    }
    Block::Table { head: head.map(|(en, ja)| l.of(en, ja).to_owned()).into(), rows }
}

fn findings<'a>(l: Language, findings: impl Iterator<Item = (String, &'a Finding)>) -> Block {
    let head = [
        ("Role", "ロール"),
        ("Guardrail", "ガードレール"),
        ("Verdict", "判定"),
        ("Why", "理由"),
        ("What to do", "対処"),
    ];
    let rows = findings.map(|(role, finding)| {
        vec![
            role,
            l.guardrail(finding.guardrail).to_owned(),
            l.verdict(finding.verdict).to_owned(),
            l.sentence(&finding.because),
            finding.remedy.as_deref().map(|remedy| l.sentence(remedy)).unwrap_or_default(),
        ]
    });
    Block::Table { head: head.map(|(en, ja)| l.of(en, ja).to_owned()).into(), rows: rows.collect() }
}

fn probes(l: Language, probes: &[ProbeRecord]) -> Block {
    let head = [
        ("Time (UTC)", "日時 (UTC)"),
        ("Signed by", "署名"),
        ("Call", "呼び出し"),
        ("Answer", "応答"),
        ("Request id", "リクエスト ID"),
        ("Shows", "示すこと"),
    ];
    let rows = probes.iter().map(|probe| {
        vec![
            probe.at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            l.signer(probe.by).to_owned(),
            probe.call.clone(),
            l.sentence(&probe.outcome.to_string()),
            probe.request_id.clone().unwrap_or_default(),
            l.shows(&probe.shows).to_owned(),
        ]
    });
    Block::Table { head: head.map(|(en, ja)| l.of(en, ja).to_owned()).into(), rows: rows.collect() }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
