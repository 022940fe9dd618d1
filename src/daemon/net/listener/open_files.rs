//! open_files - the limit on open files, and whether it is enough
//!
//! Looked at where the settings are taken over: so many sessions are admitted as fit, and the oldest stranger gives way to
//! a familiar user before accepting fails. A session takes two descriptors, one for its client and one for Postfix. Without a
//! descriptor, accepting stops for every client.
//! Not here: what happens when there is none (`listener`).

use std::fmt;
use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A session holds its client's socket and, from AUTH on, one to Postfix.
const FILES_PER_SESSION: u64 = 2;

/// Listeners, log, state files, reactor, operator's connections, connections being evicted. Refused ones are
/// closed where descriptors are needed.
const SLACK: u64 = 256;

/// The configured sessions need more descriptors than the limit allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Sessions configured.
    pub sessions: usize,
    /// Descriptors that they may need.
    pub needed: u64,
    /// The limit.
    pub limit: u64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sessions need up to {} open files, and the limit here is {}: {} sessions at once are served; raise \
             LimitNOFILE in the unit, or the machine's own limit, or lower [admission] sessions",
            self.sessions,
            self.needed,
            self.limit,
            self.sessions_that_fit(),
        )
    }
}

impl Shortage {
    /// How many sessions the limit allows.
    pub fn sessions_that_fit(&self) -> usize {
        let fit = self.limit.saturating_sub(SLACK) / FILES_PER_SESSION * 8 / 9;
        // Under a limit that hardly covers the reserve, half of it is the sessions' all the same.
        let fit = fit.max(self.limit / FILES_PER_SESSION / 2).max(1);
        usize::try_from(fit).unwrap_or(usize::MAX)
    }
}

/// Raises our limit on open files to the hard limit, and returns it.
///
/// # Errors
/// The kernel refuses to raise it; the old limit stays.
pub fn raise() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: limit.maximum,
                maximum: limit.maximum,
            },
        )?;
    }
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// Our limit on open files.
pub fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Whether `limit` descriptors are enough for `sessions`, with an eighth more for connections being
/// evicted.
pub fn shortage(sessions: usize, limit: u64) -> Option<Shortage> {
    let with_leaving = (sessions as u64).saturating_add(sessions as u64 / 8);
    let needed = with_leaving
        .saturating_mul(FILES_PER_SESSION)
        .saturating_add(SLACK);
    (needed > limit).then_some(Shortage {
        sessions,
        needed,
        limit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proposed_number_of_sessions_fits() {
        for limit in [1_024, 4_096, 65_536, 1_048_576] {
            let fits = shortage(usize::MAX, limit).unwrap().sessions_that_fit();
            assert!(fits > 0);
            assert_eq!(shortage(fits, limit), None);
        }
    }

    #[test]
    fn a_limit_below_the_reserve_serves_some() {
        for limit in [1, 2, 64, 256, 300] {
            let fit = shortage(20_000, limit).unwrap().sessions_that_fit();
            assert!(
                fit >= 1 && fit as u64 * FILES_PER_SESSION <= limit.max(2),
                "{limit}: {fit}"
            );
        }
    }

    #[test]
    fn one_descriptor_too_few_is_a_shortage() {
        assert_eq!(shortage(20_000, 45_256), None);
        let reported = shortage(20_000, 45_255).unwrap().to_string();
        assert!(reported.contains("45256 open files"), "{reported}");
        assert!(shortage(usize::MAX, u64::MAX - 1).is_some());
    }

    #[test]
    fn the_limit_is_raised_to_the_hard_one() {
        let limit = raise().unwrap();
        assert_eq!(
            getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX),
            limit
        );
    }
}
