// pg-cursor, pg-query-stream and pg-copy-streams. The first two read a portal bit by bit, with a Flush and
// without a Sync, so that what follows must meet the same server connection until the Sync.
"use strict";

const { Readable, Writable } = require("node:stream");
const { pipeline } = require("node:stream/promises");
const { Client } = require("pg");
const copy = require("pg-copy-streams");
const Cursor = require("pg-cursor");
const QueryStream = require("pg-query-stream");
const { assert, main, refused, say, scenario, shuffle } = require("./support.js");

async function connected(count) {
  const clients = Array.from({ length: count }, () => new Client());
  for (const client of clients) await client.connect();
  return clients;
}

async function closed(...clients) {
  for (const client of clients) await client.end();
}

async function pid(client) {
  say(`pid ${(await client.query("select pg_backend_pid() as pid")).rows[0].pid}`);
}

function numbers(rows) {
  return rows.map((row) => row.n);
}

function range(low, high) {
  return Array.from({ length: high - low + 1 }, (_, number) => low + number);
}

scenario("cursor", async () => {
  const [one, two] = await connected(2);
  for (let turn = 0; turn < 3; turn++) {
    const first = one.query(new Cursor("select generate_series(1, $1::int) as n", [250]));
    const second = two.query(new Cursor("select generate_series(1001, $1::int) as n", [1250]));
    for (let low = 1; low <= 201; low += 50) {
      assert.deepEqual(numbers(await first.read(50)), range(low, low + 49));
      assert.deepEqual(numbers(await second.read(50)), range(low + 1000, low + 1049));
    }
    assert.deepEqual(await first.read(50), []);
    await second.close();
    await pid(one);
    await shuffle();
    const early = one.query(new Cursor("select generate_series(1, 100000) as n"));
    assert.deepEqual(numbers(await early.read(2)), [1, 2]);
    await early.close();
    await pid(one);
    await shuffle();
    const wrong = one.query(new Cursor("select 10 / (3 - n) as n from generate_series(1, 5) n"));
    assert.deepEqual(numbers(await wrong.read(2)), [5, 10]);
    await refused(wrong.read(2), "22012");
    await shuffle();
    await refused(one.query(new Cursor("select nothing")).read(1), "42703");
    await pid(two);
    await shuffle();
  }
  await one.query("begin");
  const inside = one.query(new Cursor("select generate_series(1, 6) as n"));
  assert.deepEqual(numbers(await inside.read(4)), [1, 2, 3, 4]);
  assert.deepEqual(numbers(await inside.read(4)), [5, 6]);
  await inside.close();
  await one.query("commit");
  await closed(one, two);
});

scenario("stream", async () => {
  const [one, two] = await connected(2);
  for (let turn = 0; turn < 3; turn++) {
    const seen = [];
    for await (const row of one.query(new QueryStream("select generate_series(1, $1::int) as n", [1000], { batchSize: 64 }))) {
      if (row.n % 400 === 0) await pid(two);
      seen.push(row.n);
    }
    assert.deepEqual(seen, range(1, 1000));
    await shuffle();
    for await (const row of one.query(new QueryStream("select generate_series(1, 100000) as n"))) {
      if (row.n === 150) break;  // closes the portal
    }
    await pid(one);
    await shuffle();
    const failing = one.query(new QueryStream("select 1 / (500 - n) as n from generate_series(1, 1000) n"));
    await refused((async () => {
      for await (const row of failing) assert(row.n >= 0);
    })(), "22012");
    await shuffle();
  }
  await closed(one, two);
});

scenario("copy", async () => {
  const [client, other] = await connected(2);
  for (let turn = 0; turn < 3; turn++) {
    const rows = range(1, 2000).map((number) => `${turn}-${number}\n`);
    await pipeline(Readable.from(rows), client.query(copy.from("copy ledger from stdin")));
    await pid(client);
    await shuffle();
  }
  let text = "";
  const sink = new Writable({ write(chunk, _encoding, done) { text += chunk; done(); } });
  await pipeline(client.query(copy.to("copy (select word from ledger) to stdout")), sink);
  assert.equal(text.trimEnd().split("\n").length, 6000);
  await shuffle();
  const bad = pipeline(Readable.from(["a\tb\n"]), client.query(copy.from("copy ledger from stdin")));
  await refused(bad, "22P04");
  await shuffle();
  const given_up = client.query(copy.from("copy ledger from stdin"));
  given_up.write("lost\n");
  const gone = new Promise((resolve) => given_up.once("error", resolve));
  given_up.destroy(new Error("thought better of it"));  // CopyFail
  assert.match((await gone).message, /thought better/);
  await pid(other);
  await shuffle();
  assert.equal((await client.query("select count(*)::int as n from ledger")).rows[0].n, 6000);
  await closed(client, other);
});

main();
