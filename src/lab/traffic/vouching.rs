//! vouching - how many accounts log in at addresses that guesses come from
//!
//! A login may let its address have one more guess, so these accounts stand in the bound.
//! Not here: the bound (`promise`).

use std::collections::{HashMap, HashSet};

use gatepost_core::gate::request::client::ClientKey;

/// Who logged in from where, and whether guesses came from there later.
#[derive(Debug, Default)]
pub(crate) struct Vouching {
    clients: HashMap<ClientKey, VouchedClient>,
}

#[derive(Debug, Default)]
struct VouchedClient {
    accounts: HashSet<u32>,
    /// How many they were at the last guess.
    guessed: bool,
}

impl Vouching {
    pub(crate) fn login(&mut self, account: u32, client: ClientKey) {
        self.clients
            .entry(client)
            .or_default()
            .accounts
            .insert(account);
    }

    pub(crate) fn guess(&mut self, client: ClientKey) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.guessed = true;
        }
    }

    /// The accounts that logged in where a guess came from.
    pub(crate) fn count(&self) -> usize {
        let guessed = self.clients.values().filter(|client| client.guessed);
        let accounts: HashSet<&u32> = guessed.flat_map(|client| &client.accounts).collect();
        accounts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_count_who_logged_in_at_an_address_before_a_guess_came_from_it() {
        let mut vouching = Vouching::default();
        let address = |text: &str| text.parse().unwrap();
        vouching.guess(address("192.0.2.1"));
        vouching.login(1, address("192.0.2.1"));
        vouching.login(2, address("192.0.2.2"));
        vouching.login(3, address("192.0.2.2"));
        vouching.login(3, address("192.0.2.3"));
        assert_eq!(vouching.count(), 0);
        vouching.guess(address("192.0.2.2"));
        vouching.guess(address("192.0.2.3"));
        assert_eq!(vouching.count(), 2, "2 and 3, who is counted once");
    }
}
