//! A run over many accounts, killed on the way. By hand, since it takes minutes:
//! `SEKISHO_ACCOUNTS=5000 cargo test --release --test it -- --ignored --nocapture verify::scale`

use std::cell::Cell;
use std::io::Write as _;
use std::time::Instant;

use sekisho::domain::guard::Guard;
use sekisho::emulator::Role;
use sekisho::services::store::files::Dir;
use sekisho::services::store::vault::Vault;
use sekisho::services::verify::{Chosen, Plan, Progress};

use super::stage::*;

#[test]
#[ignore = "takes minutes"]
fn many_accounts_killed_three_times() {
    let many = std::env::var("SEKISHO_ACCOUNTS").map_or(5_000, |many| many.parse().unwrap());
    let ids: Vec<String> = (0..many).map(|n: usize| format!("3000000{n:05}")).collect();
    let emulator = start(|organization| {
        for id in &ids {
            add_account(organization, id, &format!("dev-{id}"));
            let mut leaky = Role::new(id, "Leaky", trust("{}"));
            leaky.policies = organization.roles.last().unwrap().policies.clone();
            organization.roles.push(leaky);
        }
    });
    let targets = ids.iter().flat_map(|id| {
        let developer = target(&format!("dev-{id}"), id, Guard::None);
        let mut leaky = developer.clone();
        leaky.role = format!("arn:aws:iam::{id}:role/Leaky").parse().unwrap();
        [developer, leaky]
    });
    let plan = Plan::new(targets.collect(), Chosen::All);
    let home = tempfile::tempdir().unwrap();
    let (state, vault) = (Dir::create(&home.path().join("state")).unwrap(), Vault::in_memory());
    let begun = Instant::now();
    let done = Cell::new(0);
    for quarter in 1..=3 {
        run(async {
            let enough = tokio::sync::Notify::new();
            let progress = |progress: Progress| {
                done.set(progress.done);
                if progress.done >= many * quarter / 4 {
                    enough.notify_one();
                }
            };
            tokio::select! {
                biased;
                () = enough.notified() => {}
                _ = verify_in(&emulator, &plan, Some((&state, &vault)), progress) => panic!("not cut off"),
            }
        });
        emulator.advance(std::time::Duration::from_secs(30));
    }
    let report = run(verify_in(&emulator, &plan, Some((&state, &vault)), |_| {})).unwrap();
    assert_eq!(report.accounts.len(), many);
    let calls = emulator.calls();
    let tried = calls.iter().filter(|call| call.role.is_some()).count();
    // Four accounts are under way at each cut.
    assert!((many * 6..=many * 6 + 3 * 4 * 6).contains(&tried), "{tried}");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    let _ = writeln!(
        std::io::stdout(),
        "{many} accounts: {:?}, {} calls, {peak} (emulator included)",
        begun.elapsed(),
        calls.len()
    );
}
