//! revert - what `setup` changed in a file taken back, where others have changed more of it since
//!
//! Each place that was changed is looked for in the file as it is now, and put back there. One that is not there as it was left,
//! or twice, or that was only taken away, is not found, and stays.
//! Not here: files and their backup (`change`). diff(1) -U0 finds the places.

use std::fs;
use std::io;
use std::process::Command;

use super::change::Scratch;

/// A file without what was changed in it.
pub(super) struct Reverted {
    pub(super) text: Vec<u8>,
    /// Places that were not found, and are as they were in it.
    pub(super) missed: usize,
}

/// The file `now`, in which `before` had become `after`, without that.
pub(super) fn reverted(now: &[u8], after: &[u8], before: &[u8]) -> io::Result<Reverted> {
    let folder = Scratch::new()?;
    let (old, new) = (folder.0.join("old"), folder.0.join("new"));
    fs::write(&old, after)?;
    fs::write(&new, before)?;
    let said = Command::new("diff").arg("-U0").arg(old).arg(new).output()?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let heads = said.lines().filter(|line| line.starts_with("@@ "));
    let (after, before) = (lines(after), lines(before));
    let (mut result, mut missed) = (lines(now), 0);
    for head in heads {
        let place = Place::read(head);
        let put_back = place.and_then(|place| {
            let left = place.old.of(&after)?;
            let at = only(&result, left)?;
            Some((at..at + left.len(), place.new.of(&before)?))
        });
        match put_back {
            Some((place, back)) => drop(result.splice(place, back.iter().copied())),
            None => missed += 1,
        }
    }
    let text = result.concat();
    Ok(Reverted { text, missed })
}

fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|octet| *octet == b'\n').collect()
}

/// Where these lines stand, if at one place only.
fn only(text: &[&[u8]], wanted: &[&[u8]]) -> Option<usize> {
    if wanted.is_empty() {
        return None;
    }
    let mut found = text.windows(wanted.len()).enumerate();
    let mut found = found.by_ref().filter(|(_, window)| *window == wanted);
    let (at, _) = found.next()?;
    found.next().is_none().then_some(at)
}

/// A place that differs: its lines in both files.
struct Place {
    old: Lines,
    new: Lines,
}

/// A number of lines, the first of which is 1.
struct Lines {
    first: usize,
    count: usize,
}

impl Place {
    /// `@@ -12,3 +12 @@`
    fn read(head: &str) -> Option<Self> {
        let mut words = head.split_ascii_whitespace().skip(1);
        Some(Self {
            old: Lines::read(words.next()?.strip_prefix('-')?)?,
            new: Lines::read(words.next()?.strip_prefix('+')?)?,
        })
    }
}

impl Lines {
    fn read(text: &str) -> Option<Self> {
        let (first, count) = text.split_once(',').unwrap_or((text, "1"));
        Some(Self {
            first: first.parse().ok()?,
            count: count.parse().ok()?,
        })
    }

    fn of<'a, 'b>(&self, text: &'a [&'b [u8]]) -> Option<&'a [&'b [u8]]> {
        // Of no lines diff names the line before.
        let start = self.first.saturating_sub(1);
        text.get(start..)?.get(..self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(now: &str, expected: Option<&str>) {
        let before = "one\nsmtps inet\n -o x\ntwo\n";
        let after = "one\n#smtps inet\n# -o x\ntwo\nthrottle = 2s\n";
        let found = reverted(now.as_bytes(), after.as_bytes(), before.as_bytes()).unwrap();
        let found = (found.missed == 0).then_some(found.text);
        assert_eq!(
            found,
            expected.map(|text| text.as_bytes().to_vec()),
            "{now}"
        );
    }

    #[test]
    fn what_was_changed_goes_and_what_others_changed_stays() {
        check(
            "zero\none\n#smtps inet\n# -o x\ntwo\nthrottle = 2s\nmore = 1\n",
            Some("zero\none\nsmtps inet\n -o x\ntwo\nmore = 1\n"),
        );
        check("#smtps inet\n# -o x\n2\nthrottle = 2s", None);
        check(
            "#smtps inet\n# -o x\nthrottle = 2s\n",
            Some("smtps inet\n -o x\n"),
        );
    }

    #[test]
    fn a_place_that_is_not_as_it_was_left_or_not_alone_is_not_guessed() {
        check("one\n#smtps inet\n# -o y\ntwo\nthrottle = 2s\n", None);
        check("#smtps inet\n# -o x\nthrottle = 2s\nthrottle = 2s\n", None);
    }
}
