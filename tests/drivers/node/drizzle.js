// Works with Drizzle, on node-postgres and on postgres.js, as an application does.
"use strict";

const { eq, sql } = require("drizzle-orm");
const { pgSchema, serial, text, integer } = require("drizzle-orm/pg-core");
const onPg = require("drizzle-orm/node-postgres");
const onPostgresJs = require("drizzle-orm/postgres-js");
const { Pool } = require("pg");
const postgres = require("postgres");
const { assert, main, say, scenario, shuffle } = require("./support.js");

const fleet = pgSchema("app_drizzle");
const ships = fleet.table("ships", {
  id: serial("id").primaryKey(), name: text("name").notNull().unique(), mood: text("mood"), tons: integer("tons"),
});

async function pid(db) {
  const result = await db.execute(sql`select pg_backend_pid() as pid`);
  say(`pid ${(result.rows ?? result)[0].pid}`);
}

// The error of PostgreSQL is the cause of Drizzle's own.
async function refused(promise, sqlstate) {
  const failure = await promise.then(() => assert.fail(`expected ${sqlstate}`), (error) => error);
  assert.equal((failure.cause ?? failure).code, sqlstate, failure.stack);
}

async function work(db) {
  for (let turn = 0; turn < 3; turn++) {
    await shuffle();
    assert.deepEqual(await db.select({ name: ships.name, tons: ships.tons }).from(ships).where(eq(ships.mood, "glad"))
      .orderBy(ships.name), [{ name: "Ada", tons: 7 }, { name: "Bob", tons: 7 }]);
    await pid(db);
    await db.transaction(async (outer) => {
      await outer.insert(ships).values({ name: "Cyd", tons: turn });
      await refused(outer.transaction((inner) => inner.insert(ships).values({ name: "Ada" })), "23505");
      await outer.update(ships).set({ tons: turn + 1 }).where(eq(ships.name, "Cyd"));
    }, { isolationLevel: "serializable" });
    await shuffle();
    await refused(db.insert(ships).values({ name: "Bob" }), "23505");
    assert.deepEqual(await db.delete(ships).where(eq(ships.name, "Cyd")).returning({ tons: ships.tons }), [{ tons: turn + 1 }]);
    await assert.rejects(db.transaction(async (trx) => {
      await trx.delete(ships);
      trx.rollback();
    }));
  }
  // Named statements, of several connections of a pool at once.
  const named = db.select({ id: ships.id }).from(ships).where(eq(ships.name, sql.placeholder("name"))).prepare("by_name");
  for (let turn = 0; turn < 6; turn++) {
    await shuffle();
    const found = await Promise.all(["Ada", "Bob", "nobody", "Ada"].map((name) => named.execute({ name })));
    assert.deepEqual(found.map((rows) => rows.length), [1, 1, 0, 1]);
    await pid(db);
  }
}

const migrations = { migrationsFolder: `${__dirname}/drizzle_migrations`, migrationsSchema: "app_drizzle" };

scenario("on node-postgres", async () => {
  const { migrate } = require("drizzle-orm/node-postgres/migrator");
  const pool = new Pool({ max: 4 });
  const db = onPg.drizzle({ client: pool });
  for (let turn = 0; turn < 2; turn++) await migrate(db, migrations);
  await work(db);
  await pool.end();
});

scenario("on postgres.js", async () => {
  const { migrate } = require("drizzle-orm/postgres-js/migrator");
  const client = postgres({ max: 4, onnotice: () => {} });
  const db = onPostgresJs.drizzle({ client });
  for (let turn = 0; turn < 2; turn++) await migrate(db, migrations);
  await work(db);
  await client.end();
});

main();
