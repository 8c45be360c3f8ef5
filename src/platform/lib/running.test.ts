import { describe, expect, it } from "vitest";
import { orStop, stopAll, stopOnce } from "./running.ts";

describe("stopping once", () => {
  it("does its work once, and makes every caller wait for it", async () => {
    let release = () => {};
    let stops = 0;
    const stop = stopOnce(async () => {
      stops += 1;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    const ended: number[] = [];

    const both = [stop().then(() => ended.push(1)), stop().then(() => ended.push(2))];
    expect(ended).toEqual([]);
    release();
    await Promise.all(both);
    await stop();

    expect(ended).toEqual([1, 2]);
    expect(stops).toBe(1);
  });

  it("reports a failure to every caller", async () => {
    const stop = stopOnce(() => Promise.reject(new TypeError("stuck")));

    await expect(stop()).rejects.toThrow("stuck");
    await expect(stop()).rejects.toThrow("stuck");
  });
});

describe("stopping all", () => {
  it("stops the last started first, each after the other, even if one fails", async () => {
    const stopped: string[] = [];
    const part = (name: string, fault?: Error) => ({
      async stop() {
        await Promise.resolve();
        stopped.push(name);
        if (fault !== undefined) throw fault;
      },
    });

    const stopping = stopAll([part("store"), part("api", new TypeError("stuck")), part("worker")]);

    await expect(stopping).rejects.toThrow("stuck");
    expect(stopped).toEqual(["worker", "api", "store"]);
  });
});

describe("orStop", () => {
  it("stops what has started before it reports that the next step failed", async () => {
    const order: string[] = [];
    const started = { stop: async () => void order.push("stopped") };

    await orStop(started, Promise.reject(new Error("port in use"))).catch(({ message }: Error) =>
      order.push(message),
    );

    expect(order).toEqual(["stopped", "port in use"]);
  });

  it("leaves it running if the step succeeds", async () => {
    const order: string[] = [];

    expect(await orStop({ stop: async () => void order.push("stopped") }, Promise.resolve(7))).toBe(7);

    expect(order).toEqual([]);
  });
});
