import got from "got";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

function send(target: Target, retry?: { limit: number }): Promise<unknown> {
  return got
    .post(`${urlOf(target)}/orders`, {
      json: order,
      timeout: { request: target.timeoutMs },
      ...(target.signal !== undefined && { signal: target.signal }),
      ...(retry !== undefined && { retry }),
    })
    .json<{ id: string }>()
    .then(({ id }) => id);
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, { limit: 0 }),
  classify: http,
};
