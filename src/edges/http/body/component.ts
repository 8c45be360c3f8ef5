import { z } from "zod";
import { COMPONENT_NAME } from "../../../desk/operations/operation.ts";

/** Each is described by hundreds of answers. */
const described = new WeakMap<z.ZodType, Record<string, unknown>>();

/** A schema that the document has once, under this name. */
export function component(name: string, schema: z.ZodType): Record<string, unknown> {
  const known = described.get(schema) ?? describe(schema);
  described.set(schema, known);
  return namedComponent(name, known);
}

function describe(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema);
  return rest;
}

/** The same for what is JSON Schema already. */
export function namedComponent(name: string, schema: Record<string, unknown>): Record<string, unknown> {
  return { ...schema, [COMPONENT_NAME]: name };
}

/** A successful answer in JSON. */
export function answer(description: string, schema: Record<string, unknown>): Record<string, unknown> {
  return { description, content: { "application/json": { schema } } };
}
