import { Agent as HttpAgent, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, type Dispatcher, RetryAgent, request } from "undici";
import { CLIENT_WAITS_MS, type HttpClient } from "./plan.ts";

/** One POST. @returns the id of its receipt */
export type Send = (url: string, body: string, signal: AbortSignal) => Promise<string>;

const TRIES = 3;
const AGAIN_MS = 20;
const headers = { "Content-Type": "application/json" };

const plainFetch: Send = async (url, body, signal) => {
  const either = AbortSignal.any([signal, AbortSignal.timeout(CLIENT_WAITS_MS)]);
  const answer = await fetch(url, { method: "POST", headers, body, signal: either });
  return receiptIn(answer.status, answer.headers, await answer.text());
};

/** Sends again whatever went wrong, as many wrappers do, but not what was declined. */
function sentAgain(send: Send): Send {
  return async (...given) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await send(...given);
      } catch (error) {
        if (tries === TRIES || isDeclined(error)) throw error;
        await sleep(AGAIN_MS);
      }
    }
  };
}

/** One at a time, as queues of tasks do it: the end of one begins the next, in the asynchronous context of the former. */
function queued(send: Send): Send {
  const waiting: (() => void)[] = [];
  let isBusy = false;
  const end = () => {
    const next = waiting.shift();
    isBusy = next !== undefined;
    next?.();
  };
  return (...given) =>
    new Promise((resolve, reject) => {
      const begin = () =>
        send(...given)
          .then(resolve, reject)
          .finally(end);
      if (isBusy) return void waiting.push(begin);
      isBusy = true;
      begin();
    });
}

const waits = {
  connectTimeout: CLIENT_WAITS_MS,
  headersTimeout: CLIENT_WAITS_MS,
  bodyTimeout: CLIENT_WAITS_MS,
};
const agent = new Agent(waits);
const retryAgent = new RetryAgent(new Agent(waits), {
  methods: ["POST"],
  maxRetries: TRIES - 1,
  minTimeout: AGAIN_MS,
});

function sendWith(dispatcher: Dispatcher): Send {
  return async (url, body, signal) => {
    const answer = await request(url, { method: "POST", headers, body, signal, dispatcher });
    return receiptIn(answer.statusCode, answer.headers, await answer.body.text());
  };
}

const keptAgent = new HttpAgent({ keepAlive: true });

function postOnce(url: string, body: string, isReset: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const post = httpRequest(url, { method: "POST", headers, agent: keptAgent }, (answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("error", reject);
      answer.on("end", () => {
        try {
          resolve(receiptIn(answer.statusCode ?? 0, answer.headers, Buffer.concat(parts).toString()));
        } catch (error) {
          reject(error);
        }
      });
    });
    post.setTimeout(CLIENT_WAITS_MS, () => post.destroy(new Error("no answer in time")));
    post.on("error", (error) => {
      if (post.reusedSocket) isReset();
      reject(error);
    });
    post.end(body);
  });
}

/** Sends again on a new connection when a kept one was lost, as Node.js's documentation shows it. */
async function nodeHttp(url: string, body: string): Promise<string> {
  let wasKept = false;
  const note = () => {
    wasKept = true;
  };
  try {
    return await postOnce(url, body, note);
  } catch (error) {
    if (!wasKept) throw error;
    return await postOnce(url, body, () => {});
  }
}

/** Gives up by a timer of its own, and leaves the request alone. */
async function nodeHttpRaced(url: string, body: string, signal: AbortSignal): Promise<string> {
  const answer = nodeHttp(url, body);
  answer.catch(() => {});
  const timer = sleep(CLIENT_WAITS_MS / 2, undefined, { signal }).then(() => {
    throw new Error("took too long");
  });
  timer.catch(() => {});
  return await Promise.race([answer, timer]);
}

const queuedHttp = queued(nodeHttp);

export const httpSenders: Record<HttpClient, Send> = {
  fetch: plainFetch,
  "fetch, sent again": sentAgain(plainFetch),
  "node:http, queued and sent again": sentAgain(queuedHttp),
  undici: sendWith(agent),
  "undici RetryAgent": sendWith(retryAgent),
  "node:http": nodeHttp,
  "node:http, raced": nodeHttpRaced,
};

/** Opens a connection to keep, or keeps a queue busy, outside of the effect. */
export const httpWarmers: Partial<Record<HttpClient, (url: string) => Promise<unknown>>> = {
  fetch: (url) => fetch(url).then((answer) => answer.arrayBuffer()),
  "fetch, sent again": (url) => fetch(url).then((answer) => answer.arrayBuffer()),
  "node:http, queued and sent again": async (url) => {
    // It is under way when the effect begins.
    queuedHttp(url, "", AbortSignal.timeout(CLIENT_WAITS_MS)).catch(() => {});
  },
  undici: (url) => request(url, { dispatcher: agent }).then(({ body }) => body.dump()),
  "undici RetryAgent": (url) => request(url, { dispatcher: retryAgent }).then(({ body }) => body.dump()),
  "node:http": getOnce,
  "node:http, raced": getOnce,
};

function getOnce(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const get = httpRequest(url, { agent: keptAgent }, (answer) => answer.resume().once("end", resolve));
    get.on("error", reject).end();
  });
}

/** An answer that is not the expected one. */
class AnswerError extends Error {
  readonly status: number;
  readonly headers: unknown;

  constructor(status: number, headers: unknown) {
    super(`answered ${status}`);
    this.status = status;
    this.headers = headers;
  }
}

function isDeclined(error: unknown): boolean {
  return error instanceof AnswerError && error.status < 500;
}

/** @throws TypeError for an answer without a receipt, as careless code does */
function receiptIn(status: number, headers: unknown, text: string): string {
  if (status !== 200) throw new AnswerError(status, headers);
  const { receipt } = JSON.parse(text) as { receipt: { id: string } };
  return receipt.id;
}
