//! feed - a list of hostile networks that changes all the time, each of its entries with its own end
//!
//! Another program on the operator's machines keeps it and tells what has changed. A client on it stands as one with an
//! automatic ban: refused where nobody is familiar, and never in a dry run. What is over does not count, whether anybody
//! says so or not: so an entry holds no longer than it was said to when its keeper is away. Bounded, and nothing wide is taken.
//! Not here: who asks the keeper (the daemon), lists that come whole from a file (`lists`).

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;

use crate::gate::request::client::ClientKey;
use crate::gate::request::lists::{Listing, ListingCounts, ListingNews, MOST_NETWORKS, is_narrow};
use crate::gate::request::networks::canonical;
use crate::moment::Moment;

/// Entries that are changed under one lock: those who ask wait for no more.
const AT_ONCE: usize = 1_000;

#[derive(Default)]
pub(in crate::gate) struct ListingFeed {
    book: RwLock<ListingBook>,
    /// Whether there is anything: mostly not, and then nobody takes the lock.
    any: AtomicBool,
}

/// The entries. An IPv6 prefix longer than /64 counts as its /64.
#[derive(Default)]
struct ListingBook {
    v4: PrefixMap<Ipv4Net, Moment>,
    v6: PrefixMap<Ipv6Net, Moment>,
    /// The last of the ends.
    last: Moment,
}

impl ListingFeed {
    /// Takes over what its keeper tells.
    pub(in crate::gate) fn take(&self, news: &ListingNews) -> ListingCounts {
        let mut counts = ListingCounts::default();
        match news {
            ListingNews::Whole(listings) => {
                // Built before the lock is taken, for it takes its time.
                let mut book = ListingBook::default();
                for listing in listings {
                    book.add(*listing, &mut counts);
                }
                // The old one is dropped behind the lock.
                let _old = std::mem::replace(&mut *self.write(), book);
            }
            ListingNews::Since { ended, begun } => {
                // In this order: what ended and began again is listed.
                for part in ended.chunks(AT_ONCE) {
                    let mut book = self.write();
                    part.iter().for_each(|network| book.remove(*network));
                }
                for part in begun.chunks(AT_ONCE) {
                    let mut book = self.write();
                    part.iter()
                        .for_each(|listing| book.add(*listing, &mut counts));
                }
            }
        }
        counts.held = self.read().len();
        self.any.store(counts.held > 0, Ordering::Release);
        counts
    }

    /// Until when a client is on it.
    pub(in crate::gate) fn until(&self, client: ClientKey, now: Moment) -> Option<Moment> {
        if self.is_empty() {
            return None;
        }
        let until = self.read().until(client.address())?;
        Some(until).filter(|until| *until > now)
    }

    /// Forgets all of it when the last entry is over.
    pub(in crate::gate) fn expire(&self, now: Moment) {
        if self.is_empty() || self.read().last > now {
            return;
        }
        let mut book = self.write();
        // Something may have come meanwhile.
        if book.last <= now {
            *book = ListingBook::default();
            self.any.store(false, Ordering::Release);
        }
    }

    /// How many are held that are not over, and the last of their ends.
    pub(in crate::gate) fn count(&self, now: Moment) -> Option<(usize, Moment)> {
        let book = self.read();
        let ends = book.v4.values().chain(book.v6.values());
        let ends = ends.copied().filter(|until| *until > now);
        let (count, last) = ends.fold((0, now), |(count, last), until| {
            (count + 1, last.max(until))
        });
        (count > 0).then_some((count, last))
    }

    fn is_empty(&self) -> bool {
        !self.any.load(Ordering::Acquire)
    }

    fn read(&self) -> RwLockReadGuard<'_, ListingBook> {
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, ListingBook> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ListingBook {
    fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// Adds an entry; of two of one network the longer one holds.
    fn add(&mut self, listing: Listing, counts: &mut ListingCounts) {
        if !is_narrow(listing.network) {
            counts.wide += 1;
            return;
        }
        let until = listing.until;
        let network = counted(listing.network);
        let is_held = match network {
            IpNet::V4(v4) => self.v4.contains_key(&v4),
            IpNet::V6(v6) => self.v6.contains_key(&v6),
        };
        if !is_held && self.len() >= MOST_NETWORKS {
            counts.surplus += 1;
            return;
        }
        self.last = self.last.max(until);
        let end = match network {
            IpNet::V4(v4) => self.v4.entry(v4).or_insert(until),
            IpNet::V6(v6) => self.v6.entry(v6).or_insert(until),
        };
        *end = until.max(*end);
    }

    fn remove(&mut self, network: IpNet) {
        match counted(network) {
            IpNet::V4(v4) => self.v4.remove(&v4),
            IpNet::V6(v6) => self.v6.remove(&v6),
        };
    }

    /// The last end of the entries that an address is in.
    fn until(&self, address: IpAddr) -> Option<Moment> {
        match address {
            IpAddr::V4(v4) => self.v4.cover_values(&v4.into()).max(),
            IpAddr::V6(v6) => self.v6.cover_values(&v6.into()).max(),
        }
        .copied()
    }
}

/// The network as clients are counted: none smaller than an address, or a /64.
fn counted(network: IpNet) -> IpNet {
    match canonical(network).trunc() {
        IpNet::V6(v6) => Ipv6Net::new(v6.addr(), v6.prefix_len().min(64))
            .map_or(v6, |cut| cut.trunc())
            .into(),
        v4 @ IpNet::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(second: u64) -> Moment {
        Moment::from_seconds(second)
    }

    fn listing(network: &str, until: u64) -> Listing {
        Listing {
            network: network.parse().unwrap(),
            until: moment(until),
        }
    }

    fn since(ended: &[&str], begun: &[Listing]) -> ListingNews {
        ListingNews::Since {
            ended: ended.iter().map(|text| text.parse().unwrap()).collect(),
            begun: begun.to_vec(),
        }
    }

    fn until(feed: &ListingFeed, address: &str, now: u64) -> Option<u64> {
        let client = ClientKey::from(address.parse::<IpAddr>().unwrap());
        feed.until(client, moment(now)).map(Moment::as_seconds)
    }

    #[test]
    fn each_entry_has_its_own_end_and_an_address_the_last_of_those_that_it_is_in() {
        let feed = ListingFeed::default();
        assert_eq!(until(&feed, "192.0.2.1", 0), None);
        let news = [
            listing("192.0.2.1/32", 10),
            listing("192.0.2.0/24", 20),
            listing("2001:db8::7/128", 30),
        ];
        let counts = feed.take(&since(&[], &news));
        assert_eq!(counts.held, 3);
        assert_eq!(until(&feed, "192.0.2.1", 9), Some(20));
        assert_eq!(until(&feed, "192.0.2.1", 19), Some(20));
        assert_eq!(until(&feed, "192.0.2.1", 20), None);
        assert_eq!(until(&feed, "192.0.3.1", 0), None);
        assert_eq!(until(&feed, "2001:db8::8", 29), Some(30), "its /64");
        assert_eq!(feed.count(moment(10)), Some((2, moment(30))));
        feed.expire(moment(29));
        assert_eq!(feed.count(moment(29)), Some((1, moment(30))));
        feed.expire(moment(30));
        assert_eq!(feed.count(moment(0)), None, "nothing is kept for ever");
    }

    #[test]
    fn what_ended_and_began_again_is_listed_and_of_two_ends_the_later_one_holds() {
        let feed = ListingFeed::default();
        feed.take(&since(&[], &[listing("192.0.2.1/32", 10)]));
        feed.take(&since(&["192.0.2.1/32"], &[listing("192.0.2.1/32", 5)]));
        assert_eq!(until(&feed, "192.0.2.1", 0), Some(5));
        feed.take(&since(&[], &[listing("192.0.2.1/32", 3)]));
        assert_eq!(until(&feed, "192.0.2.1", 0), Some(5));
        feed.take(&since(&["192.0.2.1/32", "192.0.2.9/32"], &[]));
        assert_eq!(until(&feed, "192.0.2.1", 0), None);
        feed.take(&since(&[], &[listing("192.0.2.1/32", 10)]));
        let counts = feed.take(&ListingNews::Whole(vec![listing("192.0.2.2/32", 9)]));
        assert_eq!(counts.held, 1);
        assert_eq!(until(&feed, "192.0.2.1", 0), None);
        assert_eq!(until(&feed, "192.0.2.2", 0), Some(9));
    }

    #[test]
    fn what_is_wide_is_left_out_and_there_is_an_end_to_the_room() {
        let feed = ListingFeed::default();
        let wide = ["0.0.0.0/0", "10.0.0.0/7", "::/0", "2001:c000::/18"];
        let narrow = ["10.0.0.0/8", "2001:e000::/19"];
        let news = wide.iter().chain(&narrow).map(|one| listing(one, 10));
        let counts = feed.take(&ListingNews::Whole(news.collect()));
        assert_eq!((counts.held, counts.wide), (2, 4));
        let address = |n: usize| {
            let address = std::net::Ipv4Addr::from_bits(n as u32 | 1 << 28);
            Listing {
                network: IpAddr::from(address).into(),
                until: moment(10),
            }
        };
        let all: Vec<_> = (0..=MOST_NETWORKS).map(address).collect();
        let counts = feed.take(&ListingNews::Whole(all));
        assert_eq!((counts.held, counts.surplus), (MOST_NETWORKS, 1));
        // One that it has already may last longer.
        let longer = Listing {
            until: moment(20),
            ..address(0)
        };
        let counts = feed.take(&since(&[], &[longer, address(MOST_NETWORKS)]));
        assert_eq!((counts.held, counts.surplus), (MOST_NETWORKS, 1));
        assert_eq!(until(&feed, "16.0.0.0", 15), Some(20));
    }
}
