// What the programs of this folder share. They talk to target.Target.run: "shuffle" asks for another
// server connection and waits for a line, "pid N" names a backend that was met, "ok" is the end.
"use strict";

const assert = require("node:assert/strict");
const readline = require("node:readline");

const scenarios = new Map();
const input = readline.createInterface({ input: process.stdin });
const lines = input[Symbol.asyncIterator]();

function scenario(name, work) {
  assert(!scenarios.has(name), `two scenarios are named ${name}`);
  scenarios.set(name, work);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

async function shuffle() {
  say("shuffle");
  const { done } = await lines.next();
  assert(!done, "the test went away");
}

// Runs the scenario that the command line names. A connection that it leaves open keeps the program alive,
// and that is a failure.
async function run() {
  const work = scenarios.get(process.argv[2]);
  assert(work, `no scenario "${process.argv[2]}"; there are ${[...scenarios.keys()].join(", ")}`);
  await work();
  input.close();
  process.exitCode = 1;
  process.once("beforeExit", () => {
    say("ok");
    process.exitCode = 0;
  });
}

function main() {
  run().catch((failure) => {
    console.error(failure);
    process.exit(1);
  });
}

// The error of PostgreSQL with that SQLSTATE, nothing else.
async function refused(promise, sqlstate) {
  const failure = await Promise.resolve(promise).then(
    (result) => assert.fail(`expected ${sqlstate}, got a result: ${JSON.stringify(result)}`),
    (error) => error,
  );
  assert.equal(failure.code, sqlstate, failure.stack);
  return failure;
}

// Waits until check() gives true; for what another connection sees.
async function until(check, what) {
  const end = Date.now() + 20_000;
  while (!(await check())) {
    assert(Date.now() < end, `not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

module.exports = { assert, main, refused, say, scenario, shuffle, until };
