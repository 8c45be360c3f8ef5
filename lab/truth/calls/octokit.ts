import { Octokit } from "octokit";
import { octokit } from "../inside/evidence.ts";
import { type Calls, type Target, urlOf } from "./call.ts";

const issue = { owner: "shop", repo: "orders", title: "Coffee" };
/** It warns on the console of each error. */
const log = { debug() {}, info() {}, warn() {}, error() {} };
/** It spaces writes out over the whole process: rows would wait for each other. */
const throttle = { enabled: false };

async function send(target: Target, options = {}): Promise<unknown> {
  const client = new Octokit({ auth: "truth", baseUrl: urlOf(target), log, throttle, ...options });
  const request = target.signal === undefined ? {} : { request: { signal: target.signal } };
  return (await client.rest.issues.create({ ...issue, ...request })).data.id;
}

export const calls: Calls = {
  asIs: (target) => send(target),
  asDocumented: (target) => send(target, { retry: { enabled: false } }),
  classify: octokit,
};
