import type { Producer } from "holdfast";
import { book, push, render } from "./contracts.ts";

export async function sendPush(producer: Producer) {
  // #region expiry
  return await producer.submit(
    push,
    { text: "Your taxi is here" },
    { idempotencyKey: "taxi-7", startWithinMs: 120_000 },
  );
  // #endregion
}

export async function submitBook(producer: Producer, title: string, chapters: readonly string[]) {
  // #region flow
  return await producer.submitFlow({
    parent: { job: book, payload: { title }, idempotencyKey: title },
    children: chapters.map((chapter) => ({ job: render, payload: { chapter }, name: chapter })),
  });
  // #endregion
}
