import { HoldfastError } from "../errors/holdfast-error.ts";
import type { StoreClient } from "../store/client.ts";
import { storeFault } from "../store/fault.ts";
import { auditKey, doubtsKey, ledgerKey, queueKey } from "../store/keys.ts";
import { loadScript, type Script } from "../store/script.ts";

/** Where the ledger of one claim lies. */
export interface LedgerPlace {
  readonly prefix: string;
  readonly queue: string;
  /** Hash of the job's type and idempotency key. */
  readonly claim: string;
}

/** What an attempt shows to reserve an effect. */
export interface ReservationRequest {
  readonly effect: string;
  readonly owner: string;
  readonly jobId: string;
  readonly lockToken: string;
  readonly start: number;
  readonly worker: string;
  /** Milliseconds until the owner must have ended. */
  readonly deadlineMs: number;
  /** Milliseconds from the first run for which it may be run again; 0: never. */
  readonly repeatMs: number;
}

export type Reservation =
  | { readonly kind: "reserved" }
  | { readonly kind: "done"; readonly result: string | null }
  | { readonly kind: "busy"; readonly ms: number }
  | { readonly kind: "in-doubt" }
  | { readonly kind: "not-held" };

export interface Resolution {
  readonly as: "done" | "not-done";
  /** JSON; the late report of the effect's own worker is used where it is absent. */
  readonly result?: string | undefined;
  readonly evidence: string;
  readonly by: string;
}

export type Resolved =
  | { readonly kind: "resolved"; readonly jobId: string }
  | { readonly kind: "not-in-doubt"; readonly state: string | null };

const script = (file: string): Script => loadScript(import.meta.url, file);
const scripts = {
  reserve: script("reserve.lua"),
  commit: script("commit.lua"),
  release: script("release.lua"),
  doubt: script("doubt.lua"),
  resolve: script("resolve.lua"),
};

/** Each transition of an effect is one of these: one atomic compare-and-set in the store. */
export interface Ledger {
  reserve(request: ReservationRequest): Promise<Reservation>;
  commit(effect: string, owner: string, result: string): Promise<"done" | "in-doubt" | "refused">;
  release(effect: string, owner: string): Promise<"released" | "in-doubt" | "refused">;
  doubt(effect: string, owner: string, reason: string): Promise<"in-doubt" | "refused">;
  resolve(effect: string, resolution: Resolution): Promise<Resolved>;
}

/** @param retentionMs how long finished effects are remembered */
export function openLedger(client: StoreClient, place: LedgerPlace, retentionMs: number): Ledger {
  const { prefix, queue, claim } = place;
  const ledger = ledgerKey(prefix, queue, claim);
  const doubts = doubtsKey(prefix, queue);
  const run = async <T>(
    step: keyof typeof scripts,
    keys: readonly string[],
    args: readonly (string | number)[],
  ) => {
    try {
      return (await scripts[step].run(client, keys, args)) as T;
    } catch (error) {
      throw storeFault(error);
    }
  };
  return {
    async reserve({ effect, owner, lockToken, start, deadlineMs, repeatMs, jobId, worker }) {
      const job = queueKey(prefix, queue, jobId);
      const args = [effect, owner, lockToken, start, deadlineMs, repeatMs, jobId, worker, claim];
      return toReservation(await run("reserve", [ledger, `${job}:lock`, job, doubts], args));
    },
    commit: (effect, owner, result) => run("commit", [ledger], [effect, owner, result, retentionMs]),
    release: (effect, owner) => run("release", [ledger, doubts], [effect, owner, retentionMs, claim]),
    doubt: (effect, owner, reason) => run("doubt", [ledger, doubts], [effect, owner, reason, claim]),
    async resolve(effect, { as, result = "", evidence, by }) {
      const args = [effect, as, result, evidence, by, retentionMs, claim];
      const [kind, detail] = await run<[string, string | null]>(
        "resolve",
        [ledger, doubts, auditKey(prefix, queue)],
        args,
      );
      return kind === "resolved" ? { kind, jobId: detail ?? "" } : { kind: "not-in-doubt", state: detail };
    },
  };
}

function toReservation(reply: unknown): Reservation {
  const [kind, detail] = reply as [Reservation["kind"], (string | number | null)?];
  switch (kind) {
    case "done":
      return { kind, result: detail == null ? null : String(detail) };
    case "busy":
      return { kind, ms: Number(detail) };
    case "reserved":
    case "in-doubt":
    case "not-held":
      return { kind };
    default:
      throw new HoldfastError("INTERNAL", "The ledger gave an unknown answer");
  }
}
