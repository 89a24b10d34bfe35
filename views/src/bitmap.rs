//! Sets of CPUs as text: masks and lists (lib/bitmap-str.c).
use core::fmt;

/// The CPUs from 0 to `count - 1`, as a list: `0-3`; `0` for one.
pub struct List(pub usize);

impl fmt::Display for List {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            1 => formatter.write_str("0"),
            count => write!(formatter, "0-{}", count - 1),
        }
    }
}

/// The CPUs below `.0` for which `.1` is true, as a list: `0-1,3`.
pub struct Chosen<F>(pub usize, pub F);

impl<F: Fn(usize) -> bool> fmt::Display for Chosen<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, is_chosen) = self;
        let mut next = 0;
        let mut separator = "";
        while let Some(first) = (next..*count).find(|&cpu| is_chosen(cpu)) {
            let end = (first..*count).find(|&cpu| !is_chosen(cpu)).unwrap_or(*count);
            write!(formatter, "{separator}{first}")?;
            if end - first > 1 {
                write!(formatter, "-{}", end - 1)?;
            }
            (separator, next) = (",", end);
        }
        Ok(())
    }
}

/// The CPUs below `.0` for which `.1` is true, as a mask in hexadecimal: as wide as the number of CPUs, in groups of 32 bits.
pub struct ChosenMask<F>(pub usize, pub F);

impl<F: Fn(usize) -> bool> fmt::Display for ChosenMask<F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(count, is_chosen) = self;
        let groups = count.div_ceil(32).max(1);
        for group in (0..groups).rev() {
            let end = (group * 32 + 32).min(*count);
            let value = (group * 32..end).filter(|&cpu| is_chosen(cpu)).fold(0_u32, |mask, cpu| mask | 1 << (cpu % 32));
            if group + 1 == groups {
                write!(formatter, "{value:0width$x}", width = (end - group * 32).div_ceil(4).max(1))?;
            } else {
                write!(formatter, ",{value:08x}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_linux_writes_them() {
        let texts = |count| (List(count).to_string(), ChosenMask(count, |_| true).to_string());
        assert_eq!(texts(1), ("0".into(), "1".into()));
        assert_eq!(texts(4), ("0-3".into(), "f".into()));
        assert_eq!(texts(6), ("0-5".into(), "3f".into()));
        assert_eq!(texts(32).1, "ffffffff");
        assert_eq!(texts(34).1, "3,ffffffff");
        assert_eq!(Chosen(8, |cpu| [0, 1, 3, 6, 7].contains(&cpu)).to_string(), "0-1,3,6-7");
        assert_eq!(Chosen(8, |_| false).to_string(), "");
        assert_eq!(ChosenMask(34, |cpu| [1, 33].contains(&cpu)).to_string(), "2,00000002");
    }
}
