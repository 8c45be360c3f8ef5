import { bodies } from "./bodies.ts";
import { json } from "./json.ts";
import { keys } from "./keys.ts";
import type { Group } from "./kind.ts";
import { routes } from "./routes.ts";
import { wire } from "./wire.ts";

/** All bad input that is answered at once. */
export const groups: readonly Group[] = [bodies, json, keys, routes, wire];
