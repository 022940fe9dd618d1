//! tests - the table beside a naive model, and what is evicted

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const NOW: Moment = Moment::from_nanos(1000);

fn table(rows: usize) -> Table<3> {
    Table::new(rows, &[7; 16], |row| row[1])
}

fn key(id: u64) -> Key {
    Key {
        kind: Kind::NETWORK,
        id,
    }
}

fn put(table: &Table<3>, id: u64, clean: u64) {
    table.with(key(id), NOW, |_| ((), Some([0, clean, 0])));
}

fn get(table: &Table<3>, id: u64) -> Option<u64> {
    table.read(key(id)).map(|row| row[1])
}

#[test]
fn a_row_costs_at_most_24_octets_and_the_rows_are_what_was_asked_for() {
    assert_eq!(size_of::<[u64; 3]>(), 24);
    for rows in [1, 8, 9, 511, 512, 1_000_000] {
        let made = table(rows).rows();
        assert!(
            made >= rows && made <= rows + SHARDS * WAYS,
            "{rows}: {made}"
        );
    }
}

#[test]
fn full_sets_give_up_the_row_that_is_clean_soonest_and_count_it() {
    let table = table(8);
    for id in 1..=8 {
        put(&table, id, 2000 + id);
    }
    put(&table, 99, 5000);
    assert_eq!(get(&table, 1), None);
    for id in 2..=8 {
        assert_eq!(get(&table, id), Some(2000 + id));
    }
    assert_eq!(get(&table, 99), Some(5000));
    assert_eq!(table.evictions(), 1);
}

#[test]
fn the_worst_offender_stays_however_many_others_come() {
    let table = table(64);
    put(&table, 0, u64::MAX);
    for id in 1..10_000 {
        put(&table, id, 2000 + id);
    }
    assert_eq!(get(&table, 0), Some(u64::MAX));
}

#[test]
fn a_clean_row_gives_way_without_being_counted() {
    let table = table(8);
    for id in 1..=9 {
        put(&table, id, 999);
    }
    assert_eq!(get(&table, 9), Some(999));
    assert_eq!(table.evictions(), 0);
}

#[test]
fn keys_of_different_kinds_with_one_id_are_different_rows() {
    let table = table(8);
    put(&table, 5, 1);
    let other = Key {
        kind: Kind::USER_FAR,
        id: 5,
    };
    assert_eq!(table.read(other), None);
    table.remove(other);
    assert_eq!(get(&table, 5), Some(1));
    table.remove(key(5));
    assert_eq!(get(&table, 5), None);
}

#[test]
fn ids_spread_evenly_whatever_they_are() {
    let table = table(100_000);
    for id in 0..50_000 {
        put(&table, id << 8, 2000);
    }
    // Half full, two sets a key: none overflows.
    assert_eq!(table.evictions(), 0);
}

#[test]
fn a_table_offered_as_many_keys_as_rows_loses_one_in_twenty_at_most() {
    let table = table(100_000);
    for id in 0..table.rows() as u64 {
        put(&table, id, 2000);
    }
    let lost = table.evictions() as f64 / table.rows() as f64;
    assert!(lost < 0.05, "{lost}");
}

#[test]
fn what_is_clean_makes_room_as_if_it_were_not_there() {
    let table = table(100_000);
    for id in 0..200_000 {
        put(&table, id, id % 1000);
    }
    assert_eq!(table.evictions(), 0);
    for id in 0..table.rows() as u64 {
        put(&table, id << 32, 2000);
    }
    let lost = table.evictions() as f64 / table.rows() as f64;
    assert!(lost < 0.05, "{lost}");
}

proptest! {
    #[test]
    fn it_holds_what_a_map_holds_as_long_as_nothing_is_evicted(
        steps in prop::collection::vec((0u64..40, 0u8..4, 2000u64..9000), 1..200)
    ) {
        let table = table(4096);
        let mut model = HashMap::new();
        for (id, step, value) in steps {
            match step {
                0 => {
                    table.remove(key(id));
                    model.remove(&id);
                }
                1 => prop_assert_eq!(get(&table, id), model.get(&id).copied()),
                _ => {
                    put(&table, id, value);
                    model.insert(id, value);
                }
            }
        }
        prop_assert_eq!(table.evictions(), 0);
        let mut seen = HashMap::new();
        table.for_each(|kind, row| {
            assert_eq!(kind, Kind::NETWORK);
            seen.insert(row[0], row[1]);
        });
        prop_assert_eq!(seen, model);
    }

    #[test]
    fn a_small_table_keeps_the_eight_worst_of_a_set(
        clean in prop::collection::vec(2000u64..1_000_000, 9..60)
    ) {
        let table = table(8);
        let mut model: Vec<(u64, u64)> = Vec::new();
        for (id, clean) in clean.into_iter().enumerate() {
            if model.len() == WAYS {
                let least = model.iter().enumerate().min_by_key(|(_, row)| row.1).unwrap().0;
                // Among equals the table may choose.
                prop_assume!(model.iter().filter(|row| row.1 == model[least].1).count() == 1);
                model.swap_remove(least);
            }
            model.push((id as u64, clean));
            put(&table, id as u64, clean);
        }
        for (id, clean) in model {
            prop_assert_eq!(get(&table, id), Some(clean));
        }
    }
}
