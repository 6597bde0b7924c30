//! The sentences of a report in Japanese: findings, reasons, remedies. They are stored in English, so that scripts and
//! the hash chain see one language; names, ARNs and AWS's own texts stay as they are.

/// English sentences with `{}` where something is filled in, and the Japanese ones with its number.
///
/// Of two that fit, the first counts. `tests/it/verify/japanese.rs` finds sentences that are missing here.
const SENTENCES: &[(&str, &str)] = &[
    // Findings about calls.
    ("AWS lets the {} call {}", "{0}で {1} を呼び出せる"),
    ("there is no positive control: {}", "陽性対照がない: {0}"),
    (
        "no policy denies the {} {}: AWS refuses only because none allows it, and the next one attached may",
        "{0}による {1} を拒否するポリシーがない。許可するポリシーがないために拒否されただけで、次にアタッチされるポリシーが許可するかもしれない",
    ),
    (
        "AWS's quarantine of a leaked key refuses first",
        "漏えいしたキーに対する AWS の隔離が先に拒否した",
    ),
    ("undecided: {}", "判定できない: {0}"),
    ("AWS names no policy that denies it", "AWS は拒否したポリシーを示していない"),
    (
        "the deny spares {}, which only no policy allows",
        "{0} は拒否の対象外で、許可するポリシーがないだけである",
    ),
    (
        "refused, and AWS names the deny; but {}: rejected before permissions were checked, which shows nothing",
        "拒否され、AWS は明示的な拒否を示した。ただし {0} はアクセス許可の評価前に拒否されたため、何も示さない",
    ),
    ("refused, and AWS names the deny", "拒否され、AWS は明示的な拒否を示した"),
    ("AWS took a code of the user's device", "AWS がユーザーのデバイスの MFA コードを受け付けた"),
    (
        "the user has no MFA device: whoever holds the key may enrol one, and then passes every guardrail",
        "ユーザーに MFA デバイスがない。キーを持つ者が自分のデバイスを登録でき、その後はすべてのガードレールを通過できる",
    ),
    (
        "the user's only devices are security keys, which API calls cannot use",
        "ユーザーのデバイスはセキュリティキーだけで、API 呼び出しには使えない",
    ),
    (
        "AWS lists {} that make codes, but none was tried",
        "AWS の一覧には MFA コードを生成するデバイスが {0} 台あるが、いずれも試していない",
    ),
    ("iam:ListMFADevices: {}", "iam:ListMFADevices: {0}"),
    // Findings about a role.
    ("AWS let the {} in", "{0}でロールを引き受けられた"),
    (
        "a code does not open the role either, so a refusal without one proves nothing: it may not exist",
        "MFA コードがあってもロールを引き受けられないため、MFA なしの拒否は何も証明しない。ロールが存在しない可能性がある",
    ),
    ("entered without MFA", "MFA なしで引き受けられた"),
    (
        "statement {} of the trust policy lets {} in without MFA",
        "信頼ポリシーのステートメント {0} が、MFA なしで {1} の引き受けを許可している",
    ),
    (
        "read: every way in for IAM users of the auth account asks for MFA",
        "読み取り済み: 認証アカウントの IAM ユーザーに対するすべての入口が MFA を要求する",
    ),
    (
        "read: it lets none of the users in, and yet a code opens the role",
        "読み取り済み: どのユーザーの引き受けも許可していないが、MFA コードがあれば引き受けられた",
    ),
    ("it cannot be fully interpreted: {}", "完全には解釈できない: {0}"),
    (
        "not read ({}), and the probes are undecided",
        "読み取れず ({0})、呼び出しの結果からも判定できない",
    ),
    (
        "refused without a code, opened with one, and no other policy is named",
        "MFA コードなしでは拒否され、コードを付けると引き受けられた。他のポリシーは示されていない",
    ),
    (
        "not read ({}), and AWS names no policy, so which one refused is not known",
        "読み取れず ({0})、AWS がポリシーを示していないため、どのポリシーが拒否したか不明",
    ),
    (
        "not read ({}), and another policy refused first",
        "読み取れず ({0})、別のポリシーが先に拒否した",
    ),
    ("not read ({}), and {}", "読み取れず ({0})、{1}"),
    (
        "AWS names no policy, so which one refused is not known",
        "AWS がポリシーを示していないため、どのポリシーが拒否したか不明",
    ),
    ("another policy refused first", "別のポリシーが先に拒否した"),
    (
        "refused, and AWS names a deny of the user's side",
        "拒否され、AWS はユーザー側のポリシーによる明示的な拒否を示した",
    ),
    (
        "no policy of the user allows it without a code, and with one it is allowed",
        "MFA コードなしでこれを許可するユーザーのポリシーはなく、コードを付けると許可された",
    ),
    (
        "AWS names a deny of the user's side where there is one, and named none: only the role's side refused",
        "AWS はユーザー側の拒否があればそれを示すが、示されなかった。拒否したのはロール側だけである",
    ),
    ("AWS does not say which side refused", "どちら側が拒否したかを AWS は示していない"),
    (
        "refused, and AWS names a resource control policy",
        "拒否され、AWS はリソースコントロールポリシー (RCP) を示した",
    ),
    (
        "AWS named no resource control policy",
        "AWS はリソースコントロールポリシー (RCP) を示さなかった",
    ),
    ("the user's side refused first", "ユーザー側のポリシーが先に拒否した"),
    ("nothing was tried", "何も試していない"),
    // Findings about a console sign-in.
    (
        "entered without a code, and the trust policy asks for MFA: the sign-in carries MFA information",
        "MFA コードなしで引き受けられ、信頼ポリシーは MFA を要求している。このサインインは MFA 情報を持っている",
    ),
    (
        "entered without a code: statement {} of the trust policy asks for no MFA, so whether the sign-in carries MFA information cannot be told",
        "MFA コードなしで引き受けられた。信頼ポリシーのステートメント {0} が MFA を要求していないため、このサインインが MFA 情報を持つかどうかはわからない",
    ),
    (
        "entered without a code: by MFA information in the sign-in, or because the trust policy asks for none, which cannot be told: {}",
        "MFA コードなしで引き受けられた。サインインが MFA 情報を持つためか、信頼ポリシーが MFA を要求していないためかは、わからない ({0})",
    ),
    (
        "as it was read, it lets none of the users in",
        "信頼ポリシーを読み取ったが、どのユーザーの引き受けも許可していない",
    ),
    (
        "refused without a code, entered with one: the sign-in carries no MFA information that counts here",
        "MFA コードなしでは拒否され、コードを付けると引き受けられた。このサインインには、ここで有効な MFA 情報がない",
    ),
    (
        "refused without a code, and the trust policy asks for MFA",
        "MFA コードなしでは拒否され、信頼ポリシーは MFA を要求している",
    ),
    (
        "refused without a code, and it was not tried with one, so that proves nothing: the role may not exist",
        "MFA コードなしでは拒否され、コードを付けた場合を試していないため、何も証明しない。ロールが存在しない可能性がある",
    ),
    (
        "read: it lets none of the users in, and yet the sign-in entered the role",
        "読み取り済み: どのユーザーの引き受けも許可していないが、サインインで引き受けられた",
    ),
    ("read: it lets none of the users in", "読み取り済み: どのユーザーの引き受けも許可していない"),
    ("it was not read: {}", "読み取れていない: {0}"),
    ("not tried: {}", "試していない: {0}"),
    ("a console sign-in is needed", "コンソールサインインが必要"),
    ("the console sign-in has expired", "コンソールサインインの有効期限が切れた"),
    ("profile {} is not signed in", "プロファイル {0} はサインインしていない"),
    ("the keys of profile {} have expired", "プロファイル {0} のキーは有効期限が切れている"),
    ("nobody is signed in", "誰もサインインしていない"),
    ("no role was entered", "引き受けられたロールがない"),
    ("AWS does not list the role", "AWS のロール一覧にこのロールがない"),
    (
        "the user has no MFA device: the password alone signs in",
        "ユーザーに MFA デバイスがなく、パスワードだけでサインインできる",
    ),
    (
        "AWS lists MFA devices of the user, {} in all: a sign-in asks for one",
        "AWS の一覧にユーザーの MFA デバイスが {0} 台あり、サインインのときに要求される",
    ),
    (
        "The sign-in carries MFA information: a role whose trust policy asks for it let it in without a code.",
        "MFA 情報を持つ。信頼ポリシーで MFA を要求するロールを、MFA コードなしで引き受けられた。",
    ),
    (
        "The sign-in carries no MFA information that counts: a role took it with a code only.",
        "有効な MFA 情報はない。MFA コードがある場合だけ引き受けられたロールがある。",
    ),
    (
        "Whether the sign-in carries MFA information, nothing here tells.",
        "MFA 情報を持つかどうかは、この結果からはわからない。",
    ),
    ("aws login, profile {}", "aws login、プロファイル {0}"),
    // Findings about an account.
    ("the account's roles could not be listed: {}", "アカウントのロールを一覧できない: {0}"),
    (
        "none of the account's {} other roles lets the users in without MFA",
        "アカウントの他のロール {0} 個のうち、MFA なしでユーザーの引き受けを許可するものはない",
    ),
    (
        "{} of {} other roles have a trust policy that cannot be fully interpreted",
        "他のロール {1} 個のうち {0} 個の信頼ポリシーは、完全には解釈できない",
    ),
    (
        "{} of {} other roles let the auth account's users in without MFA",
        "他のロール {1} 個のうち {0} 個が、MFA なしで認証アカウントのユーザーの引き受けを許可している",
    ),
    ("anybody outside may enter: {}", "外部の誰でも引き受けられる: {0}"),
    ("{} door for others: {}", "ユーザー以外への入口が {0} つ: {1}"),
    ("{} doors for others: {}", "ユーザー以外への入口が {0} つ: {1}"),
    (
        "{} trust policies cannot be fully interpreted",
        "{0} 個の信頼ポリシーは、完全には解釈できない",
    ),
    (
        "read: MFA or a condition binds each of {} doors for others",
        "読み取り済み: ユーザー以外への {0} つの入口は、すべて MFA または条件で限定されている",
    ),
    ("read: nobody else is let in", "読み取り済み: ユーザー以外の引き受けを許可していない"),
    (
        "the account's IAM users could not be listed: {}",
        "アカウントの IAM ユーザーを一覧できない: {0}",
    ),
    (
        "none of the account's {} IAM users has an active access key",
        "アカウントの IAM ユーザー {0} 人のうち、有効なアクセスキーを持つユーザーはいない",
    ),
    (
        "{} of the account's IAM users has an active access key, which opens what the user may do",
        "アカウントの IAM ユーザー {0} 人が有効なアクセスキーを持つ。そのキーだけで、ユーザーに許可されたことがすべてできる",
    ),
    (
        "{} of the account's IAM users have an active access key, which opens what the user may do",
        "アカウントの IAM ユーザー {0} 人が有効なアクセスキーを持つ。そのキーだけで、ユーザーに許可されたことがすべてできる",
    ),
    // Remedies.
    (
        "AWS's answers do not show it: have an administrator read the user's policies in the auth account",
        "AWS の応答からはわからない。管理者に、認証アカウントでこのユーザーのポリシーを確認してもらう",
    ),
    (
        "enrol an authenticator app in the console now, and rotate the key: `sekisho key rotate`",
        "今すぐコンソールで認証アプリを登録し、キーをローテーションする: `sekisho key rotate`",
    ),
    (
        "deny sts:GetFederationToken to every user: `sekisho policy --write DIR`, auth account, NoOtherSessions",
        "すべてのユーザーに sts:GetFederationToken を拒否する: `sekisho policy --write DIR`、認証アカウント、NoOtherSessions",
    ),
    (
        "deny every user everything without MFA (BoolIfExists): `sekisho policy --write DIR`, auth account, DenyAllWithoutMfa",
        "MFA なしの操作をすべてのユーザーに拒否する (BoolIfExists): `sekisho policy --write DIR`、認証アカウント、DenyAllWithoutMfa",
    ),
    (
        "deny every user everything without MFA (BoolIfExists): `sekisho policy --write DIR`, auth account",
        "MFA なしの操作をすべてのユーザーに拒否する (BoolIfExists): `sekisho policy --write DIR`、認証アカウント",
    ),
    (
        "rotate the key from another machine, answer AWS's case, have the quarantine policy detached, verify again",
        "別のマシンからキーをローテーションし、AWS のサポートケースに回答し、隔離ポリシーをデタッチしてもらってから、もう一度検証する",
    ),
    (
        "run `sekisho verify` with a code from your device",
        "デバイスの MFA コードを入力して `sekisho verify` を実行する",
    ),
    (
        "verify again with a code, or read the user's policies in the auth account",
        "MFA コードを入力してもう一度検証するか、認証アカウントでユーザーのポリシーを確認する",
    ),
    (
        "verify again, and enter a code from your device",
        "もう一度検証し、デバイスの MFA コードを入力する",
    ),
    (
        "add Bool {\"aws:MultiFactorAuthPresent\": \"true\"} to that statement: `sekisho policy --write DIR`, dev account",
        "そのステートメントに Bool {\"aws:MultiFactorAuthPresent\": \"true\"} を追加する: `sekisho policy --write DIR`、開発アカウント",
    ),
    (
        "add the MFA condition to these roles' trust policies, or delete the roles",
        "これらのロールの信頼ポリシーに MFA の条件を追加するか、ロールを削除する",
    ),
    (
        "attach the resource control policy UsersEnterWithMfa to the OU: `sekisho policy --write DIR`, organization",
        "リソースコントロールポリシー UsersEnterWithMfa を OU にアタッチする: `sekisho policy --write DIR`、組織",
    ),
    (
        "let the role call iam:GetRole on itself, so that its trust policy can be read",
        "信頼ポリシーを読めるように、ロールに自身への iam:GetRole を許可する",
    ),
    (
        "nothing: another guardrail refuses first, so this one cannot be observed from here",
        "なし: 別のガードレールが先に拒否するため、ここからは観測できない",
    ),
    (
        "let the role call iam:ListRoles, or have an administrator read the trust policies",
        "ロールに iam:ListRoles を許可するか、管理者に信頼ポリシーを確認してもらう",
    ),
    (
        "have an administrator read the role's trust policy",
        "管理者に、ロールの信頼ポリシーを確認してもらう",
    ),
    (
        "check that the role exists and that a code opens it, then verify again",
        "ロールが存在し、MFA コードで引き受けられることを確認してから、もう一度検証する",
    ),
    (
        "delete these keys, or deny the account's IAM users everything without MFA: `sekisho policy --write DIR`, organization",
        "これらのキーを削除するか、MFA なしの操作をアカウントの IAM ユーザーに拒否する: `sekisho policy --write DIR`、組織",
    ),
    (
        "let the role call iam:ListUsers, iam:ListAccessKeys and iam:GetAccessKeyLastUsed",
        "ロールに iam:ListUsers、iam:ListAccessKeys、iam:GetAccessKeyLastUsed を許可する",
    ),
    (
        "remove the statement, or bind it: a foreign account by sts:ExternalId or aws:PrincipalOrgID, an issuer by its `sub` (and `aud`); an account that you trust goes into guardrails.trusted_accounts",
        "ステートメントを削除するか、条件で限定する。組織外のアカウントは sts:ExternalId または aws:PrincipalOrgID、発行者は `sub` (と `aud`) で限定し、信頼するアカウントは guardrails.trusted_accounts に加える",
    ),
    (
        "have each of them reviewed: who may use it, and whether it asks for MFA on its side",
        "それぞれについて、誰が使えるか、その側で MFA を要求するかを確認してもらう",
    ),
    (
        "register a device in the console now, a passkey or an authenticator app",
        "今すぐコンソールで、パスキーか認証アプリを MFA デバイスとして登録する",
    ),
    (
        "let the user call iam:ListMFADevices on itself",
        "ユーザーに、自身に対する iam:ListMFADevices を許可する",
    ),
    ("run `sekisho login` in a terminal first", "先にターミナルで `sekisho login` を実行する"),
    // What is not understood in a trust policy.
    ("it is not JSON", "JSON ではない"),
    ("it has no Statement", "Statement がない"),
    ("statement {}: {}", "ステートメント {0}: {1}"),
    ("not an object", "オブジェクトではない"),
    ("unknown element {}", "未知の要素 {0}"),
    ("it needs one of Action and NotAction", "Action と NotAction のどちらか一方が必要"),
    ("its Effect is neither Allow nor Deny", "Effect が Allow でも Deny でもない"),
    (
        "NotPrincipal lets in whoever is not named",
        "NotPrincipal は、名前のない全員の引き受けを許可する",
    ),
    (
        "it needs one of Principal and NotPrincipal",
        "Principal と NotPrincipal のどちらか一方が必要",
    ),
    ("its Principal is malformed", "Principal の形式が正しくない"),
    ("unknown kind of principal {}", "未知の種類のプリンシパル {0}"),
    ("principal {} is not understood", "プリンシパル {0} を解釈できない"),
    ("Condition is malformed", "Condition の形式が正しくない"),
    ("Condition is no object", "Condition がオブジェクトではない"),
    ("a value is no text", "文字列ではない値がある"),
    ("unknown operator {}", "未知の演算子 {0}"),
    ("a variable is compared with {}", "変数が {0} と比較されている"),
    ("{} is tested in an odd way", "{0} の条件の書き方が特殊である"),
    (
        "guests of the identity pool get in, if the pool admits any",
        "ID プールがゲストを許可していれば、ゲストも引き受けられる",
    ),
    // Outcomes of calls.
    ("{}, explicit deny in {} ({})", "{0}、{1}の明示的な拒否 ({2})"),
    ("{}, explicit deny in {}", "{0}、{1}の明示的な拒否"),
    ("{}, not allowed by {}", "{0}、{1}で許可されていない"),
    ("{}: IAM takes no session without MFA", "{0}: IAM は MFA なしのセッションを受け付けない"),
    ("{}, no policy named", "{0}、ポリシー名なし"),
    ("{}: rejected before permissions were checked", "{0}: アクセス許可の評価前に拒否"),
    ("no role was entered with a code", "MFA コードで引き受けられたロールがない"),
    ("the role was not entered with a code", "MFA コードでロールを引き受けていない"),
    (
        "AWS's list of {} roles does not contain {}, the role that asked for it",
        "AWS のロール一覧 ({0} 個) に、要求した {1} 自身が含まれていない",
    ),
    ("the user is not known", "ユーザーがわからない"),
    // Why there is no positive control.
    ("no code was given", "MFA コードが入力されなかった"),
    (
        "GetCallerIdentity was refused, which AWS never does",
        "GetCallerIdentity が拒否された (AWS が拒否することはない)",
    ),
    ("AWS did not accept the code", "AWS が MFA コードを受け付けなかった"),
    (
        "AWS does not know the MFA device for this user",
        "AWS にこのユーザーの MFA デバイスが登録されていない",
    ),
    // What no run tries.
    (
        "calls other than those listed: a policy may still allow the key something else",
        "一覧にない呼び出し: ポリシーがキーに他のことを許可している可能性がある",
    ),
    (
        "users other than the key's own, except by trust policies",
        "キーの所有者以外のユーザー (信頼ポリシーからわかることを除く)",
    ),
    (
        "roles that were left out, and accounts that are not in the config",
        "除外されたロールと、設定にないアカウント",
    ),
    (
        "the organization's policies, except where AWS names them in a refusal",
        "組織のポリシー (AWS が拒否の理由として示したものを除く)",
    ),
    (
        "enrolling a device or making a key: such calls would change something",
        "デバイスの登録やキーの作成: 変更を伴うため",
    ),
    (
        "a sign-in by somebody without MFA: that it carries no MFA information, this one does not show",
        "MFA なしのサインイン: それが MFA 情報を持たないことは、このサインインからはわからない",
    ),
    (
        "access keys: the config names none, but the user may have some",
        "アクセスキー: 設定にはないが、ユーザーが持っている可能性がある",
    ),
    (
        "what the user may do in the auth account itself",
        "ユーザーが認証アカウントの中で実行できること",
    ),
    (
        "users other than the one who signed in, except by trust policies",
        "サインインしたユーザー以外のユーザー (信頼ポリシーからわかることを除く)",
    ),
    // Parts of sentences.
    ("key alone: {}", "キーのみ: {0}"),
    ("session without MFA: {}", "MFA なしのセッション: {0}"),
    ("key alone", "キーのみ"),
    ("session without MFA", "MFA なしのセッション"),
    ("session with MFA", "MFA ありのセッション"),
    ("allowed", "許可"),
    ("an identity-based policy", "アイデンティティベースのポリシー"),
    ("a service control policy", "サービスコントロールポリシー (SCP)"),
    ("a resource control policy", "リソースコントロールポリシー (RCP)"),
    ("a permissions boundary", "アクセス許可の境界"),
    ("a session policy", "セッションポリシー"),
    ("a resource-based policy", "リソースベースのポリシー"),
    ("a VPC endpoint policy", "VPC エンドポイントポリシー"),
    ("{} × role of the auth account", "認証アカウントのロール × {0}"),
    ("{} × the account's own principals", "同じアカウントのプリンシパル × {0}"),
    ("{} × Identity Center", "IAM Identity Center × {0}"),
    ("{} × account of the organization", "組織内のアカウント × {0}"),
    ("{} × listed account", "許可リストのアカウント × {0}"),
    ("{} × foreign account", "組織外のアカウント × {0}"),
    ("{} × OIDC issuer", "OIDC プロバイダー × {0}"),
    ("{} × SAML provider", "SAML プロバイダー × {0}"),
    ("{} × service that hands out credentials", "認証情報を渡すサービス × {0}"),
    ("endpoint {}", "エンドポイント {0}"),
    ("proxy {}", "プロキシ {0}"),
    ("extra CA {}", "追加の CA {0}"),
];

/// A sentence of a report in Japanese; `None` where it is none of sekisho's own.
pub fn japanese(english: &str) -> Option<String> {
    SENTENCES.iter().find_map(|(template, japanese)| {
        let filled = filled(template, english)?;
        let parts = filled.into_iter().enumerate();
        Some(parts.fold((*japanese).to_owned(), |text, (at, part)| {
            text.replace(&format!("{{{at}}}"), &any(part))
        }))
    })
}

/// A part of a sentence: one of sekisho's own, a list of such, or a name that stays as it is.
fn any(part: &str) -> String {
    // A list first: its first item would take the others for a part of its own.
    let items: Option<Vec<String>> = part.split(", ").map(japanese).collect();
    let list = items.map(|items| items.join("、"));
    list.or_else(|| japanese(part)).unwrap_or_else(|| part.to_owned())
}

/// What a text has in the places of a template's `{}`.
fn filled<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = template.split("{}");
    let mut rest = text.strip_prefix(literals.next()?)?;
    let mut filled = Vec::new();
    let mut literals = literals.peekable();
    while let Some(literal) = literals.next() {
        // The last one ends the text; of the others the first place counts.
        let (part, after) = match literals.peek() {
            Some(_) => rest.split_once(literal)?,
            None => (rest.strip_suffix(literal)?, ""),
        };
        filled.push(part);
        rest = after;
    }
    (rest.is_empty() && filled.iter().all(|part| !part.is_empty())).then_some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_inside_sentences_are_translated_and_names_are_not() {
        for (english, expected) in [
            ("entered without MFA", "MFA なしで引き受けられた"),
            (
                "key alone: AccessDenied, explicit deny in a service control policy (arn:aws:x)",
                "キーのみ: AccessDenied、サービスコントロールポリシー (SCP)の明示的な拒否 (arn:aws:x)",
            ),
            (
                "2 doors for others: 1 × OIDC issuer, 3 × Identity Center",
                "ユーザー以外への入口が 2 つ: OIDC プロバイダー × 1、IAM Identity Center × 3",
            ),
            (
                "AWS lets the key alone call s3:ListAllMyBuckets, iam:ListUsers",
                "キーのみで s3:ListAllMyBuckets, iam:ListUsers を呼び出せる",
            ),
            (
                "not read (undecided: Throttling: Rate exceeded), and another policy refused first",
                "読み取れず (判定できない: Throttling: Rate exceeded)、別のポリシーが先に拒否した",
            ),
        ] {
            assert_eq!(japanese(english).as_deref(), Some(expected), "{english}");
        }
        for other in ["", "AccessDenied", "Rate exceeded", "entered without MFA!"] {
            assert_eq!(japanese(other), None, "{other}");
        }
    }

    #[test]
    fn every_number_is_filled() {
        for (english, japanese) in SENTENCES {
            let many = english.matches("{}").count();
            for at in 0..many {
                assert!(japanese.contains(&format!("{{{at}}}")), "{english}: {at}");
            }
            assert!(!japanese.contains(&format!("{{{many}}}")), "{english}");
        }
    }
}
