// Works with postgres.js as an application does. It prepares every query with parameters under a random
// name, sends on before the answers have come, and of a cursor's portal it reads bit by bit without a Sync.
"use strict";

const { Readable } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const postgres = require("postgres");
const { assert, main, refused, say, scenario, shuffle, until } = require("./support.js");

const turns = 6;

// PGHOST and its like are in the environment. One connection each, so that it is known who meets whom.
function clients(count, options = {}) {
  return Array.from({ length: count }, () => postgres({ max: 1, onnotice: () => {}, ...options }));
}

async function closed(...all) {
  for (const sql of all) await sql.end();
}

async function pid(sql) {
  const [row] = await sql`select pg_backend_pid() as pid`;
  say(`pid ${row.pid}`);
}

scenario("statements", async () => {
  const [one, two] = clients(2);
  for (let number = 0; number < turns; number++) {
    for (const [sql, word] of [[one, "one"], [two, "two"]]) {
      const [row] = await sql`select ${word} || ${number}::text as got, pg_backend_pid() as pid`;
      assert.equal(row.got, `${word}${number}`);
      say(`pid ${row.pid}`);
      await shuffle();
    }
  }
  for (const divisor of [1, 0, 2, 0, 4]) {
    const answer = one`select 8 / ${divisor}::int as got`;
    if (divisor) assert.equal((await answer)[0].got, 8 / divisor);
    else await refused(answer, "22012");
    await shuffle();
  }
  await refused(one`select nothing, ${1}::int`, "42703");
  const several = await one.unsafe("select 1 as a; select 2 as b");
  assert.deepEqual(several.map((rows) => rows[0]), [{ a: 1 }, { b: 2 }]);
  await shuffle();
  assert.deepEqual((await one`select ${one.array([1, 2, 3])}::int[] as l, ${one.json({ a: 1 })}::jsonb as j`)[0],
    { l: [1, 2, 3], j: { a: 1 } });
  const described = await two`select ${1}::int as n, ${"w"}::text as w`.describe();
  assert.deepEqual(described.types, [23, 25]);
  assert.deepEqual(described.columns.map((column) => column.name), ["n", "w"]);
  await closed(one, two);
});

scenario("without preparing", async () => {
  const [one, two] = clients(2, { prepare: false });
  for (let number = 0; number < turns; number++) {
    for (const [sql, factor] of [[one, 2], [two, 3]]) {
      const [row] = await sql`select ${number}::int * ${factor}::int as got`;
      assert.equal(row.got, number * factor);
      await pid(sql);
      await shuffle();
    }
  }
  await closed(one, two);
});

// Nothing is awaited: the first has not been described when the next are sent.
scenario("many at once", async () => {
  const [one, two] = clients(2);
  for (let turn = 0; turn < turns; turn++) {
    const answers = [];
    for (let number = 0; number < 60; number++) {
      for (const [sql, factor] of [[one, 2], [two, 3]]) {
        answers.push(number % 10 === 5
          ? refused(sql`select 1 / ${0}::int, ${sql.unsafe(`${number % 4}`)}`, "22012")
          : sql`select ${number}::int * ${factor}::int + ${sql.unsafe(`${number % 4}`)} as got`
            .then(([row]) => assert.equal(row.got, number * factor + (number % 4))));
      }
    }
    await Promise.all(answers);
    await pid(two);
    await shuffle();
  }
  await closed(one, two);
});

// It prepares again by itself when PostgreSQL's error says so: by the routine's name in the error.
scenario("changed table", async () => {
  const [one, two] = clients(2);
  await one`create table shape as select 1 as a`;
  for (const type of ["text", "numeric(6, 2)", "int"]) {
    const seen = [];
    for (const sql of [one, two, one]) {
      await shuffle();
      seen.push((await sql`select a::text as word, * from shape where ${1}::int = 1`)[0].word);
      await pid(sql);
    }
    assert.equal(new Set(seen).size, 1);
    await two.unsafe(`alter table shape alter a type ${type} using 7::${type}`);
  }
  await shuffle();
  assert.deepEqual([...(await one`select a::text as word, * from shape where ${1}::int = 1`)], [{ word: "7", a: 7 }]);
  await one.unsafe("deallocate all");  // 26000, and prepared again
  await shuffle();
  assert.deepEqual([...(await one`select a::text as word, * from shape where ${1}::int = 1`)], [{ word: "7", a: 7 }]);
  await closed(one, two);
});

scenario("transactions", async () => {
  const [sql, other] = clients(2);
  for (let turn = 0; turn < 3; turn++) {
    await sql.begin("isolation level serializable", async (inside) => {
      await inside`insert into ledger values (${`kept ${turn}`})`;
      await refused(inside.savepoint((deep) => deep`select 1 / ${0}::int`), "22012");
      const [row] = await other`select count(*)::int as n from ledger`;
      assert.equal(row.n, turn * 2);
    });
    await shuffle();
    await pid(sql);
    await shuffle();
    await sql.begin((inside) => [inside`insert into ledger values (${"also kept"})`, inside`select 1`]);
    await shuffle();
    await refused(sql.begin((inside) => [inside`insert into ledger values (${"lost"})`,
      inside`select 1 / ${0}::int`, inside`insert into ledger values (${"lost too"})`]), "22012");
    await pid(sql);
    await shuffle();
  }
  await closed(sql, other);
});

scenario("its pool", async () => {
  const sql = postgres({ onnotice: () => {} });  // ten connections
  const work = (number) => sql.begin(async (inside) => {
    const [row] = await inside`select ${number}::int * 2 as got, pg_backend_pid() as pid`;
    assert.equal(row.got, number * 2);
    await inside`insert into ledger values (${`w${number}`})`;
    if (number % 10 === 9) await inside`select 1 / ${0}::int`;
    return row.pid;
  });
  const pids = await Promise.all(Array.from({ length: 200 }, (_, number) => (number % 10 === 9
    ? refused(work(number), "22012") : work(number))));
  for (const one of new Set(pids.filter((got) => typeof got === "number"))) say(`pid ${one}`);
  assert.equal((await sql`select count(*)::int as n from ledger`)[0].n, 180);
  const reserved = await sql.reserve();
  await reserved`set work_mem = '5MB'`;
  await Promise.all(Array.from({ length: 40 }, (_, number) => sql`select ${number}::int as n`));
  await shuffle();
  assert.equal((await reserved`show work_mem`)[0].work_mem, "5MB");
  reserved.release();
  await sql.end();
});

// `unsupported startup parameter: search_path` (postgres.js#423)
scenario("startup parameters", async () => {
  const [one] = clients(1, { connection: { search_path: "pg_catalog", statement_timeout: 300, application_name: "one's own" } });
  const [two] = clients(1, { connection: { TimeZone: "Asia/Tokyo" }, target_session_attrs: "read-write" });
  for (let turn = 0; turn < turns; turn++) {
    await shuffle();
    assert.equal((await two`show statement_timeout`)[0].statement_timeout, "0");
    assert.equal((await two`show timezone`)[0].TimeZone, "Asia/Tokyo");
    await pid(two);
    await shuffle();
    assert.equal((await one`show statement_timeout`)[0].statement_timeout, "300ms");
    assert.equal((await one`show search_path`)[0].search_path, "pg_catalog");
    assert.equal((await one`show application_name`)[0].application_name, "one's own");
  }
  await refused(one`select pg_sleep(20)`, "57014");
  await shuffle();
  assert.equal((await two`select 'well' as word from pg_sleep(0.4)`)[0].word, "well");
  await closed(one, two);
});

scenario("cursors", async () => {
  const [one, two] = clients(2);
  for (let turn = 0; turn < 3; turn++) {
    const seen = { one: [], two: [] };
    const read = async (sql, low, into) => {
      for await (const rows of sql`select generate_series(${low}::int, ${low + 249}::int) as n`.cursor(40)) {
        into.push(...rows.map((row) => row.n));
      }
    };
    await Promise.all([read(one, 1, seen.one), read(two, 1001, seen.two)]);
    assert.deepEqual(seen.one, Array.from({ length: 250 }, (_, number) => 1 + number));
    assert.deepEqual(seen.two, Array.from({ length: 250 }, (_, number) => 1001 + number));
    await pid(one);
    await shuffle();
    let rows = 0;
    await one`select generate_series(1, 100000) as n`.cursor(30, (some) => {
      rows += some.length;
      return rows === 60 ? one.CLOSE : undefined;
    });
    assert.equal(rows, 60);
    await pid(one);
    await shuffle();
    await refused((async () => {
      for await (const some of one`select 10 / (3 - n) as n from generate_series(1, ${5}::int) n`.cursor(2)) {
        assert(some.length <= 2);
      }
    })(), "22012");
    await shuffle();
    let sum = 0;
    await two`select generate_series(1, ${1000}::int) as n`.forEach((row) => { sum += row.n; });
    assert.equal(sum, 500500);
  }
  await closed(one, two);
});

scenario("cancel", async () => {
  const [one, two, watcher] = clients(3);
  for (let turn = 0; turn < 3; turn++) {
    await shuffle();
    await pid(one);
    const sleeping = one`select pg_sleep(60), ${"of one"}::text`.execute();
    const expected = refused(sleeping, "57014");
    const other = two`select 'done' as word from pg_sleep(0.3)`.execute();
    await until(async () => (await watcher`select count(*)::int as n from pg_stat_activity
      where wait_event = 'PgSleep' and query like ${"select pg_sleep(60)%"}`)[0].n === 1, "it sleeps");
    sleeping.cancel();
    await expected;
    assert.equal((await other)[0].word, "done");
    assert.equal((await one`select ${turn}::int as n`)[0].n, turn);
  }
  await closed(one, two, watcher);
});

scenario("notifications", async () => {
  const [listener, sender] = clients(2);
  const heard = [];
  const other = [];
  const news = await listener.listen("news", (payload) => heard.push(payload));
  await listener.listen("Other news", (payload) => other.push(payload));
  for (let number = 0; number < turns; number++) {
    await shuffle();
    await pid(sender);
    await sender.begin(async (inside) => {
      await inside`select pg_notify(${"news"}, ${`${number}`})`;
      await inside`select pg_notify(${"Other news"}, ${"x"})`;
    });
    await until(() => heard.length === number + 1 && other.length === number + 1, "notifications come by themselves");
  }
  assert.deepEqual(heard, ["0", "1", "2", "3", "4", "5"]);
  await news.unlisten();
  await sender.notify("news", "late");
  await sender.notify("Other news", "last");
  await until(() => other.at(-1) === "last", "the other channel is still heard");
  assert.equal(heard.length, turns);
  await closed(listener, sender);
});

scenario("copy", async () => {
  const [sql, other] = clients(2);
  for (let turn = 0; turn < 3; turn++) {
    const rows = Array.from({ length: 2000 }, (_, number) => `${turn}-${number}\n`);
    await pipeline(Readable.from(rows), await sql`copy ledger from stdin`.writable());
    await pid(sql);
    await shuffle();
  }
  let text = "";
  for await (const chunk of await sql`copy (select word from ledger) to stdout`.readable()) text += chunk;
  assert.equal(text.trimEnd().split("\n").length, 6000);
  await shuffle();
  await pid(other);
  assert.equal((await other`select count(*)::int as n from ledger`)[0].n, 6000);
  await closed(sql, other);
});

scenario("session", async () => {
  const [one, two] = clients(2);
  await one`select pg_advisory_lock(4401)`;
  await one`create temporary table mine as select 'one' as word`;
  await two`set time zone 'Europe/Rome'`;
  for (let turn = 0; turn < turns; turn++) {
    await shuffle();
    assert.equal((await one`select word from mine`)[0].word, "one");
    assert.equal((await two`select pg_try_advisory_lock(4401) as got`)[0].got, false);
    assert.equal((await two`show timezone`)[0].TimeZone, "Europe/Rome");
    await pid(two);
    await refused(two`select word from mine`, "42P01");
  }
  await one`drop table mine`;
  assert.equal((await one`select pg_advisory_unlock(4401) as got`)[0].got, true);
  await closed(one, two);
});

main();
