import type { Command } from "commander";
import { z } from "zod";
import type { Operation, OperationRequest } from "../../desk/operations/operation.ts";
import type { Operator } from "../../desk/operator.ts";
import { parseInput } from "../../platform/lib/parse-json.ts";
import { username } from "../username.ts";
import { withOperator } from "./connections.ts";
import { type Json, printOutcome } from "./screen/output.ts";
import type { Lines } from "./screen/text.ts";

/** What a command needs of its operation. */
interface Runnable extends Pick<Operation, "summary" | "params" | "input" | "isKeyed"> {
  run(operator: Operator, request: OperationRequest<string, z.ZodType>): Promise<unknown>;
}

/**
 * Adds the command of an operation: its description, arguments, options, refusals and `--json` are those of the operation.
 *
 * @param describe the answer for people
 */
export function addOperationCommand<Given extends Runnable>(
  parent: Command,
  name: string,
  operation: Given,
  describe: (answer: Awaited<ReturnType<Given["run"]>>) => Lines,
): void {
  const params = Object.entries(operation.params ?? {});
  const members = membersOf(operation.input);
  const command = parent
    .command(name)
    .description(operation.summary.charAt(0).toLowerCase() + operation.summary.slice(1));
  for (const [param, text] of params)
    command.argument(`<${param}>`, text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, ""));
  for (const [member, schema] of members) command.option(`--${dashed(member)} <value>`, helpOf(schema));
  if (operation.isKeyed)
    command.option("--key <key>", "an idempotency key: with it, to run this again is safe");
  command.option("--json", "print the answer as JSON");
  command.action(async (...given: unknown[]) => {
    const texts = given.slice(0, params.length) as string[];
    const { json, key, ...options } = given[params.length] as Json & Record<string, string | undefined>;
    const request = {
      params: Object.fromEntries(params.map(([param], at) => [param, texts[at] ?? ""])),
      input: operation.input && parseInput(operation.input, options),
      by: username(),
      key: operation.isKeyed ? key : undefined,
    };
    const answer = await withOperator((operator) => operation.run(operator, request));
    printOutcome(json, answer, describe(answer as Awaited<ReturnType<Given["run"]>>));
  });
}

function membersOf(input: z.ZodType | undefined): [string, z.ZodType][] {
  return input instanceof z.ZodObject ? (Object.entries(input.shape) as [string, z.ZodType][]) : [];
}

function helpOf(schema: z.ZodType): string {
  const text = schema.meta()?.description ?? "";
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, "");
}

/** @example dashed("expectedState") // "expected-state" */
function dashed(member: string): string {
  return member.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
