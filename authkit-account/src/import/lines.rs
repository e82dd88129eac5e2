/// Cuts bytes into lines. Of a line that is not over yet, no more is held than one may be long.
#[derive(Default)]
pub(super) struct Lines {
    ended: u64,
    held: Vec<u8>,
    overlong: bool,
}

/// One line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Counted from 1.
    pub(super) number: u64,
    /// None if it is too long.
    pub(super) text: Option<Vec<u8>>,
}

impl Lines {
    /// The longest line, in bytes. The record of an account is a few hundred.
    pub(super) const LONGEST: usize = 64 * 1024;

    /// Takes bytes to the end of the next line out of `bytes`; none if it does not end there.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<Line> {
        let mut parts = bytes.splitn(2, |byte| *byte == b'\n');
        self.hold(parts.next().unwrap_or_default());
        let rest = parts.next();
        *bytes = rest.unwrap_or_default();
        rest.map(|_| self.end())
    }

    /// The last line, if it does not end.
    pub(super) fn rest(&mut self) -> Option<Line> {
        (self.overlong || !self.held.is_empty()).then(|| self.end())
    }

    /// How many lines have ended.
    pub(super) const fn ended(&self) -> u64 {
        self.ended
    }

    fn hold(&mut self, part: &[u8]) {
        self.overlong |= self.held.len().saturating_add(part.len()) > Self::LONGEST;
        if self.overlong {
            self.held.clear();
        } else {
            self.held.extend_from_slice(part);
        }
    }

    fn end(&mut self) -> Line {
        self.ended += 1;
        let held = std::mem::take(&mut self.held);
        let overlong = std::mem::take(&mut self.overlong);
        Line { number: self.ended, text: (!overlong).then_some(held) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of bytes that come in pieces of this size.
    fn lines(bytes: &[u8], size: usize) -> Vec<Line> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for mut piece in bytes.chunks(size) {
            while let Some(line) = lines.next(&mut piece) {
                found.push(line);
            }
            assert!(lines.held.len() <= Lines::LONGEST);
        }
        found.extend(lines.rest());
        found
    }

    fn line(number: u64, text: &[u8]) -> Line {
        Line { number, text: Some(text.to_vec()) }
    }

    #[test]
    fn lines_are_the_same_however_the_bytes_come() {
        let expected = [line(1, b"one"), line(2, b""), line(3, b"three\r"), line(4, b"four")];
        for size in 1..20 {
            assert_eq!(lines(b"one\n\nthree\r\nfour", size), expected, "{size}");
        }
        assert_eq!(lines(b"one\n", 3), [line(1, b"one")]);
        assert_eq!(lines(b"", 1), []);
    }

    #[test]
    fn line_that_is_too_long_is_counted_and_not_held() {
        let longest = [b'x'; Lines::LONGEST];
        for size in [1, 1000, Lines::LONGEST, 3 * Lines::LONGEST] {
            assert_eq!(lines(&longest, size), [line(1, &longest)]);
            let bytes = [&longest, b"x\nnext\nx".as_slice(), &longest].concat();
            let expected = [Line { number: 1, text: None }, line(2, b"next"), Line { number: 3, text: None }];
            assert_eq!(lines(&bytes, size), expected, "{size}");
        }
    }
}
