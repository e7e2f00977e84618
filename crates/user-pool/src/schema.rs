//! The tables of user pools. All pools of one database share them: each row names its pool.

use crate::database::Migration;

/// From the first release on. A step that was released is never changed.
pub const MIGRATIONS: &[Migration] = &[
    Migration { sql: include_str!("schema/0001-users.sql") },
    Migration { sql: include_str!("schema/0002-passwords.sql") },
    Migration { sql: include_str!("schema/0003-messages.sql") },
    Migration { sql: include_str!("schema/0004-factors.sql") },
    Migration { sql: include_str!("schema/0005-oauth.sql") },
    Migration { sql: include_str!("schema/0006-events.sql") },
    Migration { sql: include_str!("schema/0007-factors-and-codes.sql") },
    Migration { sql: include_str!("schema/0008-providers.sql") },
    Migration { sql: include_str!("schema/0009-audit-outcome.sql") },
];

#[cfg(test)]
mod tests;
