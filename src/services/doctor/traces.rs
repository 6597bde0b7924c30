//! Where a key's id still stands on this machine: files that people and tools write keys into, and histories.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// In the home folder.
const IN_HOME: [&str; 24] = [
    ".aws/credentials",
    ".aws/config",
    ".bash_history",
    ".zsh_history",
    ".zhistory",
    ".local/share/fish/fish_history",
    ".local/share/powershell/PSReadLine/ConsoleHost_history.txt",
    ".python_history",
    ".bashrc",
    ".bash_profile",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".config/fish/config.fish",
    ".envrc",
    ".env",
    ".netrc",
    ".boto",
    ".s3cfg",
    ".passwd-s3fs",
    ".config/rclone/rclone.conf",
    ".docker/config.json",
    ".terraformrc",
    ".npmrc",
];

/// In the folder one is in.
const HERE: [&str; 4] = [".env", ".envrc", "terraform.tfvars", "docker-compose.yml"];

/// More than any history has.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The files that contain a text, and the numbers of their lines that do.
pub fn holding(home: &Path, here: Option<&Path>, text: &str) -> Vec<(PathBuf, Vec<usize>)> {
    let files = IN_HOME.iter().map(|name| home.join(name));
    let local = here.filter(|here| *here != home);
    let files = files.chain(HERE.iter().filter_map(|name| Some(local?.join(name))));
    files
        .filter_map(|file| {
            let lines = lines(&file, text);
            (!lines.is_empty()).then_some((file, lines))
        })
        .collect()
}

/// A file that cannot be read, or is no file, contains nothing.
fn lines(file: &Path, text: &str) -> Vec<usize> {
    let mut bytes = Vec::new();
    let is_file = std::fs::metadata(file).is_ok_and(|found| found.is_file());
    let read = is_file
        .then(|| File::open(file).ok())
        .flatten()
        .map(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut bytes));
    if !matches!(read, Some(Ok(_))) {
        return Vec::new();
    }
    let found = |line: &[u8]| line.windows(text.len()).any(|part| part == text.as_bytes());
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    lines.filter(|(_, line)| found(line)).map(|(number, _)| number).collect()
}
