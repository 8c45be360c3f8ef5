import { randomUUID } from "node:crypto";
import { expect, it, onTestFinished, vi } from "vitest";
import { connectQueues } from "../../../src/core/bullmq/store/connect-queues.ts";
import { GuardedLedger, GuardLedgers } from "../../../src/guard/guarded-ledger.ts";
import { guardPlaces, sweepPlace } from "../../../src/guard/places.ts";
import { readSettings } from "../../../src/platform/config/settings.ts";
import { application } from "../../support/application.ts";
import { latch } from "../../support/latch.ts";
import { testEnvironment } from "../../support/service.ts";

const REMEMBER_MS = 600_000;

/** One place of a guard, as the process that is called `own` has it. */
async function openPlace(keepBytes?: number) {
  const settings = { ...readSettings(testEnvironment()), HOLDFAST_KEEP_BYTES: keepBytes };
  const queues = await connectQueues(application, settings, [], "fail-fast", undefined, "guest");
  onTestFinished(() => queues.stop());
  const store = queues.stores.of(String(guardPlaces[0]));
  const ledgersWith = (known: string | undefined) =>
    new GuardLedgers(store, "own", settings, { known: () => known, get: async () => "secret" });
  const ledgers = ledgersWith("secret");
  const said = { by: null, about: null, fingerprint: "content", rememberMs: REMEMBER_MS };
  const ledgerOf = (key: string, elsewhere?: readonly [string, number]) =>
    new GuardedLedger(ledgers, key, { ...said, key, ...(elsewhere && { elsewhere }) });
  const entryOf = async (key: string) =>
    JSON.parse((await store.client.hget(store.keys.ledger(key), "e:act")) ?? "null");
  return { queues, store, ledgersWith, ledgerOf, entryOf, known: ledgers.queue };
}

function newRun() {
  return { effect: "act", reservationId: randomUUID(), jobId: "", lockToken: "", delivery: 0 };
}

const times = { deadlineMs: 60_000, repeatMs: 0 };
const repeated = { deadlineMs: 60_000, repeatMs: 60_000 };
const lost = { reason: "socket hang up", evidence: [] };

it("gets the same reservation when its command is sent again, as a cluster's client does", async () => {
  const { ledgerOf } = await openPlace();
  const run = newRun();

  const first = await ledgerOf("k").reserve(run, times);

  expect(first.kind).toBe("reserved");
  expect(await ledgerOf("k").reserve(run, times)).toEqual(first);
  expect(await ledgerOf("k").reserve(newRun(), times)).toMatchObject({ kind: "busy" });
});

it("names the process that runs it, and has each seen until the longest of its runs is over", async () => {
  const { store, ledgerOf, entryOf } = await openPlace();
  const begun = Date.now();
  // Of one turn, so they travel together.
  await Promise.all([
    ledgerOf("a").reserve(newRun(), times),
    ledgerOf("b", ["elsewhere", 300_000]).reserve(newRun(), times),
    ledgerOf("c", ["elsewhere", 1_000]).reserve(newRun(), times),
  ]);

  expect([(await entryOf("a")).worker, (await entryOf("b")).worker]).toEqual(["own", "elsewhere"]);
  const seenUntil = Number(await store.client.zscore(store.keys.workersSeen, "elsewhere"));
  expect(seenUntil).toBeGreaterThan(begun + 200_000);
});

it("is in doubt no more while it runs again", async () => {
  const { store, ledgerOf } = await openPlace();
  const run = newRun();
  await ledgerOf("k").reserve(run, repeated);
  await ledgerOf("k").doubt("act", run.reservationId, lost);
  expect(await store.client.zcard(store.keys.doubts)).toBe(1);

  expect(await ledgerOf("k").reserve(newRun(), repeated)).toMatchObject({ kind: "reserved" });

  expect(await store.client.zcard(store.keys.doubts)).toBe(0);
});

it("counts what was measured for each key against the budget", async () => {
  const { store, ledgerOf } = await openPlace(80_000_000);
  await ledgerOf("a").reserve(newRun(), times);
  await ledgerOf("b").reserve(newRun(), times);
  await store.client.set(`${store.keys.start}call-bytes`, "50000000.0");

  await expect(ledgerOf("c").reserve(newRun(), times)).rejects.toMatchObject({ code: "STORE_FULL" });
});

it("is looked at no more once it is forgotten, and the process that looks is seen", async () => {
  const { store, ledgerOf } = await openPlace();
  const { client, keys } = store;
  await ledgerOf("k").reserve(newRun(), times);
  await client.del(keys.ledger("k"), keys.workersSeen);
  await client.zadd(keys.joinedJobs, 1, "k/act");

  await sweepPlace(store, "own");

  expect(await client.zcard(keys.joinedJobs)).toBe(0);
  expect(await client.zrange(keys.workersSeen, "0", "-1")).toEqual(["own"]);
});

it("is remembered by its process until it is reported, whatever the report says", async () => {
  const { ledgerOf, known } = await openPlace();
  const [done, given, doubted] = [newRun(), newRun(), newRun()] as const;
  await ledgerOf("done").reserve(done, times);
  await ledgerOf("given").reserve(given, times);
  await ledgerOf("doubted").reserve(doubted, times);
  expect(known.unreported.size).toBe(3);

  await ledgerOf("done").commit(done, "1");
  await ledgerOf("given").release("act", given.reservationId);
  await ledgerOf("doubted").doubt("act", doubted.reservationId, lost);

  expect(known.unreported.size).toBe(0);
});

it("has a run that is left behind until that is over, and nobody reports that once its guard has stopped", async () => {
  const { queues, ledgerOf, known } = await openPlace();
  const over = latch();
  const run = newRun();
  await ledgerOf("k").reserve(run, times);
  await ledgerOf("k").doubt("act", run.reservationId, lost);

  const reported = ledgerOf("k").reportOver(
    "act",
    run.reservationId,
    over.opened.then(() => ({ result: undefined })),
  );
  expect(known.runsLeft.size).toBe(1);
  over.open();
  await reported;

  expect(known.runsLeft.size).toBe(0);
  await queues.stop();
  const late = ledgerOf("k").reportOver("act", run.reservationId, Promise.resolve({ result: undefined }));
  await expect(late).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
});

it("has its content keyed by the secret, also before that is read", async () => {
  const { ledgersWith } = await openPlace();

  const first = await ledgersWith(undefined).fingerprintOf("k", "content");

  expect(first).toBe(ledgersWith("secret").fingerprintOf("k", "content"));
});

/** A run that has ended, whose reservation Redis has lost; the loss was found before this process knew of the reservation. */
async function openLost(atNextCheck: (place: Awaited<ReturnType<typeof openPlace>>) => unknown) {
  const place = await openPlace();
  const { store, ledgerOf } = place;
  const run = newRun();
  const ledger = ledgerOf("k");
  await ledger.reserve(run, times);
  await store.client.del(store.keys.ledger("k"));
  await store.client.hset(store.keys.epoch, "count", 0);
  await expect(store.epoch.check()).rejects.toMatchObject({ code: "STORE_ROLLED_BACK" });
  const { check } = store.epoch;
  vi.spyOn(store.epoch, "check").mockImplementationOnce(async () => {
    await check().finally(() => atNextCheck(place));
  });
  return { ...place, run, commit: () => ledger.commit(run, "1") };
}

it.each([
  ["answers at once", false],
  ["has hung up", true],
])("is in doubt where its reply came after its loss was found, and Redis %s", async (_name, hasHungUp) => {
  const lost = await openLost(({ store }) => hasHungUp && store.client.disconnect(true));

  expect(await lost.commit()).toBe("refused");

  expect(await lost.entryOf("k")).toMatchObject({
    state: "in-doubt",
    reservationId: lost.run.reservationId,
  });
  expect(lost.known.unreported.size).toBe(0);
});

it("has its doubt reported by nobody once its guard has stopped", { timeout: 30_000 }, async () => {
  const lost = await openLost(({ queues }) => queues.stop());

  await expect(lost.commit()).rejects.toThrow();
});

it("lets no ledger expire in which something else is open", async () => {
  const { store, ledgerOf } = await openPlace();
  const run = newRun();
  await ledgerOf("k").reserve(run, times);
  await store.client.hset(store.keys.ledger("k"), "open", 2);

  await ledgerOf("k").commit(run, "1");

  expect(await store.client.pttl(store.keys.ledger("k"))).toBe(-1);
});
