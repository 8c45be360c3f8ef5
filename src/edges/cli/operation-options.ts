import { type Command, Option } from "commander";
import { z } from "zod";
import type { DeclaredFilter } from "../../desk/filter.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { parseInput } from "../../platform/lib/parse-json.ts";
import { usage } from "./exit-code.ts";
import { addFilterOptions, readFilter } from "./filter-options.ts";
import { readJson, readSource } from "./option-values.ts";

/** What an operation's input does not say of its options. */
export interface InputWords {
  /** The flags of members that have another name here. @default `--` and the name */
  readonly flags?: Readonly<Record<string, string>>;
  /** Members that are the same at each call, in place of an option. */
  readonly fixed?: Readonly<Record<string, unknown>>;
  /** Members that may be something else here: a command may list more at once than an answer over HTTP. */
  readonly instead?: Readonly<Record<string, z.ZodType>>;
  /** The filter that the input has beside its other members. */
  readonly filter?: DeclaredFilter;
}

/** A member of an input, as JSON Schema. */
interface Member {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly format?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly default?: unknown;
}

interface MemberOption {
  readonly name: string;
  readonly member: Member;
  readonly option: Option;
}

/** By these a page says what it has seen. Nobody types that. */
const seen = ["expect", "finishedAt", "parkedAt", "version"];

type Given = Readonly<Record<string, unknown>>;

/**
 * Adds an option for each member of an input.
 *
 * @returns reads the options before Redis is asked, and then the input at an instant of Redis's clock, from which ages count back
 */
export function addInputOptions(
  command: Command,
  declared: z.ZodType | undefined,
  words: InputWords,
): (given: Given) => Promise<(now: number) => unknown> {
  if (declared === undefined) return async () => () => undefined;
  const { fixed = {}, instead, filter } = words;
  const input = instead && declared instanceof z.ZodObject ? declared.extend(instead) : declared;
  const options = optionsOf(input, words);
  for (const { option } of options) command.addOption(option);
  if (filter !== undefined) addFilterOptions(filter, command);
  return async (given) => {
    const filterAt = filter && readFilter(filter, given);
    const values: Record<string, unknown> = {};
    for (const one of options) {
      const value = await readValue(one, given);
      if (value !== undefined) values[one.name] = value;
    }
    const checked = check(input, values, options);
    return (now) => ({ ...checked, ...fixed, ...filterAt?.(now) });
  };
}

function optionsOf(input: z.ZodType, { flags = {}, fixed = {}, filter }: InputWords) {
  const left = new Set([...seen, ...Object.keys(fixed), ...Object.keys(filter?.members ?? {})]);
  const { properties = {}, required = [] } = z.toJSONSchema(input, { io: "input", unrepresentable: "any" });
  return Object.entries(properties as Readonly<Record<string, Member>>)
    .filter(([name]) => !left.has(name))
    .map(([name, member]): MemberOption => {
      const option = new Option(flags[name] ?? flagsOf(name, member), helpOf(member));
      if (member.enum) option.choices(member.enum);
      if (kindOf(member) !== "switch" && member.default !== undefined) option.default(member.default);
      return { name, member, option: option.makeOptionMandatory(required.includes(name)) };
    });
}

type Kind = "switch" | "number" | "text" | "instant" | "json";

function kindOf({ type, format }: Member): Kind {
  if (type === "boolean") return "switch";
  if (type === "integer" || type === "number") return "number";
  if (type !== "string") return "json";
  return format === "date-time" ? "instant" : "text";
}

const valueFlags: Readonly<Record<Kind, string>> = {
  switch: "",
  number: " <n>",
  text: " <text>",
  instant: " <iso>",
  json: " <json|@file|->",
};

/** @example flagsOf("expectedState", { type: "string" }) // "--expected-state <text>" */
function flagsOf(name: string, member: Member): string {
  const dashed = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return `--${dashed}${valueFlags[kindOf(member)]}`;
}

function helpOf(member: Member): string {
  const { description = "", minimum, maximum } = member;
  const text = description.charAt(0).toLowerCase() + description.slice(1).replace(/\.$/, "");
  const range = kindOf(member) === "number" && maximum !== undefined ? `${minimum} to ${maximum}` : "";
  const json = kindOf(member) === "json" ? "JSON, @ and a file with it, or - for standard input" : "";
  return [text, range, json].filter((part) => part !== "").join("; ");
}

async function readValue({ member, option }: MemberOption, given: Given): Promise<unknown> {
  const value = given[option.attributeName()];
  if (typeof value !== "string") return value;
  const kind = kindOf(member);
  if (kind === "json") return readJson(`--${option.name()}`, await readSource(`--${option.name()}`, value));
  return kind === "number" && value.trim() !== "" ? Number(value) : value;
}

/** @throws HoldfastError `USAGE`, which names the option */
function check(input: z.ZodType, found: Given, options: readonly MemberOption[]): object {
  try {
    return parseInput(input, found) as object;
  } catch (cause) {
    const [issue] = cause instanceof HoldfastError ? cause.issues : [];
    const faulty = options.find(({ name }) => issue?.pointer.split("/")[1] === name);
    if (issue === undefined || faulty === undefined) throw cause;
    const { option, name, member } = faulty;
    const expected = expectedOf(member);
    throw usage(
      `--${option.name()}: ${expected === undefined ? issue.message : `expected ${expected}, got "${found[name]}"`}`,
      { cause },
    );
  }
}

function expectedOf(member: Member): string | undefined {
  const { minimum, maximum } = member;
  const kind = kindOf(member);
  if (kind === "number") return `a number from ${minimum} to ${maximum}`;
  return kind === "instant" ? "an instant with its zone, such as 2026-12-24T09:00:00Z" : undefined;
}

/** A whole number from 1. */
export function countSchema(max: number, fallback: number, description: string) {
  return z.coerce.number().int().min(1).max(max).default(fallback).meta({ description });
}
