import got from "got";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

/** It sends PUT again, as HTTP allows for what is idempotent. */
async function send(target: Target, options = {}): Promise<unknown> {
  const { id } = await got
    .put(`${urlOf(target)}/orders/1`, {
      json: order,
      timeout: { request: target.timeoutMs },
      ...(target.signal !== undefined && { signal: target.signal }),
      ...options,
    })
    .json<{ id: string }>();
  return id;
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, { retry: { limit: 0 } }),
  classify: http,
};
