//! Known devices: a mark that a sign-in leaves on the client's device. It proves nothing and is stored nowhere else.

use std::time::Duration;

use authkit_core::{
    Id, MacKey, Mark, PrincipalId, RequestContext, SecretText, StageId, TenantId, Timestamp, base64url, from_base64url,
};

/// The stage whose marks these are.
pub(crate) const STAGE: StageId = "lockout";

/// Makes marks and reads them.
pub(crate) struct Devices {
    pub(crate) mac: MacKey,
    pub(crate) life: Duration,
}

/// Names a device within one principal.
pub(crate) type DeviceId = [u8; 16];

/// Who signed in on a device, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Pseudonym of the principal: whoever reads the mark does not learn who uses the device.
    who: [u8; 16],
    device: DeviceId,
    at: Timestamp,
}

/// What a client presented, as far as it was made here and is not too old.
pub(crate) struct Known {
    entries: Vec<Entry>,
}

impl Known {
    /// Whether nobody is known on the device.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Devices {
    /// Reads what the client presented.
    pub(crate) fn read(&self, cx: &RequestContext) -> Known {
        let presented = cx.client().mark(STAGE);
        Known { entries: presented.map(|text| self.open(text, cx.now())).unwrap_or_default() }
    }

    /// The device on which this principal is known, if it is.
    pub(crate) fn of(&self, cx: &RequestContext, known: &Known, principal: PrincipalId) -> Option<DeviceId> {
        let who = self.who(cx.tenant(), principal);
        known.entries.iter().find(|entry| entry.who == who).map(|entry| entry.device)
    }

    /// What the device is to keep from now on. A device that was known keeps its id, and with it its budget.
    pub(crate) fn mark(&self, cx: &RequestContext, principal: PrincipalId) -> Mark {
        let mut known = self.read(cx);
        let device = self.of(cx, &known, principal).unwrap_or_else(|| cx.random());
        let who = self.who(cx.tenant(), principal);
        known.entries.retain(|entry| entry.who != who);
        known.entries.insert(0, Entry { who, device, at: cx.now() });
        known.entries.truncate(MOST_ENTRIES);
        Mark::new(SecretText::new(self.close(&known.entries)), self.life)
    }

    fn who(&self, tenant: TenantId, principal: PrincipalId) -> [u8; 16] {
        let (tenant, principal): (Id, Id) = (tenant.into(), principal.into());
        let pseudonym = self.mac.pseudonym(&[b"who", tenant.as_bytes(), principal.as_bytes()]);
        pseudonym.first_chunk().copied().unwrap_or_default()
    }

    fn close(&self, entries: &[Entry]) -> String {
        let mut bytes = vec![VERSION];
        for Entry { who, device, at } in entries {
            bytes.extend_from_slice(who);
            bytes.extend_from_slice(device);
            bytes.extend_from_slice(&at.millis().to_be_bytes());
        }
        let tag = self.mac.tag(&[b"mark", &bytes]);
        bytes.extend_from_slice(tag.first_chunk::<TAG>().unwrap_or(&[0; TAG]));
        base64url(&bytes)
    }

    fn open(&self, text: &str, now: Timestamp) -> Vec<Entry> {
        let genuine = |bytes: Vec<u8>| {
            let (content, tag) = bytes.split_last_chunk::<TAG>()?;
            let content = self.mac.verify(&[b"mark", content], tag).then_some(content)?;
            Some(content.strip_prefix(&[VERSION])?.chunks_exact(ENTRY).filter_map(Entry::read).collect())
        };
        if text.len() > LONGEST_TEXT {
            return Vec::new();
        }
        let mut entries: Vec<Entry> = from_base64url(text).and_then(genuine).unwrap_or_default();
        entries.retain(|entry| now.since(entry.at) < self.life);
        entries
    }
}

impl Entry {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (who, rest) = bytes.split_first_chunk()?;
        let (device, at) = rest.split_first_chunk()?;
        let at = Timestamp::from_millis(i64::from_be_bytes(at.try_into().ok()?));
        Some(Self { who: *who, device: *device, at })
    }
}

const VERSION: u8 = 1;
/// Bytes of the tag at the end of a mark.
const TAG: usize = 16;
/// Bytes of one entry: principal, device, time.
const ENTRY: usize = 16 + 16 + 8;
/// How many principals one device keeps apart; the one who was away longest is forgotten.
const MOST_ENTRIES: usize = 3;
/// Longest text that is looked at.
const LONGEST_TEXT: usize = (1 + MOST_ENTRIES * ENTRY + TAG).div_ceil(3) * 4;

#[cfg(test)]
mod tests {
    use authkit_core::KeyRing;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn devices(seed: u8) -> Devices {
        let ring = KeyRing::new([std::array::from_fn(|i| (i as u8).wrapping_mul(37).wrapping_add(seed))]).unwrap();
        Devices { mac: ring.mac("risk device"), life: 180 * DAY }
    }

    fn entries(count: u8, at: Timestamp) -> Vec<Entry> {
        (0..count).map(|n| Entry { who: [n; 16], device: [n + 100; 16], at }).collect()
    }

    #[test]
    fn a_mark_comes_back_until_its_life_is_over() {
        let (devices, now) = (devices(1), Timestamp::from_millis(1_800_000_000_000));
        for count in 0..=3 {
            let entries = entries(count, now);
            let text = devices.close(&entries);
            assert!(text.len() <= LONGEST_TEXT, "{} characters", text.len());
            assert_eq!(devices.open(&text, now.plus(179 * DAY)), entries);
            assert_eq!(devices.open(&text, now.plus(180 * DAY)), []);
        }
    }

    #[test]
    fn a_mark_that_was_changed_or_made_elsewhere_says_nothing() {
        let (ours, now) = (devices(1), Timestamp::from_millis(1_800_000_000_000));
        let text = ours.close(&entries(3, now));
        assert_eq!(devices(2).open(&text, now), []);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(ours.open(&String::from_utf8(bytes).unwrap(), now), [], "byte {at}");
            assert_eq!(ours.open(&text[..at], now), [], "first {at} bytes");
        }
        for garbage in ["", "AA", "not base64!", &"A".repeat(10_000)] {
            assert_eq!(ours.open(garbage, now), [], "{garbage}");
        }
    }

    #[test]
    fn principals_of_two_tenants_are_not_the_same() {
        let devices = devices(1);
        let principal = Id::from_bytes([7; 16]).into();
        let other = devices.who(Id::from_bytes([1; 16]).into(), principal);
        assert_ne!(devices.who(TenantId::DEFAULT, principal), other);
    }
}
