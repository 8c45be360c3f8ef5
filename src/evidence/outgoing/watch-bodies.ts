import type { Writable } from "node:stream";
import type { Sender } from "./departure.ts";
import { currentRecord } from "./scope.ts";
import { noteUnfollowed } from "./traffic.ts";

type Body = Pick<Writable, "write" | "end">;

/** @param note is called before something is written to one of these, in the context of whoever writes */
export function watchBodies<B extends Body>(prototype: B, note: (body: B) => void): void {
  const { write, end } = prototype;
  prototype.write = function (this: B, ...args: unknown[]) {
    note(this);
    return Reflect.apply(write, this, args);
  };
  prototype.end = function (this: B, ...args: unknown[]) {
    note(this);
    return Reflect.apply(end, this, args);
  };
}

/**
 * An effect may write into a request that was begun before it: its record has no such request. What other running effects began is theirs: a busy agent
 * calls some libraries in the context of whoever frees a connection.
 *
 * @param owner of the effect that began the request
 */
export function noteBody(owner: Sender | undefined): void {
  const record = currentRecord();
  if (record !== undefined && owner?.isRunning !== true)
    noteUnfollowed("a request that was begun outside of it", record);
}
