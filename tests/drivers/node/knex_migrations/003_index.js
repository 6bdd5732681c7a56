"use strict";

// What PostgreSQL allows outside of transactions only.
exports.config = { transaction: false };
exports.up = (knex) => knex.raw("create index concurrently app_ships_tons on app_ships (tons)");
exports.down = (knex) => knex.raw("drop index concurrently app_ships_tons");
