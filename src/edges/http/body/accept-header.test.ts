import { describe, expect, it } from "vitest";
import { acceptsEventStream } from "./accept-header.ts";

describe("the Accept header", () => {
  it.each([
    "text/event-stream",
    "Text/Event-Stream",
    "text/event-stream, application/json",
    "application/json, text/event-stream",
    "application/json;q=0.5, text/event-stream;q=0.8",
    "text/event-stream;charset=utf-8, */*;q=0.1",
  ])("asks for a stream: %s", (accept) => {
    expect(acceptsEventStream(accept)).toBe(true);
  });

  it.each([
    undefined,
    "",
    "*/*",
    "text/*",
    "application/json",
    "text/event-stream;q=0",
    "text/event-stream;q=0.0",
    "text/event-stream;q=bad",
    "text/event-stream;q=0.5, application/json",
    "text/event-streams",
    "x-text/event-stream",
  ])("does not ask for a stream: %s", (accept) => {
    expect(acceptsEventStream(accept)).toBe(false);
  });
});
