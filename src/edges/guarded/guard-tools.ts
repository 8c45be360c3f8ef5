import { hash } from "node:crypto";
import type { EffectCall } from "../../core/job/effect.ts";
import { EffectBusyError, InDoubtError, NotDoneError } from "../../evidence/attempt-errors.ts";
import type { Guard, GuardedEffect } from "../../guard/guard.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { canonicalJson } from "../../platform/lib/canonical-json.ts";
import { expectUse } from "./wrong-use.ts";

/** A tool as the AI SDK has it, and anything else with such a function. */
export interface Tool {
  // Parameters of tools are contravariant: only `never` fits them all.
  execute?: ((input: never, options: never) => unknown) | undefined;
}

export interface ToolsOptions<Name extends string> {
  /** Of the runtime: the conversation, the workflow's run. The same when the run is resumed after a crash; never the model's. */
  readonly run: string;
  /** Which tools act, and the effect that each is. Other tools stay as they are. */
  readonly effects: Readonly<Partial<Record<Name, GuardedEffect<unknown, unknown, "hold" | "repeat">>>>;
  /**
   * Distinguishes calls of one tool with equal arguments that are meant to act more than once in a run. From the runtime, never from what
   * the model wrote.
   *
   * @default none: equal calls act once in a run
   */
  readonly occurrence?:
    | ((tool: Name, input: unknown) => string | undefined | Promise<string | undefined>)
    | undefined;
  /** Whom the model sends people to while an effect is in doubt. @default "an operator" */
  readonly ask?: string;
  /** Who asks, shown with a doubt. @default none */
  readonly by?: string;
}

/** What the model gets instead of a result. */
export interface ToolNotice {
  readonly status: "in_doubt" | "in_progress" | "done_without_result";
  readonly message: string;
  /** Resolves it: `holdfast doubts resolve ID EFFECT`. */
  readonly doubt?: string;
}

const calls = new WeakMap<object, EffectCall>();

/** What a guarded tool's function passes downstream. @param options its second argument */
export function effectOf(options: object): EffectCall {
  const call = calls.get(options);
  if (call === undefined)
    throw new HoldfastError("USAGE", "effectOf: expected the options of a guarded tool");
  return call;
}

/**
 * The key of a tool's call: the same for the same run, tool, occurrence and arguments, in whatever order their members are.
 *
 * @throws HoldfastError `INVALID_REQUEST` for no run, and for arguments that JSON cannot hold; `USAGE` for no tool
 */
export function toolKey(call: {
  readonly run: string;
  readonly tool: string;
  readonly input: unknown;
  readonly occurrence?: string | undefined;
}): string {
  expectUse("toolKey: call", call, "an object");
  const { run, tool, input, occurrence = "" } = call;
  expectUse("toolKey: tool", tool, "a text");
  // An empty one would be the run of everybody.
  if (typeof run !== "string" || run === "")
    throw new HoldfastError("INVALID_REQUEST", `Tool "${tool}": run: expected a text that is not empty`);
  const json = canonicalJson([run, tool, occurrence, input ?? null]);
  if (json.kind === "refused") {
    const [{ pointer = "", message = "" } = {}] = json.issues;
    throw new HoldfastError(
      "INVALID_REQUEST",
      `Tool "${tool}": ${pointer.replace("/3", "input")}: ${message}`,
      {
        issues: json.issues,
      },
    );
  }
  return `tool ${hash("sha256", json.text, "base64url")}`;
}

/**
 * Guards an agent's tools: each acts at most once for its arguments in a run, however often a model calls it, and whatever dies in between. A
 * doubt reaches the model as a result that says not to try again.
 *
 * @throws HoldfastError `USAGE`, also for an effect of a tool that is not there or that nothing executes here: it would not be guarded
 * @example tools: guardTools(guard, { charge, lookUp }, { run: conversation.id, effects: { charge: chargeEffect } })
 */
export function guardTools<Tools extends Readonly<Record<string, Tool>>>(
  guard: Pick<Guard, "once">,
  tools: Tools,
  options: ToolsOptions<Extract<keyof Tools, string>>,
): Tools {
  expectUse("guardTools: guard", guard, "a guard");
  expectUse("guardTools: tools", tools, "an object");
  expectUse("guardTools: options", options, "an object");
  expectUse("guardTools: options.effects", options.effects, "an object");
  if (options.occurrence !== undefined)
    expectUse("guardTools: options.occurrence", options.occurrence, "a function");
  const guarded = Object.entries(options.effects).map(([key, effect]) => {
    const name = key as Extract<keyof Tools, string>;
    const declared = expectUse(`guardTools: options.effects.${name}`, effect, "an effect of defineEffect");
    const tool = Object.hasOwn(tools, name) ? tools[name] : undefined;
    const execute = expectUse(`guardTools: tools.${name}.execute`, tool?.execute, "a function");
    const value = executeOnce(guard, { name, execute: execute.bind(tool) }, declared, options);
    // An object of a class has a part of what the model reads from its class.
    const members = { ...Object.getOwnPropertyDescriptors(tool), execute: { value, enumerable: true } };
    return [name, Object.create(Object.getPrototypeOf(tool), members)];
  });
  return { ...tools, ...Object.fromEntries(guarded) };
}

function executeOnce<Name extends string>(
  guard: Pick<Guard, "once">,
  { name, execute }: { readonly name: Name; readonly execute: NonNullable<Tool["execute"]> },
  effect: GuardedEffect<unknown, unknown, "hold" | "repeat">,
  { run, occurrence, ask = "an operator", by }: ToolsOptions<Name>,
) {
  return async (input: unknown, given?: { readonly abortSignal?: AbortSignal } | null): Promise<unknown> => {
    if (given?.abortSignal != null)
      expectUse(`tool ${name}: options.abortSignal`, given.abortSignal, "an AbortSignal");
    const key = toolKey({ run, tool: name, input, occurrence: await occurrence?.(name, input) });
    const about = `tool ${name} of run ${run}`.slice(0, 500);
    const once = { key, about, ...(by !== undefined && { by }) };
    try {
      return await guard.once(effect, once, async (call) => {
        if (given?.abortSignal?.aborted === true)
          throw new NotDoneError(`${name} was aborted before it began`, { cause: given.abortSignal.reason });
        const abortSignal = AbortSignal.any(
          given?.abortSignal ? [given.abortSignal, call.signal] : [call.signal],
        );
        const options = { ...given, abortSignal };
        calls.set(options, call);
        return await lastOf(await execute(input as never, options as never));
      });
    } catch (error) {
      const notice = noticeOf(error, name, ask);
      if (notice === undefined) throw error;
      return notice;
    }
  };
}

/** What a tool yields before its result is only for people who watch. */
async function lastOf(result: unknown): Promise<unknown> {
  if (typeof result !== "object" || result === null || !(Symbol.asyncIterator in result)) return result;
  let last: unknown;
  for await (const one of result as AsyncIterable<unknown>) last = one;
  return last;
}

/** A model tries again what ends with an error. */
function noticeOf(error: unknown, tool: string, ask: string): ToolNotice | undefined {
  const again = "Do not call this tool again for this, and do not do the same in another way.";
  if (error instanceof InDoubtError) {
    const doubt = error.doubt?.id;
    const about = doubt === undefined ? "" : ` about ${doubt}`;
    const message = `Nobody can know whether ${tool} has happened. ${again} Tell the user that it is not known, and to ask ${ask}${about}.`;
    return { status: "in_doubt", message, ...(doubt !== undefined && { doubt }) };
  }
  if (error instanceof EffectBusyError)
    return { status: "in_progress", message: `${tool} is under way already. ${again}` };
  if (error instanceof HoldfastError && error.code === "RESULT_INVALID")
    return {
      status: "done_without_result",
      message: `${tool} has happened; its result is not known. ${again}`,
    };
  return undefined;
}
