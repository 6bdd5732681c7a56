"use strict";

exports.up = async (knex) => {
  await knex.schema.createTable("app_ships", (table) => {
    table.increments();
    table.string("name").notNullable().unique();
  });
  await knex("app_ships").insert([{ name: "Ada" }, { name: "Bob" }]);
};

exports.down = (knex) => knex.schema.dropTable("app_ships");
