import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as nap } from "node:timers/promises";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Abort } from "./abort.ts";
import { underDeadline } from "./deadline.ts";

const longMs = 60_000;
const late = () => new RangeError("late");

/** Stops the whole thread, as a paused process is stopped: no timer fires. */
function pauseFor(ms: number): void {
  const endsAt = performance.now() + ms;
  while (performance.now() < endsAt);
}

function abortedAfter(ms: number): Abort {
  const abort = new Abort();
  abort.abortAfter(ms, late);
  return abort;
}

function overdue(): Abort {
  const abort = abortedAfter(5);
  pauseFor(10);
  return abort;
}

describe("an abort whose time is up, though its timer has not fired", () => {
  it("is aborted as soon as anybody looks, for the same reason", () => {
    const heard: unknown[] = [];
    const abort = overdue();
    abort.onAbort((reason) => heard.push(reason));

    expect(abort.aborted).toBe(true);

    expect(abort.reason).toEqual(late());
    expect(heard).toEqual([abort.reason]);
    expect(() => overdue().throwIfAborted()).toThrow("late");
  });

  it("has a signal that is aborted as soon as anybody looks", () => {
    const abort = abortedAfter(300);
    const { signal } = abort;
    const heard: unknown[] = [];
    signal.addEventListener("abort", () => heard.push(signal.reason));
    expect(signal.aborted).toBe(false);
    signal.throwIfAborted();
    pauseFor(310);

    expect(heard).toEqual([]);
    expect(() => signal.throwIfAborted()).toThrow("late");

    expect(heard).toEqual([abort.reason]);
    expect(signal.aborted).toBe(true);
    expect(overdue().signal.aborted).toBe(true);
  });

  it("aborts what is aborted with it as soon as anybody looks there", () => {
    const outer = abortedAfter(5);
    const [inner, innermost] = [abortedAfter(longMs), new Abort()];
    inner.abortWith(outer);
    innermost.abortWith(inner);
    const { signal } = innermost;
    pauseFor(10);

    expect(() => signal.throwIfAborted()).toThrow("late");

    expect(outer.reason).toBe(innermost.reason);
    inner.detach();
  });

  it("is aborted no more once it is detached", async () => {
    const outer = new Abort();
    const abort = abortedAfter(5);
    abort.abortWith(outer);
    abort.detach();
    pauseFor(10);
    await nap(0); // the timer that was due
    outer.abort("over");

    expect(abort.aborted).toBe(false);
    expect(abort.signal.aborted).toBe(false);
  });
});

describe("work that was paused beyond its deadline", () => {
  it("is refused when it looks, though its own timer fires before the deadline's", async () => {
    let hasActed = false;

    const work = underDeadline(new Abort(), 20, late, async ({ signal }) => {
      queueMicrotask(() => pauseFor(40));
      await nap(10, undefined, { signal }); // the work
      signal.throwIfAborted();
      hasActed = true;
    });

    await expect(work).rejects.toThrow("late");
    expect(hasActed).toBe(false);
  });
});

describe("the platform's functions, given the signal of an abort", () => {
  let url = "";
  beforeAll(async () => {
    const server = createServer(() => {});
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return () => {
      server.closeAllConnections();
      server.close();
    };
  });

  const functions: Readonly<Record<string, (signal: AbortSignal) => Promise<unknown>>> = {
    fetch: (signal) => fetch(url, { signal }),
    "fetch of a Request": (signal) => fetch(new Request(url, { signal })),
    "timers/promises": (signal) => nap(longMs, undefined, { signal }),
    "events.once": (signal) => once(new EventTarget(), "never", { signal }),
    "AbortSignal.any": async (signal) => {
      const any = AbortSignal.any([signal, new AbortController().signal]);
      if (!any.aborted) await new Promise((resolve) => any.addEventListener("abort", resolve));
      any.throwIfAborted();
    },
    addEventListener: async (signal) => {
      if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw signal.reason;
    },
    onabort: async (signal) => {
      if (!signal.aborted)
        await new Promise((resolve) => {
          signal.onabort = resolve;
        });
      throw signal.reason;
    },
  };

  it.each(Object.keys(functions))("%s ends with it", async (name) => {
    const abort = new Abort();
    onTestFinished(() => abort.detach());
    const ended = expect(functions[name]?.(abort.signal)).rejects.toThrow();
    abort.abortAfter(20, late);
    await ended;
    expect(abort.reason).toEqual(late());
  });

  it.each(Object.keys(functions))("%s refuses it once its time is up", async (name) => {
    const abort = overdue();
    await expect(functions[name]?.(abort.signal)).rejects.toThrow();
    expect(abort.reason).toEqual(late());
  });

  it("see an AbortSignal", () => {
    const { signal } = new Abort();
    expect(signal).toBeInstanceOf(AbortSignal);
    expect(new Abort().signal).not.toBe(signal);
    expect(Object.keys(signal)).toEqual(Object.keys(new AbortController().signal));
  });
});
