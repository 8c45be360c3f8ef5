import { Cluster } from "ioredis";
import { durabilityText } from "../../config/variables.ts";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { isoTime } from "../../lib/iso-time.ts";
import type { Logger } from "../../lib/logger.ts";
import { ageOf, momentNow, NEVER } from "../../lib/moment.ts";
import { oneAtATime } from "../../lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../lib/running.ts";
import { addressOf } from "../cluster/cluster-node.ts";
import { kindOf, type RedisConnection, serversOf, type TopologyKind } from "../connection.ts";
import { inTime, redisUnavailable } from "../redis-errors.ts";
import { readInfo } from "./info.ts";
import type { RedisCheck } from "./redis-check.ts";
import { checkServer, checkVersion, type Expectations } from "./redis-checks.ts";

/** Checks what the configured durability rests on. In a cluster every master is checked, and the worst is returned. */
export async function checkRedis(client: RedisConnection, expectations: Expectations): Promise<RedisCheck[]> {
  const kind = kindOf(client);
  const checked = await Promise.all(
    serversOf(client).map((server) => checkServer(client, server, expectations)),
  );
  return worstOf(checked, kind);
}

/** Of each setting the check that does not hold, if there is one. Masters without replicas need fewer settings than others. */
function worstOf(checked: RedisCheck[][], kind: TopologyKind): RedisCheck[] {
  const worst = new Map<string, RedisCheck>();
  for (const check of (kind === "cluster" ? withoutDemoted(checked) : checked).flat())
    if (gravityOf(check) > gravityOf(worst.get(check.setting))) worst.set(check.setting, check);
  return [...worst.values()];
}

function gravityOf(check: RedisCheck | undefined): number {
  if (check === undefined) return 0;
  if (!check.holds) return 3;
  return check.isAccepted ? 2 : 1;
}

/** The client learns within seconds that a cluster has another master; until then it still lists the old one. */
function withoutDemoted(checked: RedisCheck[][]): RedisCheck[][] {
  const masters = checked.filter((checks) =>
    checks.every(({ setting, holds }) => setting !== "role" || holds),
  );
  return masters.length === 0 ? checked : masters;
}

/**
 * @returns what each promise costs that `HOLDFAST_DURABILITY` gives up by name
 * @throws HoldfastError `STORE_UNFIT` that names every flaw, its risk and its remedy
 */
export async function requireFitRedis(
  client: RedisConnection,
  expectations: Expectations,
): Promise<string[]> {
  const checks = await checkRedis(client, expectations);
  const flaws = checks.filter(({ holds }) => !holds);
  if (flaws.length === 0)
    return checks
      .filter(({ isAccepted }) => isAccepted)
      .map(({ setting, found, risk }) => `${setting}: ${found}: ${risk}`);
  throw new HoldfastError("STORE_UNFIT", flaws.map((flaw) => describeFlaw(flaw, expectations)).join("\n"));
}

/** A server that answers later is not asked: writes to it time out, too. */
const FLAWS_WITHIN_MS = 1_000;

/**
 * Finds what neither Redis nor `WAIT` enforces with each write, of the servers that can be reached.
 *
 * @returns a line for each flaw
 * @throws an error of Redis if none can be reached
 */
async function findFlaws(client: RedisConnection, expectations: Expectations): Promise<string[]> {
  const kind = kindOf(client);
  const checked = await Promise.allSettled(
    serversOf(client).map((server) =>
      withDeadline(checkServer(client, server, expectations), FLAWS_WITHIN_MS, redisUnavailable),
    ),
  );
  const reached = checked.filter((check) => check.status === "fulfilled").map(({ value }) => value);
  if (reached.length === 0)
    throw checked.find((check) => check.status === "rejected")?.reason ?? redisUnavailable();
  const flaws = worstOf(reached, kind).filter(({ holds, isEnforced }) => !holds && isEnforced === undefined);
  return flaws.map((flaw) => describeFlaw(flaw, expectations));
}

/**
 * Checks only the version: on an older one even the check for data loss fails.
 *
 * @throws HoldfastError `STORE_UNFIT`
 */
export async function requireVersion(client: RedisConnection, expectations: Expectations): Promise<void> {
  const checks = await Promise.all(
    serversOf(client).map(async (server) => checkVersion(await readInfo(server))),
  );
  const flaw = checks.find(({ holds }) => !holds);
  if (flaw !== undefined) throw new HoldfastError("STORE_UNFIT", describeFlaw(flaw, expectations));
}

/** The flaw as one line for an operator. */
function describeFlaw(flaw: RedisCheck, { HOLDFAST_DURABILITY: durability }: Expectations): string {
  const { setting, expected, found, risk, remedy } = flaw;
  return `${setting}: HOLDFAST_DURABILITY=${durabilityText(durability)} expects ${expected}, found ${found}; ${risk}. Remedy: ${remedy}.`;
}

/** Whether Redis still meets the requirements: its settings can be changed while it runs, and a promoted replica has others. */
export interface Fitness extends Running {
  /**
   * Called before anything is acknowledged or begun.
   *
   * @returns undefined if Redis was fit within the last 5 s; else a promise of the check
   * @throws HoldfastError `STORE_UNFIT`; the promise also `STORE_UNAVAILABLE`
   */
  confirm(): Promise<void> | undefined;
}

const CHECK_EVERY_MS = 2_000;
/** A check is believed for as long. */
const BELIEVED_MS = 5_000;
/** A person has to mend it. */
const RETRY_AFTER_MS = 5_000;

/** Watches a Redis that was fit just now. Connections that were lost, and other masters, are checked before they are used. */
export function watchFitness(client: RedisConnection, expectations: Expectations, log?: Logger): Fitness {
  let checkedAt = momentNow();
  let fitAt = Date.now();
  let flaws: readonly string[] = [];

  const check = oneAtATime(async () => {
    const askedAt = momentNow();
    const found = await findFlaws(client, expectations);
    checkedAt = askedAt;
    if (found.join() !== flaws.join()) report(log, found, fitAt);
    flaws = found;
    if (found.length === 0) fitAt = Date.now();
  });
  const checkSoon = () => {
    // A retrying connection would keep the commands until Redis is back, and it is checked then.
    if (client.status === "ready") check().catch(() => {});
  };
  const doubt = () => {
    checkedAt = NEVER;
  };
  const checkAnew = () => {
    doubt();
    checkSoon();
  };
  const ignoreMasters = onOtherMasters(client, checkAnew);
  const timer = setInterval(checkSoon, CHECK_EVERY_MS);
  client.on("close", doubt);
  client.on("ready", checkAnew);

  function requireFit(): void {
    if (flaws.length > 0)
      throw new HoldfastError("STORE_UNFIT", flaws.join(" ").replace(/\.$/, ""), {
        retryAfterMs: RETRY_AFTER_MS,
      });
  }

  return {
    confirm() {
      if (ageOf(checkedAt) > BELIEVED_MS) return inTime(check()).then(requireFit);
      requireFit();
      return undefined;
    },
    stop: stopOnce(async () => {
      clearInterval(timer);
      client.off("close", doubt);
      client.off("ready", checkAnew);
      ignoreMasters();
    }),
  };
}

/** A cluster's connection stays ready while one of its masters is replaced. @returns a function that removes the listener */
function onOtherMasters(client: RedisConnection, listener: () => void): () => void {
  if (!(client instanceof Cluster)) return () => {};
  const mastersOf = () => serversOf(client).map(addressOf).join();
  let known = mastersOf();
  const look = () => {
    const masters = mastersOf();
    if (masters === known) return;
    known = masters;
    listener();
  };
  client.on("refresh", look);
  return () => client.off("refresh", look);
}

function report(log: Logger | undefined, flaws: readonly string[], fitAt: number): void {
  if (flaws.length === 0) {
    log?.info("Redis is fit again: jobs are accepted, and effects begin");
    return;
  }
  const consequence =
    "No job is accepted and no effect begins; what was acknowledged since it was last fit may be lost.";
  log?.error({ code: "STORE_UNFIT", lastFitAt: isoTime(fitAt) }, `${flaws.join(" ")} ${consequence}`);
}
