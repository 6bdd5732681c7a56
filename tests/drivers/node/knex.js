// Works with knex (on node-postgres) as an application does.
"use strict";

const { knex } = require("knex");
const { assert, main, refused, say, scenario, shuffle } = require("./support.js");

// PGHOST and its like are in the environment; its pool has two to ten connections by default.
function opened(options = {}) {
  return knex({ client: "pg", connection: {}, migrations: { directory: `${__dirname}/knex_migrations` }, ...options });
}

async function pid(db) {
  say(`pid ${(await db.raw("select pg_backend_pid() as pid")).rows[0].pid}`);
}

scenario("queries", async () => {
  const db = opened();
  await db("ledger").insert([{ word: "a" }, { word: "b" }]);
  for (let turn = 0; turn < 6; turn++) {
    await shuffle();
    await pid(db);
    assert.deepEqual(await db("ledger").where("word", "<=", "b").orderBy("word").pluck("word"), ["a", "b"]);
    const { rows } = await db.raw("select ?::int + ? as got", [turn, 1]);
    assert.equal(rows[0].got, turn + 1);
    await refused(db("nothing").select(), "42P01");
  }
  const rows = await Promise.all(Array.from({ length: 100 }, (_, number) => db.raw("select ?::int * 2 as got", [number])));
  rows.forEach((result, number) => assert.equal(result.rows[0].got, number * 2));
  await db.batchInsert("ledger", Array.from({ length: 500 }, () => ({ word: "many" })), 50);
  await shuffle();
  let seen = 0;
  for await (const row of db("ledger").where({ word: "many" }).stream()) seen += row.word.length;
  assert.equal(seen, 2000);
  for await (const row of db("ledger").stream()) {
    if (row) break;
  }
  await shuffle();
  assert.equal((await db("ledger").count("* as n").first()).n, "502");
  await db.destroy();
});

scenario("transactions", async () => {
  const db = opened();
  for (let turn = 0; turn < 3; turn++) {
    await db.transaction(async (outer) => {
      await outer("ledger").insert({ word: `kept ${turn}` });
      await refused(outer.transaction(async (inner) => {
        await inner("ledger").insert({ word: "lost" });
        await inner.raw("select 1 / ?::int", [0]);
      }), "22012");
      await outer.transaction((inner) => inner("ledger").insert({ word: "nested" }));
    }, { isolationLevel: "repeatable read" });
    await shuffle();
    await pid(db);
    await assert.rejects(db.transaction(async (trx) => {
      await trx("ledger").insert({ word: "lost" });
      throw new Error("thought better of it");
    }), /thought better/);
    await shuffle();
  }
  await db.destroy();
});

// A lock table, one transaction a migration, two programs that start at once.
scenario("migrations", async () => {
  const [one, two] = [opened(), opened()];
  await one.migrate.list();  // makes its tables, which two at once cannot
  for (let turn = 0; turn < 2; turn++) {
    const outcomes = await Promise.allSettled([one.migrate.latest(), two.migrate.latest()]);
    const done = outcomes.filter((outcome) => outcome.status === "fulfilled").map((outcome) => outcome.value[1].length);
    const failed = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.equal(done.reduce((sum, count) => sum + count, 0), 3, JSON.stringify(outcomes));
    for (const { reason } of failed) assert.match(`${reason.name} ${reason.message}`, /lock/i);
    await shuffle();
    await pid(one);
    await shuffle();
    await pid(one);
    assert.deepEqual((await two.migrate.list())[1], []);
    assert.deepEqual(await two("app_ships").orderBy("name").select("name", "tons"),
      [{ name: "Ada", tons: 8 }, { name: "Bob", tons: 7 }]);
    assert.deepEqual(await one("knex_migrations_lock").select("is_locked"), [{ is_locked: 0 }]);
    await shuffle();
    const [, undone] = await one.migrate.rollback(undefined, true);
    assert.equal(undone.length, 3);
    assert.equal((await two.raw("select to_regclass('app_ships') as found")).rows[0].found, null);
    await shuffle();
  }
  await one.destroy();
  await two.destroy();
});

scenario("timeouts", async () => {
  const db = opened({ pool: { min: 0, max: 1 } });
  for (let turn = 0; turn < 3; turn++) {
    await pid(db);
    await assert.rejects(db.raw("select pg_sleep(60)").timeout(200), /timeout of 200ms exceeded/);  // closes its connection
    await shuffle();
    assert.equal((await db.raw("select ?::int as got", [turn])).rows[0].got, turn);
  }
  await db.destroy();
});

main();
