//! certificate - names and dates of the certificates, and what renews them
//!
//! Not here: their files, key and chain (`config`, whose findings the doctor shows too).

use std::fs;
use std::path::Path;

use super::diagnosis::Diagnosis;
use crate::clock::Clock;
use crate::config::Config;
use crate::net::tls::{Certificate, Tls};

const TOPIC: &str = "certificate";

/// Where certbot keeps certificates, and the programs that it runs after a renewal.
const CERTBOT: &str = "/etc/letsencrypt/live";
const HOOKS: [&str; 2] = [
    "/etc/letsencrypt/renewal-hooks/deploy",
    "/etc/letsencrypt/renewal-hooks/post",
];

pub(super) fn look(config: &Config) -> Vec<Diagnosis> {
    // A fault in the files was told with the config.
    let Ok(tls) = Tls::load(&config.tls) else {
        return Vec::new();
    };
    let certificates = tls.certificates();
    let mut found: Vec<Diagnosis> = certificates.iter().filter_map(days).collect();
    found.push(name(&config.dialogue.hostname, &certificates));
    if Path::new(CERTBOT).is_dir() {
        found.push(hook(&HOOKS.map(Path::new)));
    }
    found
}

/// How long it is valid; one that is not, or not for long, was told with the config.
fn days(certificate: &Certificate) -> Option<Diagnosis> {
    let now = Clock::wall();
    let names = certificate.names.join(", ");
    let days = certificate.days_left(now);
    let is_good = certificate.date_problem(now).is_none() && !certificate.is_due(now);
    is_good.then(|| Diagnosis::good(TOPIC, format!("{names}: {days} days left")))
}

fn name(hostname: &str, certificates: &[Certificate]) -> Diagnosis {
    let mut names = certificates.iter().flat_map(|one| &one.names);
    if names.any(|name| covers(name, hostname)) {
        return Diagnosis::good(TOPIC, format!("it is for {hostname}"));
    }
    Diagnosis::wrong(
        TOPIC,
        format!("none is for {hostname}, the name that Gatepost greets with"),
        "write the name that mail programs are set up with into `hostname`, or get a certificate for it",
    )
}

/// Whether a name of a certificate is that of a host. RFC 6125 section 6.4.3.
fn covers(name: &str, hostname: &str) -> bool {
    let hostname = hostname.to_ascii_lowercase();
    match (name.strip_prefix("*."), hostname.split_once('.')) {
        (Some(parent), Some((_, rest))) => parent == rest,
        _ => name == hostname,
    }
}

/// Whether a renewed certificate comes here.
fn hook(folders: &[&Path]) -> Diagnosis {
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let mut hooks = entries.flatten().flatten().map(|entry| entry.path());
    let names_us =
        |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.contains("gatepost"));
    match hooks.find(|path| names_us(path)) {
        Some(path) => Diagnosis::good("renewal", format!("{} passes it on", path.display())),
        None => Diagnosis::wrong(
            "renewal",
            "no deploy hook of certbot passes renewed certificates to Gatepost",
            "`gatepost setup --apply` writes one",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::diagnosis::Condition;
    use super::*;

    #[test]
    fn a_wildcard_covers_one_label() {
        assert!(covers("mx.example.org", "MX.example.org"));
        assert!(covers("*.example.org", "mx.example.org"));
        assert!(!covers("*.example.org", "a.mx.example.org"));
        assert!(!covers("*.example.org", "example.org"));
        assert!(!covers("other.example.org", "mx.example.org"));
    }

    #[test]
    fn a_hook_that_names_us_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let hooks = [folder.path(), Path::new("/nonexistent")];
        fs::write(folder.path().join("nginx"), "systemctl reload nginx").unwrap();
        assert_eq!(hook(&hooks).state, Condition::Wrong);
        fs::write(folder.path().join("mail"), "systemctl reload gatepost").unwrap();
        assert_eq!(hook(&hooks).state, Condition::Good);
    }
}
