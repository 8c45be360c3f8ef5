import ky from "ky";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

async function send(target: Target, retry?: number): Promise<unknown> {
  const { id } = await ky
    .post(`${urlOf(target)}/orders`, {
      json: order,
      timeout: target.timeoutMs,
      ...(target.signal !== undefined && { signal: target.signal }),
      ...(retry !== undefined && { retry }),
    })
    .json<{ id: string }>();
  return id;
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, 0),
  classify: http,
};
