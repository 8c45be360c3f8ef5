import axios from "axios";
import { http } from "../inside/evidence.ts";
import { type Calls, order, type Target, urlOf } from "./call.ts";

async function send(target: Target): Promise<unknown> {
  const { data } = await axios.post<{ id: string }>(`${urlOf(target)}/orders`, order, {
    timeout: target.timeoutMs,
    ...(target.signal !== undefined && { signal: target.signal }),
  });
  return data.id;
}

export const calls: Calls = { asIs: send, asDocumented: send, classify: http };
