//! kind - what the id of a row of the table stands for
//!
//! Not here: which bucket has which rows (`spec`).

/// What the id of a row stands for. Its number is in every snapshot and never changes; 0 is no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::gate) struct Kind(u8);

impl Kind {
    pub(in crate::gate) const CLIENT_V4: Self = Self(1);
    pub(in crate::gate) const CLIENT_V6: Self = Self(2);
    pub(in crate::gate) const NETWORK: Self = Self(3);
    pub(in crate::gate) const USER_NEAR: Self = Self(4);
    pub(in crate::gate) const USER_FAR: Self = Self(5);
    pub(in crate::gate) const PAIR: Self = Self(6);
    /// No bucket: a folded password, in the table of words.
    pub(in crate::gate) const WORD: Self = Self(7);
    pub(in crate::gate) const SETTLING_USER: Self = Self(8);
    pub(in crate::gate) const UNPROVEN: Self = Self(9);
    pub(in crate::gate) const REGION: Self = Self(10);
    pub(in crate::gate) const CLIENT_NEAR_V4: Self = Self(11);
    pub(in crate::gate) const CLIENT_NEAR_V6: Self = Self(12);
    pub(in crate::gate) const USER_CREDIT: Self = Self(13);
    pub(in crate::gate) const DEVICE: Self = Self(20);

    /// The kind with this number; none for 0.
    pub(in crate::gate) const fn new(number: u8) -> Option<Self> {
        match number {
            0 => None,
            number => Some(Self(number)),
        }
    }

    pub(in crate::gate) const fn number(self) -> u8 {
        self.0
    }
}
