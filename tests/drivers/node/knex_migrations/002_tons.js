"use strict";

exports.up = async (knex) => {
  await knex.schema.alterTable("app_ships", (table) => table.integer("tons").defaultTo(7));
  await knex("app_ships").where({ name: "Ada" }).update({ tons: 8 });
};

exports.down = (knex) => knex.schema.alterTable("app_ships", (table) => table.dropColumn("tons"));
