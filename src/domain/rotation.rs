//! How an access key is rotated: a pure function from what is stored and what AWS says to the next step.
//!
//! The verb does the step, records it, stores the entry, and asks again. Killed anywhere, it goes on from
//! there. At every moment one of the stored keys is active at AWS:
//!
//! ```text
//! Create ─ ProveNew ─(swap)─ Deactivate ─ ReverifyNewKey ─ Delete
//! ```

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::fault::{Exit, Fault};
use crate::domain::ids::AccessKeyId;
use crate::domain::secret::AccessKey;

/// How far AWS's clock and ours may differ when a lost key is recognised by its age; `SigV4` allows no more
/// either.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// One access key as it is stored.
pub struct StoredKey {
    /// The key.
    pub key: AccessKey,
    /// When AWS made it, or when it was added where that is not known; UTC.
    pub created: Timestamp,
}

/// Everything stored for a slot, written whole: a rotation's journal is never at odds with its keys.
#[derive(Default)]
pub struct KeyEntry {
    /// The key in use.
    pub current: Option<StoredKey>,
    /// A rotation's other key: the new one until it is proved, then the old one until it is deleted.
    pub spare: Option<StoredKey>,
    /// How far a rotation has come.
    pub stage: Option<Stage>,
}

/// How far a rotation has come: the journal, stored with the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// AWS is about to be asked for a new key: a second key that appears now is ours.
    Creating {
        /// When it was asked.
        since: Timestamp,
    },
    /// The new key is stored as the spare.
    Created,
    /// The new key works and is the current one; the old one is the spare.
    Swapped,
    /// The old key is inactive at AWS.
    Deactivated,
    /// The new key still works since then: the old one may be deleted.
    #[serde(rename = "settled")]
    ReadyToDelete,
}

/// An access key as `iam:ListAccessKeys` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAtAws {
    /// Its id.
    pub id: AccessKeyId,
    /// Whether AWS accepts it.
    pub active: bool,
    /// When AWS made it, UTC.
    pub created: Timestamp,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Record and store [`Done::Intended`], then `iam:CreateAccessKey`, then record and store the new key.
    Create,
    /// `iam:DeleteAccessKey` for a key that was made for us and whose secret was lost on the way. Ask first.
    DeleteLost(AccessKeyId),
    /// `sts:GetCallerIdentity` with the spare, until IAM knows it everywhere.
    ProveNew,
    /// `iam:UpdateAccessKey` to inactive; forget the sessions made with it.
    Deactivate(AccessKeyId),
    /// `sts:GetCallerIdentity` with the current key.
    ReverifyNewKey,
    /// `iam:DeleteAccessKey`, on `--finish` or once the person says so.
    Delete(AccessKeyId),
    /// AWS no longer has the other key: record [`Done::Deleted`].
    Forget,
    /// Somebody deleted or deactivated the new key while the old one still works: record
    /// [`Done::WentBack`].
    GoBack,
}

/// What has been done.
pub enum Done {
    /// A new key is about to be asked for.
    Intended(Timestamp),
    /// AWS has made a key.
    Created(StoredKey),
    /// The key that was tried works.
    Proved,
    /// The old key is inactive.
    Deactivated,
    /// The other key is gone.
    Deleted,
    /// The old key is to be the current one again.
    WentBack,
}

/// Why a rotation cannot begin or go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationBlocked {
    /// There is no key to rotate.
    NothingStored,
    /// The stored key is not among the user's active keys.
    NotListed(AccessKeyId),
    /// The user has a second key that sekisho did not make; IAM allows two.
    NotOurs(AccessKeyId),
}

impl RotationBlocked {
    /// The fault to report.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NothingStored => {
                Fault::new(Exit::Fault, "there is no access key to rotate").fix("sekisho key add")
            }
            Self::NotListed(id) => {
                Fault::new(Exit::Fault, format!("AWS does not list the stored key {id}"))
                    .because("it was deleted or deactivated, or belongs to another user")
                    .fix("sekisho key add, with a key of this user")
            }
            Self::NotOurs(id) => Fault::new(
                Exit::Fault,
                format!("the user has a second access key, {id}, and IAM allows two"),
            )
            .because("it was made in the console or by another tool, and may be in use")
            .fix(format!("if nothing uses it: aws iam delete-access-key --access-key-id {id}")),
        }
    }
}

/// The next step of the rotation that `entry` is in, or that begins.
pub fn next(entry: &KeyEntry, at_aws: &[KeyAtAws]) -> Result<Step, RotationBlocked> {
    let listed = |stored: &StoredKey| at_aws.iter().find(|key| key.id == stored.key.id);
    let Some(current) = &entry.current else {
        return Err(RotationBlocked::NothingStored);
    };
    let (stage, spare) = match (entry.stage, &entry.spare) {
        (Some(stage), Some(spare)) => (stage, spare),
        (stage, _) => return begin(current, stage, at_aws),
    };
    let works = |stored| listed(stored).is_some_and(|key| key.active);
    let Some(other) = listed(spare) else {
        return Ok(Step::Forget);
    };
    let swapped = !matches!(stage, Stage::Creating { .. } | Stage::Created);
    if swapped && !works(current) {
        return if other.active {
            Ok(Step::GoBack)
        } else {
            Err(RotationBlocked::NotListed(current.key.id.clone()))
        };
    }
    Ok(match stage {
        Stage::Creating { .. } | Stage::Created => Step::ProveNew,
        Stage::Swapped => Step::Deactivate(other.id.clone()),
        Stage::Deactivated => Step::ReverifyNewKey,
        Stage::ReadyToDelete => Step::Delete(other.id.clone()),
    })
}

fn begin(
    current: &StoredKey,
    stage: Option<Stage>,
    at_aws: &[KeyAtAws],
) -> Result<Step, RotationBlocked> {
    let id = &current.key.id;
    if !at_aws.iter().any(|key| key.id == *id) {
        return Err(RotationBlocked::NotListed(id.clone()));
    }
    match at_aws.iter().find(|key| key.id != *id) {
        None => Ok(Step::Create),
        Some(second) => match stage {
            Some(Stage::Creating { since })
                if second.created.duration_since(since).abs() <= SKEW =>
            {
                Ok(Step::DeleteLost(second.id.clone()))
            }
            _ => Err(RotationBlocked::NotOurs(second.id.clone())),
        },
    }
}

/// Brings the entry to where `done` leaves it. The caller stores it before the next step.
pub fn record(entry: &mut KeyEntry, done: Done) {
    match done {
        Done::Intended(now) => entry.stage = Some(Stage::Creating { since: now }),
        Done::Created(new) => {
            entry.spare = Some(new);
            entry.stage = Some(Stage::Created);
        }
        Done::Proved if entry.stage == Some(Stage::Deactivated) => {
            entry.stage = Some(Stage::ReadyToDelete);
        }
        Done::Proved => {
            std::mem::swap(&mut entry.current, &mut entry.spare);
            entry.stage = Some(Stage::Swapped);
        }
        Done::Deactivated => entry.stage = Some(Stage::Deactivated),
        Done::Deleted => {
            entry.spare = None;
            entry.stage = None;
        }
        Done::WentBack => {
            entry.current = entry.spare.take();
            entry.stage = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::{AccessKey, Secret};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn id(number: usize) -> AccessKeyId {
        format!("AKIA{number:016}").parse().unwrap()
    }

    fn stored(number: usize) -> StoredKey {
        StoredKey {
            key: AccessKey { id: id(number), secret: Secret::new(format!("secret {number}")) },
            created: at(0),
        }
    }

    fn copy(entry: &KeyEntry) -> KeyEntry {
        let one = |stored: &Option<StoredKey>| {
            stored.as_ref().map(|stored| StoredKey {
                key: AccessKey {
                    id: stored.key.id.clone(),
                    secret: Secret::new(stored.key.secret.expose().to_owned()),
                },
                created: stored.created,
            })
        };
        KeyEntry { current: one(&entry.current), spare: one(&entry.spare), stage: entry.stage }
    }

    /// A disk, AWS, and a process that may be killed before any write to either.
    struct World {
        disk: KeyEntry,
        aws: Vec<KeyAtAws>,
        made: usize,
        acts_left: usize,
    }

    struct Killed;

    impl World {
        fn new() -> Self {
            let key = KeyAtAws { id: id(0), active: true, created: at(-1_000_000) };
            let disk = KeyEntry { current: Some(stored(0)), ..KeyEntry::default() };
            Self { disk, aws: vec![key], made: 0, acts_left: usize::MAX }
        }

        fn act<T>(&mut self, change: impl FnOnce(&mut Self) -> T) -> Result<T, Killed> {
            self.acts_left = self.acts_left.checked_sub(1).ok_or(Killed)?;
            let result = change(self);
            let active = |stored: &Option<StoredKey>| {
                let id = stored.as_ref().map(|stored| &stored.key.id);
                self.aws.iter().any(|key| key.active && Some(&key.id) == id)
            };
            assert!(
                active(&self.disk.current) || active(&self.disk.spare),
                "the only working key is lost"
            );
            Ok(result)
        }

        fn save(&mut self, entry: &mut KeyEntry, done: Done) -> Result<(), Killed> {
            record(entry, done);
            self.act(|world| world.disk = copy(entry))
        }

        fn delete(&mut self, id: &AccessKeyId) -> Result<(), Killed> {
            self.act(|world| world.aws.retain(|key| key.id != *id))
        }

        /// One process: to the end, or until it is killed.
        fn rotate(&mut self) -> Result<(), Killed> {
            let mut entry = copy(&self.disk);
            loop {
                match next(&entry, &self.aws).unwrap() {
                    Step::Create => {
                        self.save(&mut entry, Done::Intended(at(0)))?;
                        let new = self.act(|world| {
                            world.made += 1;
                            assert!(world.aws.len() < 2, "IAM allows two keys");
                            world.aws.push(KeyAtAws {
                                id: id(world.made),
                                active: true,
                                created: at(60),
                            });
                            stored(world.made)
                        })?;
                        self.save(&mut entry, Done::Created(new))?;
                    }
                    Step::DeleteLost(id) => self.delete(&id)?,
                    Step::ProveNew => {
                        let new = entry.spare.as_ref().unwrap().key.id.clone();
                        assert!(self.aws.iter().any(|key| key.active && key.id == new));
                        self.save(&mut entry, Done::Proved)?;
                    }
                    Step::Deactivate(id) => {
                        self.act(|world| {
                            let old = world.aws.iter_mut().find(|key| key.id == id);
                            old.unwrap().active = false;
                        })?;
                        self.save(&mut entry, Done::Deactivated)?;
                    }
                    Step::ReverifyNewKey => {
                        let current = entry.current.as_ref().unwrap().key.id.clone();
                        assert!(self.aws.iter().any(|key| key.active && key.id == current));
                        self.save(&mut entry, Done::Proved)?;
                    }
                    Step::Delete(id) => {
                        self.delete(&id)?;
                        self.save(&mut entry, Done::Deleted)?;
                        return Ok(());
                    }
                    Step::GoBack => panic!("nobody touched the new key"),
                    Step::Forget => {
                        self.save(&mut entry, Done::Deleted)?;
                        return Ok(());
                    }
                }
            }
        }
    }

    #[test]
    fn killed_anywhere_twice_a_rotation_ends_with_one_new_key() {
        let mut whole = World::new();
        assert!(whole.rotate().is_ok());
        for first in 0..10 {
            for second in 0..10 {
                let mut world = World::new();
                for acts in [first, second, usize::MAX] {
                    world.acts_left = acts;
                    if world.rotate().is_ok() {
                        break;
                    }
                }
                let current = world.disk.current.as_ref().unwrap();
                assert_eq!(world.aws.len(), 1, "killed after {first}, then {second}");
                assert_eq!(world.aws[0].id, current.key.id);
                assert!(world.aws[0].active && current.key.id != id(0));
                assert!(world.disk.spare.is_none() && world.disk.stage.is_none());
            }
        }
    }

    #[test]
    fn a_second_key_that_is_not_ours_is_left_alone() {
        let entry = |stage| KeyEntry { current: Some(stored(0)), spare: None, stage };
        let key = |number, created| KeyAtAws { id: id(number), active: true, created: at(created) };
        let asked = Some(Stage::Creating { since: at(0) });
        for (stage, created) in [(None, 0), (asked, -86_400), (asked, 86_400)] {
            let told = next(&entry(stage), &[key(0, -9_000_000), key(7, created)]);
            assert_eq!(told, Err(RotationBlocked::NotOurs(id(7))));
        }
        let told = next(&entry(None), &[key(7, 0)]);
        assert_eq!(told, Err(RotationBlocked::NotListed(id(0))));
        assert_eq!(next(&KeyEntry::default(), &[]), Err(RotationBlocked::NothingStored));
    }

    #[test]
    fn a_new_key_that_somebody_deleted_is_forgotten_and_the_rotation_begins_again() {
        let mut entry = KeyEntry {
            current: Some(stored(0)),
            spare: Some(stored(1)),
            stage: Some(Stage::Created),
        };
        let old = KeyAtAws { id: id(0), active: true, created: at(0) };
        assert_eq!(next(&entry, std::slice::from_ref(&old)), Ok(Step::Forget));
        record(&mut entry, Done::Deleted);
        assert_eq!(next(&entry, &[old]), Ok(Step::Create));
    }

    #[test]
    fn the_old_key_is_never_given_up_for_a_new_one_that_is_gone() {
        let mut entry = KeyEntry {
            current: Some(stored(1)),
            spare: Some(stored(0)),
            stage: Some(Stage::Swapped),
        };
        let key = |number, active| KeyAtAws { id: id(number), active, created: at(0) };
        for stage in [Stage::Swapped, Stage::Deactivated, Stage::ReadyToDelete] {
            entry.stage = Some(stage);
            for aws in [&[key(0, true)][..], &[key(0, true), key(1, false)]] {
                assert_eq!(next(&entry, aws), Ok(Step::GoBack));
            }
            assert_eq!(next(&entry, &[key(0, false)]), Err(RotationBlocked::NotListed(id(1))));
        }
        record(&mut entry, Done::WentBack);
        assert_eq!(entry.current.as_ref().unwrap().key.id, id(0));
        assert_eq!(next(&entry, &[key(0, true)]), Ok(Step::Create));
    }
}
