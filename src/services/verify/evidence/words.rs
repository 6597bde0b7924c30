//! The words of a report's file, in both languages; the sentences of findings are in `japanese`. AWS's own texts stay as
//! they are.

use serde::{Deserialize, Serialize};

use crate::domain::trust::{DoorKind, Needs};
use crate::domain::verdict::{Against, Guardrail, Signed, Verdict};

use super::japanese;

/// The language of a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Japanese.
    Ja,
}

impl Language {
    /// The one of two texts that is in this language.
    pub(super) const fn of<'a>(self, english: &'a str, japanese: &'a str) -> &'a str {
        match self {
            Self::En => english,
            Self::Ja => japanese,
        }
    }

    /// One of sekisho's own sentences; anything else stays as it is.
    pub(super) fn sentence(self, english: &str) -> String {
        match self {
            Self::En => None,
            Self::Ja => japanese(english),
        }
        .unwrap_or_else(|| english.to_owned())
    }

    /// The language's tag in HTML.
    pub(super) const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    pub(super) const fn verdict(self, verdict: Verdict) -> &'static str {
        match (self, verdict) {
            (Self::En, verdict) => verdict.word(),
            (Self::Ja, Verdict::Proved) => "証明済み",
            (Self::Ja, Verdict::Unconfirmed) => "拒否を確認(証明ではない)",
            (Self::Ja, Verdict::Masked) => "観測不可",
            (Self::Ja, Verdict::NotProved) => "未証明",
            (Self::Ja, Verdict::Open) => "開放(OPEN)",
        }
    }

    pub(super) const fn guardrail(self, guardrail: Guardrail) -> &'static str {
        match (self, guardrail) {
            (Self::En, guardrail) => guardrail.name(),
            (Self::Ja, Guardrail::Reads) => "読み取り",
            (Self::Ja, Guardrail::Writes) => "変更",
            (Self::Ja, Guardrail::Federation) => "フェデレーション",
            (Self::Ja, Guardrail::Device) => "MFA デバイス",
            (Self::Ja, Guardrail::User) => "ユーザーのポリシー",
            (Self::Ja, Guardrail::SignIn) => "コンソールサインイン",
            (Self::Ja, Guardrail::Trust) => "信頼ポリシー",
            (Self::Ja, Guardrail::Organization) => "組織のポリシー",
            (Self::Ja, Guardrail::BackDoors) => "他のロール",
            (Self::Ja, Guardrail::OtherDoors) => "他の入口",
            (Self::Ja, Guardrail::LocalUsers) => "アカウント内のキー",
        }
    }

    pub(super) const fn door(self, kind: DoorKind) -> &'static str {
        match (self, kind) {
            (Self::En, kind) => kind.name(),
            (Self::Ja, DoorKind::AuthRole) => "認証アカウントのロール",
            (Self::Ja, DoorKind::OwnAccount) => "同じアカウントのプリンシパル",
            (Self::Ja, DoorKind::IdentityCenter) => "IAM Identity Center",
            (Self::Ja, DoorKind::Organization) => "組織内のアカウント",
            (Self::Ja, DoorKind::ListedAccount) => "許可リストのアカウント",
            (Self::Ja, DoorKind::ForeignAccount) => "組織外のアカウント",
            (Self::Ja, DoorKind::Oidc) => "OIDC プロバイダー",
            (Self::Ja, DoorKind::Saml) => "SAML プロバイダー",
            (Self::Ja, DoorKind::Service) => "認証情報を渡すサービス",
        }
    }

    pub(super) fn needs(self, needs: &Needs) -> String {
        match (self, needs) {
            (Self::En, needs) => needs.to_string(),
            (Self::Ja, Needs::Mfa) => "MFA が必要".into(),
            (Self::Ja, Needs::Condition) => "条件で限定".into(),
            (Self::Ja, Needs::Issuer) => "プロバイダーが許す全員".into(),
            (Self::Ja, Needs::Nothing) => "限定する条件なし".into(),
            (Self::Ja, Needs::Unclear { why }) => format!("解釈できない: {}", self.sentence(why)),
        }
    }

    pub(super) const fn signer(self, by: Signed) -> &'static str {
        match (self, by) {
            (Self::En, by) => by.name(),
            (Self::Ja, Signed::Key) => "キーのみ",
            (Self::Ja, Signed::SessionWithoutMfa) => "MFA なしのセッション",
            (Self::Ja, Signed::SessionWithMfa) => "MFA ありのセッション",
            (Self::Ja, Signed::Reader) => "読み取り用セッション",
            (Self::Ja, Signed::SignIn) => "コンソールサインインのみ",
            (Self::Ja, Signed::SignInWithCode) => "コンソールサインインと MFA コード",
        }
    }

    pub(super) const fn against(self, against: Against) -> &'static str {
        match (self, against) {
            (Self::En, Against::Aws) => "AWS's own hosts",
            (Self::En, Against::Emulated) => {
                "EMULATED: not AWS. This report says nothing about AWS."
            }
            (Self::En, Against::Intercepted) => {
                "through a proxy or a custom CA, which may answer instead of AWS: nothing is proved"
            }
            (Self::Ja, Against::Aws) => "AWS のホスト",
            (Self::Ja, Against::Emulated) => {
                "エミュレーター(AWS ではない)。この報告書は AWS について何も示さない。"
            }
            (Self::Ja, Against::Intercepted) => {
                "プロキシまたは独自 CA を経由。AWS 以外が応答した可能性があり、何も証明されない。"
            }
        }
    }

    /// What a probe shows, by the English text that the record holds.
    pub(super) fn shows(self, english: &str) -> &str {
        if self == Self::En {
            return english;
        }
        match english {
            "nothing: it was not answered, or not made" => "何も示さない(応答なし、または未実行)",
            "nothing: rejected before permissions were checked" => {
                "何も示さない(アクセス許可の評価前に拒否)"
            }
            "the key alone may do this" => "キーのみで実行できる",
            "the key alone may not do this" => "キーのみでは実行できない",
            "a session made without a code may do this" => "MFA なしのセッションで実行できる",
            "a session made without a code may not do this" => {
                "MFA なしのセッションでは実行できない"
            }
            "the console sign-in may do this without a code" => {
                "コンソールサインインだけで (MFA コードなしで) 実行できる"
            }
            "the console sign-in may not do this without a code" => {
                "コンソールサインインだけでは (MFA コードなしでは) 実行できない"
            }
            "positive control: with a code it is allowed, so a refusal without one means something" => {
                "陽性対照: MFA があれば許可されるので、MFA なしの拒否に意味がある"
            }
            "no positive control: a code does not help either" => {
                "陽性対照なし: MFA があっても拒否される"
            }
            "what was read is what AWS has on record" => "AWS に登録されている内容を読み取った",
            "the hash of everything above was known to AWS at this time" => {
                "上記すべてのハッシュ値がこの時点で AWS に記録された"
            }
            "nothing: it may not be read" => "何も示さない(読み取りのアクセス許可なし)",
            other => other,
        }
    }
}
