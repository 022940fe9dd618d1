//! generated - logs of which the truth is known
//!
//! Thousands of logins of many clients, interleaved; each told by all that would tell it: a password database,
//! sometimes a second one or PAM, then Postfix or a login process. Repeatable: no randomness but a counter's.

use gatepost_core::moment::Moment;

/// 2026-01-20T00:00:00Z. The log begins in December: a New Year lies in it.
pub(super) const NEWEST: Moment = Moment::from_seconds(1_768_867_200);
/// 2025-12-28T00:00:00Z.
const BEGIN: u64 = 1_766_880_000;

/// One login, as it was.
pub(super) struct Fact {
    at: u64,
    user: String,
    client: String,
    smtp: bool,
    accepted: bool,
    /// Chooses who tells it.
    dice: u64,
}

impl Fact {
    /// The fact in one line, as the test writes what was read.
    pub(super) fn line(&self) -> String {
        format!(
            "{} {} {} {} {}",
            self.at, self.user, self.client, self.smtp, self.accepted
        )
    }
}

/// The forms of a log.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Classic,
    Iso,
    Json,
}

impl Form {
    pub(super) const ALL: [Self; 3] = [Self::Classic, Self::Iso, Self::Json];

    fn line(self, at: u64, program: &str, message: &str) -> String {
        let stamp = jiff::Timestamp::from_second(i64::try_from(at).unwrap()).unwrap();
        let local = super::zone().to_datetime(stamp);
        match self {
            Self::Classic => format!(
                "{} mx {program}[7]: {message}\n",
                local.strftime("%b %e %H:%M:%S")
            ),
            Self::Iso => format!(
                "{}.000000+01:00 mx {program}[7]: {message}\n",
                local.strftime("%Y-%m-%dT%H:%M:%S")
            ),
            Self::Json => {
                let micros = at * 1_000_000;
                let entry = serde_json::json!({
                    "MESSAGE": message, "SYSLOG_IDENTIFIER": program, "SYSLOG_PID": "7",
                    "__REALTIME_TIMESTAMP": micros.to_string(), "_HOSTNAME": "mx",
                });
                format!("{entry}\n")
            }
        }
    }
}

/// `count` logins over three weeks; one client's lie half a minute apart or more.
pub(super) fn truth(count: u64) -> Vec<Fact> {
    let fact = |number: u64| {
        let dice = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let client = number % 40;
        Fact {
            at: BEGIN + number * 800 + dice % 700,
            user: format!("user{}@example.org", dice % 90),
            client: if client < 30 {
                format!("203.0.113.{client}")
            } else {
                format!("2001:db8:1:{client}::/64")
            },
            smtp: dice % 5 < 3,
            accepted: dice % 7 < 2,
            dice,
        }
    };
    (0..count).map(fact).collect()
}

/// The log that the logins leave behind, in the order of time.
pub(super) fn log(truth: &[Fact], form: Form) -> String {
    let mut lines: Vec<(u64, String)> = Vec::new();
    for fact in truth {
        let mut tell = |after: u64, program: &str, message: String| {
            let at = fact.at + after;
            lines.push((at, form.line(at, program, &message)));
        };
        match (fact.smtp, fact.accepted) {
            (true, true) => mails(fact, &mut tell),
            (true, false) => smtp_failure(fact, &mut tell),
            (false, _) => imap(fact, &mut tell),
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn address(fact: &Fact) -> String {
    fact.client.replace("::/64", "::9")
}

fn mails(fact: &Fact, tell: &mut impl FnMut(u64, &str, String)) {
    let (user, address) = (&fact.user, address(fact));
    tell(
        0,
        "postfix/smtpd",
        format!("connect from unknown[{address}]"),
    );
    for mail in 0..=fact.dice % 3 {
        let line = format!(
            "4Fz{mail}: client=unknown[{address}], sasl_method=PLAIN, sasl_username={user}"
        );
        tell(mail, "postfix/smtpd", line);
    }
    tell(
        4,
        "postfix/smtpd",
        format!("disconnect from unknown[{address}] ehlo=1 auth=1 commands=2"),
    );
}

fn smtp_failure(fact: &Fact, tell: &mut impl FnMut(u64, &str, String)) {
    let (user, address) = (&fact.user, address(fact));
    tell(
        0,
        "dovecot",
        format!("auth: passwd-file({user},{address}): unknown user"),
    );
    if fact.dice.is_multiple_of(2) {
        tell(
            0,
            "auth",
            format!(
                "pam_unix(dovecot:auth): authentication failure; logname= uid=0 euid=0 tty=dovecot ruser={user} rhost={address}  user={user}"
            ),
        );
        tell(
            2,
            "dovecot",
            format!(
                "auth-worker(9): pam({user},{address}): pam_authenticate() failed: Authentication failure (password mismatch?)"
            ),
        );
    }
    let name = if fact.dice.is_multiple_of(3) {
        format!(", sasl_username={user}")
    } else {
        String::new()
    };
    tell(
        4,
        "postfix/submission/smtpd",
        format!(
            "warning: unknown[{address}]: SASL LOGIN authentication failed: UGFzc3dvcmQ6{name}"
        ),
    );
}

fn imap(fact: &Fact, tell: &mut impl FnMut(u64, &str, String)) {
    let (user, address) = (&fact.user, address(fact));
    let tail =
        format!("user=<{user}>, method=PLAIN, rip={address}, lip=192.0.2.1, TLS, session=<a>");
    if fact.accepted {
        tell(0, "dovecot", format!("imap-login: Login: {tail}"));
        return;
    }
    tell(
        0,
        "dovecot",
        format!("auth: sql({user},{address},<a>): Password mismatch"),
    );
    tell(
        5,
        "dovecot",
        format!("imap-login: Disconnected (auth failed, 1 attempts in 5 secs): {tail}"),
    );
}
