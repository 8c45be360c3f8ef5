import { order, type Target, urlOf } from "./call.ts";

/** What another process or thread runs to place the order. */
export function scriptOf(target: Target): string {
  return `await fetch(${JSON.stringify(`${urlOf(target)}/orders`)}, {
    method: "POST",
    body: ${JSON.stringify(JSON.stringify(order))},
  });`;
}
