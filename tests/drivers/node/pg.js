// Works with node-postgres as an application does.
"use strict";

const { Client, Pool, Query } = require("pg");
const { assert, main, refused, say, scenario, shuffle, until } = require("./support.js");

const turns = 6;

// PGHOST and its like are in the environment, as applications often have them.
async function connected(count, options = {}) {
  const clients = Array.from({ length: count }, () => new Client(options));
  for (const client of clients) await client.connect();
  return clients;
}

async function closed(...clients) {
  for (const client of clients) await client.end();
}

async function value(client, text, values) {
  const { rows } = await client.query({ text, values, rowMode: "array" });
  return rows[0][0];
}

async function pid(client) {
  say(`pid ${await value(client, "select pg_backend_pid()")}`);
}

scenario("values", async () => {
  const [one, two] = await connected(2);
  for (let number = 0; number < turns; number++) {
    const { rows } = await one.query("select $1::int + 1 as sum, pg_backend_pid() as pid", [number]);
    assert.equal(rows[0].sum, number + 1);
    say(`pid ${rows[0].pid}`);
    await shuffle();
    assert.equal(await value(two, "select $1::text || ' of two'", ["w"]), "w of two");
    await shuffle();
  }
  const several = await one.query("select 1 as a; select 2 as b; select 3 as c");
  assert.deepEqual(several.map((result) => result.rows[0]), [{ a: 1 }, { b: 2 }, { c: 3 }]);
  const parsed = await one.query("select $1::json as j, $2::int[] as l, $3::timestamptz as t, null as n",
    [{ deep: [1] }, [1, 2], new Date(0)]);
  assert.deepEqual(parsed.rows, [{ j: { deep: [1] }, l: [1, 2], t: new Date(0), n: null }]);
  const binary = await one.query({ text: "select $1::int8 as b", values: [7], binary: true });
  assert.equal(binary.rows[0].b, "7");
  await closed(one, two);
});

// pg parses a name once in a connection's life: `prepared statement "fetch-user" does not exist`.
scenario("named statements", async () => {
  const [one, two] = await connected(2);
  const texts = new Map([[one, "select 'one' || $1::text as got, pg_backend_pid() as pid"],
    [two, "select 'two' || $1::text || '' as got, pg_backend_pid() as pid"]]);
  for (let number = 0; number < turns; number++) {
    for (const [client, text] of texts) {
      const { rows } = await client.query({ name: "fetch-user", text, values: [number] });
      assert.equal(rows[0].got, `${client === one ? "one" : "two"}${number}`);
      say(`pid ${rows[0].pid}`);
      await shuffle();
    }
  }
  await assert.rejects(one.query({ name: "fetch-user", text: "select 1" }), /must be unique/);
  for (const divisor of [1, 0, 2, 0, 4]) {
    const answer = one.query({ name: "divide", text: "select 8 / $1::int as got", values: [divisor] });
    if (divisor) assert.equal((await answer).rows[0].got, 8 / divisor);
    else await refused(answer, "22012");
    await shuffle();
  }
  await refused(one.query({ name: "wrong", text: "select nothing" }), "42703");
  await shuffle();
  await refused(one.query({ name: "wrong", text: "select nothing" }), "42703");  // not kept as parsed
  for (let number = 0; number < 120; number++) {
    const named = { name: `s${number}`, text: `select ${number} + $1::int as got`, values: [1] };
    assert.equal((await one.query(named)).rows[0].got, number + 1);
  }
  await shuffle();
  for (const number of [0, 60, 119]) {
    const named = { name: `s${number}`, text: `select ${number} + $1::int as got`, values: [2] };
    assert.equal((await one.query(named)).rows[0].got, number + 2);
  }
  await one.query("deallocate all");
  await shuffle();
  await refused(one.query({ name: "divide", text: "select 8 / $1::int as got", values: [1] }), "26000");
  assert.equal((await two.query({ name: "fetch-user", text: texts.get(two), values: [9] })).rows[0].got, "two9");
  await closed(one, two);
});

scenario("changed table", async () => {
  const [one, two] = await connected(2);
  await one.query("create table shape as select 1 as a");
  const stale = { name: "stale", text: "select * from shape" };
  for (const client of [one, two]) {
    await shuffle();
    assert.deepEqual((await client.query(stale)).rows, [{ a: 1 }]);
    await pid(client);
  }
  await two.query("alter table shape alter a type text using 'text'");
  for (const client of [one, two]) {
    await shuffle();
    await refused(client.query(stale), "0A000");
  }
  for (let number = 0; number < 4; number++) {
    await shuffle();
    await pid(one);
    assert.deepEqual((await one.query({ ...stale, name: `fresh${number % 2}` })).rows, [{ a: "text" }]);
  }
  await closed(one, two);
});

scenario("pool", async () => {
  const pool = new Pool({ max: 8 });
  const work = async (number) => {
    const client = await pool.connect();
    try {
      await client.query("begin");
      const { rows } = await client.query("select $1::int * 2 as got, pg_backend_pid() as pid", [number]);
      assert.equal(rows[0].got, number * 2);
      await client.query("insert into ledger values ($1)", [`w${number}`]);
      if (number % 10 === 9) await refused(client.query("select 1 / $1::int", [0]), "22012");
      await client.query(number % 10 === 9 ? "rollback" : "commit");
      return rows[0].pid;
    } finally {
      client.release(number % 25 === 24);  // some are closed
    }
  };
  const pids = await Promise.all(Array.from({ length: 200 }, (_, number) => work(number)));
  for (const one of new Set(pids)) say(`pid ${one}`);
  assert.equal(await value(pool, "select count(*)::int from ledger"), 180);
  const mixed = await Promise.all(Array.from({ length: 100 }, (_, number) => (number % 7 === 0
    ? refused(pool.query("select nothing"), "42703")
    : pool.query({ name: `of pool ${number % 5}`, text: `select $1::int + ${number % 5} as got`, values: [number] }))));
  mixed.forEach((result, number) => {
    if (number % 7) assert.equal(result.rows[0].got, number + (number % 5));
  });
  await pool.end();
});

scenario("transactions", async () => {
  const [client, other] = await connected(2);
  for (let turn = 0; turn < 3; turn++) {
    await client.query("begin isolation level serializable");
    await client.query({ name: "insert", text: "insert into ledger values ($1)", values: [`kept ${turn}`] });
    await client.query("savepoint here");
    await refused(client.query("insert into nothing values (1)"), "42P01");
    await refused(client.query("select 1"), "25P02");
    await client.query("rollback to savepoint here");
    assert.equal(await value(other, "select count(*)::int from ledger"), turn);
    await client.query("commit");
    await shuffle();
    await client.query("begin");
    await client.query({ name: "insert", text: "insert into ledger values ($1)", values: ["lost"] });
    await client.query("rollback");
    await pid(client);
    await shuffle();
  }
  await closed(client, other);
});

scenario("session", async () => {
  const [one, two] = await connected(2);
  await one.query("set work_mem = '5MB'; set time zone 'Asia/Tokyo'");
  await two.query("select set_config('my.tenant', $1, false)", ["two"]);
  for (let turn = 0; turn < turns; turn++) {
    await shuffle();
    assert.equal(await value(one, "show work_mem"), "5MB");
    assert.equal(await value(one, "show time zone"), "Asia/Tokyo");
    assert.equal(await value(two, "select current_setting('my.tenant')"), "two");
    assert.notEqual(await value(two, "show work_mem"), "5MB");
    await pid(two);
  }
  for (const [client, word] of [[one, "one"], [two, "two"]]) {
    await shuffle();
    await client.query(`create temporary table mine as select '${word}'::text as word`);
  }
  for (const [client, word] of [[one, "one"], [two, "two"]]) {
    await shuffle();
    assert.equal(await value(client, "select word from mine"), word);
    await client.query("drop table mine");
  }
  assert.equal(await value(one, "select pg_try_advisory_lock(4400)"), true);
  await shuffle();
  assert.equal(await value(two, "select pg_try_advisory_lock(4400)"), false);
  assert.equal(await value(one, "select pg_advisory_unlock(4400)"), true);
  await closed(one, two);
});

// `unsupported startup parameter: statement_timeout`, `... in options: search_path`
scenario("startup parameters", async () => {
  const [one] = await connected(1, { statement_timeout: 300, lock_timeout: 4000, application_name: "one's own",
    idle_in_transaction_session_timeout: 5000, options: "-c search_path=pg_catalog,public" });
  const [two] = await connected(1, { options: "-c geqo=off" });
  for (let turn = 0; turn < turns; turn++) {
    await shuffle();
    assert.equal(await value(two, "show statement_timeout"), "0");
    assert.equal(await value(two, "show geqo"), "off");
    await pid(two);
    await shuffle();
    assert.equal(await value(one, "show statement_timeout"), "300ms");
    assert.equal(await value(one, "show lock_timeout"), "4s");
    assert.equal(await value(one, "show idle_in_transaction_session_timeout"), "5s");
    assert.equal(await value(one, "show search_path"), "pg_catalog,public");
    assert.equal(await value(one, "show application_name"), "one's own");
  }
  await refused(one.query("select pg_sleep(20)"), "57014");
  await shuffle();
  assert.equal(await value(two, "select 'well' from pg_sleep(0.4)"), "well");
  await closed(one, two);
});

scenario("cancel", async () => {
  const [one, two] = await connected(2);
  const asks = "select count(*)::int from pg_stat_activity where wait_event = 'PgSleep' and query like $1";
  for (let turn = 0; turn < 3; turn++) {
    await shuffle();
    await pid(one);
    const query = one.query(new Query("select pg_sleep(60), 'of one'"));
    const expected = refused(new Promise((resolve, reject) => {
      query.on("end", resolve);
      query.on("error", reject);
    }), "57014");
    const other = two.query("select 'done' as word from pg_sleep(0.3)");
    const [watcher] = await connected(1);
    await until(async () => await value(watcher, asks, ["%pg_sleep(60), 'of one'%"]), "it sleeps");
    await closed(watcher);
    new Client().cancel(one, query);
    await expected;
    assert.equal((await other).rows[0].word, "done");
    assert.equal(await value(one, "select $1::int", [turn]), turn);
  }
  await closed(one, two);
});

// Silence instead of notifications (pgbouncer#655).
scenario("notifications", async () => {
  const [listener, sender] = await connected(2);
  const heard = [];
  listener.on("notification", (message) => heard.push(message.payload));
  await listener.query("listen news");
  for (let number = 0; number < turns; number++) {
    await shuffle();
    await pid(sender);
    await sender.query("select pg_notify('news', $1)", [`${number}`]);
    await until(() => heard.length === number + 1, "a notification comes by itself");
  }
  assert.deepEqual(heard, ["0", "1", "2", "3", "4", "5"]);
  await listener.query("unlisten *");
  await shuffle();
  await sender.query("notify news, 'late'");
  assert.equal(await value(listener, "select 1"), 1);
  assert.equal(heard.length, turns);
  await closed(listener, sender);
});

// Everything is written before the first answer is read, each query with its Sync.
scenario("pipeline", async () => {
  const [one, two] = await connected(2, { pipeline: true });
  for (let turn = 0; turn < turns; turn++) {
    const answers = [];
    for (let number = 0; number < 30; number++) {
      for (const client of [one, two]) {
        const factor = client === one ? 2 : 3;
        if (number % 10 === 5) answers.push(refused(client.query("select 1 / $1::int", [0]), "22012"));
        else if (number % 3) answers.push(value(client, `select $1::int * ${factor}`, [number]).then((got) => assert.equal(got, number * factor)));
        else answers.push(client.query({ name: `by ${number % 4}`, text: `select $1::int * ${factor} + ${number % 4} as got`, values: [number] })
          .then(({ rows }) => assert.equal(rows[0].got, number * factor + (number % 4))));
      }
    }
    await Promise.all(answers);
    await pid(one);
    await shuffle();
  }
  const begun = [one.query("begin"), one.query("insert into ledger values ($1)", ["lost"]),
    refused(one.query("select nothing"), "42703"), refused(one.query("select 1"), "25P02"), one.query("commit")];
  await Promise.all(begun);
  const kept = [one.query("begin"), one.query("insert into ledger values ($1)", ["kept"]), one.query("commit")];
  await Promise.all(kept);
  await shuffle();
  assert.equal(await value(two, "select string_agg(word, ',') from ledger"), "kept");
  await closed(one, two);
});

main();
