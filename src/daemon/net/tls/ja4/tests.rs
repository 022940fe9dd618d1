//! tests - labels of ClientHellos: the specification's examples, captures, and what gets none

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// A ClientHello in the making.
#[derive(Clone, Debug, Default)]
struct Draft {
    legacy: u16,
    suites: Vec<u16>,
    extensions: Vec<(u16, Vec<u8>)>,
}

fn octets(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_be_bytes()).collect()
}

/// Behind a length of one octet, and of two.
fn short(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()], content].concat()
}

fn long(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&length, content].concat()
}

impl Draft {
    fn with(mut self, kind: u16, content: Vec<u8>) -> Self {
        self.extensions.push((kind, content));
        self
    }

    fn body(&self) -> Vec<u8> {
        let extensions = self.extensions.iter();
        let extensions =
            extensions.flat_map(|(kind, content)| [octets(&[*kind]), long(content)].concat());
        let extensions: Vec<u8> = extensions.collect();
        [
            octets(&[self.legacy]),
            vec![7; 32],
            short(&[9; 32]),
            long(&octets(&self.suites)),
            short(&[0]),
            long(&extensions),
        ]
        .concat()
    }

    fn label(&self) -> Option<String> {
        Some(label(&message(&self.body()))?.to_string())
    }
}

fn message(body: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[1, high, middle, low], body].concat()
}

/// The content of an extension, as well formed as its kind wants.
fn content(kind: u16) -> Vec<u8> {
    match kind {
        SIGNATURE_ALGORITHMS => {
            let schemes = [
                0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
            ];
            long(&octets(&schemes))
        }
        ALPN => long(&[short(b"h2"), short(b"http/1.1")].concat()),
        SUPPORTED_VERSIONS => short(&octets(&[0x7a7a, 0x0304, 0x0303])),
        _ => Vec::new(),
    }
}

/// The hello of the specification's example, with GREASE as a browser puts it.
fn example() -> Draft {
    let kinds = [
        0x8a8a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023,
        0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x1a1a,
    ];
    Draft {
        legacy: 0x0303,
        suites: vec![
            0xfafa, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ],
        extensions: kinds.map(|kind| (kind, content(kind))).into(),
    }
}

#[test]
fn the_example_of_the_specification_has_its_label() {
    let label = example().label().unwrap();
    assert_eq!(label, "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

#[test]
fn without_signature_algorithms_the_extensions_alone_are_hashed() {
    let mut draft = example();
    for (kind, content) in &mut draft.extensions {
        // It is listed and lists nothing but GREASE.
        if *kind == SIGNATURE_ALGORITHMS {
            *content = long(&octets(&[0xdada]));
        }
    }
    assert!(draft.label().unwrap().ends_with("_6d807ffa2a79"));
}

#[test]
fn neither_order_nor_name_nor_protocol_changes_the_hashes() {
    let mut draft = example();
    draft.suites.reverse();
    draft.extensions.reverse();
    assert_eq!(draft.label(), example().label());
    draft
        .extensions
        .retain(|(kind, _)| !matches!(*kind, SERVER_NAME | ALPN));
    let label = draft.label().unwrap();
    assert_eq!(label, "t13i151400_8daaf6152771_e5627efa2ab1");
}

#[test]
fn an_empty_list_is_twelve_zeros_and_no_hash() {
    let bare = Draft {
        legacy: 0x0301,
        ..Draft::default()
    };
    let label = |draft: Draft| draft.label().unwrap();
    assert_eq!(label(bare.clone()), "t10i000000_000000000000_000000000000");
    let named = bare.clone().with(SERVER_NAME, Vec::new());
    assert_eq!(label(named), "t10d000100_000000000000_000000000000");
    let body = bare.body();
    let without_extensions = message(&body[..body.len() - 2]);
    assert_eq!(
        super::label(&without_extensions).unwrap().as_str(),
        "t10i000000_000000000000_000000000000"
    );
}

#[test]
fn the_highest_version_counts_and_an_unknown_one_is_00() {
    let version = |legacy, versions: Option<&[u16]>| {
        let mut draft = Draft {
            legacy,
            ..Draft::default()
        };
        if let Some(versions) = versions {
            draft = draft.with(SUPPORTED_VERSIONS, short(&octets(versions)));
        }
        draft.label().unwrap()[1..3].to_owned()
    };
    for (legacy, shown) in [
        (0x0304, "13"),
        (0x0303, "12"),
        (0x0302, "11"),
        (0x0301, "10"),
        (0x0300, "s3"),
        (0x0002, "s2"),
        (0xfeff, "d1"),
        (0xfefd, "d2"),
        (0xfefc, "d3"),
        (0x0305, "00"),
    ] {
        assert_eq!(version(legacy, None), shown);
    }
    assert_eq!(version(0x0303, Some(&[0x0302, 0xbaba, 0x0304])), "13");
    assert_eq!(version(0x0303, Some(&[0x0301, 0x0302])), "11");
    assert_eq!(version(0x0303, Some(&[0x7f1c, 0x0304])), "00");
    assert_eq!(version(0x0303, Some(&[0x3a3a])), "00");
}

#[test]
fn the_ends_of_the_first_protocol_are_shown_or_those_of_its_octets() {
    for (protocol, shown) in [
        (&b"http/1.1"[..], "h1"),
        (b"h2", "h2"),
        (b"h", "hh"),
        (b"", "00"),
        (b"\xab", "ab"),
        (b"\x20", "20"),
        (b"\xab\xcd", "ad"),
        (b"\x20\x61", "21"),
        (b"\x30\xab", "3b"),
        (b"\x61\x20", "60"),
        (b"\x30\x31\xab\xcd", "3d"),
        (b"\x30\xab\xcd\x31", "01"),
    ] {
        let list = long(&[short(protocol), short(b"x")].concat());
        let label = Draft::default().with(ALPN, list).label().unwrap();
        assert_eq!(&label[8..10], shown, "{protocol:02x?}");
    }
    let none = Draft::default().with(ALPN, long(&[])).label().unwrap();
    assert_eq!(&none[8..10], "00");
}

#[test]
fn more_than_99_are_99_and_more_than_anybody_lists_get_no_label() {
    let counts = |suites: u16, extensions: u16| {
        // None of them is GREASE.
        let numbers = |count| (0..count).map(|number| 0x1000 + number);
        let draft = Draft {
            legacy: 0x0303,
            suites: numbers(suites).collect(),
            extensions: numbers(extensions).map(|kind| (kind, Vec::new())).collect(),
        };
        Some(draft.label()?[4..8].to_owned())
    };
    assert_eq!(counts(98, 99).as_deref(), Some("9899"));
    assert_eq!(counts(100, 100).as_deref(), Some("9999"));
    let most = MOST as u16;
    assert_eq!(counts(most - 1, most - 1).as_deref(), Some("9999"));
    assert_eq!(counts(most, most).as_deref(), Some("9999"));
    assert_eq!(counts(most + 1, 0), None);
    assert_eq!(counts(0, most + 1), None);
    let schemes = |count| {
        let schemes = long(&octets(&vec![0x0403; count]));
        Draft::default().with(SIGNATURE_ALGORITHMS, schemes).label()
    };
    assert!(schemes(MOST).is_some());
    assert_eq!(schemes(MOST + 1), None);
}

#[test]
fn a_malformed_hello_gets_no_label() {
    let body = example().body();
    assert!(label(&message(&body)).is_some());
    let changed = |at: usize, value: u8| {
        let mut body = body.clone();
        body[at] = value;
        label(&message(&body))
    };
    assert_eq!(changed(34, 33), None, "a session id of 33 octets");
    assert_eq!(changed(68, 33), None, "half a suite");
    let mut other = message(&body);
    other[0] = 2;
    assert_eq!(label(&other), None, "a ServerHello");
    for (kind, content) in [
        (SIGNATURE_ALGORITHMS, long(&[4, 3, 8])),
        (SIGNATURE_ALGORITHMS, [long(&[4, 3]), vec![0]].concat()),
        (SIGNATURE_ALGORITHMS, vec![0, 4, 4, 3]),
        (SUPPORTED_VERSIONS, short(&[3, 4, 3])),
        (SUPPORTED_VERSIONS, vec![]),
        (ALPN, long(&[3, b'h', b'2'])),
        (ALPN, [long(&short(b"h2")), vec![0]].concat()),
    ] {
        let draft = Draft::default().with(kind, content.clone());
        assert_eq!(draft.label(), None, "{kind}: {content:02x?}");
    }
}

fn draft() -> impl Strategy<Value = Draft> {
    let kind = prop_oneof![
        Just(0),
        Just(10),
        Just(13),
        Just(16),
        Just(43),
        any::<u16>()
    ];
    let extension = kind.prop_map(|kind| (kind, content(kind)));
    (
        any::<u16>(),
        vec(any::<u16>(), 0..40),
        vec(extension, 0..20),
    )
        .prop_map(|(legacy, suites, extensions)| Draft {
            legacy,
            suites,
            extensions,
        })
}

proptest! {
    #[test]
    fn no_octets_make_it_panic(octets in vec(any::<u8>(), 0..600)) {
        prop_assert!(label(&octets).is_none_or(|label| label.as_str().len() == Ja4::OCTETS));
        // What begins as a ClientHello comes further.
        let _ = label(&message(&[&[3, 3][..], &[7; 32], &[0], &octets].concat()));
    }

    #[test]
    fn a_hello_that_is_cut_or_goes_on_gets_none(draft in draft()) {
        let whole = message(&draft.body());
        let shown = label(&whole);
        prop_assert!(shown.is_some());
        for end in 0..whole.len() {
            prop_assert_eq!(label(&whole[..end]), None);
        }
        prop_assert_eq!(label(&[&whole[..], &[0]].concat()), None);
        // Said to be shorter than it was. Before the extensions it may end.
        let body = draft.body();
        let ends = 2 + 32 + 33 + 2 + 2 * draft.suites.len() + 2;
        for end in (0..body.len()).filter(|end| *end != ends) {
            prop_assert_eq!(label(&message(&body[..end])), None, "{}", end);
        }
    }

    #[test]
    fn the_order_of_what_is_sorted_does_not_matter(draft in draft()) {
        let mut turned = draft.clone();
        turned.suites.reverse();
        // Of two extensions of one kind the last counts.
        turned.extensions.sort_by_key(|(kind, _)| *kind);
        prop_assert_eq!(turned.label(), draft.label());
    }
}
