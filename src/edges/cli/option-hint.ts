import { variables } from "../../platform/config/variables.ts";
import { nearest } from "../../platform/lib/did-you-mean.ts";

/**
 * Says which variable sets what somebody has tried to set by an option.
 *
 * @param message of the parser, about wrong usage
 */
export function withVariable(message: string): string {
  const option = /unknown option '--([\w-]+)/.exec(message)?.[1];
  if (option === undefined || message.includes("Did you mean")) return message;
  const byOption = new Map(Object.keys(variables).map((name) => [optionOf(name), name]));
  const found = nearest(optionOf(option), byOption.keys());
  return found === undefined ? message : `${message}(the variable ${byOption.get(found)} sets it)\n`;
}

/** `HOLDFAST_LOCK_MS` is `lock-ms`. */
function optionOf(name: string): string {
  return name
    .toLowerCase()
    .replaceAll("_", "-")
    .replace(/^holdfast-/, "");
}
