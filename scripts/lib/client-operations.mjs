// The client's methods for the operations: their types, and the routes that they call.
import { execFileSync } from "node:child_process";

const file = "src/edges/client/operations.ts";

/** Codes that every operation can have. */
const common = ["INVALID_REQUEST", "IDEMPOTENCY_KEY_INVALID", "STORE_UNAVAILABLE"];

/** The source of the client's operations. */
export async function clientOperations() {
  const { operations } = await import("../../build/desk/operations/operations.js");
  const { features } = await import("../../build/features/index.js");
  const loaded = await Promise.all(features.map(({ joint }) => joint?.load()));
  const joints = loaded.flatMap((module) => (module === undefined ? [] : [module.joint]));
  const called = Object.entries(operations).filter(([, operation]) => !operation.isCalledByHand);
  const source = `// Written by \`npm run docs\` from src/desk/operations and src/features.

import type { Body, Query, Returned } from "./operation-types.ts";
import type { Route } from "./routes.ts";

/**
 * What an operator can do. Reads are sent again as submissions are. What changes something is sent once: after
 * \`API_UNREACHABLE\` or \`STORE_UNAVAILABLE\` it may have been done, so look before you repeat it.
 */
export interface OperationCalls {
${called.map(methodOf).join("\n")}
}

export const routes: Readonly<Record<keyof OperationCalls, Route>> = {
${called.map(([name, operation]) => `${name}: ${routeOf(operation)},`).join("\n")}
};

/** How jobs are sent that are submitted together. */
export interface Joined {
  readonly path: string;
  /** The members that have jobs, each with what its jobs have beside the members of all submissions. */
  readonly jobs: Readonly<Record<string, readonly string[]>>;
  /** What its receipt has beside that of a job. */
  readonly receipt: readonly string[];
}

export const joined: Readonly<Record<string, Joined>> = {
${joints.map((joint) => `${joint.name}: ${joinedOf(joint)},`).join("\n")}
};
`;
  return execFileSync("node_modules/.bin/biome", ["format", `--stdin-file-path=${file}`], {
    input: source,
    encoding: "utf8",
  });
}

function joinedOf({ path, jobs, receipt: { members } }) {
  return JSON.stringify({ path, jobs, receipt: Object.keys(members) });
}

function methodOf([name, operation]) {
  const { summary, description, errors } = operation;
  const thrown = errors.filter((code) => !common.includes(code)).map((code) => `\`${code}\``);
  const lines = [
    `${summary}.`,
    ...(description === undefined ? [] : [description]),
    ...(thrown.length === 0 ? [] : [`@throws HoldfastError ${thrown.join(", ")}`]),
  ];
  const text =
    lines.length === 1 ? `/** ${lines[0]} */` : `/**\n${lines.map((line) => ` * ${line}`).join("\n")}\n */`;
  return `${text}\n${name}(${argumentsOf(name, operation).join(", ")}): Promise<Returned<"${name}">>;`;
}

/** The parts of the path, then single members of the query, then the rest of it or the body, then the key. */
function argumentsOf(name, { method, path, input, positional = [], isKeyed }) {
  const parts = [...path.matchAll(/:(\w+)/g)].map(
    ([, part]) => `${part}: ${part === "at" ? "Date" : "string"}`,
  );
  const query = `Query<"${name}">`;
  const members = positional.map((member) => `${member}?: ${query}["${member}"]`);
  const rest = [];
  if (method === "GET" || method === "DELETE") {
    const left = Object.keys(input?.shape ?? {}).filter((member) => !positional.includes(member));
    const omitted = positional.map((member) => `"${member}"`).join(" | ");
    if (left.length > 0) rest.push(`query?: ${omitted ? `Omit<${query}, ${omitted}>` : query}`);
  } else if (input !== undefined) rest.push(`request${input.isOptional() ? "?" : ""}: Body<"${name}">`);
  const key = isKeyed ? ["options: { readonly idempotencyKey: string }"] : [];
  return [...parts, ...members, ...rest, ...key];
}

function routeOf({ method, path, positional, isKeyed, returns }) {
  return JSON.stringify({ method, path, positional, isKeyed, returns });
}
