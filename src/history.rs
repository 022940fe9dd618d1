//! history - old logs to logins: syslog, journal, Postfix, Dovecot, PAM, merged
