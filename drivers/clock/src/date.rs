//! Dates of the Gregorian calendar.

/// A date and time of day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: u32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}

const DAYS_TO_1970: i64 = 719_468;

/// Seconds from 1970-01-01 00:00:00 UTC, leap seconds not counted; `None` for fields out of range.
pub fn seconds_since_epoch(date: &Date) -> Option<i64> {
    let in_range = (1..=12).contains(&date.month)
        && (1..=31).contains(&date.day)
        && date.hour < 24
        && date.minute < 60
        && date.second <= 60
        && date.year < 10_000;
    if !in_range {
        return None;
    }
    // Years that begin in March have their leap day last, so that months have fixed offsets.
    let month = i64::from((date.month + 9) % 12);
    let year = i64::from(date.year) - i64::from(date.month <= 2);
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = year * 365 + leap_days + (month * 153 + 2) / 5 + i64::from(date.day) - 1 - DAYS_TO_1970;
    Some(days * 86_400 + i64::from(date.hour * 3600 + date.minute * 60 + date.second))
}
