//! devices - users' devices, those that are none, and what changed of them
//!
//! Not here: the other records (`record`).

use bytes::{Buf, BufMut};

use super::section;
use crate::gate::request::change::{DeviceDrop, DeviceLogin, Fact};
use crate::gate::request::device::{DeviceId, DeviceMet, DeviceTicket};
use crate::gate::request::keys::UserId;
use crate::gate::state::frame::Section;
use crate::gate::trust::devices::UserDevice;

/// The numbers of the sections, and the octets of a record.
pub(in crate::gate) const DEVICES_NUMBER: u8 = 14;
pub(in crate::gate) const SHARED_DEVICES_NUMBER: u8 = 15;
pub(in crate::gate) const DEVICES: Section = section(DEVICES_NUMBER, 23);
pub(in crate::gate) const SHARED_DEVICES: Section = section(SHARED_DEVICES_NUMBER, 12);

/// The kinds of journal records.
const FAMILIAR: u8 = 40;
const DROPPED: u8 = 41;
const SHARED: u8 = 42;

/// Whether a device has come back.
const NEW: u8 = 0;
const RETURNED: u8 = 1;

/// Where a device has logged in.
const ELSEWHERE: u8 = 0;
const AT_HOME: u8 = 1;

pub(in crate::gate) fn write_device(out: &mut Vec<u8>, user: UserId, device: UserDevice) {
    out.put_u64_le(user.0);
    out.put_u64_le(device.id.0);
    out.put_u32_le(device.last);
    out.put_u8(device.failures);
    out.put_u8(match device.ticket {
        DeviceTicket::New => NEW,
        DeviceTicket::Returned => RETURNED,
    });
    write_met(out, device.met);
}

pub(in crate::gate) fn read_device(mut from: &[u8]) -> Option<(UserId, UserDevice)> {
    let user = UserId(from.try_get_u64_le().ok()?);
    let device = UserDevice {
        id: DeviceId(from.try_get_u64_le().ok()?),
        last: from.try_get_u32_le().ok()?,
        failures: from.try_get_u8().ok()?,
        ticket: match from.try_get_u8().ok()? {
            NEW => DeviceTicket::New,
            RETURNED => DeviceTicket::Returned,
            _ => return None,
        },
        met: read_met(&mut from),
    };
    Some((user, device))
}

pub(in crate::gate) fn write_shared_device(out: &mut Vec<u8>, device: DeviceId, last: u32) {
    out.put_u64_le(device.0);
    out.put_u32_le(last);
}

pub(in crate::gate) fn read_shared_device(mut from: &[u8]) -> Option<(DeviceId, u32)> {
    let device = DeviceId(from.try_get_u64_le().ok()?);
    Some((device, from.try_get_u32_le().ok()?))
}

pub(super) fn write_login(out: &mut Vec<u8>, login: DeviceLogin) -> u8 {
    out.put_u64_le(login.user.0);
    write_shared_device(out, login.device, login.last);
    write_met(out, login.met);
    FAMILIAR
}

fn write_met(out: &mut Vec<u8>, met: DeviceMet) {
    out.put_u8(match met {
        DeviceMet::Elsewhere => ELSEWHERE,
        DeviceMet::AtHome => AT_HOME,
    });
}

/// Earlier versions did not ask: then it was at home.
fn read_met(from: &mut &[u8]) -> DeviceMet {
    match from.try_get_u8() {
        Ok(ELSEWHERE) => DeviceMet::Elsewhere,
        _ => DeviceMet::AtHome,
    }
}

pub(super) fn write_drop(out: &mut Vec<u8>, dropped: DeviceDrop) -> u8 {
    out.put_u64_le(dropped.user.0);
    out.put_u64_le(dropped.device.0);
    DROPPED
}

pub(super) fn write_shared(out: &mut Vec<u8>, device: DeviceId) -> u8 {
    out.put_u64_le(device.0);
    SHARED
}

/// What a journal says of a device; none if this version does not know the record.
pub(super) fn read_change(number: u8, from: &mut &[u8]) -> Option<Fact> {
    let mut id = || from.try_get_u64_le().ok();
    Some(match number {
        FAMILIAR => {
            let user = UserId(id()?);
            let (device, last) = (DeviceId(id()?), from.try_get_u32_le().ok()?);
            let met = read_met(from);
            Fact::DeviceFamiliar(DeviceLogin {
                user,
                device,
                last,
                met,
            })
        }
        DROPPED => Fact::DeviceDropped(DeviceDrop {
            user: UserId(id()?),
            device: DeviceId(id()?),
        }),
        SHARED => Fact::DeviceShared(DeviceId(id()?)),
        _ => return None,
    })
}
