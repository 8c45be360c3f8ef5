import { durabilityText } from "../../config/variables.ts";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { withDeadline } from "../../lib/deadline.ts";
import { kindOf, type RedisConnection, serversOf, type TopologyKind } from "../connection.ts";
import { redisUnavailable } from "../redis-errors.ts";
import { readInfo } from "./info.ts";
import { checkServer, checkVersion, type Expectations, type RedisCheck } from "./redis-checks.ts";

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
    if (!worst.has(check.setting) || !check.holds) worst.set(check.setting, check);
  return [...worst.values()];
}

/** The client learns within seconds that a cluster has another master; until then it still lists the old one. */
function withoutDemoted(checked: RedisCheck[][]): RedisCheck[][] {
  const masters = checked.filter((checks) =>
    checks.every(({ setting, holds }) => setting !== "role" || holds),
  );
  return masters.length === 0 ? checked : masters;
}

/** @throws HoldfastError `STORE_UNFIT` that names every flaw, its risk and its remedy */
export async function requireFitRedis(client: RedisConnection, expectations: Expectations): Promise<void> {
  const flaws = (await checkRedis(client, expectations)).filter(({ holds }) => !holds);
  if (flaws.length === 0) return;
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
export async function findFlaws(client: RedisConnection, expectations: Expectations): Promise<string[]> {
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
