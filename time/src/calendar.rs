//! The battery-backed clock's date as seconds.

/// A date and time of day of the Gregorian calendar, UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CivilTime {
    pub year: u32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
}

impl CivilTime {
    /// Seconds since 1970. `None` if there is no such time (a clock whose battery is empty says anything).
    #[must_use]
    pub fn to_seconds(self) -> Option<i64> {
        let in_range = (1970..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=self.days_in_month()).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second < 60;
        if !in_range {
            return None;
        }
        // Years that begin in March, so that the leap day is a year's last.
        let march_year = i64::from(self.year) - i64::from(self.month < 3);
        let march_month = i64::from((self.month + 9) % 12);
        let leap_days = march_year / 4 - march_year / 100 + march_year / 400;
        let days = march_year * 365 + leap_days + (march_month * 153 + 2) / 5 + i64::from(self.day) - 1;
        // From 1 March of year 0 to 1 January 1970.
        let days = days - 719_468;
        Some(days * 86_400 + i64::from(self.hour * 3600 + self.minute * 60 + self.second))
    }

    fn days_in_month(self) -> u32 {
        let leap = self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        match self.month {
            2 if leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_four_centuries_is_one_after_the_last() {
        let mut expected = 0;
        for year in 1970..2400 {
            for month in 1..=12 {
                let days = CivilTime { year, month, day: 1, hour: 0, minute: 0, second: 0 }.days_in_month();
                for day in 1..=days {
                    let time = CivilTime { year, month, day, hour: 23, minute: 59, second: 59 };
                    expected += 86_400;
                    assert_eq!(time.to_seconds(), Some(expected - 1), "{time:?}");
                }
            }
        }
        let known = CivilTime { year: 2009, month: 2, day: 13, hour: 23, minute: 31, second: 30 };
        assert_eq!(known.to_seconds(), Some(1_234_567_890));
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        let good = CivilTime { year: 2023, month: 2, day: 28, hour: 0, minute: 0, second: 0 };
        assert!(good.to_seconds().is_some());
        assert_eq!(CivilTime { day: 29, ..good }.to_seconds(), None);
        assert_eq!(CivilTime { month: 0, ..good }.to_seconds(), None);
        assert_eq!(CivilTime { month: 13, ..good }.to_seconds(), None);
        assert_eq!(CivilTime { day: 0, ..good }.to_seconds(), None);
        assert_eq!(CivilTime { hour: 24, ..good }.to_seconds(), None);
        assert_eq!(CivilTime { second: 165, ..good }.to_seconds(), None);
        assert_eq!(CivilTime { year: u32::MAX, ..good }.to_seconds(), None);
    }
}
