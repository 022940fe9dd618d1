//! tests - chains that clients refuse, and those that they take

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256,
    date_time_ymd,
};

use super::*;

/// 2027-01-15.
const NOW: Moment = Moment::from_seconds(1_800_000_000);
const NAME: &str = "mx.example.org";

/// An authority, with its certificate.
struct Signer {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn root(name: &str) -> Signer {
    let (key, params) = (KeyPair::generate().unwrap(), authority(name));
    Signer {
        certificate: params.self_signed(&key).unwrap().der().clone(),
        issuer: Issuer::new(params, key),
    }
}

impl Signer {
    fn intermediate(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: params.signed_by(&key, &self.issuer).unwrap().der().clone(),
            issuer: Issuer::new(params, key),
        }
    }

    fn leaf(&self, params: &CertificateParams) -> CertificateDer<'static> {
        self.leaf_with(
            params,
            &KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        )
    }

    fn leaf_with(&self, params: &CertificateParams, key: &KeyPair) -> CertificateDer<'static> {
        params.signed_by(key, &self.issuer).unwrap().der().clone()
    }
}

/// For [`NAME`], for 90 days.
fn leaf() -> CertificateParams {
    let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, NAME);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = date_time_ymd(2027, 1, 1);
    params.not_after = date_time_ymd(2027, 4, 1);
    params
}

/// A public authority with an intermediate, and what clients know.
struct Public {
    root: Signer,
    intermediate: Signer,
    roots: RootCertStore,
}

impl Public {
    fn new() -> Self {
        let root = root("A Root");
        let intermediate = root.intermediate(authority("An Intermediate"));
        let mut roots = RootCertStore::empty();
        roots.add(root.certificate.clone()).unwrap();
        Self {
            root,
            intermediate,
            roots,
        }
    }

    /// What is said of a chain of these, the leaf first.
    fn said(&self, chain: &[&CertificateDer<'static>]) -> Vec<ChainProblem> {
        let chain = chain.iter().map(|one| (*one).clone()).collect();
        review(&[chain], NAME, &self.roots, NOW).remove(0)
    }

    /// What is said of a leaf with its right chain.
    fn said_of(&self, params: &CertificateParams) -> Vec<ChainProblem> {
        self.said(&[
            &self.intermediate.leaf(params),
            &self.intermediate.certificate,
        ])
    }
}

#[test]
fn a_good_chain_has_no_problem() {
    let public = Public::new();
    assert_eq!(public.said_of(&leaf()), []);
    let with_root = [
        &public.intermediate.leaf(&leaf()),
        &public.intermediate.certificate,
        &public.root.certificate,
    ];
    assert_eq!(public.said(&with_root), []);
    let mut wildcard = leaf();
    wildcard.subject_alt_names = CertificateParams::new(["*.Example.org".to_owned()])
        .unwrap()
        .subject_alt_names;
    assert_eq!(public.said_of(&wildcard), []);
}

#[test]
fn an_authority_of_ones_own_is_good_with_its_root_in_the_file() {
    let public = Public::new();
    let own = root("Our Own Root");
    assert_eq!(public.said(&[&own.leaf(&leaf()), &own.certificate]), []);
    let alone = public.said(&[&own.leaf(&leaf())]);
    let issuer = "CN=Our Own Root".to_owned();
    assert_eq!(
        alone,
        [ChainProblem::NoIntermediate {
            issuer: issuer.clone()
        }]
    );
    let intermediate = own.intermediate(authority("Ours"));
    let chain = [&intermediate.leaf(&leaf()), &intermediate.certificate];
    assert_eq!(public.said(&chain), [ChainProblem::UnknownEnd { issuer }]);
}

#[test]
fn a_leaf_without_its_intermediate_is_named() {
    let public = Public::new();
    let said = public.said(&[&public.intermediate.leaf(&leaf())]);
    assert_eq!(
        said,
        [ChainProblem::NoIntermediate {
            issuer: "CN=An Intermediate".to_owned()
        }]
    );
    assert!(said[0].to_string().contains("fullchain.pem"));
}

#[test]
fn an_intermediate_of_somebody_else_is_named_with_its_place() {
    let public = Public::new();
    let other = public.root.intermediate(authority("Somebody Else"));
    let said = public.said(&[&public.intermediate.leaf(&leaf()), &other.certificate]);
    let [
        ChainProblem::Foreign { place: 2, subject },
        ChainProblem::NoIntermediate { .. },
    ] = said.as_slice()
    else {
        panic!("{said:?}");
    };
    assert_eq!(subject, "CN=Somebody Else");
    // The same name, and another key.
    let same_name = public.root.intermediate(authority("An Intermediate"));
    let said = public.said(&[&public.intermediate.leaf(&leaf()), &same_name.certificate]);
    assert_eq!(said, [ChainProblem::WrongSignature]);
}

#[test]
fn an_intermediate_that_has_expired_is_named() {
    let public = Public::new();
    let mut params = authority("An Old Intermediate");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 12);
    let old = public.root.intermediate(params);
    let said = public.said(&[&old.leaf(&leaf()), &old.certificate]);
    assert_eq!(said.len(), 1, "{said:?}");
    let told = said[0].to_string();
    assert!(
        told.contains("position 2 an intermediate that expired 3 days ago"),
        "{told}"
    );
}

#[test]
fn an_expired_cross_signature_behind_a_trusted_chain_is_no_problem() {
    let mut public = Public::new();
    let old_root = root("An Old Root");
    let key = KeyPair::generate().unwrap();
    let mut expired = authority("A Root");
    expired.not_after = date_time_ymd(2021, 9, 30);
    let crossed = expired.signed_by(&key, &old_root.issuer).unwrap();
    let trusted = authority("A Root").self_signed(&key).unwrap();
    public.roots = RootCertStore::empty();
    public.roots.add(trusted.der().clone()).unwrap();
    let crossed = Signer {
        issuer: Issuer::new(authority("A Root"), key),
        certificate: crossed.der().clone(),
    };
    let middle = crossed.intermediate(authority("Middle"));
    let chain = [
        &middle.leaf(&leaf()),
        &middle.certificate,
        &crossed.certificate,
    ];
    assert_eq!(public.said(&chain), []);
}

#[test]
fn a_wrong_order_is_named() {
    let public = Public::new();
    let second = public
        .intermediate
        .intermediate(authority("A Second Intermediate"));
    let leaf = second.leaf(&leaf());
    let right = [&leaf, &second.certificate, &public.intermediate.certificate];
    assert_eq!(public.said(&right), []);
    let wrong = [&leaf, &public.intermediate.certificate, &second.certificate];
    let subject = "CN=A Second Intermediate".to_owned();
    assert_eq!(
        public.said(&wrong),
        [ChainProblem::WrongOrder { place: 2, subject }]
    );
}

#[test]
fn what_is_wrong_with_the_leaf_is_named() {
    let public = Public::new();
    let said = |change: fn(&mut CertificateParams)| {
        let mut params = leaf();
        change(&mut params);
        public.said_of(&params)
    };
    assert_eq!(
        said(|params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]),
        [ChainProblem::NotForServers]
    );
    assert_eq!(said(|params| params.extended_key_usages.clear()), []);
    assert_eq!(
        said(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
        [ChainProblem::CaAsLeaf]
    );
    assert_eq!(
        said(|params| {
            let must_staple = [1, 3, 6, 1, 5, 5, 7, 1, 24];
            let content = vec![0x30, 3, 2, 1, 5];
            params.custom_extensions =
                vec![CustomExtension::from_oid_content(&must_staple, content)];
        }),
        [ChainProblem::MustStaple]
    );
    assert_eq!(
        said(|params| params.subject_alt_names.clear()),
        [ChainProblem::NoNames]
    );
    assert_eq!(
        said(|params| params.not_after = date_time_ymd(2028, 2, 4)),
        [ChainProblem::LongForPublic(399)]
    );
    assert_eq!(
        said(|params| params.not_after = date_time_ymd(2028, 2, 3)),
        []
    );
    assert_eq!(
        said(|params| params.not_after = date_time_ymd(2029, 4, 6)),
        [ChainProblem::LongForApple(826)]
    );
}

#[test]
fn the_hostname_may_be_in_any_of_the_certificates() {
    let public = Public::new();
    let mut params = leaf();
    params.subject_alt_names = CertificateParams::new(["other.example.org".to_owned()])
        .unwrap()
        .subject_alt_names;
    let said = public.said_of(&params);
    let [ChainProblem::OtherName { hostname, names }] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert_eq!(
        (hostname.as_str(), names.as_str()),
        (NAME, "other.example.org")
    );
    let chain = |params| {
        vec![
            public.intermediate.leaf(params),
            public.intermediate.certificate.clone(),
        ]
    };
    let both = [chain(&params), chain(&leaf())];
    let said = review(&both, NAME, &public.roots, NOW);
    assert!(said.iter().all(Vec::is_empty), "{said:?}");
}

#[test]
fn keys_that_leave_programs_out_are_named_when_they_are_alone() {
    let public = Public::new();
    let chain = |algorithm| {
        let key = KeyPair::generate_for(algorithm).unwrap();
        vec![
            public.intermediate.leaf_with(&leaf(), &key),
            public.intermediate.certificate.clone(),
        ]
    };
    let said = |chains: &[_]| review(chains, NAME, &public.roots, NOW).concat();
    let (rsa, ed25519) = (chain(&PKCS_RSA_SHA256), chain(&PKCS_ED25519));
    assert_eq!(
        said(std::slice::from_ref(&ed25519)),
        [ChainProblem::Ed25519Alone]
    );
    assert_eq!(said(std::slice::from_ref(&rsa)), [ChainProblem::RsaAlone]);
    assert!(ChainProblem::RsaAlone.is_hint() && !ChainProblem::Ed25519Alone.is_hint());
    assert_eq!(said(&[rsa.clone(), ed25519]), []);
    assert_eq!(said(&[rsa, chain(&PKCS_ECDSA_P256_SHA256)]), []);
}

#[test]
fn a_certificate_for_tests_is_told_of_in_one_line() {
    let public = Public::new();
    let mut params = leaf();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(2099, 1, 1);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let own = params.self_signed(&key).unwrap().der().clone();
    assert_eq!(public.said(&[&own]), [ChainProblem::SelfSigned]);
    let said = review(&[vec![own]], "other.example.org", &public.roots, NOW);
    assert_eq!(said, [[ChainProblem::SelfSigned]]);
}
