//! certificate - where `setup` finds a certificate for Gatepost: certbot's, or a copy of the one that Postfix has
//!
//! Not here: whether it is a good one (`config`, `doctor`).

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::postfix_files::{MasterEntry, PostfixFiles};
use crate::config::Config;
use crate::net::tls::CertificateFiles;

const CERTBOT: &str = "/etc/letsencrypt";

/// The only folder for which `setup` copies: it may be made, and others' rights in it are nobody's concern.
const OWN: &str = "/etc/gatepost/tls";

/// Where the certificate comes from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CertificateSource {
    /// What certbot keeps and renews: a folder below its `live`.
    Lineage(PathBuf),
    /// Other files, which somebody else renews.
    Files(CertificateFiles),
}

/// Looks where Postfix has its certificate, then for one of certbot's with the host's name. None: it is there already, or there
/// is none.
pub(super) fn find(
    config: &Config,
    hostname: &str,
    files: &PostfixFiles,
    entry: Option<&MasterEntry>,
) -> Option<CertificateSource> {
    let own = config.tls.certificates.first()?;
    if [&own.chain, &own.key]
        .iter()
        .any(|path| path.parent() != Some(Path::new(OWN)))
    {
        return None;
    }
    let postfix = of_postfix(files, entry);
    let live = Path::new(CERTBOT).join("live");
    if let Some(lineage) = postfix
        .as_ref()
        .and_then(|files| lineage(&files.chain, &live))
    {
        return Some(CertificateSource::Lineage(lineage));
    }
    let named = live.join(hostname);
    if named.is_dir() {
        return Some(CertificateSource::Lineage(named));
    }
    let is_there = own.chain.exists() && own.key.exists();
    postfix.filter(|_| !is_there).map(CertificateSource::Files)
}

/// The folder of certbot's in which a file is.
fn lineage(file: &Path, live: &Path) -> Option<PathBuf> {
    let name = file.strip_prefix(live).ok()?.components().next()?;
    Some(live.join(name))
}

/// The certificate that Postfix's own entry has: the first of smtpd_tls_chain_files, or the older pair of settings.
fn of_postfix(files: &PostfixFiles, entry: Option<&MasterEntry>) -> Option<CertificateFiles> {
    let setting = |name: &str| match entry {
        Some(entry) => files.of(entry, name),
        None => files.setting(name),
    };
    let listed = setting("smtpd_tls_chain_files");
    let pair = [
        setting("smtpd_tls_cert_file"),
        setting("smtpd_tls_key_file"),
    ];
    let named: Vec<PathBuf> = match listed {
        "" => pair
            .iter()
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .collect(),
        listed => {
            let words = listed.split(|letter: char| letter == ',' || letter.is_whitespace());
            words
                .filter(|word| !word.is_empty())
                .map(PathBuf::from)
                .collect()
        }
    };
    let holds = |what: &'static str| {
        let mut paths = named.iter();
        paths.find(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(what)))
    };
    Some(CertificateFiles {
        chain: holds("BEGIN CERTIFICATE")?.clone(),
        key: holds("PRIVATE KEY")?.clone(),
    })
}

impl CertificateSource {
    /// What certbot runs after each renewal, for a certificate of its own.
    pub(super) fn hook(&self) -> Option<(PathBuf, String)> {
        let Self::Lineage(lineage) = self else {
            return None;
        };
        let text = format!(
            "\
#!/bin/sh
# Written by `gatepost setup`: certbot runs it after each renewal.
set -e
[ \"$RENEWED_LINEAGE\" = {} ] || exit 0
install -d -m 0750 -g gatepost {OWN}
for file in fullchain.pem privkey.pem; do
    install -m 0640 -g gatepost \"$RENEWED_LINEAGE\"/$file {OWN}/$file.new
    sync {OWN}/$file.new
done
# Both are whole. Between these two lines they do not belong to each other.
mv -f {OWN}/privkey.pem.new {OWN}/privkey.pem
mv -f {OWN}/fullchain.pem.new {OWN}/fullchain.pem
systemctl try-reload-or-restart gatepost
",
            lineage.display()
        );
        Some((
            Path::new(CERTBOT).join("renewal-hooks/deploy/gatepost"),
            text,
        ))
    }

    /// Where it is now.
    pub(super) fn files(&self) -> CertificateFiles {
        match self {
            Self::Lineage(lineage) => CertificateFiles {
                chain: lineage.join("fullchain.pem"),
                key: lineage.join("privkey.pem"),
            },
            Self::Files(files) => files.clone(),
        }
    }

    /// The command that brings it to where Gatepost reads it.
    pub(super) fn command(&self, own: &CertificateFiles) -> String {
        match self {
            Self::Lineage(lineage) => format!(
                "RENEWED_LINEAGE={} {CERTBOT}/renewal-hooks/deploy/gatepost",
                lineage.display()
            ),
            Self::Files(files) => format!(
                "install -d -m 0750 -g gatepost {OWN} && install -m 0640 -g gatepost {} {} && \
                 install -m 0640 -g gatepost {} {}",
                files.chain.display(),
                own.chain.display(),
                files.key.display(),
                own.key.display()
            ),
        }
    }

    /// What the operator has to do later.
    pub(super) fn remark(&self, own: &CertificateFiles) -> Option<String> {
        match self {
            Self::Lineage(_) => None,
            Self::Files(files) => Some(format!(
                "Gatepost gets a copy of Postfix's certificate ({}). After each renewal: {}; systemctl reload gatepost",
                files.chain.display(),
                self.command(own)
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_certbots_tells_its_lineage() {
        let live = Path::new("/etc/letsencrypt/live");
        let file = live.join("mx.example.org/fullchain.pem");
        assert_eq!(lineage(&file, live), Some(live.join("mx.example.org")));
        assert_eq!(lineage(Path::new("/etc/ssl/chain.pem"), live), None);
    }

    #[test]
    fn another_lineages_renewal_does_not_reach_gatepost() {
        let source =
            CertificateSource::Lineage(PathBuf::from("/etc/letsencrypt/live/mx.example.org"));
        let (_, hook) = source.hook().unwrap();
        let refuses =
            "[ \"$RENEWED_LINEAGE\" = /etc/letsencrypt/live/mx.example.org ] || exit 0\ninstall";
        assert!(hook.contains(refuses), "{hook}");
    }

    #[test]
    fn postfixs_own_certificate_is_found_in_the_new_and_the_old_settings() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("chain"), "-----BEGIN CERTIFICATE-----\n").unwrap();
        fs::write(path("key"), "-----BEGIN EC PRIVATE KEY-----\n").unwrap();
        let found = |settings: &[(&str, String)]| {
            let lines = settings
                .iter()
                .map(|(key, value)| format!("{key} = {value}\n"));
            let files = PostfixFiles::parse("", "", &lines.collect::<String>());
            of_postfix(&files, None)
        };
        let files = CertificateFiles {
            chain: path("chain").into(),
            key: path("key").into(),
        };
        let listed = format!("{}, {}", path("key"), path("chain"));
        assert_eq!(
            found(&[("smtpd_tls_chain_files", listed)]),
            Some(files.clone())
        );
        let pair = [
            ("smtpd_tls_cert_file", path("chain")),
            ("smtpd_tls_key_file", path("key")),
        ];
        assert_eq!(found(&pair), Some(files));
        assert_eq!(found(&pair[..1]), None, "no key");
        assert_eq!(found(&[]), None);
    }
}
