import { defineJob, PermanentError } from "holdfast";
import { z } from "zod";
import { echo } from "./application.ts";

/** `echo` is a type of the commands' application as well; its jobs here fail, and end in doubt where their payload is "doubt". */
export const failing = defineJob({
  type: echo.type,
  payload: z.unknown(),
  result: z.unknown(),
  retry: { attempts: 1, backoff: { kind: "fixed", delayMs: 0 } },
  timeoutMs: 10_000,
  effects: { send: { timeoutMs: 5_000, inDoubt: "hold" } },
});

/** @param message what the failure says */
export const failingHandler = (message: string) =>
  failing.handler(async ({ payload, effect }) => {
    if (payload === "doubt")
      await effect("send", () => Promise.reject(Object.assign(new Error("lost"), { code: "EPIPE" })));
    throw new PermanentError(message);
  });
