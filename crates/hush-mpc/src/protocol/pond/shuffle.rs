//! Rows in an order that no server knows: each server in turn permutes by an order of its own.
//!
//! The other server's part goes over under a mask a; the dealer knows the order and gives what turns
//! the permuted mask into a fresh one, b (Chase, Ghosh and Poburinnaya, ASIACRYPT 2020, with a
//! dealer).

use hush_simd::words::Word;

use super::{DEALER, Role, Table, part};
use crate::MpcError;
use crate::protocol::check_rows;
use crate::protocol::rep3::{order, permuted};
use crate::session::round;
use crate::share::Share;

const ORDER: u16 = 0;
const BEFORE: u16 = 1;
const AFTER: u16 = 2;

pub(super) fn shuffle<W: Word>(
    table: Table,
    share: &Share<W>,
    row: usize,
) -> Result<Share<W>, MpcError> {
    check_rows(share.len(), row)?;
    let count = share.len();
    let mut own = part(share).to_vec();
    for turn in 0..2 {
        let mut next = Vec::new();
        table
            .session
            .drive([pass(table, turn, &own, count, row, &mut next)])?;
        own = next;
    }
    Ok(table.share(count, own))
}

/// Server `turn` permutes.
async fn pass<W: Word>(
    table: Table<'_>,
    turn: usize,
    own: &[W],
    count: usize,
    row: usize,
    next: &mut Vec<W>,
) -> Result<(), MpcError> {
    let step = table.session.step();
    let rows = |words: Vec<u64>| order(&words);
    match table.role {
        Role::Dealer => {
            let before: Vec<W> = table.dealt(1 - turn, step, BEFORE, count);
            let after: Vec<W> = table.dealt(1 - turn, step, AFTER, count);
            let order = rows(table.dealt(turn, step, ORDER, count / row));
            let mut change = permuted(&before, &order, row);
            change
                .iter_mut()
                .zip(&after)
                .for_each(|(change, &after)| *change = change.minus(after));
            table.session.send(turn, &change)?;
            round().await;
        }
        Role::Server(server) if server == turn => {
            let order = rows(table.dealt(turn, step, ORDER, count / row));
            round().await;
            let mut sum: Vec<W> = table.session.received(1 - turn, count)?;
            sum.iter_mut()
                .zip(own)
                .for_each(|(sum, &own)| *sum = sum.plus(own));
            let change: Vec<W> = table.session.received(DEALER, count)?;
            *next = permuted(&sum, &order, row);
            next.iter_mut()
                .zip(&change)
                .for_each(|(next, &change)| *next = next.plus(change));
        }
        Role::Server(server) => {
            let mut masked: Vec<W> = table.dealt(server, step, BEFORE, count);
            masked
                .iter_mut()
                .zip(own)
                .for_each(|(mask, &own)| *mask = own.minus(*mask));
            table.session.send(turn, &masked)?;
            *next = table.dealt(server, step, AFTER, count);
            round().await;
        }
    }
    Ok(())
}
