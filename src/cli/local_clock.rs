//! The person's time zone: `TZ`, else the system's.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

use jiff::tz::TimeZone;

use crate::domain::local_clock::LocalClock;
use crate::domain::text::sanitize;

use super::out::Out;

/// The largest file of a time zone that is read, in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// The person's clock; UTC, with a warning, where the zone cannot be read.
pub fn local_clock(out: Out) -> LocalClock {
    let database = std::env::var_os("TZDIR").unwrap_or_else(|| "/usr/share/zoneinfo".into());
    let zone = zone(std::env::var_os("TZ"), Path::new("/etc/localtime"), Path::new(&database));
    LocalClock::new(zone.unwrap_or_else(|name| {
        out.warn(&format!("the time zone {} cannot be read: times are in UTC", sanitize(&name)));
        TimeZone::UTC
    }))
}

/// The zone that tzset(3) would choose, or the name of the one that cannot be read.
fn zone(tz: Option<OsString>, system: &Path, database: &Path) -> Result<TimeZone, String> {
    let Some(tz) = tz else {
        // A machine without the file is on UTC.
        return if system.exists() { read(system) } else { Ok(TimeZone::UTC) };
    };
    let name = tz.to_string_lossy();
    let name = name.strip_prefix(':').unwrap_or(&name);
    if name.is_empty() {
        return Ok(TimeZone::UTC);
    }
    let file = within(database, OsStr::new(name)).ok_or(name)?;
    read(&file).or_else(|_| TimeZone::posix(name).map_err(|_| name.to_owned()))
}

/// A zone's file: an absolute path, or a name in the database.
fn within(database: &Path, name: &OsStr) -> Option<PathBuf> {
    let is_plain = |part| matches!(part, Component::Normal(_) | Component::RootDir);
    Path::new(name).components().all(is_plain).then(|| database.join(name))
}

fn read(file: &Path) -> Result<TimeZone, String> {
    let unreadable = || file.to_string_lossy().into_owned();
    let is_small = fs::metadata(file).is_ok_and(|it| it.is_file() && it.len() <= MAX_BYTES);
    let bytes = is_small.then(|| fs::read(file).ok()).flatten().ok_or_else(unreadable)?;
    TimeZone::tzif("", &bytes).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_zone_is_the_one_of_every_other_program() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path();
        fs::create_dir(database.join("Asia")).unwrap();
        // The smallest file of a zone, version 2: everything is in the rule at its end.
        let empty = |version: u8| [b"TZif".as_slice(), &[version], &[0; 15], &[0; 24]].concat();
        let mut tokyo = [empty(b'2'), empty(b'2')].concat();
        for header in [0, 44] {
            tokyo[header + 39] = 1; // one type
            tokyo[header + 43] = 1; // one letter of a name
        }
        let types = [[0, 0, 0x7e, 0x90, 0, 0].as_slice(), b"\0"].concat();
        tokyo.splice(44..44, types.clone());
        tokyo.extend(types);
        tokyo.extend(b"\nJST-9\n");
        fs::write(database.join("Asia/Tokyo"), &tokyo).unwrap();
        fs::write(database.join("damaged"), "TZif").unwrap();
        let system = database.join("Asia/Tokyo");
        let clock = |tz: Option<&str>, system: &Path| {
            let zone = zone(tz.map(OsString::from), system, database)?;
            let noon: Timestamp = "2026-11-27T12:00:00Z".parse().unwrap();
            Ok::<_, String>(LocalClock::new(zone).moment(noon, noon))
        };
        let absolute = system.to_str().unwrap();
        for (tz, expected) in [
            (None, Ok("21:00")),
            (Some(""), Ok("12:00")),
            (Some("Asia/Tokyo"), Ok("21:00")),
            (Some(":Asia/Tokyo"), Ok("21:00")),
            (Some(absolute), Ok("21:00")),
            (Some("EST5EDT,M3.2.0,M11.1.0"), Ok("07:00")),
            (Some("Mars/Olympus"), Err("Mars/Olympus")),
            (Some("damaged"), Err("damaged")),
            (Some("../../etc/shadow"), Err("../../etc/shadow")),
        ] {
            let seen = clock(tz, &system);
            assert_eq!(seen.as_deref().map_err(String::as_str), expected, "{tz:?}");
        }
        assert_eq!(clock(None, &database.join("none")).unwrap(), "12:00");
        let damaged = database.join("damaged");
        assert_eq!(clock(None, &damaged).unwrap_err(), damaged.to_str().unwrap());
    }
}
