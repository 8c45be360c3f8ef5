import type { Command } from "commander";
import type { z } from "zod";
import type { Operation, OperationRequest } from "../../desk/operations/operation.ts";
import type { Operator } from "../../desk/operator.ts";
import { username } from "../username.ts";
import { withOperator, withOperatorIfAny } from "./connections.ts";
import { requireKnown } from "./known-names.ts";
import { addInputOptions, type InputWords } from "./operation-options.ts";
import { type Json, printOutcome } from "./screen/output.ts";
import { addShowOptions, type ShowOptions, show } from "./screen/show.ts";
import type { Lines } from "./screen/text.ts";

/** What a command needs of its operation. */
interface Runnable<Answer>
  extends Pick<Operation, "method" | "summary" | "params" | "input" | "isKeyed" | "returns"> {
  run(operator: Operator, request: OperationRequest<string, z.ZodType>): Promise<Answer>;
}

interface Asked {
  readonly params: Readonly<Record<string, string>>;
  readonly options: Json & Readonly<Record<string, unknown>>;
}

/** What an operation does not say of its command. */
interface Words<Answer> extends InputWords {
  /** @default the operation's summary */
  readonly description?: string;
  /** The answer for people. */
  describe(answer: Answer): Lines;
  /** The lines of `--json`. @default what the client's method returns, one a line if that is a list */
  lines?(answer: Answer): readonly unknown[];
  /** Says what to do next. */
  after?(answer: Answer, asked: Asked): void;
  /** Whose names must be known: an empty list would read like good news. */
  readonly known?: readonly ("queue" | "type")[];
  /** Loads what the operation loads otherwise when it is called: after the application, every module passes through tsx. */
  prepare?(): Promise<unknown>;
  /** Works without an application, too: what guards know is in Redis. */
  readonly isForGuards?: true;
}

/**
 * Adds the command of an operation: its arguments, options, refusals and `--json` are those of the operation. One that reads can be
 * watched.
 */
export function addOperationCommand<Answer>(
  parent: Command,
  name: string,
  operation: Runnable<Answer>,
  words: Words<NoInfer<Answer>>,
): Command {
  const params = Object.entries(operation.params ?? {});
  const { method, summary, isKeyed } = operation;
  const command = parent.command(name).description(words.description ?? lowered(summary));
  for (const [param, text] of params) command.argument(`<${param}>`, lowered(text).replace(/\.$/, ""));
  const readInput = addInputOptions(command, operation.input, words);
  if (isKeyed) command.option("--key <key>", "an idempotency key: with it, to run this again is safe");
  if (method === "GET") addShowOptions(command);
  else command.option("--json", "print the answer as JSON");
  return command.action(async (...given: unknown[]) => {
    const options = given[params.length] as ShowOptions & Readonly<Record<string, string | undefined>>;
    const asked = {
      params: Object.fromEntries(params.map(([param], at) => [param, String(given[at])])),
      by: username(),
      key: isKeyed ? options.key : undefined,
    };
    const inputAt = await readInput(options);
    await words.prepare?.();
    await (words.isForGuards ? withOperatorIfAny : withOperator)(async (operator) => {
      for (const member of words.known ?? []) await requireKnown(operator, { [member]: options[member] });
      const read = async () => {
        const input = inputAt(words.filter === undefined ? 0 : await operator.now());
        return await operation.run(operator, { ...asked, input });
      };
      const answer = await printed(read, options);
      words.after?.(answer, { params: asked.params, options });
    });
  });

  async function printed(read: () => Promise<Answer>, options: ShowOptions): Promise<Answer> {
    const { describe, lines: json = returned } = words;
    if (method === "GET") return await show({ read, describe, json }, options);
    const answer = await read();
    printOutcome(options.json, answer, describe(answer));
    return answer;
  }

  function returned(answer: Answer): readonly unknown[] {
    const { returns = "" } = operation;
    const found = (answer as Readonly<Record<string, unknown>>)[returns];
    return Array.isArray(found) ? found : [answer];
  }
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
