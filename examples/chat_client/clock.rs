//! The time of day, for lines.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};
use tz::TimeZone;

/// A clock in the local time zone.
#[derive(Debug)]
pub(crate) struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// Returns a clock in the zone of the variable TZ, or of the system; in UTC if there is none.
    pub(crate) fn local() -> Self {
        let zone = env::var("TZ")
            .map_or_else(|_| TimeZone::local(), |name| TimeZone::from_posix_tz(&name));
        Self { zone: zone.unwrap_or_else(|_| TimeZone::utc()) }
    }

    /// Returns the time, such as `09:05`.
    pub(crate) fn now(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.at(i64::try_from(now.as_secs()).unwrap_or_default())
    }

    fn at(&self, seconds: i64) -> String {
        let local = self.zone.find_local_time_type(seconds);
        let offset = local.map_or(0, |local| i64::from(local.ut_offset()));
        let minutes = (seconds + offset).div_euclid(60);
        format!("{:02}:{:02}", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_that_of_the_zone() {
        let at = |zone: &str, seconds| {
            Clock { zone: TimeZone::from_posix_tz(zone).unwrap() }.at(seconds)
        };
        assert_eq!(at("UTC0", 1_700_000_000), "22:13");
        assert_eq!(at("CET-1CEST,M3.5.0,M10.5.0/3", 1_700_000_000), "23:13");
        assert_eq!(at("CET-1CEST,M3.5.0,M10.5.0/3", 1_690_000_000), "06:26");
        assert_eq!(at("NST3:30", 3600), "21:30");
    }
}
