import { type JsonSchema, jsonSchemaOf, type Schema } from "../../platform/lib/schema.ts";
import { stepsOf } from "../job/redaction.ts";

/**
 * @returns the pointers that lead nowhere in this schema: a mistyped one would expose its secret. If nothing is known of the
 *   schema's values, any pointer may lead somewhere.
 */
export function strayPointers(schema: Schema, io: "input" | "output", pointers: readonly string[]): string[] {
  if (pointers.length === 0) return [];
  const root = jsonSchemaOf(schema, io);
  const leads = (pointer: string) => root === undefined || leadsIn(root, stepsOf(pointer), root);
  return pointers.filter((pointer) => (pointer !== "" && !pointer.startsWith("/")) || !leads(pointer));
}

/** References can be circular. */
const REFERENCES_MAX = 20;

function leadsIn(schema: JsonSchema, steps: readonly string[], root: JsonSchema, references = 0): boolean {
  const [step, ...rest] = steps;
  if (step === undefined) return true;
  if (schema.$ref !== undefined) {
    const target = schema.$ref === "#" ? root : root.$defs?.[schema.$ref.replace("#/$defs/", "")];
    return (
      target !== undefined && references < REFERENCES_MAX && leadsIn(target, steps, root, references + 1)
    );
  }
  const { anyOf = [], oneOf = [], allOf = [] } = schema;
  return (
    [...anyOf, ...oneOf, ...allOf].some((branch) => leadsIn(branch, steps, root, references + 1)) ||
    innerSchemas(schema, step).some((inner) => leadsIn(inner, rest, root))
  );
}

function innerSchemas(schema: JsonSchema, step: string): JsonSchema[] {
  const { properties = {}, additionalProperties, items, prefixItems = [] } = schema;
  const isElement = step === "*" || /^\d+$/.test(step);
  const named = Object.entries(properties).filter(([name]) => step === "*" || step === name);
  const open = [additionalProperties, ...(isElement ? [items, ...prefixItems] : [])];
  return [
    ...named.map(([, inner]) => inner),
    ...open.filter((inner): inner is JsonSchema => typeof inner === "object"),
  ];
}
