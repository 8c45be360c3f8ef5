import { Cluster } from "ioredis";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { isoTime } from "../../lib/iso-time.ts";
import type { Logger } from "../../lib/logger.ts";
import { oneAtATime } from "../../lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../lib/running.ts";
import { addressOf } from "../cluster/cluster-node.ts";
import type { RedisConnection } from "../connection.ts";
import { serversOf } from "../connection.ts";
import { inTime } from "../redis-errors.ts";
import type { Expectations } from "./redis-checks.ts";
import { findFlaws } from "./requirements.ts";

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
  let checkedAt = performance.now();
  let fitAt = Date.now();
  let flaws: readonly string[] = [];

  const check = oneAtATime(async () => {
    const askedAt = performance.now();
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
    checkedAt = Number.NEGATIVE_INFINITY;
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
      if (performance.now() - checkedAt > BELIEVED_MS) return inTime(check()).then(requireFit);
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
