import { describe, expect, it } from "vitest";
import { Abort } from "./abort.ts";

describe("an abort", () => {
  it("passes the first reason to its listeners and its signal, once", () => {
    const abort = new Abort();
    const heard: unknown[] = [];
    abort.onAbort((reason) => heard.push(reason));
    const { signal } = abort;

    abort.abort("first");
    abort.abort("second");

    expect(heard).toEqual(["first"]);
    expect(abort.reason).toBe("first");
    expect(signal.reason).toBe("first");
    expect(() => abort.throwIfAborted()).toThrow("first");
  });

  it("gives a late caller an aborted signal, and calls late listeners at once", () => {
    const abort = new Abort();
    const heard: unknown[] = [];

    abort.abort("gone");
    abort.onAbort((reason) => heard.push(reason));

    expect(abort.signal.aborted).toBe(true);
    expect(abort.signal.reason).toBe("gone");
    expect(heard).toEqual(["gone"]);
  });

  it("counts as aborted even without a reason", () => {
    const abort = new Abort();

    abort.abort(undefined);

    expect(abort.aborted).toBe(true);
  });

  it("does not call removed listeners", () => {
    const abort = new Abort();
    const heard: unknown[] = [];
    abort.onAbort((reason) => heard.push(reason))();

    abort.abort("unheard");

    expect(heard).toEqual([]);
    expect(abort.aborted).toBe(true);
  });
});
