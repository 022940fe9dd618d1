//! rules - a test for each sentence of the nine rules

use super::kit::*;
use crate::gate::verdict::Reason;

#[test]
fn only_failures_cost() {
    let mut world = World::new(settings());
    for _ in 0..50 {
        assert_eq!(
            world.login("198.51.100.7", "anna"),
            Fate::Asked(Reason::Unknown)
        );
        world.gate = World::new(settings()).gate;
    }
    for _ in 0..50 {
        world.login("198.51.100.7", "anna");
    }
    assert_eq!(
        world.login("198.51.100.7", "anna"),
        Fate::Asked(Reason::Familiar)
    );
}
