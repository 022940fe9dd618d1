//! credit - what a client's users have earned, and which of them have earned something
//!
//! Not here: the other records (`record`).

use bytes::{Buf, BufMut};

use crate::gate::buckets::credit::{ClientCredit, Earning};
use crate::gate::buckets::key::Key;
use crate::gate::buckets::spec::Kind;

pub(in crate::gate) fn write_credit(out: &mut Vec<u8>, key: Key, credit: ClientCredit) {
    out.put_u8(key.kind.number());
    out.put_u64_le(key.id);
    out.put_u8(credit.tokens);
    out.put_u32_le(credit.user);
    out.put_u32_le(credit.last);
    out.put_u32_le(credit.other);
}

pub(in crate::gate) fn read_credit(mut from: &[u8]) -> Option<(Key, ClientCredit)> {
    let kind = Kind::new(from.try_get_u8().ok()?)?;
    let id = from.try_get_u64_le().ok()?;
    let credit = ClientCredit {
        tokens: from.try_get_u8().ok()?,
        user: from.try_get_u32_le().ok()?,
        last: from.try_get_u32_le().ok()?,
        other: from.try_get_u32_le().ok()?,
    };
    let is_client = kind == Kind::CLIENT_V4 || kind == Kind::CLIENT_V6;
    is_client.then_some((Key { kind, id }, credit))
}

pub(in crate::gate) fn write_earning(out: &mut Vec<u8>, user: u64, earning: Earning) {
    out.put_u64_le(user);
    out.put_u32_le(earning.client);
    out.put_u32_le(earning.at);
}

pub(in crate::gate) fn read_earning(mut from: &[u8]) -> Option<(u64, Earning)> {
    let user = from.try_get_u64_le().ok()?;
    let client = from.try_get_u32_le().ok()?;
    let at = from.try_get_u32_le().ok()?;
    Some((user, Earning { client, at }))
}
