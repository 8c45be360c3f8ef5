import type { EffectCall } from "holdfast";
import { type CallPayload, call } from "../contracts.ts";
import { claimMarker, isClaimed, pass } from "../injection.ts";
import { trace } from "../trace.ts";
import { traced } from "../traced.ts";
import { httpSenders, httpWarmers } from "./http-clients.ts";
import { openMailSender } from "./mail-clients.ts";
import { openTarget } from "./open-target.ts";
import { CLIENT_WAITS_MS, isMailClient, isProof, isUnseen, type Move, type Order } from "./plan.ts";

/** Calls the downstream with one client library, as a guarded effect. */
export const callHandler = call.handler(async ({ payload, jobId, idempotencyKey, effect }) => {
  trace("begun", jobId);
  const mark = nextCall(jobId);
  const move = payload.moves[mark.number] ?? "answers";
  const port = await openTarget({ kind: isMailClient(payload.client) ? "mail" : "http", move });
  const sender = await openSender(payload, port);
  const callOnce = async ({ key, fence, signal }: EffectCall): Promise<unknown> => {
    claimMarker(mark.name);
    await pass("effect:begun", jobId);
    trace("calls", jobId, move.replaceAll(" ", "_"));
    const begunAt = performance.now();
    const mayBeUnseen = isUnseen(payload.client) || sender.isBusy;
    const order: Order = { key, fence, job: idempotencyKey, life: process.env.LAB_LIFE ?? "" };
    try {
      const receipt = await sender.send(JSON.stringify(order), signal);
      await pass("effect:recorded", jobId);
      return receipt;
    } catch (error) {
      const ms = performance.now() - begunAt;
      trace(proofOf(error, { move, ms, mayBeUnseen, isMail: isMailClient(payload.client) }), jobId);
      throw error;
    }
  };
  await traced(jobId, () => effect("call", callOnce));
  return {};
});

/** The downstream moves once for each call that really began, in whatever process. */
function nextCall(jobId: string): { readonly number: number; readonly name: string } {
  for (let number = 0; ; number += 1) {
    const name = `${jobId}-call-${number}`;
    if (!isClaimed(name)) return { number, name };
  }
}

interface Failed {
  readonly move: Move;
  /** Whether something else, which runs outside of the effect, may have sent it. */
  readonly mayBeUnseen: boolean;
  readonly isMail: boolean;
  /** How long the call took, in milliseconds. */
  readonly ms: number;
}

/**
 * What a failed call has proved. `either`: nothing has happened, but nobody need know that, because the client may have given up on its
 * first try, or has sent it unseen. A reset that a busy process reads only together with the news of its connection ends `connect`, so
 * nothing was sent on it. A mail client sends nothing before the server's greeting.
 */
function proofOf(
  error: unknown,
  { move, ms, mayBeUnseen, isMail }: Failed,
): "proved" | "unproved" | "either" {
  if (move === "resets unread" && hasFailedToConnect(error)) return "either";
  if ((isMail && isBeforeGreeting(move)) || hasGivenUpEarly(error)) return "either";
  if (!isProof(move)) return "unproved";
  return ms < CLIENT_WAITS_MS && !mayBeUnseen && hasLearned(error, move) ? "proved" : "either";
}

function isBeforeGreeting(move: Move): boolean {
  return move === "resets unread" || move === "closes unread";
}

/** Whether the client waited too long for a connection, or for a greeting: a busy downstream is late with both. Nothing was sent by then. */
function hasGivenUpEarly(error: unknown): boolean {
  return errorsIn(error).some(
    (node) =>
      ("code" in node && node.code === "UND_ERR_CONNECT_TIMEOUT") ||
      ("timeoutType" in node && /^(CONNECT|GREETING)_TIMEOUT$/.test(String(node.timeoutType))),
  );
}

function hasLearned(error: unknown, move: Move): boolean {
  if (move === "refuses connections") return hasFailedToConnect(error);
  return errorsIn(error).some((node) => "status" in node || "statusCode" in node || "responseCode" in node);
}

function hasFailedToConnect(error: unknown): boolean {
  return errorsIn(error).some((node) => "syscall" in node && node.syscall === "connect");
}

function errorsIn(error: unknown): readonly Error[] {
  return [error, error instanceof Error ? error.cause : undefined].filter((node) => node instanceof Error);
}

interface Sender {
  send(body: string, signal: AbortSignal): Promise<unknown>;
  /**
   * Whether it is still at what warmed it. A pool then sends the effect's mail from there, so that nobody sees whose it is: the doubt is
   * right.
   */
  readonly isBusy: boolean;
}

/** What is under way before the effect is not seen by whoever watches what the effect sends. */
async function openSender({ client, isWarm }: CallPayload, port: number): Promise<Sender> {
  if (isMailClient(client)) {
    const sender = openMailSender(client, port);
    let isBusy = isWarm;
    if (isWarm)
      sender.warm().finally(() => {
        isBusy = false;
      });
    return {
      send: sender.send,
      get isBusy() {
        return isBusy;
      },
    };
  }
  const url = `http://127.0.0.1:${port}/`;
  if (isWarm) await httpWarmers[client]?.(url).catch(() => {});
  return { send: (body, signal) => httpSenders[client](url, body, signal), isBusy: false };
}
