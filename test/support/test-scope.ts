import { AsyncLocalStorage } from "node:async_hooks";
import { aroundEach, type TestContext, onTestFinished as whenLatestFinished } from "vitest";

const running = new AsyncLocalStorage<TestContext>();

/** Lets `onTestFinished` know which test calls it. */
export function scopeTests(): void {
  aroundEach((runTest, test) => running.run(test, runTest));
}

/** As Vitest's own, which knows only one test at a time. Tests that run at once, in `describe.concurrent`, use this one. */
export const onTestFinished: TestContext["onTestFinished"] = (end) => {
  const test = running.getStore();
  // A callback of what another test file has left in this process belongs to no test.
  (test?.onTestFinished ?? whenLatestFinished)(end);
};
